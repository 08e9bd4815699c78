"""The market: public books and tape, own orders and trades, deposits, withdrawals, the member's key."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Response, status
from sqlmodel import Session

from api import queries
from api.auth.roles import TRADERS
from api.dependencies import Principal, ServicesDep, SessionDep, require
from api.fields import UnitPath, UnitQuery, request_text
from api.once import Desk, same_fields
from api.openapi import performs, prepares
from api.paging import Page, PageDep, PageRequest, write_cursor
from api.problems import refusals
from api.relay import UnsignedTransaction
from api.routing import new_router
from api.schemas import acts, records
from api.schemas import market as shapes
from api.services import Services
from chain.refusals import Refusal
from exchange.client import amend_order, cancel_order, mass_cancel, place_order, request_withdrawal
from exchange.refusals import OrderUnknown, WithdrawalUnknown
from registry.projection import tables

router = new_router("market")


class AccountFrozen(Refusal):
    """The regulator froze this account: it may cancel its orders, and neither order, amend nor withdraw."""


Trader = Annotated[Principal, require(*TRADERS)]

_PUBLIC: Final = refusals({404: "UnknownInstrument.", 503: "ExchangeUnreachable."}, public=True)
_REFUSED_NOW: Final = (
    "PhaseForbids, PriceBand, LevelFull, PositionLimit, InsufficientCash, InsufficientUnits, "
    "PostOnlyWouldTrade, FokUnfillable."
)
_NEVER_TAKEN: Final = "QuantityOutOfRange, WrongLot, DisplayOutOfRange, PriceOutOfRange, WrongTick."
OWN: Final = refusals({404: "OrderUnknown, WithdrawalUnknown.", 503: "ExchangeUnreachable."})


@router.get("/instruments", summary="What can be traded", responses=_PUBLIC)
def list_instruments(services: ServicesDep) -> list[shapes.Instrument]:
    """List every unit that is listed for trading, with its terms, rules, phase and last price."""
    return [shapes.Instrument.model_validate(each) for each in services.exchange.instruments()]


@router.get("/books/{unit}", summary="A book", responses=_PUBLIC)
def get_book(
    unit: UnitPath, services: ServicesDep, depth: Annotated[int, Query(ge=1, le=100)] = 10
) -> shapes.Book:
    """Show the best prices of both sides, and what stands there."""
    return shapes.Book.model_validate(services.exchange.book(unit, depth))


@router.get("/trades", summary="The tape", responses=_PUBLIC)
def list_tape(services: ServicesDep, page: PageDep, unit: UnitQuery = None) -> Page[shapes.TapeTrade]:
    """List trades without names, oldest first, of one unit or of all."""
    found = services.exchange.trades(unit=unit, after=after(page), limit=page.limit)
    items = [shapes.TapeTrade.model_validate(each) for each in found["trades"]]
    return Page(items=items, next_cursor=cursor(found["next"]))


@router.get("/my/trades", summary="Own trades", responses=OWN)
def list_own_trades(
    services: ServicesDep, page: PageDep, trader: Trader, unit: UnitQuery = None
) -> Page[shapes.OwnTrade]:
    """List one's own trades with their fees, oldest first; the other side has neither a name nor a fee."""
    found = services.exchange.trades(unit, trader.address, after(page), page.limit)
    items = [shapes.OwnTrade.seen_by(each, trader.address) for each in found["trades"]]
    return Page(items=items, next_cursor=cursor(found["next"]))


@router.get("/my/trading-account", summary="Own trading account", responses=OWN)
def get_trading_account(services: ServicesDep, trader: Trader) -> shapes.TradingAccount:
    """Show what is available and reserved at the exchange now."""
    return shapes.TradingAccount.model_validate(services.exchange.account(trader.address))


@router.get("/orders", summary="Own orders", responses=OWN)
def list_orders(
    services: ServicesDep,
    page: PageDep,
    trader: Trader,
    only_open: Annotated[bool, Query(alias="open")] = False,
) -> Page[shapes.Order]:
    """List one's own orders, oldest first; `open` for those in the book and stops that wait."""
    return orders_page(services, page, trader.address, only_open)


def orders_page(services: Services, page: PageRequest, account: str, only_open: bool) -> Page[shapes.Order]:
    """Return a page of an account's orders."""
    found = services.exchange.orders(account, after(page), page.limit, only_open)
    items = [shapes.Order.model_validate(each) for each in found["orders"]]
    return Page(items=items, next_cursor=cursor(found["next"]))


