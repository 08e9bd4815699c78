"""Trades: an order that comes in takes from the book, best price first, then the earliest."""

from __future__ import annotations

from exchange.core.codes import (
    INT63_MAX,
    PPM,
    OrderFlag,
    OrderType,
    Reason,
    ReportFlag,
    ReportKind,
    SelfTrade,
    Side,
    Status,
    TimeInForce,
)
from exchange.core.reference import risk
from exchange.core.reference.state import Instrument, Order, State

RESTING = (TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD)


def band(instrument: Instrument) -> tuple[int, int] | None:
    """Return the lowest and the highest price allowed now, or None where there is no band."""
    if not (instrument.reference and instrument.band_ppm):
        return None
    width = instrument.reference * instrument.band_ppm // PPM
    return max(0, instrument.reference - width), min(INT63_MAX, instrument.reference + width)


def may_rest(order: Order) -> bool:
    """Whether what the order cannot fill goes into the book."""
    return order.is_priced and order.tif in RESTING


def limit_of(instrument: Instrument, order: Order) -> int | None:
    """Return the worst price that the order takes: its own, or the band's edge, or None for any."""
    if order.price:
        return order.price
    edges = band(instrument)
    if edges is None:
        return None
    return edges[1] if order.is_buy else edges[0]


def enter(state: State, order: Order) -> None:
    """Let an order meet the book: trade what trades, then rest it, or cancel what is left."""
    instrument = state.instrument_of(order)
    reason = match(state, instrument, order)
    if order.left == 0:
        close(state, order, Status.FILLED, Reason.NONE)
        state.tell_of(order, ReportKind.FILLED, quantity=order.quantity)
    elif reason == Reason.NONE:
        rest(state, instrument, order)
    else:
        cancel_rest(state, order, reason)


def rest(state: State, instrument: Instrument, order: Order) -> None:
    """Put what is left of an order into the book."""
    order.shown = min(order.display, order.left) if order.display else order.left
    instrument.book.own(order.side).add(order)
    state.tell_of(order, ReportKind.RESTED, price=order.price, left=order.left)


def cancel_rest(state: State, order: Order, reason: Reason) -> None:
    """Cancel what is left of an order that is in no book."""
    risk.release(state, order, order.left)
    close(state, order, Status.CANCELLED, reason)
    state.tell_of(order, ReportKind.CANCELLED, code=reason, price=order.price, left=order.left)


def withdraw(state: State, order: Order, status: Status, reason: Reason) -> None:
    """Take an open order out, of its book or from the stops that wait, and give back what it set aside."""
    instrument = state.instrument_of(order)
    if order.status == Status.PARKED:
        del instrument.parked[order.id]
    else:
        instrument.book.own(order.side).remove(order)
    risk.release(state, order, order.left)
    close(state, order, status, reason)
    kind = ReportKind.EXPIRED if status == Status.EXPIRED else ReportKind.CANCELLED
    state.tell_of(order, kind, code=reason, price=order.price, left=order.left)


def close(state: State, order: Order, status: Status, reason: Reason) -> None:
    """Mark an order as done."""
    order.status, order.reason, order.closed_day, order.shown = status, reason, state.day, 0
    del state.open[order.id]
    state.dated.pop(order.id, None)


def match(state: State, instrument: Instrument, taker: Order) -> Reason:
    """Trade the order against the book.

    Returns
    -------
    Why what is left may not rest; NONE when it may, or when nothing is left.
    """
    side = instrument.book.opposite(taker.side)
    limit = limit_of(instrument, taker)
    pays_freely = taker.is_buy and not taker.is_priced
    # Fixed at its entry: what its own trades bring in (fees that it collects) does not prolong it.
    budget = state.participant_of(taker).available
    ppm = state.fees[taker.fees].taker_ppm
    while taker.left:
        level = side.best()
        if level is None or not side.reaches(level.price, limit):
            return Reason.NONE if may_rest(taker) else Reason.UNFILLED
        maker = level.first()
        if maker.participant == taker.participant:
            if not _prevent_self_trade(state, maker, taker):
                return Reason.SELF_TRADE
            continue
        quantity = min(taker.left, maker.shown)
        if pays_freely:
            quantity = risk.affordable(budget, ppm, level.price, quantity, instrument.lot)
            if quantity == 0:
                return Reason.CASH_EXHAUSTED
            budget -= risk.paid(quantity, level.price, ppm)
        trade(state, instrument, maker, taker, quantity, level.price)
    return Reason.NONE


