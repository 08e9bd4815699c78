"""The rows about the sequencer: every command in the journal, on disk, before its reports are released.

Engine, custody, history, journal and snapshots are the product's, opened as the product opens them. The
disk is
waited for, so the wall clock counts, and whoever offers shares the cores.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import uvloop

from chain.bench.report import AT_MOST, Row, Target
from exchange.bench.book import BenchResultWrong
from exchange.bench.days import Days
from exchange.bench.replay import IDENTITY
from exchange.bench.rows import BATCH, SEED, Effort
from exchange.core.codes import ReportKind
from exchange.core.records import COMMAND_BYTES, REPORT_BYTES
from exchange.journal import verify as verify_journal
from exchange.opening import start
from exchange.recompute import rebuild
from exchange.sequencer import Sequencer
from exchange.venue import Venue

DURABLE: Final = "durable"
COMMIT: Final = "commit"
SUBMITTERS: Final = 16
OFFERED: Final = 100_000
_RUN_MIN: Final = 10
_RUN_MAX: Final = 100
_BEHIND_S: Final = 0.05

T = TypeVar("T")


@dataclass(slots=True)
class _Told:
    """What was answered."""

    reports: int = 0
    refused: int = 0

    def take(self, reports: bytes) -> None:
        kinds = reports[::REPORT_BYTES]
        self.reports += len(kinds)
        self.refused += kinds.count(ReportKind.REJECTED)


@dataclass(slots=True)
class _Run:
    """A run through the sequencer, and what it took."""

    told: _Told
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Of all threads."""
    loop_s: float = 0.0
    """CPU time of the event loop's thread."""
    frames: int = 0
    latencies_s: list[float] = field(default_factory=list)
    late_s: float = 0.0


