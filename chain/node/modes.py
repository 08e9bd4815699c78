"""Which of the ways to build blocks is on.

automine            a block as soon as a transaction is ready; its sender is answered when it is on disk
interval:SECONDS    a block every so often; senders are answered when the pool has their transaction
manual              a block when `evm_mine` asks for one; for test networks only
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MIN_INTERVAL_MS: Final = 10
MAX_INTERVAL_MS: Final = 24 * 3_600 * 1_000


@dataclass(slots=True)
class Mining:
    """Automine and an interval may both be on, as hardhat has it. `interval_ms` 0: none."""

    automine: bool = True
    interval_ms: int = 0
    on_change: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_interval(self.interval_ms)

    @property
    def manual(self) -> bool:
        """Whether nothing is built unless asked for."""
        return not self.automine and not self.interval_ms

    def set_interval(self, interval_ms: int) -> None:
        """Build a block every `interval_ms` from now on; 0 for no more."""
        _require_interval(interval_ms)
        self.interval_ms = interval_ms
        self.on_change()

    @classmethod
    def parse(cls, text: str) -> Mining:
        """Read `automine`, `interval:SECONDS` (with a fraction, if wanted) or `manual`; raises ValueError."""
        if text == "automine":
            return cls()
        if text == "manual":
            return cls(automine=False)
        name, _, seconds = text.partition(":")
        whole, _, fraction = seconds.partition(".")
        if name != "interval" or not whole.isdecimal() or not (fraction or "0").isdecimal():
            raise ValueError(f"neither automine nor interval:SECONDS nor manual: {text}")
        return cls(automine=False, interval_ms=int(whole) * 1_000 + int(fraction.ljust(3, "0")[:3] or "0"))


def _require_interval(interval_ms: int) -> None:
    if interval_ms and not MIN_INTERVAL_MS <= interval_ms <= MAX_INTERVAL_MS:
        raise ValueError(f"interval of {interval_ms} ms, from {MIN_INTERVAL_MS} to {MAX_INTERVAL_MS}")
