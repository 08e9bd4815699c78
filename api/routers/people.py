"""Green behaviour: providers hand batches of acts in, epochs are published, people claim and redeem."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Response, status
from pydantic import Field

from api import queries
from api.auth.roles import Role
from api.dependencies import NowDep, Principal, ServicesDep, SessionDep, require
from api.fields import EpochPath, Schema, Signature, example, request_text
from api.once import Desk
from api.openapi import performs, prepares
from api.problems import refusals
from api.relay import UnsignedTransaction
from api.routing import new_router
from api.schemas import acts, records
from api.services import Services
from chain.abi import Call
from registry import acts as registry_acts
from registry.documents import canonical
from registry.personal.acts import ACTS_MAX, ActBatch
from registry.personal.points import EpochClaim, EpochResult
from registry.projection import tables

router = new_router("people")

Provider = Annotated[Principal, require(Role.PROVIDER)]
Person = Annotated[Principal, require(Role.PERSON)]
PointsOperator = Annotated[Principal, require(Role.POINTS)]

_EXAMPLE_ADDRESS = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"


class BatchBody(Schema):
    """A batch of green acts and the provider's EIP-712 signature over it."""

    model_config = example(
        {
            "acts": [
                {
                    "source": _EXAMPLE_ADDRESS, "act_id": "ride-1", "person": _EXAMPLE_ADDRESS,
                    "kind": "shared-ebike", "quantity": 4_000, "at_utc": 1_790_000_000,
                }
            ],
            "signature": "0x" + "00" * 65,
        }
    )  # fmt: skip

    acts: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=ACTS_MAX)]
    signature: Signature


class BatchTaken(Schema):
    """A batch that was taken in; `epoch` once one was closed over it."""

    id: str
    digest: str
    acts: int
    epoch: int | None


class EarnedEpoch(Schema):
    """What a person earned in an epoch."""

    epoch: int
    quantity_g: int
    claimed: bool


class Points(Schema):
    """A person's points, grams: on chain, and what each epoch gave."""

    person: str
    balance_g: int
    epochs: list[EarnedEpoch]


class ProofNode(Schema):
    """A sister in the Merkle-sum tree."""

    hash: str
    sum_g: int


class EpochProof(Schema):
    """What a person claims an epoch with: anyone can check it against the root on chain."""

    epoch: int
    index: int
    quantity_g: int
    proof: list[ProofNode]


@router.put(
    "/act-batches/{batch_id}",
    summary="Hand a batch of green acts in",
    status_code=status.HTTP_201_CREATED,
    responses={
        **refusals(
            {
                409: "ActAlreadyClaimed, MeetingClaimedOtherwise, MethodUnknown, ActRefused, BatchConflict, "
                "BatchSignatureInvalid, ProviderUnaccredited.",
                413: "RequestTooLarge.",
                422: "DocumentMalformed, RequestMalformed.",
            }
        ),
        200: {"model": BatchTaken, "description": "Already taken in; nothing changed."},
    },
)
def put_act_batch(
    batch_id: UUID,
    body: BatchBody,
    services: ServicesDep,
    provider: Provider,
    now: NowDep,
    response: Response,
) -> BatchTaken:
    """Take a batch in, all of it or nothing. Each act earns once, on whatever platform it is claimed."""
    document: dict[str, Any] = {
        "acts": body.acts,
        "batch_id": request_text(batch_id),
        "provider": provider.address,
        "version": 1,
    }
    batch = ActBatch.read(canonical(document))
    receipt = services.intake.accept(
        batch, bytes.fromhex(body.signature[2:]), now, lambda address: _is_accredited(services, address)
    )
    if not receipt.created:
        response.status_code = status.HTTP_200_OK
    return BatchTaken(
        id=request_text(batch_id),
        digest="0x" + receipt.digest.hex(),
        acts=receipt.acts,
        epoch=receipt.epoch,
    )


def _is_accredited(services: Services, provider: str) -> bool:
    return bool(services.transactor.read(Call("MicroCarat", "isProvider", (provider,))))


@router.get("/points", summary="Own points", responses=refusals())
def get_points(services: ServicesDep, session: SessionDep, person: Person) -> Points:
    """Show the balance on chain, and what each epoch gave, claimed or not."""
    holding = session.get(tables.PointsHolding, person.address)
    epochs = [
        EarnedEpoch(
            epoch=epoch,
            quantity_g=grams,
            claimed=queries.one_of(
                session, tables.PointsClaim, records.PointsClaimRecord, epoch=epoch, person=person.address
            )
            is not None,
        )
        for epoch, grams in services.intake.earned_by(person.address)
    ]
    return Points(person=person.address, balance_g=0 if holding is None else holding.amount_g, epochs=epochs)


