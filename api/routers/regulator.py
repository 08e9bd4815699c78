"""What the regulator does: periods, allocations, prices, assessments, accreditations, freezes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Response, status
from sqlmodel import col, select

from api import queries
from api.auth.roles import Role
from api.dependencies import Principal, ServicesDep, require
from api.fields import Schema, YearPath, request_text
from api.once import Desk, same_fields
from api.openapi import performs, prepares
from api.relay import UnsignedTransaction
from api.routing import new_router
from api.schemas import acts, records
from registry.projection import tables

router = new_router("regulator")

Regulator = Annotated[Principal, require(Role.REGULATOR)]


class Assessed(Schema):
    """Obligations after their assessment: met, or default with its penalty."""

    obligations: list[records.ObligationRecord]


@router.post("/periods/{period}/transaction", **prepares("Prepare a period's publication"))
def prepare_period(
    period: YearPath, body: acts.PeriodRules, services: ServicesDep, regulator: Regulator
) -> UnsignedTransaction:
    """Answer the transaction that publishes the period."""
    return services.relay.prepare(regulator.address, body.call(period))


@router.put(
    "/periods/{period}",
    **performs("Publish a period", records.PeriodRecord, "CompliancePeriodExists, ComplianceRulesInvalid"),
)
def put_period(
    period: YearPath,
    body: acts.SignedPeriodRules,
    services: ServicesDep,
    regulator: Regulator,
    response: Response,
) -> records.PeriodRecord:
    """Publish the cap and rules of a period, once and for good."""
    return Desk(services, regulator.address, response).do(
        body.call(period),
        body.signed_transaction,
        queries.finder(tables.Period, records.PeriodRecord, period=period),
        same_fields(body, *acts.PeriodRules.model_fields),
    )


@router.post("/allocations/{allocation_id}/transaction", **prepares("Prepare an allocation"))
def prepare_allocation(
    allocation_id: UUID, body: acts.Allocation, services: ServicesDep, regulator: Regulator
) -> UnsignedTransaction:
    """Answer the transaction that allocates."""
    return services.relay.prepare(regulator.address, body.call(allocation_id))


@router.put(
    "/allocations/{allocation_id}",
    **performs(
        "Allocate allowances",
        records.AllocationDone,
        "CompliancePeriodUnknown, ComplianceCapExceeded, LedgerAccountUnknown",
    ),
)
def put_allocation(
    allocation_id: UUID,
    body: acts.SignedAllocation,
    services: ServicesDep,
    regulator: Regulator,
    response: Response,
) -> records.AllocationDone:
    """Allocate to many entities at once, all or none, once."""
    wanted = [(each.entity, each.quantity_t) for each in body.allocations]
    return Desk(services, regulator.address, response).do(
        body.call(allocation_id),
        body.signed_transaction,
        lambda session: queries.allocation_done(session, request_text(allocation_id)),
        lambda record: (
            record.period == body.period
            and [(each.entity, each.quantity_t) for each in record.allocations] == wanted
        ),
    )


@router.post("/reference-prices/{price_id}/transaction", **prepares("Prepare a reference price"))
def prepare_reference_price(
    price_id: UUID, body: acts.ReferencePrice, services: ServicesDep, regulator: Regulator
) -> UnsignedTransaction:
    """Answer the transaction that publishes the price."""
    return services.relay.prepare(regulator.address, body.call(price_id))


@router.put(
    "/reference-prices/{price_id}",
    **performs(
        "Publish a period's reference price", records.PeriodRecord, "CompliancePeriodUnknown, RequestIdReused"
    ),
)
def put_reference_price(
    price_id: UUID,
    body: acts.SignedReferencePrice,
    services: ServicesDep,
    regulator: Regulator,
    response: Response,
) -> records.PeriodRecord:
    """Publish the price that penalties are a multiple of (Law art. 21), once a period."""
    return Desk(services, regulator.address, response).do(
        body.call(price_id),
        body.signed_transaction,
        queries.finder(tables.Period, records.PeriodRecord, period=body.period),
        lambda record: record.reference_price_fen == body.price_fen,
    )


@router.post("/periods/{period}/assessment/transaction", **prepares("Prepare an assessment"))
def prepare_assessment(
    period: YearPath, body: acts.Assessment, services: ServicesDep, regulator: Regulator
) -> UnsignedTransaction:
    """Answer the transaction that has obligations assessed."""
    return services.relay.prepare(regulator.address, body.call(period))


@router.put(
    "/periods/{period}/assessment",
    **performs(
        "Assess obligations",
        Assessed,
        "ComplianceDeadlineAhead, ComplianceNoReferencePrice, ComplianceNoObligation",
    ),
)
def put_assessment(
    period: YearPath,
    body: acts.SignedAssessment,
    services: ServicesDep,
    regulator: Regulator,
    response: Response,
) -> Assessed:
    """Assess after the deadline: who fell short gets a penalty and a default record. Once an obligation."""
    call = body.call(period)
    services.relay.check(regulator.address, call, body.signed_transaction)
    before = _obligations(services, period, body.entities)
    if len(before) == len(set(body.entities)) and all(each.assessed for each in before):
        response.status_code = status.HTTP_200_OK
        return Assessed(obligations=before)
    services.relay.perform(regulator.address, call, body.signed_transaction)
    return Assessed(obligations=_obligations(services, period, body.entities))


def _obligations(services: ServicesDep, period: int, entities: list[str]) -> list[records.ObligationRecord]:
    obligation = tables.Obligation
    query = select(obligation).where(col(obligation.period) == period, col(obligation.entity).in_(entities))
    with services.projection.session() as session:
        rows = session.exec(query.order_by(col(obligation.entity)))
        return [records.ObligationRecord.model_validate(row) for row in rows]


@router.post("/accreditations/{accreditation_id}/transaction", **prepares("Prepare an accreditation"))
def prepare_accreditation(
    accreditation_id: UUID, body: acts.Accreditation, services: ServicesDep, regulator: Regulator
) -> UnsignedTransaction:
    """Answer the transaction that accredits or revokes."""
    return services.relay.prepare(regulator.address, body.call(accreditation_id))


@router.put(
    "/accreditations/{accreditation_id}", **performs("Accredit or revoke a verifier", records.VerifierRecord)
)
def put_accreditation(
    accreditation_id: UUID,
    body: acts.SignedAccreditation,
    services: ServicesDep,
    regulator: Regulator,
    response: Response,
) -> records.VerifierRecord:
    """Accredit a verifier up to a time, or end that now."""
    return Desk(services, regulator.address, response).do(
        body.call(accreditation_id),
        body.signed_transaction,
        queries.finder(tables.Verifier, records.VerifierRecord, verifier=body.verifier),
        lambda record: (
            record.revoked if body.until_utc is None
            else not record.revoked and record.until_utc == body.until_utc
        ),
    )  # fmt: skip


@router.post("/conflicts/{conflict_id}/transaction", **prepares("Prepare a conflict of interest"))
def prepare_conflict(
    conflict_id: UUID, body: acts.Conflict, services: ServicesDep, regulator: Regulator
) -> UnsignedTransaction:
    """Answer the transaction that declares the conflict."""
    return services.relay.prepare(regulator.address, body.call(conflict_id))


@router.put("/conflicts/{conflict_id}", **performs("Declare a conflict of interest", records.ConflictRecord))
def put_conflict(
    conflict_id: UUID,
    body: acts.SignedConflict,
    services: ServicesDep,
    regulator: Regulator,
    response: Response,
) -> records.ConflictRecord:
    """Bar a verifier from an entity's reports (Law art. 13)."""
    return Desk(services, regulator.address, response).do(
        body.call(conflict_id),
        body.signed_transaction,
        queries.finder(tables.Conflict, records.ConflictRecord, verifier=body.verifier, entity=body.entity),
        lambda _record: True,
    )


