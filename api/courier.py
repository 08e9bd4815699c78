"""What members signed and is not final yet is looked after, also when nobody waits for it any more.

A request waits for its act only so long; then it is answered 503, and the act may be mined, or lost from the
pool, or dropped in a reorganisation. Its bytes are kept, so they are sent again until they are final.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from chain.flights import Flight
from chain.refusals import Refusal
from chain.rpc import RpcError
from chain.transactor import Transactor

EVERY_S: Final = 2.0
_log = logging.getLogger("carat.courier")


class Courier:
    """Goes round now and then; for one thread."""

    def __init__(self, transactor: Transactor, every_s: float = EVERY_S) -> None:
        self._transactor = transactor
        self._every_s = every_s
        self._next_s = 0.0
        self._flights: dict[str, Flight] = {}

    def pass_by(self) -> None:
        """Go round if it is time to; what goes wrong is tried again the next time."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + self._every_s
        try:
            self.go_round()
        except (Refusal, RpcError) as error:
            _log.info("no round: %s", error)

    def go_round(self) -> None:
        """Send everything once more that no block holds; raises ChainUnreachable."""
        pending = {each.tx_hash: each for each in self._transactor.pending.everything()}
        self._flights = {
            tx_hash: self._flights.get(tx_hash) or Flight([each]) for tx_hash, each in pending.items()
        }
        self._transactor.nudge(list(self._flights.values()))
