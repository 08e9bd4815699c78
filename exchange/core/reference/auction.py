"""The call auction: orders that were gathered trade at one price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from exchange.core.codes import Phase, Reason, Reject, ReportKind, Status
from exchange.core.records import Command
from exchange.core.reference import matching
from exchange.core.reference.orders import instrument_at
from exchange.core.reference.state import Instrument, Order, Rejected, State


def uncross(state: State, command: Command) -> None:
    """Trade what crosses, at one price."""
    instrument = instrument_at(state, command.instrument)
    if instrument.phase != Phase.AUCTION:
        raise Rejected(Reject.PHASE_FORBIDS, instrument.phase)
    first = state.trades
    price = clearing_price(instrument)
    volume = _trade_at(state, instrument, price) if price else 0
    state.tell(
        ReportKind.UNCROSSED,
        instrument=instrument.number,
        price=price,
        a=volume,
        number=state.trades - first,
    )


def clearing_price(instrument: Instrument) -> int:
    """Return the price of most volume, then least imbalance, then nearest, then lowest; 0: none crosses."""
    if not instrument.book.is_crossed():
        return 0
    bids = [(level.price, _total(level.orders.values())) for level in instrument.book.bids.from_best()]
    asks = [(level.price, _total(level.orders.values())) for level in instrument.book.asks.from_best()]
    near = instrument.reference or instrument.last

    def rank(price: int) -> tuple[int, int, int, int]:
        demand = sum(quantity for limit, quantity in bids if limit >= price)
        supply = sum(quantity for limit, quantity in asks if limit <= price)
        return -min(demand, supply), abs(demand - supply), abs(price - near) if near else 0, price

    limits = {price for price, _ in bids} | {price for price, _ in asks}
    within = sorted(price for price in limits if asks[0][0] <= price <= bids[0][0])
    return min(_candidates(within, instrument.tick, near), key=rank)


def _total(orders: Iterable[Order]) -> int:
    return sum(order.left for order in orders)


def _candidates(limits: list[int], tick: int, near: int) -> Iterator[int]:
    """Every limit, and between two of them, where nothing changes, the ticks that could be nearest."""
    yield limits[0]
    for below, above in pairwise(limits):
        low, high = below + tick, above - tick
        if low <= high:
            yield low
            yield high
            for price in (near // tick * tick, near // tick * tick + tick):
                if low < price < high:
                    yield price
        yield above


def _trade_at(state: State, instrument: Instrument, price: int) -> int:
    """Pair the best bids with the best asks at this price; return the volume."""
    volume = 0
    book = instrument.book
    while True:
        bids, asks = book.bids.best(), book.asks.best()
        if bids is None or asks is None or bids.price < price or asks.price > price:
            return volume
        maker, taker = sorted((bids.first(), asks.first()), key=lambda order: order.arrival)
        if maker.participant == taker.participant:
            matching.withdraw(state, taker, Status.CANCELLED, Reason.SELF_TRADE)
            continue
        quantity = min(maker.shown, taker.shown)
        matching.trade(state, instrument, maker, taker, quantity, price, auction=True)
        volume += quantity
