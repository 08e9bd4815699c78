"""Letting go of old states while the chain runs: mark what is needed, sweep the rest, a bit with each block.

States share most of their records, and no record says who needs it. So from time to time, when the state
table has doubled, everything that the kept states need is marked, walking their tries; then the table is
gone through and what has no mark is removed. Both run in steps whose size follows the number of records that
a block writes, so a round ends before the table doubles again: the table stays below about three times what
is needed. Removals are part of the block's own write transaction: no crash can come between.

Why nothing needed is lost: a record that is needed later is needed by the head's state when the round begins,
or is written after, and whatever is written during a round is marked. `update` of the trie writes every node
of a path that it changes, also one that is on disk already.

`first_kept` is on disk before the first removal: it says from which block on states can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from chain.node.reachable import Walk

MIN_RECORDS = 50_000
_GROWTH = 2
_MARKED_A_WRITE, _SWEPT_A_WRITE = 3, 8
_MARKED_AT_LEAST, _SWEPT_AT_LEAST = 64, 256


class StateTable(Protocol):
    """The state table as a round needs it."""

    def get(self, table: bytes, key: bytes) -> bytes | None:
        """What is stored under `key`."""

    def keys_from(self, table: bytes, first: bytes, count: int) -> list[bytes]:
        """Up to `count` keys from `first` on, in order."""

    def count(self, table: bytes) -> int:
        """How many records there are."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The states that are kept: those of every block from `first` on, and what else `roots` gives."""

    first: int
    roots: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Step:
    """What a block's commit has to do for the pruning: remove records, write meta."""

    removals: list[bytes]
    meta: dict[str, Any]


class Pruner:
    """The rounds over one store. `kept` says, when a round begins, what has to stay."""

    def __init__(self, table: StateTable, kept: Callable[[], Kept], after_last: int = 0) -> None:
        self._table = table
        self._kept = kept
        self._after_last = after_last  # records after the last round
        self._round: Iterator[tuple[list[bytes], dict[str, Any]]] | None = None
        # Apart from what the walk has seen: it still has to go below a record that is written again.
        self._written_since: set[bytes] = set()
        self._written = 0

    @property
    def running(self) -> bool:
        """Whether a round is under way."""
        return self._round is not None

    def step(self, written: Iterable[bytes]) -> Step:
        """Go on a little; `written` are the records that the same commit writes."""
        keys = list(written)
        if self._round is None:
            if self._table.count(b"state") < max(MIN_RECORDS, _GROWTH * self._after_last):
                return Step([], {})
            self.begin()
        self._written_since.update(keys)
        self._written = len(keys)
        assert self._round is not None
        removals, meta = next(self._round, ([], {}))
        return Step(removals, meta)

    def begin(self) -> None:
        """Begin a round now, whatever the table's size."""
        kept = self._kept()
        walk = Walk(lambda key: self._table.get(b"state", key), kept.roots)
        self._round = self._steps(walk, kept.first)

    def reset(self) -> None:
        """Break a round off: the head has gone back. What it has removed was not needed before either."""
        self._round = None
        self._written_since.clear()

    def _steps(self, walk: Walk, first_kept: int) -> Iterator[tuple[list[bytes], dict[str, Any]]]:
        while not walk.done:
            walk.advance(_MARKED_A_WRITE * self._written + _MARKED_AT_LEAST)
            yield [], {}
        following: bytes | None = b""
        while following is not None:
            count = _SWEPT_A_WRITE * self._written + _SWEPT_AT_LEAST
            keys = self._table.keys_from(b"state", following, count)
            following = keys[-1] + b"\x00" if len(keys) == count else None
            unneeded = [key for key in keys if key not in walk.seen and key not in self._written_since]
            yield unneeded, {"first_kept": first_kept}  # each time: a commit may have failed
        self._after_last = self._table.count(b"state")
        self.reset()
        yield [], {"kept_records": self._after_last}
