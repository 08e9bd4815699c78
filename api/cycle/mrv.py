"""Monitoring, reporting, verification: every firm's year, filed with evidence and signed by the verifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.cycle.accounts import DEVELOPER, VERIFIER
from api.cycle.market import Market, chunks
from api.cycle.plan import CyclePlan, FirmYear
from chain.abi import Call
from chain.ids import request_id
from chain.units import UnitId
from registry import acts
from registry.documents import canonical, sha256
from registry.manifest import Bundle, EvidenceFile, Manifest, bundle_salt
from registry.mrv.methods import GRAMS_PER_TONNE, MICRO, EmissionFactorLine
from registry.mrv.report import EmissionReport
from registry.mrv.statement import (
    EmissionStatement,
    ReductionStatement,
    sign,
    verify_report,
)

PROJECT: Final = 1
_BATCH: Final = 1
_STATEMENTS_A_TRANSACTION: Final = 20


def offset_unit(period: int) -> UnitId:
    """Return the unit of the offsets issued in a period's cycle."""
    return UnitId.offset(period, PROJECT, _BATCH)


def report_and_verify(market: Market, plan: CyclePlan) -> None:
    """File every report, let the verifier check and sign each, and bring the statements."""
    reporting = [firm for firm in plan.firms if firm.verified_t is not None]
    bundles = [(market.address(firm.label), _bundle(market, plan.period, firm)) for firm in reporting]
    manifests = market.custody.put_bundles(bundles)
    reports = [
        _report(market, plan.period, firm, manifest)
        for firm, manifest in zip(reporting, manifests, strict=True)
    ]
    market.custody.put_many([(report.entity, report.content()) for report in reports])
    filings = [
        (market.signer(firm.label), _filing(market, plan.period, firm, report))
        for firm, report in zip(reporting, reports, strict=True)
    ]
    receipts = market.do("file reports", filings)
    if not receipts:
        return
    filed = market.events("ReportFiled", receipts)
    signed = [_verify(market, event.args) for event in filed]
    verifier = market.signer(VERIFIER)
    batches = chunks(signed, _STATEMENTS_A_TRANSACTION)
    market.do("bring signed statements", [(verifier, acts.accept_statements(batch)) for batch in batches])


def register_project(market: Market) -> None:
    """Register the project whose reductions the firms surrender as offsets."""
    document = canonical({"name": "Reductions of the scenario", "method": "BE - PE - LE"})
    market.custody.put(market.address(DEVELOPER), document)
    call = acts.register_project(
        PROJECT, market.address(DEVELOPER), sha256(document), market.id_of("project", PROJECT)
    )
    market.do("register the project", [(market.signer("registrar"), call)])


def issue_offsets(market: Market, plan: CyclePlan) -> None:
    """Issue the year's offsets by a signed reduction statement, and hand them to the firms."""
    if not plan.offsets_t:
        return
    leakage_t, project_t = plan.offsets_t // 50, plan.offsets_t // 10
    measured = {
        "baseline_t": plan.offsets_t + project_t + leakage_t,
        "project_t": project_t,
        "leakage_t": leakage_t,
    }
    document = canonical({"period": plan.period, **measured})
    market.custody.put(market.address(DEVELOPER), document)
    salt = bundle_salt(market.keyring.secret("evidence"), f"{market.run}/reductions/{plan.period}")
    file = EvidenceFile("monitoring.json", "application/json", document)
    (manifest,) = market.custody.put_bundles([(market.address(DEVELOPER), Bundle((file,), salt))])
    statement = ReductionStatement(
        statement_id=request_id(market.id_of("reductions", plan.period)),
        project=PROJECT,
        vintage=plan.period,
        batch=_BATCH,
        evidence_root=manifest.root,
        document_hash=sha256(document),
        verifier=market.address(VERIFIER),
        **measured,
    )
    verifier, developer = market.signer(VERIFIER), market.signer(DEVELOPER)
    signature = sign(statement, market.statement_domain, verifier)
    market.do("issue offsets", [(verifier, acts.accept_reduction(statement, signature))])
    unit = offset_unit(plan.period)
    transfers = [
        (
            developer,
            acts.transfer_units(developer.address, market.address(firm.label), unit, firm.offsets_t),
        )
        for firm in plan.firms
        if firm.offsets_t
    ]
    market.do("hand over offsets", transfers)


def _bundle(market: Market, period: int, firm: FirmYear) -> Bundle:
    record = canonical({"firm": firm.label, "period": period, "measured_t": firm.verified_t})
    salt = bundle_salt(market.keyring.secret("evidence"), f"{market.run}/{period}/{firm.label}")
    return Bundle((EvidenceFile("measured.json", "application/json", record),), salt)


def _report(market: Market, period: int, firm: FirmYear, manifest: Manifest) -> EmissionReport:
    assert firm.verified_t is not None, "only a firm with emissions reports"
    line = EmissionFactorLine(
        what="emissions of the year, tCO2e",
        amount_micro=firm.verified_t * MICRO,
        factor_g=GRAMS_PER_TONNE,
        source="measured.json",
    )
    return EmissionReport.of(market.address(firm.label), period, (line,), manifest.root)


def _filing(market: Market, period: int, firm: FirmYear, report: EmissionReport) -> Call:
    report_id = request_id(market.id_of("report", period, firm.label))
    return acts.file_report(
        report_id, period, report.evidence_root, report.document_hash(), report.reported_t
    )


def _verify(market: Market, filed: Mapping[str, Any]) -> tuple[EmissionStatement, bytes]:
    """Do the verifier's work from what it can see: the chain's event, the stored report and its evidence."""
    report = EmissionReport.read(market.evidence.get(filed["documentHash"]))
    market.evidence.files(filed["evidenceRoot"])
    statement = verify_report(
        statement_id=request_id(market.id_of("statement", filed["reportId"])),
        report_id=request_id(filed["reportId"]),
        report=report,
        manifest=market.evidence.manifest(filed["evidenceRoot"]),
        filed=filed,
        verifier=market.address(VERIFIER),
    )
    return statement, sign(statement, market.statement_domain, market.signer(VERIFIER))
