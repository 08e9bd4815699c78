"""The engine's book against the published one, level by level, as far as the file can tell.

Words used here: see `exchange.lobster_replay`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeVar

from exchange.book import Book, BookSide
from exchange.commands import Side
from exchange.lobster import Levels, PublishedBook

SHOWN_MAX: Final = 10

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
    _bounds: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, _NOTHING))

    def in_view(self, side: Side, price: int) -> bool:
        """Whether the last row showed everything that stood at this price."""
        return key(side, price) <= self._bounds[side]

    def take(self, line: int, book: Book, published: PublishedBook) -> RowFindings:
        """Compare with one row. Whoever calls then sets the differing levels, so each counts once."""
        found = RowFindings([], [])
        if published.crossed:
            self.crossed_rows += 1
            self._bounds = dict.fromkeys(Side, _NOTHING)
            return found
        for side in Side:
            self._take_side(line, book.own(side), published, found)
        return found

    def _take_side(self, line: int, own: BookSide, published: PublishedBook, found: RowFindings) -> None:
        side, theirs = own.side, published.of(own.side)
        before = self._bounds[side]
        after = key(side, theirs[-1][0]) if len(theirs) == published.depth else _EVERYTHING
        self._bounds[side] = after
        ours = _levels_within(own, after)
        in_view = sum(1 for price, _ in theirs if key(side, price) <= before)
        if before == _NOTHING or (theirs and not in_view):
            self.best_from_book += 1
        else:
            self.best_compared += 1
        self.deeper_compared += max(in_view - 1, 0)
        self.levels_from_book += len(theirs) - in_view
        found.entered.extend((side, price) for price, _ in theirs[in_view:])
        if ours == theirs:
            return
        here, there = dict(ours), dict(theirs)
        prices = sorted(here.keys() | there.keys(), key=lambda price: key(side, price))
        differing = [price for price in prices if here.get(price) != there.get(price)]
        self._note(line, side, here, there, [price for price in differing if key(side, price) <= before])
        found.entered.extend((side, price) for price in differing if key(side, price) > before)
        found.differences.extend((side, price, there.get(price, 0)) for price in differing)

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
    return -price if side is Side.BUY else price


def note(first: list[_Found], found: _Found) -> None:
    """Keep the first ten."""
    if len(first) < SHOWN_MAX:
        first.append(found)


def _levels_within(own: BookSide, bound: int) -> Levels:
    found = []
    for level in own.from_best():
        if key(own.side, level.price_fen) > bound:
            break
        found.append((level.price_fen, level.quantity_t))
    return tuple(found)
