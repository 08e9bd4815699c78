"""The rows that the core alone answers: matching, risk, memory.

What only computes is said in messages a second of CPU time of the one thread that does it; the wall clock's
figure is in the details. Every stream is checked first: the book alone against the whole core, the core's
invariants, and the start of the stream against the reference, reports and state hash.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

from chain.bench.report import AT_MOST, Row, Target
from exchange.bench import book as books
from exchange.bench.book import BareBook, check_alike, check_invariants, check_reference, engine_of_two
from exchange.bench.flows import MESSAGE_BYTES, SHAPES, flow
from exchange.bench.market import COMPLIANCE_ENTITIES, TWO_WITHOUT_FEES, Size, batches, commands, opening
from exchange.bench.timing import Rate, rate
from exchange.core import Engine

SEED: Final = 23
BATCH: Final = 1_024
MATCHING_BATCHES: Final = "matching-batches"
MATCHING_SINGLE: Final = "matching-single"
RISK: Final = "risk"
MEMORY: Final = "memory"
_BY_CPU: Final = "Per second of CPU time; the wall clock's figure is in the details. "


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: messages of one stream, rounds, orders of the row about memory.

    `reference` is how many messages of each stream are compared with the reference's work.
    """

    messages: int = 400_000
    rounds: int = 5
    open_orders: int = 1_000_000
    reference: int = 2_000
    participants: int = COMPLIANCE_ENTITIES
    days: int = 3
    """Of four times `messages`: a journal to replay."""
    verified: int = 10_000_000
    """Commands of the journal that is verified."""
    durable_days: int = 3
    offered_s: float = 12.0
    """How long commands are offered at a fixed rate."""
    batched_orders: int = 200_000
    """Over HTTP, 100 a request."""
    single_orders: int = 20_000
    """Over HTTP, one a request."""
    binary_orders: int = 1_000_000
    pings: int = 5_000


QUICK: Final = Effort(
    messages=6_000,
    rounds=1,
    open_orders=20_000,
    reference=200,
    participants=300,
    days=2,
    verified=60_000,
    durable_days=1,
    offered_s=0.06,
    batched_orders=1_000,
    single_orders=60,
    binary_orders=8_000,
    pings=50,
)


def matching(name: str, effort: Effort) -> Row:
    """Matching alone: the core's book without accounts, in batches or one call at a time."""
    single = name == MATCHING_SINGLE
    target = Target(3e6) if single else Target(15e6)
    title = "matching only, one call at a time" if single else "matching only, in batches"
    title += ", worst of five shapes"
    method = (
        f"The core's order book without accounts (`BareBook`), five "
        f"streams of {effort.messages:,} messages, reports written to memory, "
        + ("one Python call a message. " if single else f"{BATCH:,} messages a call. ")
        + _BY_CPU
        + "Every trade and remainder is compared with the whole core's, whose start is the reference's. "
        "The whole core on the same streams, cash and tonnes reserved and moved, is in the details."
    )
    if books.BareBook is None:
        return Row(name, title, "a second", target, None, method, problem="the extension was not built")
    found: dict[str, Any] = {}
    worst: float | None = None
    for shape in SHAPES:
        stream = check_alike(shape, list(flow(shape, effort.messages, SEED)))
        check_reference(shape, opening(TWO_WITHOUT_FEES), stream.commands, effort.reference)
        alone = _book_rate(stream.messages, effort, single)
        core = _core_rate(stream.commands, effort, single)
        worst = alone.cpu if worst is None else min(worst, alone.cpu)
        found[shape] = alone.as_json() | {
            "whole_core_cpu": round(core.cpu),
            "trades": stream.trades,
        }
    details = {"shapes": found, "worst_of_whole_core": min(each["whole_core_cpu"] for each in found.values())}
    return Row(name, title, "a second", target, worst, method, details=details)


def _book_rate(packed: bytes, effort: Effort, single: bool) -> Rate:
    pieces = batches(packed, MESSAGE_BYTES, 1 if single else BATCH)
    return rate(effort.messages, effort.rounds, lambda: BareBook().apply, pieces)


def _core_rate(run: bytes, effort: Effort, single: bool) -> Rate:
    pieces = batches(run, at_once=1 if single else BATCH)
    return rate(effort.messages, effort.rounds, lambda: engine_of_two().apply, pieces)


def risk(effort: Effort) -> Row:
    """The whole core: accounts, reservations, fees, position limit and reports."""
    size = Size(participants=effort.participants)
    first = opening(size)
    found: dict[str, Any] = {}
    worst: float | None = None
    for shape in SHAPES:
        run = commands(flow(shape, effort.messages, SEED), size, SEED)
        engine = _opened(first)
        reports = sum(len(engine.apply(batch)) for batch in batches(run)) // 128
        check_invariants(shape, engine)
        check_reference(shape, first, run, effort.reference)
        measured = rate(effort.messages, effort.rounds, lambda: _opened(first).apply, batches(run))
        worst = measured.cpu if worst is None else min(worst, measured.cpu)
        counters = engine.counters()
        found[shape] = measured.as_json() | {
            "reports": reports,
            "trades": counters["trades"],
            "open_orders": counters["open_orders"],
        }
    return Row(
        RISK,
        f"with risk, fees and reports, {size.participants:,} participants, worst of five shapes",
        "a second",
        Target(6e6),
        worst,
        f"The whole engine core: the five streams of {effort.messages:,} commands with participants drawn at "
        "random and random 128-bit ids, cash and tonnes reserved and moved, fees of maker and taker, a "
        f"position limit, {BATCH:,} commands a call, all reports as bytes. {_BY_CPU}Every invariant is "
        "checked at the end, and the start against the reference.",
        details={"shapes": found, "participants": size.participants},
    )


def _opened(first: bytes) -> Engine:
    engine = Engine()
    engine.apply(first)
    return engine


def memory(effort: Effort) -> Row:
    """Bytes an open order takes, in a process of its own."""
    size = Size(participants=effort.participants)
    found = measure_memory(effort.open_orders, size.participants)
    grown = found["resident_bytes"] / found["open_orders"]
    reserved = found["reserved_bytes"] / found["open_orders"]
    return Row(
        MEMORY,
        "memory of an open order",
        "bytes",
        Target(200, sense=AT_MOST),
        max(grown, reserved),
        f"A process of its own enters {effort.open_orders:,} orders of {size.participants:,} participants "
        "that all stay. The larger counts of how much its resident memory grew and of what the core says it "
        "has reserved for orders, ids and price levels.",
        details={
            "resident": round(grown, 1),
            "reserved": round(reserved, 1),
            "open_orders": effort.open_orders,
        },
    )


def measure_memory(open_orders: int, participants: int) -> dict[str, int]:
    """Run `exchange.bench.memory` and return what it says; raises BenchResultWrong."""
    command = [sys.executable, "-m", "exchange.bench.memory", str(open_orders), str(participants)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode != 0:
        raise books.BenchResultWrong(row=MEMORY, reason=done.stderr.strip()[-200:])
    found: dict[str, int] = json.loads(done.stdout)
    return found
