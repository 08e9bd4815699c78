"""An account's own records, and everybody's for the regulator. All lists have one form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from sqlmodel import col

from api import queries
from api.auth.roles import ACCOUNT_HOLDERS, PUBLIC_KINDS, NotYours, Role
from api.dependencies import Principal, SessionDep, require
from api.fields import AddressPath, AddressQuery, Schema
from api.paging import Page, PageDep
from api.problems import refusals
from api.routing import new_router
from api.schemas import records
from registry.projection import tables

router = new_router("records", refusals())

_SUPERVISORS = (Role.REGULATOR,)
_OPERATORS = (Role.REGULATOR, Role.REGISTRAR)


def owner_scope(principal: Principal, account: str | None) -> str | None:
    """Return whose records are shown: one's own, or for the regulator anybody's; None is everybody's.

    Raises
    ------
    NotYours :
        Another account's records, asked for by somebody who is not the regulator.
    """
    if principal.role in _SUPERVISORS:
        return account
    if account is not None and account != principal.address:
        raise NotYours(account=account)
    return principal.address


ListRoute = Callable[..., Page[Any]]


def _listing(
    name: str, table: type[tables.Table], answer: type[Schema], owner: str, roles: tuple[Role, ...]
) -> ListRoute:
    column: Any = getattr(table, owner)
    right = require(*roles)

    def list_records(
        session: SessionDep,
        page: PageDep,
        principal: Any = right,
        account: AddressQuery = None,
    ) -> Page[Any]:
        scope = owner_scope(principal, account)
        where = [] if scope is None else [column == scope]
        return queries.page_of(session, table, answer, page, where)

    list_records.__name__ = name
    list_records.__doc__ = "List one's own; the regulator sees everybody's, or those of one `account`."
    return list_records


# path, summary, table, answer, column of the owner, who may ask
_TRADING = (Role.FIRM, Role.TRADER, Role.DEVELOPER, Role.BANK, Role.REGULATOR)
_LISTS: tuple[tuple[str, str, type[tables.Table], type[Schema], str, tuple[Role, ...]], ...] = (
    ("holdings", "Tonnes held", tables.Holding, records.HoldingRecord, "account", ACCOUNT_HOLDERS),
    ("allocations", "Allowances allocated", tables.Allocation, records.AllocationRecord, "entity", _TRADING),
    ("obligations", "What is owed and paid", tables.Obligation, records.ObligationRecord, "entity", _TRADING),
    ("surrenders", "Surrenders", tables.Surrender, records.SurrenderRecord, "entity", _TRADING),
    ("cancellations", "Cancellations", tables.Cancellation, records.CancellationRecord, "account", _TRADING),
    ("deposits", "Deposits to trading", tables.Deposit, records.AssetMovementRecord, "account", _TRADING),
    ("settlements", "What epochs settled", tables.Settlement, records.SettlementRecord, "account", _TRADING),
    ("cash-movements", "Cash moved", tables.CashMovement, records.CashMovementRecord, "account", _TRADING),
    (
        "trading-balances", "Trading accounts on chain",
        tables.TradingBalance, records.TradingBalanceRecord, "account", _TRADING,
    ),
    ("freezes", "Freezes", tables.Freeze, records.FreezeRecord, "account", ACCOUNT_HOLDERS),
    (
        "points/claims", "Points claimed",
        tables.PointsClaim, records.PointsClaimRecord, "person", (Role.PERSON, Role.REGULATOR),
    ),
    (
        "points/redemptions", "Points redeemed",
        tables.PointsRedemption, records.PointsRedemptionRecord, "person", (Role.PERSON, Role.REGULATOR),
    ),
)  # fmt: skip

for _path, _summary, _table, _answer, _owner, _roles in _LISTS:
    _name = "list_" + _path.replace("/", "_").replace("-", "_")
    router.get(f"/{_path}", summary=_summary, response_model=Page[_answer])(  # type: ignore[valid-type]
        _listing(_name, _table, _answer, _owner, _roles)
    )


@router.get("/accounts", summary="All accounts")
def list_accounts(
    session: SessionDep, page: PageDep, _operator: Annotated[Principal, require(*_OPERATORS)]
) -> Page[records.AccountRecord]:
    """List every account, for the registrar and the regulator."""
    return queries.page_of(session, tables.Account, records.AccountRecord, page)


@router.get("/accounts/{account}", summary="One account", responses=refusals({404: "NotFound."}))
def get_account(
    account: AddressPath, session: SessionDep, principal: Annotated[Principal, require(*ACCOUNT_HOLDERS)]
) -> records.AccountRecord:
    """Say what an account is. A person's account is shown to itself and to the operators only."""
    found = queries.get_or_refuse(session, tables.Account, records.AccountRecord, account=account)
    if found.kind not in PUBLIC_KINDS and principal.role not in _OPERATORS:
        owner_scope(principal, account)
    return found


@router.get("/accounts/{account}/balances", summary="Everything that an account has on chain")
def get_balances(
    account: AddressPath, session: SessionDep, principal: Annotated[Principal, require(*ACCOUNT_HOLDERS)]
) -> records.Balances:
    """Add up tonnes, cash and points: one's own; the regulator may ask for anybody's."""
    owner_scope(principal, account)
    return queries.balances_of(session, account)


@router.get("/transfers", summary="Everything that moved")
def list_transfers(
    session: SessionDep,
    page: PageDep,
    principal: Annotated[Principal, require(*ACCOUNT_HOLDERS)],
    account: AddressQuery = None,
) -> Page[records.TransferRecord]:
    """List movements of tonnes, cash and points in and out of one's own account."""
    scope = owner_scope(principal, account)
    sender, recipient = col(tables.Transfer.sender), col(tables.Transfer.recipient)
    where = [] if scope is None else [(sender == scope) | (recipient == scope)]
    return queries.page_of(session, tables.Transfer, records.TransferRecord, page, where)
