"""Commands in: JSON to the core's records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from exchange.core import records
from exchange.core.api import RulesView
from exchange.core.codes import CASH, INT63_MAX, OrderType, Phase, SelfTrade, Side, TimeInForce
from exchange.custody import withdrawal_transfer
from exchange.gateway.wire.names import Names
from exchange.refusals import (
    AmountOutOfRange,
    CommandMalformed,
    DisplayOutOfRange,
    ExpiryPassed,
    FeeAccountDiffers,
    FeesInvalid,
    OrderUnknown,
    PriceOutOfRange,
    QuantityOutOfRange,
    WithdrawalIdReused,
)
from exchange.venue import Venue
from exchange.words import CASH_TEXT, account_bytes, account_text, unit_value, uuid_bytes

Body = Mapping[str, Any]

_U32_MAX: Final = 2**32 - 1
_SIDES: Final = {side.name.lower(): side for side in Side}
_PHASES: Final = {phase.name.lower(): phase for phase in Phase}
_SELF_TRADES: Final = {each.name.lower(): each for each in SelfTrade}
_RESTING: Final = {each.name.lower(): each for each in (TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD)}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a `kind` of order is to the core. `tif` None: the order says how long it rests."""

    type: OrderType
    tif: TimeInForce | None
    priced: bool

    @property
    def stops(self) -> bool:
        """Whether it waits for a price first."""
        return self.type in (OrderType.STOP, OrderType.STOP_LIMIT)


