"""Running the market: listings, rules, phases, auctions, the kill switch, epochs; and looking into it.

The exchange runs it. The regulator sees all of it, stops and starts trading, and shuts an account out. Every
such act is in the exchange's journal; who asked for it is in this process's log.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any, Final

from api.auth.roles import Role
from api.dependencies import Principal, ServicesDep, require
from api.fields import AddressPath, AddressQuery, AddressRequired, UnitPath, UnitQuery
from api.paging import Page, PageDep
from api.problems import refusals
from api.routers.market import OWN, after, cursor, orders_page
from api.routing import new_router
from api.schemas import market as shapes
from api.services import Services
from exchange.client import (
    Command,
    list_instrument,
    set_kill_switch,
    set_phase,
    set_reference,
    set_rules,
    uncross,
)
from exchange.refusals import UnknownInstrument

router = new_router("supervision")

_log = logging.getLogger("carat.api.supervision")

Regulator = Annotated[Principal, require(Role.REGULATOR)]
Exchange = Annotated[Principal, require(Role.EXCHANGE)]
Overseer = Annotated[Principal, require(Role.EXCHANGE, Role.REGULATOR)]


def _acts(more: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    said = {
        404: "UnknownInstrument.",
        413: "RequestTooLarge.",
        422: "RequestMalformed.",
        503: "ExchangeUnreachable: send the same again.",
    }
    return refusals(said | more)


_UNIT_ACT: Final = _acts({})


def _do(services: Services, who: Principal, command: Command) -> list[dict[str, Any]]:
    """Do an act of supervision, and say in the log who asked for it."""
    reports = services.exchange.do(command)
    said = " ".join(f"{name}={value}" for name, value in command.items() if value is not None)
    _log.warning("%s %s: %s", who.role.value, who.address, said)
    return reports


def _instrument(services: Services, unit: str) -> shapes.SupervisedInstrument:
    for each in services.exchange.instruments():
        if each["unit"] == unit:
            return shapes.SupervisedInstrument.model_validate(each)
    raise UnknownInstrument(unit=unit)


# Looking ----------------------------------------------------------------------------------------------------


@router.get("/supervision/instruments", summary="Instruments with who collects", responses=OWN)
def list_supervised_instruments(
    services: ServicesDep, _overseer: Overseer
) -> list[shapes.SupervisedInstrument]:
    """List every unit with its rules and who collects its fees, for the exchange and the regulator."""
    return [shapes.SupervisedInstrument.model_validate(each) for each in services.exchange.instruments()]


@router.get("/supervision/trades", summary="Trades with names", responses=OWN)
def list_named_trades(
    services: ServicesDep,
    page: PageDep,
    _regulator: Regulator,
    unit: UnitQuery = None,
    account: AddressQuery = None,
) -> Page[shapes.FullTrade]:
    """List trades with both names and fees, for the regulator."""
    found = services.exchange.trades(unit, account, after(page), page.limit)
    items = [shapes.FullTrade.model_validate(each) for each in found["trades"]]
    return Page(items=items, next_cursor=cursor(found["next"]))


@router.get("/supervision/orders", summary="An account's orders", responses=OWN)
def list_supervised_orders(
    services: ServicesDep, page: PageDep, _regulator: Regulator, account: AddressRequired
) -> Page[shapes.Order]:
    """List the orders of any account, oldest first, for the regulator."""
    return orders_page(services, page, account, only_open=False)


@router.get("/supervision/trading-accounts/{account}", summary="A trading account", responses=OWN)
def get_supervised_account(
    account: AddressPath, services: ServicesDep, _regulator: Regulator
) -> shapes.TradingAccount:
    """Show what any account has available and reserved at the exchange, for the regulator."""
    return shapes.TradingAccount.model_validate(services.exchange.account(account))


# Acting -----------------------------------------------------------------------------------------------------


@router.put(
    "/instruments/{unit}",
    summary="List a unit for trading",
    responses=refusals(
        {
            409: "InstrumentDiffers, InstrumentsFull.",
            413: "RequestTooLarge.",
            422: "InstrumentInvalid, RequestMalformed.",
            503: "ExchangeUnreachable.",
        }
    ),
)
def put_instrument(
    unit: UnitPath, body: shapes.InstrumentTerms, services: ServicesDep, operator: Exchange
) -> shapes.SupervisedInstrument:
    """Open a unit for trading on these terms. Listing it again on the same terms does nothing."""
    _do(services, operator, list_instrument(unit, body.tick_fen, body.lot_t, body.quantity_max_t))
    return _instrument(services, unit)


@router.put(
    "/instruments/{unit}/rules",
    summary="Set an instrument's rules",
    responses=_acts({409: "FeeAccountDiffers, ParticipantsFull.", 422: "FeesInvalid, RequestMalformed."}),
)
def put_rules(
    unit: UnitPath, body: shapes.InstrumentRules, services: ServicesDep, operator: Exchange
) -> shapes.SupervisedInstrument:
    """Set fees, price band, position limit and same-day resale, all of them anew.

    Who collects the fees is said with the first of them and stays.
    """
    _do(services, operator, set_rules(unit, **body.model_dump()))
    return _instrument(services, unit)


@router.put(
    "/instruments/{unit}/reference-price",
    summary="Set the price that the band lies around",
    responses=_acts({422: "PriceOutOfRange, WrongTick, RequestMalformed."}),
)
def put_reference(
    unit: UnitPath, body: shapes.InstrumentReference, services: ServicesDep, operator: Exchange
) -> shapes.SupervisedInstrument:
    """Set the reference price, or take it away. What stands in the book stays."""
    _do(services, operator, set_reference(unit, body.price_fen or 0))
    return _instrument(services, unit)


@router.put(
    "/instruments/{unit}/phase",
    summary="Halt, close or open trading, or gather an auction",
    responses=_acts({409: "BookCrossed: uncross first."}),
)
def put_phase(
    unit: UnitPath, body: shapes.InstrumentPhase, services: ServicesDep, overseer: Overseer
) -> shapes.SupervisedInstrument:
    """Set whether a unit trades. Orders can be cancelled in every phase."""
    _do(services, overseer, set_phase(unit, body.phase))
    return _instrument(services, unit)


@router.post(
    "/instruments/{unit}/uncross",
    summary="Trade an auction's orders at one price",
    responses=_acts({409: "PhaseForbids: only in an auction."}),
)
def post_uncross(unit: UnitPath, services: ServicesDep, operator: Exchange) -> shapes.Uncrossed:
    """Trade what crosses at the price where most trades. Sent again, it finds nothing that crosses."""
    report = next(each for each in _do(services, operator, uncross(unit)) if each["report"] == "Uncrossed")
    return shapes.Uncrossed(
        unit=unit, price_fen=report["price_fen"], quantity_t=report["quantity_t"], trades=report["trades"]
    )


@router.put(
    "/supervision/kill-switches/{account}",
    summary="Shut an account out of trading, or let it in",
    responses=refusals(
        {
            409: "ParticipantsFull.",
            413: "RequestTooLarge.",
            503: "ExchangeUnreachable: send the same again.",
        }
    ),
)
def put_kill_switch(
    account: AddressPath, body: shapes.KillSwitchBody, services: ServicesDep, overseer: Overseer
) -> shapes.KillSwitch:
    """On cancels all orders of an account and takes no new ones, over HTTP and the binary gateway alike."""
    reports = _do(services, overseer, set_kill_switch(account, on=body.on))
    report = next(each for each in reports if each["report"] == "KillSwitchSet")
    return shapes.KillSwitch(account=account, on=report["on"], cancelled=report["cancelled"])


@router.post(
    "/trading-epochs/close",
    summary="Close the open epoch",
    responses=refusals({503: "ExchangeUnreachable."}),
)
def close_epoch(services: ServicesDep, _operator: Exchange) -> shapes.EpochState:
    """End the open epoch, so that its trades settle on chain; without trades, answer the last one's state."""
    return shapes.EpochState.model_validate(services.exchange.close_epoch(wait=False))
