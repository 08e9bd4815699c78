"""The registry's part: accounts, a period with its allocation, a verified report, an offset batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from api.cycle.market import Market
from api.seed import members
from api.seed.acts import do_each
from chain.ids import request_id
from chain.refusals import Fact
from registry import acts
from registry.accounts import AccountKind, person_commitment, profile_hash
from registry.documents import canonical, sha256
from registry.manifest import Bundle, EvidenceFile, bundle_salt
from registry.mrv.methods import EmissionFactorLine
from registry.mrv.report import EmissionReport
from registry.mrv.statement import ReductionStatement, sign, verify_report

PROJECT: Final = 1
BATCH: Final = 1
ALLOCATED_T: Final = {
    members.POWER: 120_000,
    members.CEMENT: 90_000,
    members.STEEL: 80_000,
    members.PAPER: 30_000,
}
_CAP_T: Final = 400_000
_LAST_MOMENT_UTC: Final = 2**40
_REDUCTIONS_T: Final = {"baseline_t": 12_000, "project_t": 1_500, "leakage_t": 500}


def founded_utc(market: Market) -> int:
    """Return when this chain's contracts were set up, unix seconds: the same at every start."""
    block = market.transactor.rpc.call("eth_getBlockByNumber", hex(market.transactor.deployment.block), False)
    return int(block["timestamp"], 16)


def open_accounts(market: Market) -> None:
    """Open everyone's account, and accredit the verifier and the provider."""
    salt = market.keyring.secret("profiles")
    openings = []
    for seat in members.MEMBERS:
        if seat.kind is AccountKind.PERSON:
            digest = person_commitment(seat.profile, bundle_salt(salt, seat.label))
        else:
            market.evidence.put(seat.profile.content())
            digest = profile_hash(seat.profile)
        openings.append(acts.Opening(market.address(seat.label), seat.kind, digest))
    registrar, regulator = market.signer("registrar"), market.signer(members.REGULATOR)
    verifier, bus = market.address(members.VERIFIER), market.address(members.BUS)
    do_each(
        market,
        [
            (registrar, acts.open_accounts(openings)),
            (
                regulator,
                acts.accredit_verifier(verifier, _LAST_MOMENT_UTC, market.id_of("accredit", verifier)),
            ),
            (regulator, acts.accredit_provider(bus, True, market.id_of("accredit", bus))),
        ],
    )


def publish_and_allocate(market: Market, period: int) -> None:
    """Publish the period, which is due at the end of the next year, and give every firm its allowances."""
    deadline = datetime(period + 1, 12, 31, 15, 59, 59, tzinfo=UTC)  # midnight in Beijing
    rules = acts.PeriodRules(period, int(deadline.timestamp()), _CAP_T, 50_000, 5)
    quantities = [(market.address(label), quantity_t) for label, quantity_t in ALLOCATED_T.items()]
    regulator = market.signer(members.REGULATOR)
    do_each(
        market,
        [
            (regulator, acts.publish_period(rules)),
            (regulator, acts.allocate(period, quantities, market.id_of("allocate", period))),
        ],
    )


def report_and_verify(market: Market, period: int) -> None:
    """Let one firm report its year with evidence, and the verifier check and sign it."""
    firm, verifier = market.signer(members.CEMENT), market.signer(members.VERIFIER)
    lines = (
        EmissionFactorLine("clinker, process emissions, t", 95_000_000_000, 525_000, "kiln weighing records"),
        EmissionFactorLine("bituminous coal, t", 14_200_000_000, 2_250_000, "coal invoices and lab reports"),
        EmissionFactorLine("purchased electricity, MWh", 9_800_000_000, 570_300, "meter readings", scope=2),
    )
    files = (
        EvidenceFile("kiln.csv", "text/csv", b"month,clinker_t\n01-12,95000\n"),
        EvidenceFile("coal.csv", "text/csv", b"month,coal_t,lab\n01-12,14200,0.5940 tC/t\n"),
        EvidenceFile("meters.csv", "text/csv", b"month,mwh\n01-12,9800\n"),
    )
    bundle = Bundle(files, _salt(market, f"report/{period}"))
    (manifest,) = market.custody.put_bundles([(firm.address, bundle)])
    report = EmissionReport.of(firm.address, period, lines, manifest.root)
    market.custody.put(firm.address, report.content())
    report_id = request_id(market.id_of("report", period))
    filed: dict[str, Any] = {
        "reportId": "0x" + report_id.hex(),
        "entity": report.entity,
        "period": report.period,
        "evidenceRoot": "0x" + manifest.root.hex(),
        "documentHash": "0x" + report.document_hash().hex(),
        "reportedT": report.reported_t,
    }
    do_each(
        market,
        [
            (
                firm,
                acts.file_report(report_id, period, manifest.root, report.document_hash(), report.reported_t),
            )
        ],
    )
    statement = verify_report(
        statement_id=request_id(market.id_of("statement", period)),
        report_id=report_id,
        report=report,
        manifest=manifest,
        filed=filed,
        verifier=verifier.address,
    )
    signature = sign(statement, market.statement_domain, verifier)
    do_each(market, [(verifier, acts.accept_statements([(statement, signature)]))])


def issue_offsets(market: Market, period: int) -> None:
    """Register an afforestation project and issue its first batch, BE - PE - LE, to the developer."""
    developer, verifier = market.signer(members.DEVELOPER), market.signer(members.VERIFIER)
    design: dict[str, Fact] = {"project": PROJECT, "name": "青林造林 Qinglin afforestation"}
    monitoring: dict[str, Fact] = {"project": PROJECT, "vintage": period, **_REDUCTIONS_T}
    for document in (design, monitoring):
        market.custody.put(developer.address, canonical(document))
    plots = EvidenceFile("plots.csv", "text/csv", b"plot,hectares,stems_per_ha\n1,410,1650\n2,380,1540\n")
    bundle = Bundle((plots,), _salt(market, f"reductions/{period}"))
    (manifest,) = market.custody.put_bundles([(developer.address, bundle)])
    statement = ReductionStatement(
        statement_id=request_id(market.id_of("reductions", period)),
        project=PROJECT,
        vintage=period,
        batch=BATCH,
        evidence_root=manifest.root,
        document_hash=sha256(canonical(monitoring)),
        verifier=verifier.address,
        **_REDUCTIONS_T,
    )
    signature = sign(statement, market.statement_domain, verifier)
    register = acts.register_project(
        PROJECT, developer.address, sha256(canonical(design)), market.id_of("project", PROJECT)
    )
    do_each(
        market,
        [(market.signer("registrar"), register), (verifier, acts.accept_reduction(statement, signature))],
    )


def _salt(market: Market, name: str) -> bytes:
    return bundle_salt(market.keyring.secret("evidence"), f"{market.run}/{name}")
