"""What the registrar and the settlement bank do: accounts, projects, cash."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Response

from api import queries
from api.auth.roles import ACCOUNT_HOLDERS, Role
from api.dependencies import Principal, ServicesDep, require
from api.fields import AddressPath, NumberPath, request_text
from api.once import Desk
from api.openapi import performs, prepares
from api.relay import UnsignedTransaction
from api.routing import new_router
from api.schemas import acts, records
from registry.projection import tables

router = new_router("operators")

Registrar = Annotated[Principal, require(Role.REGISTRAR)]
Bank = Annotated[Principal, require(Role.BANK)]
Anybody = Annotated[Principal, require(*ACCOUNT_HOLDERS)]


@router.post("/accounts/{account}/transaction", **prepares("Prepare an account's opening"))
def prepare_account(
    account: AddressPath, body: acts.Opening, services: ServicesDep, registrar: Registrar
) -> UnsignedTransaction:
    """Answer the transaction that opens the account."""
    return services.relay.prepare(registrar.address, body.call(account))


@router.put(
    "/accounts/{account}",
    **performs("Open an account", records.AccountRecord, "LedgerAccountExists, LedgerAccountUnknown"),
)
def put_account(
    account: AddressPath,
    body: acts.SignedOpening,
    services: ServicesDep,
    registrar: Registrar,
    response: Response,
) -> records.AccountRecord:
    """Open an account, once. Its public profile is kept in the evidence store, its hash on chain."""
    call = body.call(account)
    services.relay.check(registrar.address, call, body.signed_transaction)
    profile = body.profile()
    if profile is not None:
        services.evidence.put(profile.content())
    digest = body.profile_hash()
    return Desk(services, registrar.address, response).do(
        call,
        body.signed_transaction,
        queries.finder(tables.Account, records.AccountRecord, account=account),
        lambda record: (record.kind, record.profile_hash) == (body.kind, "0x" + digest.hex()),
    )


@router.post("/projects/{project}/transaction", **prepares("Prepare a project's registration"))
def prepare_project(
    project: NumberPath, body: acts.Project, services: ServicesDep, registrar: Registrar
) -> UnsignedTransaction:
    """Answer the transaction that registers the project."""
    return services.relay.prepare(registrar.address, body.call(project))


@router.put(
    "/projects/{project}",
    **performs(
        "Register an offset project",
        records.ProjectRecord,
        "VerificationProjectExists",
        {404: "EvidenceMissing: the document was not uploaded."},
    ),
)
def put_project(
    project: NumberPath,
    body: acts.SignedProject,
    services: ServicesDep,
    registrar: Registrar,
    response: Response,
) -> records.ProjectRecord:
    """Register a project of a developer, under a number of its own; its document is uploaded before."""
    services.evidence.get(body.document_sha256)
    return Desk(services, registrar.address, response).do(
        body.call(project),
        body.signed_transaction,
        queries.finder(tables.Project, records.ProjectRecord, project=project),
        lambda record: (
            (record.developer, record.document_hash) == (body.developer, "0x" + body.document_sha256)
        ),
    )


@router.post("/mints/{mint_id}/transaction", **prepares("Prepare a mint"))
def prepare_mint(mint_id: UUID, body: acts.Mint, services: ServicesDep, bank: Bank) -> UnsignedTransaction:
    """Answer the transaction that mints."""
    return services.relay.prepare(bank.address, body.call(mint_id))


@router.put("/mints/{mint_id}", **performs("Tokenise money that has arrived", records.MintDone))
def put_mint(
    mint_id: UUID, body: acts.SignedMint, services: ServicesDep, bank: Bank, response: Response
) -> records.MintDone:
    """Credit cash against real money, once."""
    wanted = [(each.account, each.amount_fen) for each in body.credits]
    return Desk(services, bank.address, response).do(
        body.call(mint_id),
        body.signed_transaction,
        lambda session: queries.mint_done(session, request_text(mint_id)),
        lambda record: [(each.account, each.amount_fen) for each in record.credits] == wanted,
    )


@router.post("/cash-redemptions/{redemption_id}/transaction", **prepares("Prepare a redemption of cash"))
def prepare_cash_redemption(
    redemption_id: UUID, body: acts.CashRedemption, services: ServicesDep, holder: Anybody
) -> UnsignedTransaction:
    """Answer the transaction that gives the cash back."""
    return services.relay.prepare(holder.address, body.call(redemption_id))


@router.put(
    "/cash-redemptions/{redemption_id}",
    **performs("Take money out", records.CashMovementRecord, "ERC20InsufficientBalance"),
)
def put_cash_redemption(
    redemption_id: UUID,
    body: acts.SignedCashRedemption,
    services: ServicesDep,
    holder: Anybody,
    response: Response,
) -> records.CashMovementRecord:
    """Give cash back to the settlement bank, which pays out in real money."""
    return Desk(services, holder.address, response).do(
        body.call(redemption_id),
        body.signed_transaction,
        queries.finder(
            tables.CashMovement,
            records.CashMovementRecord,
            account=holder.address,
            kind="redeemed",
            request_id=request_text(redemption_id),
        ),
        lambda record: record.amount_fen == body.amount_fen,
    )
