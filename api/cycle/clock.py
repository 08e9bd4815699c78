"""The chain's clock in a story: moved on a chain of our own, waited for on one that others run.

A story's dates lie years apart. A test network's clock is put to each; a real one keeps its own time, so
there every period's deadline is set so many seconds after its cycle begins, and its passing is waited for.
What firms get, buy and surrender does not depend on the dates.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

from chain.patience import with_patience
from chain.refusals import ChainUnreachable
from chain.rpc import ChainRpc

CYCLE_S: Final = 300
"""How long after its beginning a cycle's deadline falls on a chain with a clock of its own, seconds."""

_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.5
_SKEW_S: Final = 5
"""How much the wall clock must be past a moment before an idle chain's next block is taken to be so too."""


class Clock(Protocol):
    """When it is on the chain."""

    is_waited_for: bool
    """Whether a deadline passes by waiting, and not because we say so."""

    def begin(self, moment_utc: int) -> None:
        """Let it be `moment_utc`, where a cycle begins."""

    def deadline_utc(self, period: int, planned_utc: int) -> int:
        """Return when a period's deadline falls, for which the plan has `planned_utc`."""

    def pass_deadline(self, period: int, planned_utc: int) -> None:
        """Let the deadline of a period pass."""


class MovedClock:
    """A test network's: its next block stands at any later moment that we say."""

    is_waited_for = False

    def __init__(self, rpc: ChainRpc) -> None:
        self._rpc = rpc

    def begin(self, moment_utc: int) -> None:
        """Let the chain's next block stand at this moment, if that is ahead."""

        def advance() -> None:
            head = self._rpc.call("eth_getBlockByNumber", "latest", False)
            if int(head["timestamp"], 16) < moment_utc:
                self._rpc.call("evm_setNextBlockTimestamp", moment_utc)
                self._rpc.call("evm_mine")

        with_patience(advance, _PATIENCE_S)

    def deadline_utc(self, _period: int, planned_utc: int) -> int:
        """Return the planned one."""
        return planned_utc

    def pass_deadline(self, _period: int, planned_utc: int) -> None:
        """Go to the second after it."""
        self.begin(planned_utc + 1)


class OwnClock:
    """A chain's whose time nobody moves."""

    is_waited_for = True

    def __init__(self, rpc: ChainRpc, cycle_s: int = CYCLE_S) -> None:
        self._rpc = rpc
        self._cycle_s = cycle_s
        self._deadlines_utc: dict[int, int] = {}

    def begin(self, _moment_utc: int) -> None:
        """Begin now."""

    def deadline_utc(self, period: int, _planned_utc: int) -> int:
        """Return a moment that is `cycle_s` ahead, the same one whenever it is asked."""
        if period not in self._deadlines_utc:
            now_utc = with_patience(lambda: self._block_utc("latest"), _PATIENCE_S)
            self._deadlines_utc[period] = max(now_utc, int(time.time())) + self._cycle_s
        return self._deadlines_utc[period]

    def pass_deadline(self, period: int, planned_utc: int) -> None:
        """Wait until the chain is past it."""
        moment_utc = self.deadline_utc(period, planned_utc)
        while not with_patience(lambda: self._is_past(moment_utc), _PATIENCE_S):
            time.sleep(_POLL_S)

    def _is_past(self, moment_utc: int) -> bool:
        # A chain that makes no empty blocks stands still until the next act, which then bears the real time.
        return self._block_utc("latest") > moment_utc or time.time() > moment_utc + _SKEW_S

    def _block_utc(self, tag: str) -> int:
        block = self._rpc.call("eth_getBlockByNumber", tag, False)
        if block is None:
            raise ChainUnreachable(reason=f"no {tag} block")
        return int(block["timestamp"], 16)