def durable(effort: Effort, folder: Path) -> Row:
    """Runs of 1,024 commands, several in flight."""
    days = Days.of(effort.messages, effort.participants, SEED)
    runs = list(days.trading(effort.durable_days, BATCH))
    commands = sum(map(len, runs)) // COMMAND_BYTES
    home = folder / DURABLE

    async def work(sequencer: Sequencer) -> _Run:
        told, waiting = _Told(), iter(runs)

        async def submitter() -> None:
            for run in waiting:
                told.take(await sequencer.submit(run))

        return await _measured(
            sequencer, told, lambda: asyncio.gather(*(submitter() for _ in range(SUBMITTERS)))
        )

    found = _through(home, days.opening, work)
    checked = _check(DURABLE, home, commands + len(days.opening) // COMMAND_BYTES)
    return Row(
        DURABLE,
        f"durable: journal on disk before the reports are released, {BATCH:,} a batch",
        "a second",
        Target(3e6),
        commands / found.wall_s,
        f"{commands:,} commands ({effort.durable_days} days of the normal stream of "
        f"{effort.participants:,} "
        f"participants: new orders, cancels, amends, fees) in runs of {BATCH:,}, {SUBMITTERS} "
        f"submitters in "
        "flight, through the product's sequencer with journal (fdatasync), engine, custody, history in "
        "files and "
        "snapshots; reports counted as they are released. By the wall clock, all in one process. Then the "
        "journal is verified and replayed: the state's hash is the same.",
        details={
            "cpu_ns_a_command_all_threads": round(found.cpu_s / commands * 1e9, 1),
            "cpu_ns_a_command_loop": round(found.loop_s / commands * 1e9, 1),
            "commands_a_frame": round(commands / max(found.frames, 1)),
            "reports": found.told.reports,
            "rejected": found.told.refused,
        }
        | checked,
    )


def commit(effort: Effort, folder: Path) -> Row:
    """Small runs, offered at times fixed before, whatever has been answered by then."""
    days = Days.of(effort.messages, effort.participants, SEED + 2)
    stream = b"".join(days.blocks(0))
    count = min(len(stream) // COMMAND_BYTES, round(effort.offered_s * OFFERED))
    schedule = _schedule(count, Random(SEED))  # noqa: S311 - a benchmark's draws
    home = folder / COMMIT

    async def work(sequencer: Sequencer) -> _Run:
        told = _Told()
        offered = _Offered(sequencer, told, [stream[at:end] for _, at, end in schedule])
        found = await _measured(sequencer, told, lambda: offered.go([due_s for due_s, *_ in schedule]))
        found.latencies_s, found.late_s = offered.latencies_s, offered.late_s
        return found

    found = _through(home, days.opening, work)
    checked = _check(COMMIT, home, count + len(days.opening) // COMMAND_BYTES)
    p50, p99, p999, worst = (_quantile(found.latencies_s, share) * 1e3 for share in (0.5, 0.99, 0.999, 1.0))
    return Row(
        COMMIT,
        f"commit time, p99, {OFFERED:,} a second offered",
        "ms",
        Target(5, sense=AT_MOST),
        p99,
        f"{count:,} commands in {len(schedule):,} runs of {_RUN_MIN} to {_RUN_MAX}, each offered at a "
        f"time of a "
        f"schedule drawn before (independent arrivals, {OFFERED:,} commands a second), answered or not "
        f"what "
        "came before: no coordinated omission. From the time in the schedule to the answer's release, "
        "which is "
        "after the run is on disk, each command counted. The product's sequencer as in the row before, the "
        "schedule kept by a thread of the same process. By the wall clock; journal and state checked "
        "after.",
        details={
            "p50_ms": round(p50, 3),
            "p99_ms": round(p99, 3),
            "p99.9_ms": round(p999, 3),
            "max_ms": round(worst, 3),
            "offered_a_second": round(count / schedule[-1][0]),
            "answered_a_second": round(count / found.wall_s),
            "schedule_kept_within_ms": round(found.late_s * 1e3, 3),
            "commands_a_frame": round(count / max(found.frames, 1), 1),
            "rejected": found.told.refused,
        }
        | checked,
    )


def _schedule(count: int, draw: Random) -> list[tuple[float, int, int]]:
    """Return when each run is due, in seconds, and where in the stream it begins and ends, in bytes."""
    sizes: list[int] = []
    left = count
    while left:
        sizes.append(min(draw.randint(_RUN_MIN, _RUN_MAX), left))
        left -= sizes[-1]
    ends = list(accumulate(sizes))
    mean_s = (_RUN_MIN + _RUN_MAX) / 2 / OFFERED
    dues = list(accumulate(draw.expovariate(1 / mean_s) for _ in sizes))
    return [
        (due_s, (end - size) * COMMAND_BYTES, end * COMMAND_BYTES)
        for due_s, end, size in zip(dues, ends, sizes, strict=True)
    ]


class _Offered:
    """Runs offered at times of a schedule by a thread of its own, as a network would."""

    def __init__(self, sequencer: Sequencer, told: _Told, runs: list[bytes]) -> None:
        self._sequencer = sequencer
        self._told = told
        self._runs = runs
        self._left = len(runs)
        self._loop = asyncio.get_running_loop()
        self._done = self._loop.create_future()
        self._started = 0.0
        self._dues_s: list[float] = []
        self.latencies_s: list[float] = []
        """Of each command."""
        self.late_s = 0.0
        """How much later than due a run was offered, at most: the machine was busy. It counts as
        latency."""

    async def go(self, dues_s: list[float]) -> None:
        """Offer everything; return when all is answered."""
        self._dues_s = dues_s
        self._started = time.perf_counter() + _BEHIND_S
        feeder = threading.Thread(target=self._feed, name="schedule")
        feeder.start()
        await self._done
        feeder.join()

    def _feed(self) -> None:
        for number, due_s in enumerate(self._dues_s):
            wait_s = self._started + due_s - time.perf_counter()
            if wait_s > 0:
                time.sleep(wait_s)
            self._loop.call_soon_threadsafe(self._offer, number)

    def _offer(self, number: int) -> None:
        self.late_s = max(self.late_s, time.perf_counter() - self._started - self._dues_s[number])
        task = self._loop.create_task(self._submit(number))
        task.add_done_callback(self._answered)

    async def _submit(self, number: int) -> None:
        run = self._runs[number]
        reports = await self._sequencer.submit(run)
        latency_s = time.perf_counter() - self._started - self._dues_s[number]
        self._told.take(reports)
        self.latencies_s += [latency_s] * (len(run) // COMMAND_BYTES)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._left -= 1
        failure = task.exception()
        if self._done.done():
            return
        if failure is not None:
            self._done.set_exception(failure)
        elif self._left == 0:
            self._done.set_result(None)


async def _measured(sequencer: Sequencer, told: _Told, do: Callable[[], Awaitable[object]]) -> _Run:
    found = _Run(told)
    frames = sequencer.journal.frames
    wall, cpu, loop = time.perf_counter(), time.process_time(), time.thread_time()
    await do()
    found.wall_s = time.perf_counter() - wall
    found.cpu_s = time.process_time() - cpu
    found.loop_s = time.thread_time() - loop
    found.frames = sequencer.journal.frames - frames
    return found


def _through(home: Path, opening: bytes, work: Callable[[Sequencer], Awaitable[T]]) -> T:
    """Open an exchange, give it its opening, let `work` use it, and write down what its state is."""

    async def whole() -> T:
        opened = start(home, IDENTITY)
        sequencer = Sequencer(opened.venue, opened.journal, opened.keeper)
        writer = asyncio.create_task(sequencer.run())
        gc.collect()
        gc.freeze()
        thresholds = gc.get_threshold()
        gc.set_threshold(50_000, 20, 100)  # as `python -m exchange` does
        try:
            for run in _pieces(opening):
                await sequencer.submit(run)
            found = await work(sequencer)
            (home / "hash").write_bytes(await sequencer.read(Venue.state_hash))
        finally:
            gc.set_threshold(*thresholds)
            gc.unfreeze()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            sequencer.close()
        return found

    return uvloop.run(whole())


def _pieces(run: bytes) -> Iterator[bytes]:
    step = BATCH * COMMAND_BYTES
    return (run[at : at + step] for at in range(0, len(run), step))


def _check(row: str, home: Path, commands: int) -> dict[str, Any]:
    """Verify the journal and replay it: the state must be what it was."""
    summary = verify_journal(home / "journal")
    if summary.end.records != commands or summary.torn_bytes:
        raise BenchResultWrong(row=row, reason="the journal lacks commands", commands=summary.end.records)
    again = rebuild(home / "journal")
    if again.state_hash() != (home / "hash").read_bytes():
        raise BenchResultWrong(row=row, reason="the replayed state is not what it was")
    return {"trades": again.history.trades, "snapshots": len(list((home / "snapshots").glob("*.snapshot")))}


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