@router.get("/orders/{order_id}", summary="An own order", responses=OWN)
def get_order(order_id: UUID, services: ServicesDep, trader: Trader) -> shapes.Order:
    """Show where one's own order stands."""
    order = _own_order(services, order_id, trader.address)
    if order is None:
        raise OrderUnknown(order_id=str(order_id))
    return order


@router.put(
    "/orders/{order_id}",
    summary="Place an order",
    status_code=status.HTTP_201_CREATED,
    responses={
        **refusals(
            {
                404: "UnknownInstrument.",
                409: "AccountFrozen, ParticipantKilled, OrderIdReused, " + _REFUSED_NOW,
                413: "RequestTooLarge.",
                422: "CommandMalformed, PriceMissing, TermsMismatch, ExpiryPassed, " + _NEVER_TAKEN,
                503: "ExchangeUnreachable: send the same again.",
            }
        ),
        200: {"model": shapes.Order, "description": "Placed before; nothing changed."},
    },
)
def put_order(
    order_id: UUID,
    body: shapes.OrderBody,
    services: ServicesDep,
    session: SessionDep,
    trader: Trader,
    response: Response,
) -> shapes.Order:
    """Place an order once, however often this is sent. It is answered after it is durable and matched."""
    before = _own_order(services, order_id, trader.address)
    if before is None:
        _require_not_frozen(session, trader.address)
    # The engine is asked in any case: it knows whether the same id says the same order.
    services.exchange.do(
        place_order(
            order_id,
            trader.address,
            body.unit,
            body.side,
            body.quantity_t,
            body.price_fen,
            body.kind,
            time_in_force=body.time_in_force,
            post_only=body.post_only,
            display_t=body.display_t,
            stop_fen=body.stop_fen,
            expires_us=body.expires_us,
            self_trade=body.self_trade,
        )
    )
    if before is not None:
        response.status_code = status.HTTP_200_OK
    return shapes.Order.model_validate(services.exchange.order(order_id))


@router.patch(
    "/orders/{order_id}",
    summary="Amend an order",
    responses=refusals(
        {
            404: "OrderUnknown.",
            409: "AccountFrozen, ParticipantKilled, OrderNotOpen, AmendBelowFilled, StopNotAmendable, "
            + _REFUSED_NOW,
            413: "RequestTooLarge.",
            422: "RequestMalformed, " + _NEVER_TAKEN,
            503: "ExchangeUnreachable: send the same again.",
        }
    ),
)
def patch_order(
    order_id: UUID, body: shapes.Amendment, services: ServicesDep, session: SessionDep, trader: Trader
) -> shapes.Order:
    """Give an own order a new whole and price. Sent again it changes nothing more.

    A smaller whole at the same price keeps the order's place; any other amendment comes in anew.
    """
    _require_not_frozen(session, trader.address)
    services.exchange.do(amend_order(order_id, trader.address, body.quantity_t, body.price_fen))
    return shapes.Order.model_validate(services.exchange.order(order_id))


@router.delete(
    "/orders",
    summary="Cancel all own orders",
    responses=refusals({404: "UnknownInstrument.", 503: "ExchangeUnreachable: send the same again."}),
)
def delete_orders(services: ServicesDep, trader: Trader, unit: UnitQuery = None) -> shapes.OrdersCancelled:
    """Take all own orders out of the book, or those of one unit; stops that wait are orders, too."""
    reports = services.exchange.do(mass_cancel(trader.address, unit))
    report = next(each for each in reports if each["report"] == "MassCancelled")
    return shapes.OrdersCancelled(unit=report["unit"], cancelled=report["cancelled"])


@router.delete(
    "/orders/{order_id}",
    summary="Cancel an order",
    responses=refusals({404: "OrderUnknown.", 409: "OrderNotOpen.", 503: "ExchangeUnreachable."}),
)
def delete_order(order_id: UUID, services: ServicesDep, trader: Trader) -> shapes.Order:
    """Take what is left of an own order out of the book. A second cancel answers what the first did."""
    services.exchange.do(cancel_order(order_id, trader.address))
    return shapes.Order.model_validate(services.exchange.order(order_id))


def _require_not_frozen(session: Session, account: str) -> None:
    row = session.get(tables.Account, account)
    if row is not None and row.frozen:
        raise AccountFrozen(account=account, block=row.block, since_utc=row.timestamp_utc)


def _own_order(services: Services, order_id: UUID, account: str) -> shapes.Order | None:
    try:
        order = services.exchange.order(order_id)
    except OrderUnknown:
        return None
    return shapes.Order.model_validate(order) if order["account"] == account else None


