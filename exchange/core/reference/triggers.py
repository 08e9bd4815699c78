"""What time and prices set off: dates that pass, the end of the day, stops."""

from __future__ import annotations

from exchange.core.codes import INT63_MAX, Phase, Reason, ReportKind, Status, TimeInForce
from exchange.core.records import Command
from exchange.core.reference import matching
from exchange.core.reference.state import Instrument, Order, State


def expire(state: State) -> int:
    """Take out orders whose date has come, earliest date first, then earliest accepted; return how many."""
    due = [order for order in state.dated.values() if order.expiry_us <= state.now_us]
    due.sort(key=lambda order: (order.expiry_us, order.arrival))
    for order in due:
        matching.withdraw(state, order, Status.EXPIRED, Reason.DATE)
    return len(due)


def advance(state: State, _command: Command, expired: int) -> None:
    """Let time pass; it has, before the command."""
    state.tell(ReportKind.ADVANCED, number=expired)


def day_end(state: State, _command: Command, expired: int) -> None:
    """End the day: day orders expire, what was bought may be sold, old ids are forgotten."""
    over = [order for order in state.open.values() if order.tif == TimeInForce.DAY]
    for order in over:
        matching.withdraw(state, order, Status.EXPIRED, Reason.DAY)
    for position in state.positions.values():
        position.bought = 0
    forgotten = [order.id for order in state.orders.values() if 0 < order.closed_day < state.day]
    for name in forgotten:
        del state.orders[name]
    state.tell(ReportKind.DAY_ENDED, number=expired + len(over), left=state.day)
    state.day += 1


def release_stops(state: State, instrument: Instrument) -> None:
    """Trigger the stops that the last price has reached, one at a time: each may move it."""
    while instrument.phase == Phase.CONTINUOUS and instrument.last:
        order = _next_stop(instrument)
        if order is None:
            return
        _trigger(state, instrument, order)


def _next_stop(instrument: Instrument) -> Order | None:
    waiting = instrument.parked.values()
    buys = [order for order in waiting if order.is_buy and order.stop <= instrument.last]
    if buys:
        return min(buys, key=lambda order: (order.stop, order.arrival))
    sales = [order for order in waiting if not order.is_buy and order.stop >= instrument.last]
    return min(sales, key=lambda order: (-order.stop, order.arrival)) if sales else None


def _trigger(state: State, instrument: Instrument, order: Order) -> None:
    del instrument.parked[order.id]
    order.status = Status.OPEN
    state.tell_of(order, ReportKind.TRIGGERED, price=instrument.last)
    shown = instrument.book.own(order.side).shown_at(order.price)
    if matching.may_rest(order) and shown + order.left > INT63_MAX:
        matching.cancel_rest(state, order, Reason.LEVEL_FULL)
    else:
        matching.enter(state, order)
