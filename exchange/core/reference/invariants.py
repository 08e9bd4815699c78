"""What holds after every command, whatever it was. A violation is a bug of ours, never of a client."""

from __future__ import annotations

from collections import Counter

from exchange.core.codes import CASH, CommandKind, Phase, Status, TimeInForce
from exchange.core.reference import risk
from exchange.core.reference.book import BookSide
from exchange.core.reference.state import Instrument, State


def check(state: State) -> None:
    """Assert every invariant; AssertionError names the broken one and its numbers."""
    _check_conserved(state)
    _check_reserved(state)
    for instrument in state.instruments:
        _check_book(state, instrument)
    _check_orders(state)


def _check_conserved(state: State) -> None:
    """Of each asset: what came in, less what went out, is what all participants have."""
    moved: Counter[int] = Counter()
    for done in state.transfers.values():
        moved[done.instrument] += done.moved if done.kind == CommandKind.CREDIT else -done.moved
    held: Counter[int] = Counter()
    for who in state.participants:
        assert who.available >= 0 <= who.reserved, f"cash below zero: {who}"
        held[CASH] += who.available + who.reserved
    for (_, number), position in state.positions.items():
        amounts = position.available, position.reserved, position.bought, position.open_buys
        assert min(amounts) >= 0, f"tonnes below zero: {position}"
        held[number] += position.available + position.reserved
    for asset in range(len(state.instruments) + 1):
        numbers = moved[asset], held[asset], state.held(asset)
        assert len(set(numbers)) == 1, f"asset {asset} not conserved: {numbers}"


def _check_reserved(state: State) -> None:
    """What is set aside is what the open orders need; likewise what open buys may bring."""
    cash: Counter[int] = Counter()
    tonnes: Counter[tuple[int, int]] = Counter()
    buys: Counter[tuple[int, int]] = Counter()
    for order in state.open.values():
        key = order.participant, order.instrument
        if order.is_buy:
            cash[order.participant] += risk.aside(state, order, order.left)
            buys[key] += order.left
        else:
            tonnes[key] += order.left
    for who in state.participants:
        assert who.reserved == cash[who.number], f"orders need {cash[who.number]}: {who}"
    for key in tonnes.keys() | buys.keys() | state.positions.keys():
        position = state.position(*key)
        numbers = tonnes[key], buys[key]
        assert (position.reserved, position.open_buys) == numbers, f"{key}: {position}, orders: {numbers}"


def _check_book(state: State, instrument: Instrument) -> None:
    """The book holds the open orders and is not crossed while it trades; no stop is overdue."""
    resting = _check_side(instrument.book.bids) + _check_side(instrument.book.asks)
    of_it = [order for order in state.open.values() if order.instrument == instrument.number]
    in_book = [order.id for order in of_it if order.status == Status.OPEN]
    assert sorted(resting) == sorted(in_book), "the book does not hold exactly the open orders"
    assert list(instrument.parked) == [order.id for order in of_it if order.status == Status.PARKED], "stops"
    if instrument.phase == Phase.CONTINUOUS:
        assert not instrument.book.is_crossed(), f"instrument {instrument.number} is crossed"
        last = instrument.last
        for order in instrument.parked.values() if last else ():
            overdue = order.stop <= last if order.is_buy else order.stop >= last
            assert not overdue, f"stop {order.id.hex()} waits at {last}"


def _check_side(side: BookSide) -> list[bytes]:
    prices = [side.sign * level.price for level in side.from_best()]
    assert prices == sorted(set(prices), reverse=True), "levels out of order"
    assert len(prices) == len(side.levels), "the price list is not the levels"
    found: list[bytes] = []
    for level in side.levels.values():
        assert level.orders, f"empty level at {level.price}"
        total = sum(order.shown for order in level.orders.values())
        assert level.shown == total, f"level {level.price} shows {level.shown}, its orders {total}"
        for order in level.orders.values():
            assert 0 < order.shown <= order.left, f"shows {order.shown} of {order.left}"
            assert order.display or order.shown == order.left, "hides what it should show"
            assert order.price == level.price, "an order at a wrong price"
        found += level.orders
    return found


def _check_orders(state: State) -> None:
    """What is open is remembered, in order of acceptance; dates and epochs agree."""
    is_open = (Status.OPEN, Status.PARKED)
    remembered = [order.id for order in state.orders.values() if order.status in is_open]
    assert list(state.open) == remembered, "open orders and ids"
    dated = {order.id for order in state.open.values() if order.tif == TimeInForce.GTD}
    assert set(state.dated) == dated, "dates"
    for order in state.orders.values():
        assert 0 <= order.filled <= order.quantity, f"overfilled: {order.id.hex()}"
        assert (order.status == Status.FILLED) == (order.left == 0), f"filled or not: {order.id.hex()}"
    committed = 0
    for epoch in state.epochs:
        assert epoch.first == committed + 1, "a gap between epochs"
        assert epoch.trades > 0, "an epoch without trades"
        committed += epoch.trades
    assert committed <= state.trades, "an epoch of trades that were not"
