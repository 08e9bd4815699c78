"""The engine's book against the published one, level by level, as far as the file can tell.

Words used here: see `exchange.lobster`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, TypeVar

from exchange.core.api import LevelView
from exchange.core.codes import Side
from exchange.lobster.file import Levels, PublishedBook
from exchange.lobster.market import Market

SHOWN_MAX: Final = 10

_BUY: Final = Side.BUY
_NOTHING: Final = -(10**18)
_EVERYTHING: Final = 10**18

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A level in view that is not as published; (price, size), or None where there is no such level."""

    line: int
    side: Side
    level: int
    """1 is the best."""
    published: tuple[int, int] | None
    engine: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class RowFindings:
    """What one row says of the engine's book."""

    entered: list[tuple[Side, int]]
    """Prices that came into view."""
    differences: list[tuple[Side, int, int]]
    """Side, price and published size where the engine has another."""


@dataclass(slots=True)
class _View:
    """How far the last row showed a side: the key of the worst price."""

    side: Side
    bound: int = _NOTHING
    same: Levels | None = None
    """What was published when the engine's book was last found to be the same."""
    changes: int = 0
    """The market's count of changes then."""


@dataclass(slots=True)
class Comparison:
    """Which part of the book is in view, how much was compared, and what was found."""

    best_compared: int = 0
    """Bests, at most two a row, that were in view."""
    best_from_book: int = 0
    """Bests that came into view with this row."""
    deeper_compared: int = 0
    levels_from_book: int = 0
    crossed_rows: int = 0
    mismatches: int = 0
    first_mismatches: list[Mismatch] = field(default_factory=list)
    deeper_mismatches: int = 0
    first_deeper_mismatches: list[Mismatch] = field(default_factory=list)
    _views: tuple[_View, ...] = field(default_factory=lambda: tuple(map(_View, Side)))

    def in_view(self, side: Side, price: int) -> bool:
        """Whether the last row showed everything that stood at this price."""
        return key(side, price) <= self._views[side - 1].bound

    def take(self, line: int, market: Market, published: PublishedBook) -> RowFindings | None:
        """Compare with one row; None where nothing differs and nothing came into view.

        Whoever calls then sets the differing levels, so each counts once.
        """
        if published.crossed:
            self.crossed_rows += 1
            for view in self._views:
                view.bound, view.same = _NOTHING, None
            return None
        found = None
        for view in self._views:
            theirs = published.bids if view.side is _BUY else published.asks
            if theirs is view.same and market.changes[view.side] == view.changes and theirs.prices:
                # Neither the file nor the core said anything of this side since all of it was the same.
                best = market.depth(view.side, 1)
                if best and best[0].price == theirs.prices[0] and best[0].shown == theirs.sizes[0]:
                    self.best_compared += 1
                    self.deeper_compared += len(theirs.prices) - 1
                    continue
            found = self._take_side(line, market, view, theirs, published.depth, found)
        return found

    def _take_side(
        self, line: int, market: Market, view: _View, theirs: Levels, depth: int, found: RowFindings | None
    ) -> RowFindings | None:
        side, before = view.side, view.bound
        prices = theirs.prices
        count = in_view = len(prices)
        room = count < depth
        worst = key(side, prices[-1]) if prices else _NOTHING
        view.bound = after = _EVERYTHING if room else worst
        if worst > before:
            in_view = bisect_right(prices, before, key=lambda price: key(side, price))
            found = found or RowFindings([], [])
            found.entered.extend((side, price) for price in prices[in_view:])
            self.levels_from_book += count - in_view
        if in_view or (not prices and before != _NOTHING):
            self.best_compared += 1
        else:
            self.best_from_book += 1
        if in_view > 1:
            self.deeper_compared += in_view - 1
        # Where the row has room left, nothing more may stand in the engine's book either.
        if _is_same(market.depth(side, count + room), theirs):
            view.same, view.changes = theirs, market.changes[side]
            return found
        view.same, found = None, found or RowFindings([], [])
        here = _levels_within(market, side, after, count + 2)
        there = dict(zip(prices, theirs.sizes, strict=True))
        both = sorted(here.keys() | there.keys(), key=lambda price: key(side, price))
        differing = [price for price in both if here.get(price) != there.get(price)]
        self._note(line, side, here, there, [price for price in differing if key(side, price) <= before])
        found.entered.extend((side, price) for price in differing if key(side, price) > before)
        found.differences.extend((side, price, there.get(price, 0)) for price in differing)
        return found

    def _note(
        self, line: int, side: Side, here: dict[int, int], there: dict[int, int], prices: list[int]
    ) -> None:
        """Note each difference in view once; bests are compared with each other."""
        best_here, best_there = next(iter(here.items()), None), next(iter(there.items()), None)
        bests = {best[0] for best in (best_here, best_there) if best is not None}
        if bests & set(prices):
            self.mismatches += 1
            note(self.first_mismatches, Mismatch(line, side, 1, best_there, best_here))
        for price in prices:
            if price not in bests:
                level = 1 + sum(1 for each in there if key(side, each) < key(side, price))
                sizes = [(price, sizes[price]) if price in sizes else None for sizes in (there, here)]
                self.deeper_mismatches += 1
                note(self.first_deeper_mismatches, Mismatch(line, side, level, *sizes))


def key(side: Side, price: int) -> int:
    """Return the price so that smaller is better on this side."""
    return -price if side is _BUY else price


def note(first: list[_Found], found: _Found) -> None:
    """Keep the first ten."""
    if len(first) < SHOWN_MAX:
        first.append(found)


def _is_same(ours: list[LevelView], theirs: Levels) -> bool:
    if not ours or len(ours) != len(theirs.prices):
        return not ours and not theirs.prices
    prices, sizes, _ = zip(*ours, strict=True)
    return bool(prices == theirs.prices and sizes == theirs.sizes)


def _levels_within(market: Market, side: Side, bound: int, levels: int) -> dict[int, int]:
    """Return all that the engine has at or better than a bound: price, size, best first."""
    while len(found := market.depth(side, levels)) == levels and key(side, found[-1].price) <= bound:
        levels *= 2
    return {price: shown for price, shown, _ in found if key(side, price) <= bound}
