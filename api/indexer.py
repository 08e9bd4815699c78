"""Keeps the projection at the head of the chain, and lets a request wait for a block.

One thread reads; a step that fails (the node is away, the database is busy) is tried again, and the
reason is kept for `/health`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from chain.refusals import Refusal

_PAUSE_S_MAX: Final = 5.0
_log = logging.getLogger("carat.indexer")


class ProjectionBehind(Refusal):
    """The act is on chain; the registry's tables have not followed yet. Send the same request again."""


class Indexer:
    """Runs `catch_up` again and again in a thread of its own.

    Parameters
    ----------
    catch_up :
        Reads what is new and returns the last block that is in the tables.
    interval_s :
        Pause between two looks at the chain; a waiting request shortens it.
    """

    def __init__(self, catch_up: Callable[[], int], interval_s: float) -> None:
        self._catch_up = catch_up
        self._interval_s = interval_s
        self._changed = threading.Condition()
        self._wanted = threading.Event()
        self._stopping = False
        self._block = -1
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)

    @property
    def block(self) -> int:
        """The last block that is in the tables; -1 before the first."""
        return self._block

    @property
    def trouble(self) -> str | None:
        """Why the last step failed; None when it went well."""
        return self._trouble

    def start(self) -> None:
        """Begin to follow the chain."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the step under way and end."""
        self._stopping = True
        self._wanted.set()
        self._thread.join()

    def wait_for(self, block: int, timeout_s: float) -> None:
        """Return when `block` is in the tables; raises ProjectionBehind."""
        until = time.monotonic() + timeout_s
        self._wanted.set()
        with self._changed:
            while self._block < block:
                left_s = until - time.monotonic()
                if left_s <= 0 or self._stopping:
                    raise ProjectionBehind(block=block, projected_block=self._block)
                self._changed.wait(left_s)

    def _run(self) -> None:
        pause_s = self._interval_s
        while not self._stopping:
            try:
                self._step()
                pause_s = self._interval_s
            except Exception as error:  # noqa: BLE001  (whatever it is, the loop must go on)
                if self._trouble is None:
                    _log.warning("the projection stands still: %s", error)
                self._trouble = type(error).__name__
                pause_s = min(2 * pause_s, _PAUSE_S_MAX)
            self._wanted.wait(pause_s)
            self._wanted.clear()

    def _step(self) -> None:
        block = self._catch_up()
        with self._changed:
            self._block, self._trouble = block, None
            self._changed.notify_all()
