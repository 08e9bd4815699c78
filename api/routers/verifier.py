"""What a verifier does: sees reports and their evidence, signs statements, brings them to the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Response
from sqlmodel import Session, col

from api import queries
from api.auth.roles import Role
from api.custody import Custody
from api.dependencies import NowDep, Principal, ServicesDep, SessionDep, require
from api.fields import AddressPath, AddressQuery, HashPath, Schema, Sha256Path, YearQuery, request_text
from api.inspection import VerifierConflicted, require_accredited, require_unconflicted
from api.once import Desk
from api.openapi import performs, prepares
from api.paging import Page, PageDep
from api.problems import NotFound, refusals
from api.relay import UnsignedTransaction
from api.routers.records import owner_scope
from api.routing import new_router
from api.schemas import acts, records
from api.services import Services
from registry.documents import parse
from registry.evidence import EvidenceStore
from registry.manifest import Manifest
from registry.mrv.statement import EmissionStatement, ReductionStatement
from registry.projection import tables
from registry.refusals import EvidenceMissing
from registry.signing import Domain

router = new_router("verifier")

Verifier = Annotated[Principal, require(Role.VERIFIER)]
Inspector = Annotated[Principal, require(Role.VERIFIER, Role.REGULATOR)]
Reader = Annotated[Principal, require(Role.VERIFIER, Role.FIRM, Role.REGULATOR)]

_READS: Final = refusals(
    {
        403: "RoleForbidden, NotYours, VerifierUnaccredited, VerifierConflicted.",
        404: "NotFound, EvidenceMissing.",
        409: "EvidenceAltered.",
    }
)
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    **_READS,
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
}


class BundleManifest(Schema):
    """The list of a bundle's files."""

    manifest: dict[str, Any]


class ReportInFull(Schema):
    """A filed report: what the chain says, the document itself, the manifest of its evidence."""

    record: records.ReportRecord
    document: dict[str, Any]
    manifest: dict[str, Any]


class TypedMessage(Schema):
    """EIP-712 data for a wallet to sign."""

    types: dict[str, list[dict[str, str]]]
    primaryType: str  # noqa: N815  (the names of the wallet's world)
    domain: dict[str, str | int]
    message: dict[str, str | int]


@router.get("/reports", summary="Emission reports", responses=refusals())
def list_reports(
    session: SessionDep,
    page: PageDep,
    reader: Reader,
    account: AddressQuery = None,
    period: YearQuery = None,
) -> Page[records.ReportRecord]:
    """List filed reports: a firm its own, verifiers and the regulator all of them."""
    report = tables.Report
    entity = account if reader.role is Role.VERIFIER else owner_scope(reader, account)
    where = [] if entity is None else [col(report.entity) == entity]
    if period is not None:
        where.append(col(report.period) == period)
    return queries.page_of(session, report, records.ReportRecord, page, where)


@router.get("/reports/{entity}/{report}", summary="A report with its evidence's manifest", responses=_READS)
def get_report(
    entity: AddressPath,
    report: HashPath,
    services: ServicesDep,
    session: SessionDep,
    reader: Reader,
    now: NowDep,
) -> ReportInFull:
    """Show what was filed. The document and manifest are checked against the hashes on chain.

    Only what the entity has stored itself is shown, whatever hashes its report names.
    """
    record = _report(session, reader, now, entity, report)
    shown = _Shown.to(reader, services, entity)
    return ReportInFull(
        record=record,
        document=parse(shown.file(record.document_hash)),
        manifest=parse(shown.manifest(record.evidence_root).content()),
    )


@router.get(
    "/reports/{entity}/{report}/evidence/{sha256}",
    summary="A file of a report's evidence",
    response_class=Response,
    responses=_FILE,
)
def get_evidence_file(
    entity: AddressPath,
    report: HashPath,
    sha256: Sha256Path,
    services: ServicesDep,
    session: SessionDep,
    reader: Reader,
    now: NowDep,
) -> Response:
    """Hand out one file, checked, to who may see the report."""
    record = _report(session, reader, now, entity, report)
    return _file_of(_Shown.to(reader, services, entity), record.evidence_root, sha256)


