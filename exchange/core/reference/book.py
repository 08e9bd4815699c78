"""Price and time priority: best price first, at one price the order that came first.

Always: what a level shows is the sum of what its orders show, and no level is empty.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exchange.core.codes import Side

if TYPE_CHECKING:
    from exchange.core.reference.state import Order


@dataclass(slots=True)
class Level:
    """The orders at one price, earliest first."""

    price: int
    shown: int = 0
    orders: dict[bytes, Order] = field(default_factory=dict)

    def first(self) -> Order:
        """Return the order that trades next."""
        return next(iter(self.orders.values()))


@dataclass(slots=True)
class BookSide:
    """The bids, or the asks. `_keys` are the prices sorted best last: minus the price for asks."""

    sign: int
    levels: dict[int, Level] = field(default_factory=dict)
    _keys: list[int] = field(default_factory=list)

    def best(self) -> Level | None:
        """Return the level that trades next, or None."""
        return self.levels[self.sign * self._keys[-1]] if self._keys else None

    def reaches(self, price: int, limit: int | None) -> bool:
        """Whether someone with this limit takes a resting order of this side at this price."""
        return limit is None or self.sign * price >= self.sign * limit

    def from_best(self) -> Iterator[Level]:
        """Walk the levels, best first."""
        return (self.levels[self.sign * key] for key in reversed(self._keys))

    def shown_at(self, price: int) -> int:
        """Return what stands at a price."""
        level = self.levels.get(price)
        return level.shown if level else 0

    def add(self, order: Order) -> None:
        """Put an order behind all others of its price."""
        level = self.levels.get(order.price)
        if level is None:
            level = self.levels[order.price] = Level(order.price)
            insort(self._keys, self.sign * order.price)
        level.orders[order.id] = order
        level.shown += order.shown

    def remove(self, order: Order) -> None:
        """Take an order out, wherever it stands."""
        level = self.levels[order.price]
        del level.orders[order.id]
        level.shown -= order.shown
        if not level.orders:
            del self.levels[order.price]
            del self._keys[bisect_left(self._keys, self.sign * order.price)]

    def shrink(self, order: Order, by: int) -> None:
        """Show less of an order that stays where it is."""
        order.shown -= by
        self.levels[order.price].shown -= by


@dataclass(slots=True)
class Book:
    """Both sides."""

    bids: BookSide = field(default_factory=lambda: BookSide(1))
    asks: BookSide = field(default_factory=lambda: BookSide(-1))

    def own(self, side: int) -> BookSide:
        """Return where such an order rests."""
        return self.bids if side == Side.BUY else self.asks

    def opposite(self, side: int) -> BookSide:
        """Return what such an order takes from."""
        return self.asks if side == Side.BUY else self.bids

    def is_crossed(self) -> bool:
        """Whether the best bid is not below the best ask."""
        bid, ask = self.bids.best(), self.asks.best()
        return bid is not None and ask is not None and bid.price >= ask.price
