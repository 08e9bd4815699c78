"""The engine core and its reference on the common messages: all of their work, accounts and reports."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from exchange.bench.market import TWO_WITHOUT_FEES, batches, commands, opening
from exchange.core import Engine, ReferenceEngine

BATCH = 1_024


def as_commands(messages: list[list[int]]) -> bytes:
    """Return the messages as records of the core: all buys are one participant's, all sales another's."""
    owner = {number: side for kind, number, side, _, _ in messages if kind == 0}
    shaped = (
        (kind, side or owner[number], number, price, size) for kind, number, side, price, size in messages
    )
    return commands(shaped, TWO_WITHOUT_FEES, 1)


def run(engine_class: type, messages: list[list[int]], seconds: float, at_once: int) -> dict[str, Any]:
    """Do the messages in so many a call; returns what a driver of a package prints."""
    engine = engine_class()
    engine.apply(opening(TWO_WITHOUT_FEES))
    before = engine.tonnes(1, 1).available
    pieces = batches(as_commands(messages), at_once=at_once)
    done, cpu_s, wall_s = _timed(engine.apply, pieces, seconds)
    engine.check()
    counters = engine.counters()
    return {
        "done": min(done * at_once, len(messages)),
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "trades": counters["trades"],
        "volume": engine.tonnes(1, 1).available - before,
        "open": counters["open_orders"],
    }


def _timed(apply: Any, pieces: Iterable[bytes], seconds: float) -> tuple[int, float, float]:
    done, cpu, wall = 0, time.process_time(), time.perf_counter()
    for piece in pieces:
        apply(piece)
        done += 1
        if not done % 64 and time.process_time() - cpu > seconds:
            break
    return done, time.process_time() - cpu, time.perf_counter() - wall


def expected(messages: list[list[int]]) -> dict[str, int]:
    """Return the trades, the volume and the open orders after these messages, by the core."""
    found = run(Engine, messages, float("inf"), BATCH)
    return {name: found[name] for name in ("trades", "volume", "open")}


ENGINES: dict[str, tuple[type, int]] = {
    f"CARAT core, {BATCH:,} a call": (Engine, BATCH),
    "CARAT core, one a call": (Engine, 1),
    "CARAT reference": (ReferenceEngine, BATCH),
}
