"""The numbers of a participant's orders, of his trades, or of an instrument's trades, without a list of all.

Each row says which one came before it. Of every 64 that belong together only the newest number is kept here:
any place in the row of them is found by bisection, and walked back to over at most 64 rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

CHUNK: Final = 64


@dataclass(slots=True)
class Chain:
    """Numbers that rise. `newest[n]` is the newest of chunk n, `open[n]` how many of its orders are open."""

    count: int = 0
    open_all: int = 0
    newest: list[int] = field(default_factory=list)
    open: list[int] = field(default_factory=list)

    def head(self) -> int:
        """Return the newest number, 0 if there is none."""
        return self.newest[-1] if self.newest else 0

    def append(self, number: int) -> int:
        """Add a number; return how many there were before."""
        if self.count % CHUNK == 0:
            self.newest.append(number)
            self.open.append(0)
        else:
            self.newest[-1] = number
        self.count += 1
        return self.count - 1

    def opened(self, ordinal: int, by: int) -> None:
        """Count an order that opened (1) or closed (-1)."""
        self.open[ordinal // CHUNK] += by
        self.open_all += by

    def after(self, number: int, previous: Callable[[int], int], *, only_open: bool) -> Iterator[int]:
        """Walk the numbers above `number`, oldest first; `only_open` skips chunks without open orders."""
        for chunk in range(bisect_right(self.newest, number), len(self.newest)):
            if only_open and not self.open[chunk]:
                continue
            walked = []
            at = self.newest[chunk]
            for _ in range(min(CHUNK, self.count - chunk * CHUNK)):
                if at <= number:
                    break
                walked.append(at)
                at = previous(at)
            yield from reversed(walked)
