"""Proofs: the regulator asks what stands behind a record."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import Path

from api.auth.roles import Role
from api.dependencies import Principal, ServicesDep, SessionDep, require
from api.problems import refusals
from api.proofs import KINDS, Prover
from api.routing import new_router
from api.schemas.proofs import RecordProof

router = new_router("regulator")

RecordKind = StrEnum("RecordKind", {kind.replace("-", "_").upper(): kind for kind in KINDS})  # type: ignore[misc]


@router.get(
    "/proofs/{kind}/{record_id}",
    summary="The proof of a record",
    responses=refusals({404: "NotFound."}),
)
def get_proof(
    kind: RecordKind,
    record_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,100}$")],
    services: ServicesDep,
    session: SessionDep,
    _regulator: Annotated[Principal, require(Role.REGULATOR)],
) -> RecordProof:
    """Show transaction, block, events, evidence and recovered signature behind a record, all read again.

    `record_id` is a request or statement id (`0x` and 64 hex digits), an account or a number, as the kind
    has it.
    """
    return Prover(services.transactor, services.evidence).prove(session, kind.value, record_id)