@router.post(
    "/provider-accreditations/{accreditation_id}/transaction",
    **prepares("Prepare a provider's accreditation"),
)
def prepare_provider_accreditation(
    accreditation_id: UUID, body: acts.ProviderAccreditation, services: ServicesDep, regulator: Regulator
) -> UnsignedTransaction:
    """Answer the transaction that accredits the provider, or ends that."""
    return services.relay.prepare(regulator.address, body.call(accreditation_id))


@router.put(
    "/provider-accreditations/{accreditation_id}",
    **performs("Accredit a provider of green acts", records.ProviderRecord),
)
def put_provider_accreditation(
    accreditation_id: UUID,
    body: acts.SignedProviderAccreditation,
    services: ServicesDep,
    regulator: Regulator,
    response: Response,
) -> records.ProviderRecord:
    """Accredit a provider of green acts, or end that."""
    return Desk(services, regulator.address, response).do(
        body.call(accreditation_id),
        body.signed_transaction,
        queries.finder(tables.Provider, records.ProviderRecord, provider=body.provider),
        same_fields(body, "accredited"),
    )


@router.post("/freezes/{freeze_id}/transaction", **prepares("Prepare a freeze"))
def prepare_freeze(
    freeze_id: UUID, body: acts.Freeze, services: ServicesDep, regulator: Regulator
) -> UnsignedTransaction:
    """Answer the transaction that freezes the account or frees it."""
    return services.relay.prepare(regulator.address, body.call(freeze_id))


@router.put(
    "/freezes/{freeze_id}",
    **performs("Freeze an account, or free it", records.FreezeRecord, "LedgerAccountUnknown"),
)
def put_freeze(
    freeze_id: UUID,
    body: acts.SignedFreeze,
    services: ServicesDep,
    regulator: Regulator,
    response: Response,
) -> records.FreezeRecord:
    """Freeze an account, or free it: a frozen one sends nothing and still receives."""
    return Desk(services, regulator.address, response).do(
        body.call(freeze_id),
        body.signed_transaction,
        queries.finder(tables.Freeze, records.FreezeRecord, request_id=request_text(freeze_id)),
        same_fields(body, "account", "frozen"),
    )
