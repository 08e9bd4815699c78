"""The newest block seen: so that who has read a state does not read an older one next.

Behind one address there may be several nodes, and after a failure another authority answers: each knows the
chain up to a block of its own. Whoever has seen block N is not shown an older state silently: it is refused
(`ChainBehind`) until the node has caught up. A chain that stays lower has gone back; that is said in the log,
and the lower height taken.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from chain.refusals import ChainBehind

LAG_S_MAX: Final = 20.0
"""How long a lower height is taken for a node that lags, seconds; after that the chain has gone back."""

_log = logging.getLogger("carat.chain")


class Height:
    """The highest block number that one client was told of. Safe to share between threads."""

    def __init__(self, lag_s_max: float = LAG_S_MAX) -> None:
        self._lag_s_max = lag_s_max
        self._newest = -1
        self._behind_since_s: float | None = None
        self._lock = threading.Lock()

    @property
    def newest(self) -> int:
        """The highest number seen; -1 before the first."""
        return self._newest

    def seen(self, block: int) -> None:
        """Remember that the chain has this block."""
        with self._lock:
            if block >= self._newest:
                self._newest, self._behind_since_s = block, None

    def require(self, block: int) -> None:
        """Take a node's head; raises ChainBehind if a later one was seen before."""
        with self._lock:
            if block >= self._newest:
                self._newest, self._behind_since_s = block, None
                return
            now_s = time.monotonic()
            if self._behind_since_s is None:
                self._behind_since_s = now_s
            if now_s - self._behind_since_s < self._lag_s_max:
                raise ChainBehind(block=block, seen_block=self._newest)
            _log.warning("the chain has gone back from block %d to %d", self._newest, block)
            self._newest, self._behind_since_s = block, None
