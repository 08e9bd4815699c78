"""The chain's clock: the wall clock plus an offset, never behind the last block.

Several blocks may carry one second: a block's time is the clock's, or its parent's where the clock is
behind it, never a second more than that. So chain time stays honest however many blocks a second run
(Ethereum asks for strictly rising times; nothing here depends on it).

The offset is persisted: time travel survives a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chain.node.errors import InvalidParams

MAX_TIME_UTC = 2**63 - 1


class Clock:
    """Says the time of the next block, in unix seconds."""

    def __init__(self, offset_s: int = 0, wall: Callable[[], float] = time.time) -> None:
        self.offset_s = offset_s
        self.next_utc: int | None = None
        self._wall = wall

    def now_utc(self) -> int:
        """The wall clock moved by the offset."""
        return int(self._wall()) + self.offset_s

    def peek(self, parent_utc: int) -> int:
        """The time that a block on this parent would get now."""
        return self.next_utc if self.next_utc is not None else max(parent_utc, self.now_utc())

    def take(self, parent_utc: int) -> int:
        """The time of a block that is being built; time runs on from a time that was set for it."""
        timestamp = self.peek(parent_utc)
        if self.next_utc is not None:
            self.set_now(timestamp)
        return timestamp

    def set_now(self, timestamp_utc: int) -> None:
        """Let the clock show `timestamp_utc` now."""
        self.next_utc = None
        self.offset_s = timestamp_utc - int(self._wall())

    def increase(self, seconds: int, parent_utc: int) -> int:
        """Move the clock forward; the answer is the whole offset, in seconds."""
        if max(self.now_utc(), parent_utc) + seconds > MAX_TIME_UTC:
            raise InvalidParams(f"time would pass {MAX_TIME_UTC}: {seconds} s more")
        if self.next_utc is not None:
            self.set_now(self.next_utc)
        # From a clock that had fallen behind the chain, "later" means later than the last block.
        self.offset_s += seconds + max(0, parent_utc - self.now_utc())
        return self.offset_s

    def set_next(self, timestamp_utc: int, parent_utc: int) -> None:
        """Fix the time of the next block.

        Raises
        ------
        InvalidParams :
            If it lies before the last block.
        """
        if timestamp_utc < parent_utc:
            raise InvalidParams(f"timestamp {timestamp_utc} is before the last block's, {parent_utc}")
        if timestamp_utc > MAX_TIME_UTC:
            raise InvalidParams(f"timestamp {timestamp_utc} is beyond {MAX_TIME_UTC}")
        self.next_utc = timestamp_utc

    def state(self) -> dict[str, Any]:
        """What has to be kept over a restart or a snapshot."""
        return {"offset_s": self.offset_s, "next_utc": self.next_utc}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` said."""
        self.offset_s, self.next_utc = state["offset_s"], state["next_utc"]