def _report(
    session: Session, reader: Principal, now_utc: int, entity: str, report: str
) -> records.ReportRecord:
    if reader.role is Role.FIRM:
        owner_scope(reader, entity)
    if reader.role is Role.VERIFIER:
        require_accredited(session, reader.address, now_utc)
        require_unconflicted(session, reader.address, entity)
    return queries.get_or_refuse(
        session, tables.Report, records.ReportRecord, entity=entity, report_id=report
    )


@router.get("/evidence-bundles/{root}", summary="A bundle's manifest", responses=_READS)
def get_evidence_bundle(
    root: HashPath, services: ServicesDep, session: SessionDep, inspector: Inspector, now: NowDep
) -> BundleManifest:
    """Show what a bundle holds, checked against its root."""
    shown = _bundle(services, session, inspector, now, root)
    return BundleManifest(manifest=parse(shown.manifest(root).content()))


@router.get(
    "/evidence-bundles/{root}/files/{sha256}",
    summary="A file of a bundle",
    response_class=Response,
    responses=_FILE,
)
def get_bundle_file(
    root: HashPath,
    sha256: Sha256Path,
    services: ServicesDep,
    session: SessionDep,
    inspector: Inspector,
    now: NowDep,
) -> Response:
    """Hand out one file of a bundle, checked."""
    return _file_of(_bundle(services, session, inspector, now, root), root, sha256)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Evidence as one reader sees it: the regulator the whole store, others what `keeper` has stored."""

    evidence: EvidenceStore
    custody: Custody
    keeper: str | None

    @classmethod
    def to(cls, reader: Principal, services: Services, keeper: str) -> _Shown:
        """Return what is shown to the reader of one keeper's evidence."""
        everything = reader.role is Role.REGULATOR
        return cls(services.evidence, services.custody, None if everything else keeper)

    def file(self, digest: str) -> bytes:
        """Return a file, checked; raises EvidenceMissing, EvidenceAltered."""
        return self.evidence.get(digest) if self.keeper is None else self.custody.file(self.keeper, digest)

    def manifest(self, root: str) -> Manifest:
        """Return a manifest, checked; raises EvidenceMissing, EvidenceAltered."""
        if self.keeper is None:
            return self.evidence.manifest(root)
        return self.custody.manifest(self.keeper, root)


def _bundle(services: Services, session: Session, reader: Principal, now_utc: int, root: str) -> _Shown:
    """Return the bundle as stored by somebody whom the reader may judge."""
    if reader.role is Role.REGULATOR:
        return _Shown.to(reader, services, reader.address)
    require_accredited(session, reader.address, now_utc)
    conflict: VerifierConflicted | None = None
    for keeper in services.custody.keepers(root):
        try:
            require_unconflicted(session, reader.address, keeper)
        except VerifierConflicted as refusal:
            conflict = refusal
        else:
            return _Shown.to(reader, services, keeper)
    raise conflict or EvidenceMissing(root=root)


def _file_of(shown: _Shown, root: str, sha256: str) -> Response:
    if all(entry.sha256 != sha256 for entry in shown.manifest(root).entries):
        raise NotFound(what="evidence", sha256=sha256, root=root)
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return Response(shown.file(sha256), media_type="application/octet-stream", headers=headers)


@router.get("/statements", summary="Accepted statements on emissions", responses=refusals())
def list_statements(session: SessionDep, page: PageDep, reader: Reader) -> Page[records.StatementRecord]:
    """List statements: a firm those on itself, a verifier those it signed, the regulator all."""
    statement = tables.Statement
    own = {Role.FIRM: col(statement.entity), Role.VERIFIER: col(statement.verifier)}
    where = [own[reader.role] == reader.address] if reader.role in own else []
    return queries.page_of(session, statement, records.StatementRecord, page, where)


@router.post(
    "/statements/{statement_id}/message",
    summary="The statement for the verifier's wallet to sign",
    responses=refusals({413: "RequestTooLarge."}),
)
def prepare_statement_message(
    statement_id: UUID, body: acts.StatementFields, services: ServicesDep, verifier: Verifier
) -> TypedMessage:
    """Answer the statement as EIP-712 data."""
    return _typed(services, body.statement(statement_id, verifier.address))