@router.get(
    "/points/epochs/{epoch}/proof",
    summary="The proof of what one earned",
    responses=refusals({409: "PointsEpochRefused: not closed, or nothing earned."}),
)
def get_points_proof(epoch: EpochPath, services: ServicesDep, person: Person) -> EpochProof:
    """Show leaf and sisters: with them everyone can check his grams and that the total is honest."""
    claim = services.intake.result(epoch).claim_of(person.address)
    return EpochProof(
        epoch=claim.epoch,
        index=claim.index,
        quantity_g=claim.quantity_g,
        proof=[ProofNode(hash="0x" + node.hex(), sum_g=sum_g) for node, sum_g in claim.proof],
    )


def _claim_call(claim: EpochClaim) -> Call:
    return registry_acts.claim_points(claim.epoch, claim.index, claim.quantity_g, claim.proof)


@router.post(
    "/claims/{epoch}/transaction", **prepares("Prepare a claim of points", {409: "PointsEpochRefused."})
)
def prepare_claim(epoch: EpochPath, services: ServicesDep, person: Person) -> UnsignedTransaction:
    """Answer the transaction that claims what one earned in the epoch."""
    claim = services.intake.result(epoch).claim_of(person.address)
    return services.relay.prepare(person.address, _claim_call(claim))


@router.put(
    "/claims/{epoch}",
    **performs(
        "Claim an epoch's points",
        records.PointsClaimRecord,
        "MicroCaratAlreadyClaimed, MicroCaratProofInvalid, MicroCaratEpochUnknown, PointsEpochRefused",
    ),
)
def put_claim(
    epoch: EpochPath, body: acts.Signed, services: ServicesDep, person: Person, response: Response
) -> records.PointsClaimRecord:
    """Claim by proof, once an epoch."""
    claim = services.intake.result(epoch).claim_of(person.address)
    return Desk(services, person.address, response).do(
        _claim_call(claim),
        body.signed_transaction,
        queries.finder(tables.PointsClaim, records.PointsClaimRecord, epoch=epoch, person=person.address),
        lambda record: record.quantity_g == claim.quantity_g,
    )


@router.post("/redemptions/{redemption_id}/transaction", **prepares("Prepare a redemption of points"))
def prepare_redemption(
    redemption_id: UUID, body: acts.PointsRedemption, services: ServicesDep, person: Person
) -> UnsignedTransaction:
    """Answer the transaction that redeems."""
    return services.relay.prepare(person.address, body.call(redemption_id))


@router.put(
    "/redemptions/{redemption_id}",
    **performs("Redeem points for a reward", records.PointsRedemptionRecord, "ERC20InsufficientBalance"),
)
def put_redemption(
    redemption_id: UUID,
    body: acts.SignedPointsRedemption,
    services: ServicesDep,
    person: Person,
    response: Response,
) -> records.PointsRedemptionRecord:
    """Burn grams for a reward, once a request."""
    return Desk(services, person.address, response).do(
        body.call(redemption_id),
        body.signed_transaction,
        queries.finder(
            tables.PointsRedemption,
            records.PointsRedemptionRecord,
            person=person.address,
            request_id=request_text(redemption_id),
        ),
        lambda record: (
            (record.quantity_g, record.reward_id) == (body.quantity_g, "0x" + body.reward_hash().hex())
        ),
    )


@router.post(
    "/points/epochs/{epoch}/transaction",
    **prepares("Close a points epoch and prepare its publication", {409: "PointsEpochRefused."}),
)
def prepare_points_epoch(
    epoch: EpochPath, services: ServicesDep, operator: PointsOperator
) -> UnsignedTransaction:
    """Close the epoch over every batch that waits, once, and answer the transaction that publishes it."""
    return services.relay.prepare(operator.address, _publication(services.intake.close(epoch)))


@router.put(
    "/points/epochs/{epoch}",
    **performs(
        "Publish a points epoch",
        records.PointsEpochRecord,
        "MicroCaratEpochOutOfOrder, MicroCaratEpochExists, PointsEpochRefused",
    ),
)
def put_points_epoch(
    epoch: EpochPath, body: acts.Signed, services: ServicesDep, operator: PointsOperator, response: Response
) -> records.PointsEpochRecord:
    """Put the closed epoch's root and total on chain, once."""
    result = services.intake.result(epoch)
    return Desk(services, operator.address, response).do(
        _publication(result),
        body.signed_transaction,
        queries.finder(tables.PointsEpoch, records.PointsEpochRecord, epoch=epoch),
        lambda record: record.root == "0x" + result.tree.root.hex(),
    )


def _publication(result: EpochResult) -> Call:
    return registry_acts.publish_points_epoch(
        result.epoch, result.tree.root, result.tree.total_g, result.people, result.batches_root
    )
