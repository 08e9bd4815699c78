"""The price-time book: best price first, at one price the earlier order first.

A side keeps its levels by price and their prices sorted, best last; a level keeps its orders in arrival
order. Always: a level's quantity is the sum of its orders' remainders, no level is empty, and the best bid
is below the best ask (`exchange.invariants` checks it).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from exchange.commands import OrderKind, Side
from exchange.reports import CancelReason


class OrderStatus(IntEnum):
    """Where an order stands."""

    OPEN = 1
    FILLED = 2
    CANCELLED = 3


@dataclass(slots=True)
class Order:
    """An accepted order, kept for good: a retry is answered from it.

    `entry_trade` and `entry_trades` say which trades its entry made: that many, from that number on.
    `filled_fen` is the cash of all its fills, so the average price is `filled_fen / filled_t`.
    `quantity_t` is what it came with; `reduced_t` of it was taken off later, before it traded.
    """

    order_id: bytes
    account: bytes
    unit: int
    side: Side
    kind: OrderKind
    quantity_t: int
    price_fen: int
    at_us: int
    remaining_t: int
    status: OrderStatus = OrderStatus.OPEN
    cancelled: CancelReason = CancelReason.NONE
    filled_fen: int = 0
    entry_trade: int = 0
    entry_trades: int = 0
    entry_left_t: int = 0
    reduced_t: int = 0

    @property
    def filled_t(self) -> int:
        """Tonnes traded so far."""
        return self.quantity_t - self.reduced_t - self.remaining_t


@dataclass(slots=True)
class Level:
    """All orders at one price, earliest first."""

    price_fen: int
    quantity_t: int = 0
    orders: OrderedDict[bytes, Order] = field(default_factory=OrderedDict)


@dataclass(slots=True)
class BookSide:
    """The bids, or the asks. `_keys` sorts the best price last: the price for bids, minus it for asks."""

    side: Side
    levels: dict[int, Level] = field(default_factory=dict)
    _keys: list[int] = field(default_factory=list)

    def best(self) -> Level | None:
        """Return the level that trades next, or None when the side is empty."""
        return self.levels[abs(self._keys[-1])] if self._keys else None

    def add(self, order: Order) -> None:
        """Put an order behind all others of its price."""
        level = self.levels.get(order.price_fen)
        if level is None:
            level = self.levels[order.price_fen] = Level(order.price_fen)
            insort(self._keys, self._key(order.price_fen))
        level.orders[order.order_id] = order
        level.quantity_t += order.remaining_t

    def remove(self, order: Order) -> None:
        """Take an order out, whatever its place, with the remainder that it still has."""
        level = self.levels[order.price_fen]
        del level.orders[order.order_id]
        level.quantity_t -= order.remaining_t
        if not level.orders:
            self._drop(level.price_fen)

    def reduce(self, order: Order, by_t: int) -> None:
        """Make a resting order smaller where it stands; something of it stays."""
        order.remaining_t -= by_t
        order.reduced_t += by_t
        self.levels[order.price_fen].quantity_t -= by_t

    def fill(self, level: Level, maker: Order, quantity_t: int) -> None:
        """Take `quantity_t` from the first order of the best level; a filled order leaves."""
        maker.remaining_t -= quantity_t
        level.quantity_t -= quantity_t
        if maker.remaining_t == 0:
            del level.orders[maker.order_id]
            if not level.orders:
                self._drop(level.price_fen)

    def from_best(self) -> Iterator[Level]:
        """Walk the levels, best first."""
        return (self.levels[abs(key)] for key in reversed(self._keys))

    def _key(self, price_fen: int) -> int:
        return price_fen if self.side is Side.BUY else -price_fen

    def _drop(self, price_fen: int) -> None:
        del self.levels[price_fen]
        if self._keys[-1] == self._key(price_fen):
            self._keys.pop()
        else:
            del self._keys[bisect_left(self._keys, self._key(price_fen))]


@dataclass(slots=True)
class Book:
    """Both sides of one unit."""

    unit: int
    bids: BookSide = field(default_factory=lambda: BookSide(Side.BUY))
    asks: BookSide = field(default_factory=lambda: BookSide(Side.SELL))

    def own(self, side: Side) -> BookSide:
        """Return the side on which such an order rests."""
        return self.bids if side is Side.BUY else self.asks

    def opposite(self, side: Side) -> BookSide:
        """Return the side from which such an order takes."""
        return self.asks if side is Side.BUY else self.bids

    def fillable_t(self, taker: Order) -> int:
        """Return how much of `taker` would trade now: within its limit, before any order of its account."""
        found_t = 0
        for level in self.opposite(taker.side).from_best():
            if not within_limit(taker, level.price_fen):
                break
            for maker in level.orders.values():
                if maker.account == taker.account:
                    return found_t
                found_t += maker.remaining_t
                if found_t >= taker.quantity_t:
                    return taker.quantity_t
        return found_t


def within_limit(taker: Order, price_fen: int) -> bool:
    """Whether the taker may trade at this price; a market order may at any."""
    if taker.kind is OrderKind.MARKET:
        return True
    return price_fen <= taker.price_fen if taker.side is Side.BUY else price_fen >= taker.price_fen
