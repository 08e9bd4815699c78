"""What a firm does in the registry: evidence, reports, surrenders, cancellations."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Body, Response, status

from api import queries
from api.auth.roles import Role
from api.custody import EvidenceMismatch
from api.dependencies import Principal, ServicesDep, require
from api.fields import HashPath, Schema, Sha256Path, example, request_text
from api.once import Desk, same_fields
from api.openapi import performs, prepares
from api.problems import refusals
from api.relay import UnsignedTransaction
from api.reports import read_filing
from api.routing import new_router
from api.schemas import records
from api.schemas.acts import (
    Cancellation,
    FileReport,
    SignedCancellation,
    SignedFileReport,
    SignedSurrender,
    Surrender,
)
from registry.documents import canonical
from registry.documents import sha256 as sha256_of
from registry.manifest import Manifest
from registry.projection import tables

router = new_router("firm")

Firm = Annotated[Principal, require(Role.FIRM)]
Holder = Annotated[Principal, require(Role.FIRM, Role.TRADER, Role.DEVELOPER, Role.BANK)]
Witness = Annotated[Principal, require(Role.FIRM, Role.DEVELOPER, Role.VERIFIER)]


class StoredFile(Schema):
    """A file in the evidence store."""

    sha256: str
    size: int
    """Bytes."""


class ManifestBody(Schema):
    """The list of a bundle's files, and the salt of its commitments."""

    model_config = example(
        {
            "manifest": {
                "files": [{"name": "meter.csv", "media_type": "text/csv", "sha256": "cd" * 32, "size": 812}],
                "salt": "ef" * 32,
            }
        }
    )

    manifest: dict[str, Any]


class StoredBundle(Schema):
    """A bundle in the evidence store."""

    root: str
    files: int


@router.put(
    "/evidence/{sha256}",
    summary="Upload an evidence file",
    status_code=status.HTTP_201_CREATED,
    responses={
        **refusals(
            {409: "EvidenceAltered.", 413: "RequestTooLarge.", 422: "EvidenceMismatch: another hash."}
        ),
        200: {"model": StoredFile, "description": "Stored by this account before."},
    },
)
def put_evidence(
    sha256: Sha256Path,
    content: Annotated[bytes, Body(media_type="application/octet-stream")],
    services: ServicesDep,
    witness: Witness,
    response: Response,
) -> StoredFile:
    """Store a file under its own hash, durably, before a report names it. At most 32 MiB.

    What another account has stored does not count, and nothing is said of it.
    """
    found = sha256_of(content).hex()
    if found != sha256:
        raise EvidenceMismatch(field="sha256", named=sha256, found=found)
    if not services.custody.put(witness.address, content):
        response.status_code = status.HTTP_200_OK
    return StoredFile(sha256=found, size=len(content))


@router.put(
    "/evidence-bundles/{root}",
    summary="Store the manifest of uploaded files",
    status_code=status.HTTP_201_CREATED,
    responses={
        **refusals(
            {
                404: "EvidenceMissing: this account has not uploaded a file.",
                409: "EvidenceAltered.",
                413: "RequestTooLarge.",
                422: "DocumentMalformed, EvidenceRefused, EvidenceMismatch.",
            }
        ),
        200: {"model": StoredBundle, "description": "Stored by this account before."},
    },
)
def put_evidence_bundle(
    root: HashPath, body: ManifestBody, services: ServicesDep, witness: Witness, response: Response
) -> StoredBundle:
    """Bind own uploaded files together under one root, which a statement may then name."""
    manifest = Manifest.read(canonical(body.manifest))
    found = "0x" + manifest.root.hex()
    if found != root:
        raise EvidenceMismatch(field="root", named=root, found=found)
    if services.custody.has_manifest(witness.address, manifest.root):
        response.status_code = status.HTTP_200_OK
    services.custody.put_manifest(witness.address, manifest)
    return StoredBundle(root=found, files=len(manifest.entries))


