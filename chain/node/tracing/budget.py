"""How much a trace may cost: steps, bytes of its answer, seconds. One budget a request."""

from __future__ import annotations

import time

from chain.node.errors import LimitExceeded

MAX_STEPS = 1_000_000
MAX_BYTES = 256 * 1024 * 1024
MAX_SECONDS = 10.0
_CHECK_EVERY = 256


class Budget:
    """What is left. Every method raises LimitExceeded where it is not enough."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = MAX_SECONDS if seconds is None else min(seconds, MAX_SECONDS)
        self.deadline = time.monotonic() + self.seconds
        self.steps = 0
        self._bytes = 0

    def step(self) -> None:
        """One opcode more."""
        if self.steps >= MAX_STEPS:
            raise LimitExceeded(f"trace is longer than {MAX_STEPS} steps")
        if self.steps % _CHECK_EVERY == 0 and time.monotonic() > self.deadline:
            raise self.late()
        self.steps += 1

    def take(self, size: int) -> None:
        """That many bytes more."""
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise LimitExceeded(f"trace takes more than {MAX_BYTES} bytes")

    def late(self) -> LimitExceeded:
        """The refusal of a trace that takes too long."""
        return LimitExceeded(f"trace takes longer than {self.seconds:g} s")