KINDS: Final = {
    "limit": Kind(OrderType.LIMIT, None, priced=True),
    "market": Kind(OrderType.MARKET, TimeInForce.IOC, priced=False),
    "ioc": Kind(OrderType.LIMIT, TimeInForce.IOC, priced=True),
    "fok": Kind(OrderType.LIMIT, TimeInForce.FOK, priced=True),
    "stop": Kind(OrderType.STOP, None, priced=False),
    "stop_limit": Kind(OrderType.STOP_LIMIT, None, priced=True),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What one command comes to: its records; or, without any, what it is answered."""

    records: bytes
    ready: list[dict[str, Any]] = field(default_factory=list)
    withdrawal: bytes | None = None
    """The id of a withdrawal."""


@dataclass(frozen=True, slots=True)
class Context:
    """What commands are read against. `now_us` is stamped on each."""

    names: Names
    venue: Venue
    now_us: int


def command_name(body: object) -> str:
    """Return what a command calls itself, or an empty text."""
    name = body.get("command") if isinstance(body, dict) else None
    return name if isinstance(name, str) else ""


def parse_command(body: object, context: Context) -> Work:
    """Read one command of a client.

    Parameters
    ----------
    body :
        `{"command": "PlaceOrder", ...}`: docs/spec/04-exchange.md. Only what clients may say: deposits and
        settlements come from the chain alone.

    Raises
    ------
    Refusal :
        CommandMalformed with the field, UnitMalformed, UnknownInstrument, or the range of a number.
    Unregistered :
        The account has to be registered first; everything else about the command is in order.
    """
    if not isinstance(body, dict):
        raise CommandMalformed(field="", reason="an object is expected")
    parser = _PARSERS.get(command_name(body))
    if parser is None:
        raise CommandMalformed(field="command", reason=f"one of {', '.join(_PARSERS)} is expected")
    needed, optional, parse = parser
    unknown = body.keys() - needed - optional
    if unknown:
        raise CommandMalformed(field=min(map(str, unknown))[:80], reason="this field is unknown")
    missing = needed - body.keys()
    if missing:
        raise CommandMalformed(field=min(missing), reason="this field is missing")
    return parse(body, context)


# --- fields ---


def _text(body: Body, name: str) -> str:
    value = body[name]
    if not isinstance(value, str):
        raise CommandMalformed(field=name, reason="a unit's code is expected")
    return value


def _integer(body: Body, name: str) -> int:
    value = body[name]
    if type(value) is not int:
        raise CommandMalformed(field=name, reason="a whole number is expected")
    return value


def _flag(body: Body, name: str) -> bool:
    value = body[name]
    if type(value) is not bool:
        raise CommandMalformed(field=name, reason="true or false is expected")
    return value


def _quantity(body: Body, name: str) -> int:
    value = _integer(body, name)
    if not 0 <= value <= INT63_MAX:
        raise QuantityOutOfRange(quantity_t=value, quantity_max_t=INT63_MAX)
    return value


def _price(body: Body, name: str, least: int = 0) -> int:
    value = _integer(body, name)
    if not least <= value <= INT63_MAX:
        raise PriceOutOfRange(price_fen=value, price_max_fen=INT63_MAX)
    return value


def _word(body: Body, name: str, words: Mapping[str, Any]) -> Any:
    value = body[name]
    found = words.get(value) if isinstance(value, str) else None
    if found is None:
        raise CommandMalformed(field=name, reason=f"one of {', '.join(words)} is expected")
    return found


def _id(body: Body, name: str) -> bytes:
    """Read an id. On chain zeros are no id but the mark of a forced exit, and the core has none of zeros."""
    value = uuid_bytes(body[name], name)
    if not any(value):
        raise CommandMalformed(field=name, reason="the nil UUID names nothing")
    return value


def _is_given(body: Body, name: str) -> bool:
    return body.get(name) is not None


def _forbid(body: Body, name: str, what: str) -> None:
    if _is_given(body, name):
        raise CommandMalformed(field=name, reason=f"{what} has none")


# --- orders ---


def _place(body: Body, context: Context) -> Work:
    order_id = _id(body, "order_id")
    instrument = context.names.instrument(_text(body, "unit"))
    side: Side = _word(body, "side", _SIDES)
    kind: Kind = _word(body, "kind", KINDS)
    quantity = _quantity(body, "quantity_t")
    price = _limit(body, kind)
    tif, expiry_us = _time_in_force(body, kind, context.now_us)
    stop = _stop(body, kind)
    display = _display(body, kind, quantity)
    post_only = _post_only(body, kind)
    stp = _word(body, "self_trade", _SELF_TRADES) if _is_given(body, "self_trade") else SelfTrade.CANCEL_TAKER
    return Work(
        records.new_order(
            order_id,
            context.names.participant(body["account"]),
            instrument,
            side,
            quantity,
            price,
            type_=kind.type,
            tif=tif,
            stp=stp,
            post_only=post_only,
            display=display,
            stop=stop,
            expiry_us=expiry_us,
            at_us=context.now_us,
        )
    )


def _limit(body: Body, kind: Kind) -> int:
    """Return the limit; of an order without one the price that protects it, 0 for none."""
    if _is_given(body, "price_fen"):
        return _price(body, "price_fen")
    if kind.priced:
        raise CommandMalformed(field="price_fen", reason="this field is missing")
    return 0


def _time_in_force(body: Body, kind: Kind, now_us: int) -> tuple[TimeInForce, int]:
    """Return how long the order stays, and its date where it has one."""
    if kind.tif is not None:
        _forbid(body, "time_in_force", "an order that does not rest")
        _forbid(body, "expires_us", "an order that does not rest")
        return kind.tif, 0
    tif: TimeInForce = TimeInForce.GTC
    if _is_given(body, "time_in_force"):
        tif = _word(body, "time_in_force", _RESTING)
    if tif is not TimeInForce.GTD:
        _forbid(body, "expires_us", "an order without a date")
        return tif, 0
    if not _is_given(body, "expires_us"):
        raise CommandMalformed(field="expires_us", reason="this field is missing")
    expires_us = _integer(body, "expires_us")
    if not 0 < expires_us <= INT63_MAX:
        raise ExpiryPassed(expires_us=expires_us, at_us=now_us)
    return tif, expires_us


def _stop(body: Body, kind: Kind) -> int:
    if not kind.stops:
        _forbid(body, "stop_fen", "an order that does not wait for a price")
        return 0
    if not _is_given(body, "stop_fen"):
        raise CommandMalformed(field="stop_fen", reason="this field is missing")
    return _price(body, "stop_fen", 1)


def _display(body: Body, kind: Kind, quantity_t: int) -> int:
    if not _is_given(body, "display_t"):
        return 0
    if kind.tif is not None or not kind.priced:
        _forbid(body, "display_t", "an order that does not rest")
    display_t = _integer(body, "display_t")
    if not 0 < display_t <= INT63_MAX:
        raise DisplayOutOfRange(display_t=display_t, quantity_t=quantity_t)
    return display_t


def _post_only(body: Body, kind: Kind) -> bool:
    if not _is_given(body, "post_only"):
        return False
    post_only = _flag(body, "post_only")
    if post_only and not (kind.type is OrderType.LIMIT and kind.tif is None):
        raise CommandMalformed(field="post_only", reason="only a limit order that rests can be post-only")
    return post_only


def _cancel(body: Body, context: Context) -> Work:
    order_id = uuid_bytes(body["order_id"], "order_id")
    participant = context.names.find(body["account"])
    if not participant or not any(order_id):
        raise OrderUnknown(order_id=body["order_id"])
    return Work(records.cancel(order_id, participant, context.now_us))


def _amend(body: Body, context: Context) -> Work:
    order_id = uuid_bytes(body["order_id"], "order_id")
    quantity = _quantity(body, "quantity_t")
    price = _price(body, "price_fen", 1) if _is_given(body, "price_fen") else 0
    participant = context.names.find(body["account"])
    if not participant or not any(order_id):
        raise OrderUnknown(order_id=body["order_id"])
    return Work(records.amend(order_id, participant, quantity, price, context.now_us))


def _mass_cancel(body: Body, context: Context) -> Work:
    unit = _text(body, "unit") if _is_given(body, "unit") else None
    instrument = 0 if unit is None else context.names.instrument(unit)
    participant = context.names.find(body["account"])
    if not participant:
        account = account_text(account_bytes(body["account"]))
        return Work(b"", [{"report": "MassCancelled", "account": account, "unit": unit, "cancelled": 0}])
    return Work(records.mass_cancel(participant, instrument, context.now_us))


# --- other acts ---


def _withdraw(body: Body, context: Context) -> Work:
    amount = _integer(body, "amount")
    if not 0 < amount <= INT63_MAX:
        raise AmountOutOfRange(amount=str(amount), amount_max=str(INT63_MAX))
    withdrawal_id = _id(body, "withdrawal_id")
    asset = body["asset"]
    instrument = CASH if asset == CASH_TEXT else context.names.instrument(_text(body, "asset"))
    known = context.venue.custody.withdrawals.get(withdrawal_id)
    if known is not None and known.account != account_bytes(body["account"]):
        # The core knows transfers by account and id; a withdrawal's id stands for it over all accounts.
        raise WithdrawalIdReused(withdrawal_id=body["withdrawal_id"])
    participant = context.names.participant(body["account"])
    debit = records.debit(participant, instrument, amount, withdrawal_transfer(withdrawal_id))
    return Work(records.advance(context.now_us) + debit, withdrawal=withdrawal_id)


def _list(body: Body, context: Context) -> Work:
    unit = unit_value(_text(body, "unit"))
    tick = _price(body, "tick_fen")
    lot, most = _quantity(body, "lot_t"), _quantity(body, "quantity_max_t")
    run = records.list_instrument(unit, tick, lot, most, context.now_us)
    number = context.venue.instrument(unit)
    if number and _never_opened(context.venue.engine.rules(number)):
        run += records.set_phase(number, Phase.CONTINUOUS, context.now_us)
    return Work(run)


def _never_opened(rules: RulesView) -> bool:
    """Whether it was listed for a deposit alone (`exchange.chain_words`): nobody has opened it yet."""
    return rules.phase == Phase.CLOSED and not rules.last


def _rules(body: Body, context: Context) -> Work:
    instrument = context.names.instrument(_text(body, "unit"))
    maker_ppm, taker_ppm = _integer(body, "maker_ppm"), _integer(body, "taker_ppm")
    if not (0 <= maker_ppm <= _U32_MAX and 0 <= taker_ppm <= _U32_MAX):
        raise FeesInvalid(maker_ppm=maker_ppm, taker_ppm=taker_ppm)
    band_ppm = _integer(body, "band_ppm")
    if not 0 <= band_ppm <= _U32_MAX:
        raise CommandMalformed(field="band_ppm", reason=f"0 to {_U32_MAX} is expected")
    position_limit = _quantity(body, "position_limit_t")
    no_same_day_resale = _flag(body, "no_same_day_resale")
    return Work(
        records.set_rules(
            instrument,
            maker_ppm=maker_ppm,
            taker_ppm=taker_ppm,
            fee_participant=_collector(body, context, instrument),
            band_ppm=band_ppm,
            position_limit=position_limit,
            no_same_day_resale=no_same_day_resale,
            at_us=context.now_us,
        )
    )


def _collector(body: Body, context: Context, instrument: int) -> int:
    """Return who collects the fees, 0 for nobody yet. Whoever does it does it for good.

    Orders keep the fees of their entry, and the tape's netting knows one collector of an instrument.
    """
    present = context.venue.custody.collectors[instrument - 1]
    if not _is_given(body, "fee_account"):
        return present
    asked = context.names.find(body["fee_account"], "fee_account")
    if present and asked != present:
        raise FeeAccountDiffers(unit=body["unit"], fee_account=context.names.account(present))
    return asked or context.names.participant(body["fee_account"], "fee_account")


def _reference(body: Body, context: Context) -> Work:
    price = _price(body, "price_fen")
    instrument = context.names.instrument(_text(body, "unit"))
    return Work(records.set_reference(instrument, price, context.now_us))


def _phase(body: Body, context: Context) -> Work:
    phase: Phase = _word(body, "phase", _PHASES)
    instrument = context.names.instrument(_text(body, "unit"))
    return Work(records.set_phase(instrument, phase, context.now_us))


def _uncross(body: Body, context: Context) -> Work:
    return Work(records.uncross(context.names.instrument(_text(body, "unit")), context.now_us))


def _kill(body: Body, context: Context) -> Work:
    on = _flag(body, "on")
    return Work(records.kill(context.names.participant(body["account"]), on=on, at_us=context.now_us))


Parser = tuple[frozenset[str], frozenset[str], Callable[[Body, Context], Work]]


def _parser(needed: str, optional: str, parse: Callable[[Body, Context], Work]) -> Parser:
    return frozenset(("command", *needed.split())), frozenset(optional.split()), parse


_PARSERS: Final[dict[str, Parser]] = {
    "PlaceOrder": _parser(
        "order_id account unit side kind quantity_t",
        "price_fen time_in_force post_only display_t stop_fen expires_us self_trade",
        _place,
    ),
    "CancelOrder": _parser("order_id account", "", _cancel),
    "AmendOrder": _parser("order_id account quantity_t", "price_fen", _amend),
    "MassCancel": _parser("account", "unit", _mass_cancel),
    "RequestWithdrawal": _parser("withdrawal_id account asset amount", "", _withdraw),
    "ListInstrument": _parser("unit tick_fen lot_t quantity_max_t", "", _list),
    "SetRules": _parser(
        "unit maker_ppm taker_ppm band_ppm position_limit_t no_same_day_resale", "fee_account", _rules
    ),
    "SetReference": _parser("unit price_fen", "", _reference),
    "SetPhase": _parser("unit phase", "", _phase),
    "Uncross": _parser("unit", "", _uncross),
    "SetKillSwitch": _parser("account on", "", _kill),
}
