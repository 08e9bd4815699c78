"""Finding logs in the index: going from segment to segment that holds all that is asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import unpack

from chain.node.log_index import (
    COUNT,
    PLACE,
    PLACES,
    TERM_BYTES,
    TERMS,
    IndexView,
    ordinal_kind,
    segment_key,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A log that may be asked for: where it is, and where in its block's receipts record it begins."""

    block: int
    transaction: int
    index: int
    offset: int


def search(view: IndexView, groups: Sequence[Sequence[bytes]], first: int, last: int) -> Iterator[Found]:
    """Logs of indexed blocks from `first` to `last` that hold, of each group, one of its terms; in order.

    `groups` must not be empty. Some that are found hold a term of the same hash instead.
    """
    cursors = [_Group(view, terms) for terms in groups]
    entry = view.before(PLACES, segment_key(first + 1))
    start = int.from_bytes(entry[0], "big") if entry is not None else 0
    while True:
        furthest = start
        for cursor in cursors:
            following = cursor.next(furthest)
            if following is None or following > last:
                return
            furthest = following
        if all(cursor.at == furthest for cursor in cursors):
            yield from _hits(view, cursors, furthest, first, last)
            start = furthest + 1
        else:
            start = furthest


def _hits(view: IndexView, cursors: Sequence[_Group], segment: int, first: int, last: int) -> Iterator[Found]:
    places = view.get(PLACES, segment_key(segment))
    if places is None:
        return
    count = (len(places) - COUNT.size) // PLACE.size
    for ordinal in _common([cursor.ordinals(count) for cursor in cursors], count):
        block, transaction, index, offset = PLACE.unpack_from(places, COUNT.size + ordinal * PLACE.size)
        if first <= segment + block <= last:
            yield Found(segment + block, transaction, index, offset)


class _Group:
    """Alternatives: the segments that hold one of some terms, in order."""

    def __init__(self, view: IndexView, terms: Sequence[bytes]) -> None:
        self._view = view
        self._at: dict[bytes, tuple[int, memoryview]] = dict.fromkeys(terms, (-1, memoryview(b"")))
        self.at = -1

    def next(self, start: int) -> int | None:
        """The first segment from `start` on that holds one; None if there is none."""
        key = segment_key(start)
        for each, (at, _) in list(self._at.items()):
            if at >= start:
                continue
            entry = self._view.after(TERMS, each + key)
            if entry is None or bytes(entry[0][:TERM_BYTES]) != each:
                del self._at[each]
            else:
                self._at[each] = int.from_bytes(entry[0][TERM_BYTES:], "big"), entry[1]
        if not self._at:
            return None
        self.at = min(at for at, _ in self._at.values())
        return self.at

    def ordinals(self, count: int) -> Sequence[int]:
        """Which of the segment's `count` logs hold one, in order."""
        kind = ordinal_kind(count)
        width = 2 if kind == "H" else 4
        lists = [unpack(f"<{len(row) // width}{kind}", row) for at, row in self._at.values() if at == self.at]
        return lists[0] if len(lists) == 1 else sorted({each for some in lists for each in some})


def _common(lists: Iterable[Sequence[int]], count: int) -> Sequence[int]:
    """What all of these ordered lists of numbers below `count` hold."""
    ordered = sorted((each for each in lists if len(each) < count), key=len)
    if not ordered:
        return range(count)
    common: Sequence[int] = ordered[0]
    for other in ordered[1:]:
        common = [each for each in common if _holds(other, each)]
    return common


def _holds(ordered: Sequence[int], number: int) -> bool:
    at = bisect_left(ordered, number)
    return at < len(ordered) and ordered[at] == number
