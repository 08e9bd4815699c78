"""What the state answers when it is asked."""

from __future__ import annotations

from itertools import islice

from exchange.core.api import NO_RULES, CashBalance, LevelView, OrderView, RulesView, TonnesBalance
from exchange.core.codes import Status
from exchange.core.reference import risk
from exchange.core.reference.state import Position, State


def counters(state: State) -> dict[str, int]:
    """Return how far it is and how much there is."""
    return {
        "sequence": state.sequence,
        "now_us": state.now_us,
        "day": state.day,
        "trades": state.trades,
        "open_epoch": state.open_epoch,
        "participants": len(state.participants),
        "instruments": len(state.instruments),
        "orders": len(state.orders),
        "open_orders": len(state.open),
    }


def cash(state: State, participant: int) -> CashBalance:
    """Return a participant's cash."""
    if not 0 < participant <= len(state.participants):
        return CashBalance(0, 0)
    who = state.participants[participant - 1]
    return CashBalance(who.available, who.reserved)


def tonnes(state: State, participant: int, number: int) -> TonnesBalance:
    """Return a participant's tonnes of an instrument."""
    position = state.positions.get((participant, number), Position())
    if not 0 < number <= len(state.instruments):
        return TonnesBalance(0, 0, 0, 0)
    may = risk.tradable(state, participant, state.instruments[number - 1])
    return TonnesBalance(position.available, position.reserved, may, position.open_buys)


def rules(state: State, number: int) -> RulesView:
    """Return an instrument's rules, phase and prices."""
    if not 0 < number <= len(state.instruments):
        return NO_RULES
    instrument = state.instruments[number - 1]
    fees = state.fees[instrument.fees]
    return RulesView(
        fees.maker_ppm,
        fees.taker_ppm,
        fees.collector,
        instrument.band_ppm,
        instrument.position_limit,
        instrument.bars_resale,
        instrument.reference,
        instrument.phase,
        instrument.last,
    )


def is_killed(state: State, participant: int) -> bool:
    """Return whether a participant's kill switch is on."""
    return 0 < participant <= len(state.participants) and state.participants[participant - 1].killed


def order(state: State, order_id: bytes) -> OrderView | None:
    """Return a remembered order."""
    found = state.orders.get(order_id)
    if found is None:
        return None
    is_open = found.status in (Status.OPEN, Status.PARKED)
    where = found.participant, found.instrument, found.side, found.status, found.reason
    return OrderView(*where, found.quantity, found.filled, found.price if is_open else 0, found.shown)


def depth(state: State, number: int, side: int, levels: int) -> list[LevelView]:
    """Return the best levels of a side."""
    if not 0 < number <= len(state.instruments):
        return []
    best = islice(state.instruments[number - 1].book.own(side).from_best(), max(0, levels))
    return [LevelView(level.price, level.shown, len(level.orders)) for level in best]
