"""The rows about reading a journal back: `exchange.recompute`, which `carat exchange verify` uses.

Frames are checked in one thread, done in another and taken in by a third, so the wall clock counts: what
one core
does while another one does something else is told by the CPU time in the details.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from chain.bench.report import AT_MOST, Row, Target
from exchange.bench.book import BenchResultWrong
from exchange.bench.days import Days
from exchange.bench.rows import BATCH, SEED, Effort
from exchange.disk import OS_DISK
from exchange.journal import Identity, Journal, frame_after
from exchange.recompute import rebuild
from exchange.sequencer import GROUP_BYTES_MAX
from exchange.venue import Venue

REPLAY: Final = "replay"
VERIFY: Final = "verify"
IDENTITY: Final = Identity(chain_id=1337, clearing=b"\x11" * 20)
_VERIFIED: Final = 100_000_000
_GROUP: Final = GROUP_BYTES_MAX // 64


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    venue: Venue
    wall_s: float
    cpu_s: float
    """Of all threads."""


def write_journal(path: Path, runs: Iterable[bytes]) -> int:
    """Write a journal as the product does, a frame a run, without waiting for the disk; return its
    records."""
    journal = Journal.open(path, IDENTITY)
    end = journal.end
    journal.close()
    with path.open("r+b", buffering=0) as file:
        file.seek(end.offset)
        for run in runs:
            frame, end = frame_after(end, [run])
            file.write(frame)
    return end.records


def _timed(path: Path, on_records: Callable[[int], None] = lambda _records: None) -> _Rebuilt:
    wall, cpu = time.perf_counter(), time.process_time()
    venue = rebuild(path, lambda at: on_records(at.records))
    return _Rebuilt(venue, time.perf_counter() - wall, time.process_time() - cpu)


def replay(effort: Effort, folder: Path) -> Row:
    """A journal of some trading days, read back again and again."""
    days = Days.of(effort.messages, effort.participants, SEED)
    path = folder / "replay"
    count = write_journal(path, days.runs(effort.days, BATCH))
    size = path.stat().st_size
    live = Venue()
    first = 1
    for run in days.runs(effort.days, BATCH):
        live.replay(first, run)
        first += len(run) // 64
    found = [_timed(path) for _ in range(effort.rounds)]
    for each in found:
        if each.venue.state_hash() != live.state_hash():
            raise BenchResultWrong(row=REPLAY, reason="the replayed state is not the first run's")
        if each.venue.history.net(1, each.venue.history.trades) != live.history.net(1, live.history.trades):
            raise BenchResultWrong(row=REPLAY, reason="the replayed trades move something else")
    OS_DISK.remove(path)
    wall_s = median(each.wall_s for each in found)
    return Row(
        REPLAY,
        "replay from the journal",
        "a second",
        Target(10e6),
        count / wall_s,
        f"{count:,} commands ({effort.days} days of the normal stream of {effort.participants:,} "
        f"participants) in "
        f"a journal of the product, {BATCH:,} a frame: read, every checksum and hash checked, applied "
        f"to an "
        "empty core, custody kept, each day's tape root and deltas made, invariants checked. By the "
        "wall clock, "
        "three threads. State hash (balances, orders, epochs with their roots) and deltas are those of "
        "a venue "
        "with rows that did the same without a journal.",
        details=_details(count, found) | {"bytes": size, "trades": live.history.trades},
    )


def _details(count: int, found: list[_Rebuilt]) -> dict[str, Any]:
    return {
        "wall_ns_a_command": round(median(each.wall_s for each in found) / count * 1e9, 1),
        "cpu_ns_a_command_all_threads": round(median(each.cpu_s for each in found) / count * 1e9, 1),
    }


def verify(effort: Effort, folder: Path, say: Callable[[str], None]) -> Row:
    """A long journal, verified once; 100 million commands with `effort.verified`, else extrapolated from
    fewer."""
    days = Days.of(effort.messages, effort.participants, SEED + 1)
    number = max(1, round(effort.verified / days.commands_a_day))
    path = folder / "verify"
    expected = Venue()
    first = 1
    for run in days.runs(1, BATCH):
        expected.replay(first, run)
        first += len(run) // 64
    root = expected.custody.epochs[0].tape_root
    try:
        say(f"{VERIFY}: writing {number * days.commands_a_day:,} commands")
        count = write_journal(path, days.runs(number, _GROUP))
        size = path.stat().st_size
        say(f"{VERIFY}: verifying {size / 2**30:.1f} GiB")
        found = _timed(path)
    finally:
        OS_DISK.remove(path)
    venue = found.venue
    epochs = venue.custody.epochs
    trades = epochs[0].trades
    if len(epochs) != number or epochs[0].tape_root != root or venue.sequence != count:
        raise BenchResultWrong(
            row=VERIFY, reason="an epoch or a record is missing, or a tape root is another"
        )
    if any(epoch.trades != trades for epoch in epochs) or venue.history.trades != number * trades:
        raise BenchResultWrong(row=VERIFY, reason="a day traded something else than the first")
    is_whole = count >= _VERIFIED * 0.99
    return Row(
        VERIFY,
        "100 M commands verified" + ("" if is_whole else f", extrapolated from {count / 1e6:.3g} M"),
        "s",
        Target(15, sense=AT_MOST),
        found.wall_s / count * _VERIFIED,
        f"What `carat exchange verify` does with a journal: {count:,} commands of {number} trading days "
        f"({days.commands_a_day:,} each, {effort.participants:,} participants), frames as the sequencer "
        f"writes "
        "them under load, checked, applied, every day's tape root and deltas made, all invariants at "
        "the end. "
        "By the wall clock, three threads, the file just written and so in the page cache where that "
        "has room. "
        + ("" if is_whole else "EXTRAPOLATED in proportion; `--full` does them all. ")
        + "The first day's tape root is that of a history with rows; every day trades the same.",
        details=_details(count, [found])
        | {
            "commands": count,
            "seconds": round(found.wall_s, 2),
            "is_extrapolated": not is_whole,
            "epochs": number,
            "trades": venue.history.trades,
            "bytes": size,
        },
    )