# Between the registry account and the trading account ------------------------------------------------------


@router.post("/deposits/{deposit_id}/transaction", **prepares("Prepare a deposit"))
def prepare_deposit(
    deposit_id: UUID, body: acts.Deposit, services: ServicesDep, trader: Trader
) -> UnsignedTransaction:
    """Answer the transaction that deposits."""
    call = body.call(deposit_id, trader.address, services.transactor.deployment)
    return services.relay.prepare(trader.address, call)


@router.put(
    "/deposits/{deposit_id}",
    **performs(
        "Deposit tonnes or cash for trading",
        records.AssetMovementRecord,
        "LedgerInsufficientHolding, LedgerUnknownUnit, ERC20InsufficientBalance",
    ),
)
def put_deposit(
    deposit_id: UUID, body: acts.SignedDeposit, services: ServicesDep, trader: Trader, response: Response
) -> records.AssetMovementRecord:
    """Deposit once. The exchange credits it when it has seen the block, a moment later."""
    return Desk(services, trader.address, response).do(
        body.call(deposit_id, trader.address, services.transactor.deployment),
        body.signed_transaction,
        queries.finder(
            tables.Deposit,
            records.AssetMovementRecord,
            account=trader.address,
            request_id=request_text(deposit_id),
        ),
        same_fields(body, "asset", "amount"),
    )


@router.get("/withdrawals/{withdrawal_id}", summary="An own withdrawal", responses=OWN)
def get_withdrawal(withdrawal_id: UUID, services: ServicesDep, trader: Trader) -> shapes.Withdrawal:
    """Show whether a withdrawal was paid out on chain, and in which transaction."""
    found = _own_withdrawal(services, withdrawal_id, trader.address)
    if found is None:
        raise WithdrawalUnknown(withdrawal_id=str(withdrawal_id))
    return found


@router.put(
    "/withdrawals/{withdrawal_id}",
    summary="Withdraw tonnes or cash from trading",
    status_code=status.HTTP_201_CREATED,
    responses={
        **refusals(
            {
                404: "UnknownInstrument.",
                409: "AccountFrozen, InsufficientCash, InsufficientUnits, WithdrawalIdReused.",
                413: "RequestTooLarge.",
                422: "AmountOutOfRange, RequestMalformed.",
                503: "ExchangeUnreachable: send the same again.",
            }
        ),
        200: {"model": shapes.Withdrawal, "description": "Asked for before; nothing changed."},
    },
)
def put_withdrawal(
    withdrawal_id: UUID,
    body: shapes.WithdrawalBody,
    services: ServicesDep,
    session: SessionDep,
    trader: Trader,
    response: Response,
) -> shapes.Withdrawal:
    """Take an amount out of trading, once. It is paid out on chain when the epochs behind it are settled."""
    before = _own_withdrawal(services, withdrawal_id, trader.address)
    if before is None:
        _require_not_frozen(session, trader.address)
    services.exchange.do(request_withdrawal(withdrawal_id, trader.address, body.asset, body.amount))
    if before is not None:
        response.status_code = status.HTTP_200_OK
    return shapes.Withdrawal.model_validate(services.exchange.withdrawal(withdrawal_id))


def _own_withdrawal(services: Services, withdrawal_id: UUID, account: str) -> shapes.Withdrawal | None:
    try:
        found = services.exchange.withdrawal(withdrawal_id)
    except WithdrawalUnknown:
        return None
    return shapes.Withdrawal.model_validate(found) if found["account"] == account else None


# The binary gateway ----------------------------------------------------------------------------------------


@router.post(
    "/my/member-key",
    summary="The own key for the binary gateway",
    responses=refusals(
        {404: "BinaryGatewayClosed.", 409: "AccountFrozen.", 503: "ExchangeUnreachable: send the same again."}
    ),
)
def post_member_key(
    services: ServicesDep, session: SessionDep, trader: Trader, response: Response
) -> shapes.MemberKey:
    """Answer where the binary gateway listens and the account's own key for it: the same each time."""
    _require_not_frozen(session, trader.address)
    services.exchange.health()  # what a gateway that is gone has left behind helps nobody
    response.headers["Cache-Control"] = "no-store"
    return services.member_keys.of(trader.address)


def after(page: PageRequest) -> int:
    """Return the number after which a page of the exchange's begins."""
    key = page.after(int)
    return 0 if key is None else max(0, int(key[0]))


def cursor(following: int | None) -> str | None:
    """Return the cursor of the exchange's next page."""
    return None if following is None else write_cursor((following,))