@router.post("/statements/{statement_id}/transaction", **prepares("Prepare the bringing of a statement"))
def prepare_statement(
    statement_id: UUID, body: acts.StatementToBring, services: ServicesDep, verifier: Verifier
) -> UnsignedTransaction:
    """Answer the transaction that brings a signed statement."""
    return services.relay.prepare(verifier.address, body.call(statement_id, verifier.address))


@router.put(
    "/statements/{statement_id}",
    **performs(
        "Bring a signed statement on emissions",
        records.StatementRecord,
        "VerificationVerifierUnaccredited, VerificationVerifierConflicted, VerificationSignatureInvalid, "
        "VerificationReportUnknown, VerificationStatementMismatch, VerificationReportSuperseded, "
        "VerificationAlreadyVerified",
    ),
)
def put_statement(
    statement_id: UUID,
    body: acts.SignedStatement,
    services: ServicesDep,
    verifier: Verifier,
    response: Response,
) -> records.StatementRecord:
    """Bring the statement once: it records the verified emissions, which become the obligation."""
    names = ("report_id", "entity", "period", "evidence_root", "verified_t", "document_hash")
    return Desk(services, verifier.address, response).do(
        body.call(statement_id, verifier.address),
        body.signed_transaction,
        queries.finder(
            tables.Statement,
            records.StatementRecord,
            statement_id=request_text(statement_id),
            verifier=verifier.address,
        ),
        lambda record: all(getattr(record, name) == getattr(body, name) for name in names),
    )


@router.post(
    "/reduction-statements/{statement_id}/message",
    summary="The reduction statement for the verifier's wallet to sign",
    responses=refusals({413: "RequestTooLarge."}),
)
def prepare_reduction_message(
    statement_id: UUID, body: acts.ReductionFields, services: ServicesDep, verifier: Verifier
) -> TypedMessage:
    """Answer the statement as EIP-712 data."""
    return _typed(services, body.statement(statement_id, verifier.address))


@router.post(
    "/reduction-statements/{statement_id}/transaction",
    **prepares("Prepare the bringing of a reduction statement"),
)
def prepare_reduction(
    statement_id: UUID, body: acts.ReductionToBring, services: ServicesDep, verifier: Verifier
) -> UnsignedTransaction:
    """Answer the transaction that brings a signed reduction statement."""
    return services.relay.prepare(verifier.address, body.call(statement_id, verifier.address))


@router.put(
    "/reduction-statements/{statement_id}",
    **performs(
        "Bring a signed statement on reductions",
        records.ReductionRecord,
        "VerificationVerifierUnaccredited, VerificationVerifierConflicted, VerificationSignatureInvalid, "
        "VerificationProjectUnknown, VerificationNoReduction, VerificationBatchIssued",
        {404: "EvidenceMissing: the bundle or the document was not uploaded."},
    ),
)
def put_reduction(
    statement_id: UUID,
    body: acts.SignedReduction,
    services: ServicesDep,
    verifier: Verifier,
    response: Response,
) -> records.ReductionRecord:
    """Bring the statement once: it issues BE - PE - LE to the project's developer.

    The bundle of `evidence_root` and the document of `document_hash` are uploaded before.
    """
    names = tuple(acts.ReductionFields.model_fields)
    services.evidence.manifest(body.evidence_root)
    services.evidence.get(body.document_hash)
    return Desk(services, verifier.address, response).do(
        body.call(statement_id, verifier.address),
        body.signed_transaction,
        queries.finder(
            tables.Reduction,
            records.ReductionRecord,
            statement_id=request_text(statement_id),
            verifier=verifier.address,
        ),
        lambda record: all(getattr(record, name) == getattr(body, name) for name in names),
    )


def _typed(services: Services, statement: EmissionStatement | ReductionStatement) -> TypedMessage:
    deployment = services.transactor.deployment
    domain = Domain(deployment.chain_id, deployment.addresses["Verification"])
    data = statement.message(domain)
    values = {
        name: "0x" + value.hex() if isinstance(value, bytes) else value
        for name, value in data["message"].items()
    }
    return TypedMessage(
        types=data["types"], primaryType=data["primaryType"], domain=data["domain"], message=values
    )
