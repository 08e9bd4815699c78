"""Rounds of work, timed in CPU time of this thread and by the wall clock."""

from __future__ import annotations

import gc
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rate:
    """How many a second, median of some rounds: of CPU time, and by the wall clock."""

    cpu: float
    wall: float

    def as_json(self) -> dict[str, int]:
        """Whole numbers, for details."""
        return {"cpu": round(self.cpu), "wall": round(self.wall)}


def rate(
    count: int,
    rounds: int,
    prepare: Callable[[], Callable[[Any], object]],
    pieces: Sequence[Any],
) -> Rate:
    """Time how long what `prepare` returns takes for all pieces, which hold `count` messages together.

    Every round begins with a `prepare` of its own, which is not timed. Nothing is collected meanwhile.
    """
    cpu, wall = [], []
    for _ in range(rounds):
        work = prepare()
        gc.collect()
        gc.disable()
        try:
            cpu_s, wall_s = seconds(work, pieces)
        finally:
            gc.enable()
        cpu.append(count / cpu_s)
        wall.append(count / wall_s)
    return Rate(statistics.median(cpu), statistics.median(wall))


def seconds(work: Callable[[Any], object], pieces: Iterable[Any]) -> tuple[float, float]:
    """Do all pieces; return seconds of this thread's CPU time and of the wall clock, neither quite 0."""
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    deque(map(work, pieces), maxlen=0)
    cpu = time.thread_time_ns() - cpu
    wall = time.perf_counter_ns() - wall
    return max(cpu, 1) / 1e9, max(wall, 1) / 1e9
