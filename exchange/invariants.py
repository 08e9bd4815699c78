"""What must hold after every command, whatever it was. A violation is a bug of ours, never of a client."""

from __future__ import annotations

from collections import Counter
from typing import Any

from exchange.book import Book, BookSide, OrderStatus
from exchange.commands import CASH
from exchange.netting import net
from exchange.risk import needed
from exchange.state import State


def check(state: State) -> None:
    """Assert every invariant over the whole state.

    Raises
    ------
    AssertionError :
        Names the invariant and the numbers that break it.
    """
    _check_conserved(state)
    _check_reserved(state)
    for book in state.books.values():
        _check_book(state, book)
    _check_epochs(state)


def _nonzero(counter: Counter[Any]) -> dict[Any, int]:
    return {key: count for key, count in counter.items() if count}


def _check_conserved(state: State) -> None:
    """Of each asset: credited, less withdrawn and taken by exits, is what all accounts have."""
    expected: Counter[int] = Counter()
    for deposit in state.deposits.values():
        expected[deposit.asset] += deposit.amount
    for withdrawal in state.withdrawals.values():
        expected[withdrawal.asset] -= withdrawal.amount
    for taken in state.exits.values():
        expected[taken.asset] -= taken.debited
    held: Counter[int] = Counter()
    for assets in state.ledger.accounts.values():
        for asset, balance in assets.items():
            assert balance.available >= 0, f"available below zero: {balance}"
            assert balance.reserved >= 0, f"reserved below zero: {balance}"
            held[asset] += balance.available + balance.reserved
    assert _nonzero(expected) == _nonzero(held), f"not conserved: {expected} came in, {held} is held"


def _check_reserved(state: State) -> None:
    """Of each account and asset: what is reserved is what its open orders need."""
    expected: Counter[tuple[bytes, int]] = Counter()
    for order in state.orders.values():
        if order.status is OrderStatus.OPEN:
            asset, amount = needed(order.side, order.unit, order.remaining_t, order.price_fen)
            expected[order.account, asset] += amount
    reserved = Counter(
        {
            (account, asset): balance.reserved
            for account, assets in state.ledger.accounts.items()
            for asset, balance in assets.items()
        }
    )
    assert _nonzero(expected) == _nonzero(reserved), f"open orders need {expected}, reserved {reserved}"


def _check_book(state: State, book: Book) -> None:
    """The book holds the open orders of its unit, level by level, and is not crossed."""
    resting = _check_side(book.bids) | _check_side(book.asks)
    open_orders = {
        order.order_id
        for order in state.orders.values()
        if order.unit == book.unit and order.status is OrderStatus.OPEN
    }
    assert resting == open_orders, "the book does not hold exactly the open orders"
    bid, ask = book.bids.best(), book.asks.best()
    if bid is not None and ask is not None:
        assert bid.price_fen < ask.price_fen, f"crossed: bid {bid.price_fen} ask {ask.price_fen}"


def _check_side(side: BookSide) -> set[bytes]:
    prices = [level.price_fen for level in side.from_best()]
    assert len(prices) == len(side.levels), "the price list is not the levels"
    assert prices == sorted(set(prices), reverse=side.side == 1), "levels out of order"
    found: set[bytes] = set()
    for level in side.levels.values():
        assert level.orders, f"empty level at {level.price_fen}"
        total_t = sum(order.remaining_t for order in level.orders.values())
        assert level.quantity_t == total_t, f"level {level.price_fen}: {level.quantity_t} is not {total_t}"
        for order in level.orders.values():
            assert order.remaining_t > 0, "a filled order rests"
            assert (order.side, order.price_fen) == (side.side, level.price_fen), "an order at a wrong place"
        found |= level.orders.keys()
    return found


def _check_epochs(state: State) -> None:
    """Epochs follow each other without a gap, settle in order, and their deltas sum to zero."""
    next_trade = 1
    for number, epoch in enumerate(state.epochs, start=1):
        assert (epoch.number, epoch.first_trade) == (number, next_trade), "a gap between epochs"
        assert epoch.settled == (number <= state.settled_epoch), "settled out of order"
        assert all(trade.epoch == number for trade in state.trades_of(epoch)), "a trade in another epoch"
        deltas = net(state.trades_of(epoch))
        assert sum(delta.cash_fen for delta in deltas) == CASH, "an epoch's cash does not sum to zero"
        tonnes: Counter[int] = Counter()
        for delta in deltas:
            tonnes[delta.unit] += delta.quantity_t
        assert not any(tonnes.values()), "an epoch's tonnes do not sum to zero"
        next_trade += epoch.trades