@router.post("/reports/{report_id}/transaction", **prepares("Prepare the filing of a report"))
def prepare_report(
    report_id: UUID, body: FileReport, services: ServicesDep, firm: Firm
) -> UnsignedTransaction:
    """Check a report and answer the transaction that files it."""
    return services.relay.prepare(firm.address, read_filing(body, firm.address).call(report_id))


@router.put(
    "/reports/{report_id}",
    **performs(
        "File an emission report",
        records.ReportRecord,
        "VerificationAlreadyVerified",
        {404: "EvidenceMissing: the firm has not uploaded a file of the manifest."},
    ),
)
def put_report(
    report_id: UUID, body: SignedFileReport, services: ServicesDep, firm: Firm, response: Response
) -> records.ReportRecord:
    """File once, however often this is sent; what is filed is stored before its hashes go on chain."""
    filing = read_filing(body, firm.address)
    call = filing.call(report_id)
    services.relay.check(firm.address, call, body.signed_transaction)
    filing.store(services.custody)
    document_hash = "0x" + filing.report.document_hash().hex()
    return Desk(services, firm.address, response).do(
        call,
        body.signed_transaction,
        queries.finder(
            tables.Report, records.ReportRecord, entity=firm.address, report_id=request_text(report_id)
        ),
        lambda record: record.document_hash == document_hash,
    )


@router.post("/surrenders/{surrender_id}/transaction", **prepares("Prepare a surrender"))
def prepare_surrender(
    surrender_id: UUID, body: Surrender, services: ServicesDep, firm: Firm
) -> UnsignedTransaction:
    """Answer the transaction that surrenders."""
    return services.relay.prepare(firm.address, body.call(surrender_id))


@router.put(
    "/surrenders/{surrender_id}",
    **performs(
        "Surrender units for a period",
        records.SurrenderRecord,
        "ComplianceDeadlinePassed, ComplianceExceedsDue, ComplianceOffsetCapExceeded, "
        "ComplianceVintageAhead, ComplianceNoObligation, LedgerInsufficientHolding, LedgerUnknownUnit",
    ),
)
def put_surrender(
    surrender_id: UUID, body: SignedSurrender, services: ServicesDep, firm: Firm, response: Response
) -> records.SurrenderRecord:
    """Surrender (清缴) once, however often this is sent. The client makes `surrender_id` and keeps it."""
    return Desk(services, firm.address, response).do(
        body.call(surrender_id),
        body.signed_transaction,
        queries.finder(
            tables.Surrender,
            records.SurrenderRecord,
            entity=firm.address,
            request_id=request_text(surrender_id),
        ),
        same_fields(body, "period", "unit", "quantity_t"),
    )


@router.post("/cancellations/{cancellation_id}/transaction", **prepares("Prepare a cancellation"))
def prepare_cancellation(
    cancellation_id: UUID, body: Cancellation, services: ServicesDep, holder: Holder
) -> UnsignedTransaction:
    """Answer the transaction that cancels."""
    return services.relay.prepare(holder.address, body.call(cancellation_id))


@router.put(
    "/cancellations/{cancellation_id}",
    **performs("Cancel units", records.CancellationRecord, "LedgerInsufficientHolding, LedgerUnknownUnit"),
)
def put_cancellation(
    cancellation_id: UUID,
    body: SignedCancellation,
    services: ServicesDep,
    holder: Holder,
    response: Response,
) -> records.CancellationRecord:
    """Take own tonnes out of circulation (注销) once, for neutrality or at the authority's demand."""
    return Desk(services, holder.address, response).do(
        body.call(cancellation_id),
        body.signed_transaction,
        queries.finder(
            tables.Cancellation,
            records.CancellationRecord,
            account=holder.address,
            request_id=request_text(cancellation_id),
        ),
        same_fields(body, "unit", "quantity_t", "reason"),
    )