def trade(
    state: State,
    instrument: Instrument,
    maker: Order,
    taker: Order,
    quantity: int,
    price: int,
    *,
    auction: bool = False,
) -> None:
    """Do one trade with a resting maker. In an auction the taker rests, too."""
    maker_ppm = state.fees[maker.fees].maker_ppm
    taker_fees = state.fees[taker.fees]
    taker_ppm = taker_fees.maker_ppm if auction else taker_fees.taker_ppm
    if taker.side == Side.BUY:
        risk.move(state, taker, maker, quantity, price, ppm=(taker_ppm, maker_ppm))
    else:
        risk.move(state, maker, taker, quantity, price, ppm=(maker_ppm, taker_ppm))
    taker.filled += quantity
    maker.filled += quantity
    state.trades += 1
    instrument.last = price
    state.tell_of(
        taker,
        ReportKind.TRADE,
        flags=ReportFlag.AUCTION if auction else 0,
        other_id=maker.id,
        other=maker.participant,
        price=price,
        quantity=quantity,
        left=maker.left,
        number=state.trades,
        a=risk.fee(quantity * price, taker_ppm),
        b=risk.fee(quantity * price, maker_ppm),
    )
    after_fill(state, instrument, maker, quantity)
    if auction:
        after_fill(state, instrument, taker, quantity)
        if taker.left == 0:
            state.tell_of(taker, ReportKind.FILLED, quantity=taker.quantity)


def after_fill(state: State, instrument: Instrument, order: Order, quantity: int) -> None:
    """Take off what traded; a filled order leaves, an iceberg shows its next part at the end."""
    side = instrument.book.own(order.side)
    side.shrink(order, quantity)
    if order.shown:
        return
    side.remove(order)
    if order.left == 0:
        close(state, order, Status.FILLED, Reason.NONE)
        return
    order.shown = min(order.display, order.left)
    side.add(order)
    state.tell_of(order, ReportKind.REPLENISHED, price=order.price, quantity=order.shown, left=order.left)


def shrink(state: State, order: Order, by: int) -> None:
    """Make an order smaller where it stands, what is hidden first. A taker stands nowhere yet."""
    risk.release(state, order, by)
    order.quantity -= by
    if order.shown > order.left:
        state.instrument_of(order).book.own(order.side).shrink(order, order.shown - order.left)


def _prevent_self_trade(state: State, maker: Order, taker: Order) -> bool:
    """Do what the taker says; return whether it goes on."""
    if taker.stp == SelfTrade.CANCEL_TAKER:
        return False
    amount = min(maker.left, taker.left)
    if taker.stp == SelfTrade.DECREMENT and maker.left > amount:
        shrink(state, maker, amount)
        _tell_reduced(state, maker)
        return False
    withdraw(state, maker, Status.CANCELLED, Reason.SELF_TRADE)
    if taker.stp == SelfTrade.CANCEL_MAKER:
        return True
    if taker.stp == SelfTrade.CANCEL_BOTH or taker.left == amount:
        return False
    shrink(state, taker, amount)
    _tell_reduced(state, taker)
    return True


def _tell_reduced(state: State, order: Order) -> None:
    state.tell_of(order, ReportKind.REDUCED, price=order.price, quantity=order.quantity, left=order.left)


def fillable(instrument: Instrument, taker: Order) -> int:
    """Return how much of a fill-or-kill order would trade now, at most its quantity."""
    side = instrument.book.opposite(taker.side)
    skips_own = taker.stp == SelfTrade.CANCEL_MAKER
    found = 0
    for level in side.from_best():
        if not side.reaches(level.price, limit_of(instrument, taker)):
            break
        hidden = 0
        for maker in level.orders.values():
            if maker.participant != taker.participant:
                found += maker.shown
                hidden += maker.left - maker.shown
            elif not skips_own:
                return min(found, taker.quantity)
        found += hidden  # comes after all that is shown at this price
        if found >= taker.quantity:
            return taker.quantity
    return found


def would_trade(instrument: Instrument, order: Order, price: int) -> int:
    """Return the best opposite price if an order at this price would meet it, else 0."""
    side = instrument.book.opposite(order.side)
    level = side.best()
    return level.price if level is not None and side.reaches(level.price, price) else 0


def is_post_only(order: Order) -> bool:
    """Whether the order must not take."""
    return bool(order.flags & OrderFlag.POST_ONLY)


def is_stop(type_: int) -> bool:
    """Whether such an order waits for a price first."""
    return type_ in (OrderType.STOP, OrderType.STOP_LIMIT)
