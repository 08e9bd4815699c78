"""`kill -9`, two hundred times under load, also while it starts and while it writes snapshots."""

from __future__ import annotations

import select
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from exchange.core import records
from exchange.core.codes import ReportKind, Side
from exchange.core.records import REPORT_BYTES
from exchange.recompute import rebuild
from exchange.simulation.audit import Auditor
from tests.exchange.world import ACCOUNTS, START_US, opening
from tests.support.sequencer_process import HEAD, HELLO, SequencerProcess

KILLS = 200
IN_FLIGHT = 40
SNAPSHOT_RECORDS = 300


Hello = tuple[int, bytes]


@dataclass
class Load:
    """Sends orders, and sends again what was not answered. `told` is what it was answered in this life."""

    random: Random
    unanswered: dict[int, bytes] = field(default_factory=dict)
    answered: dict[int, bytes] = field(default_factory=dict)
    told: list[tuple[bytes, bytes]] = field(default_factory=list)
    repeats: set[int] = field(default_factory=set)
    """Numbers of runs that were answered before, and are sent once more."""
    numbers: int = 0

    def run_of(self, number: int) -> bytes:
        random = self.random
        order = records.new_order(
            number.to_bytes(16, "big"),
            1 + random.randrange(len(ACCOUNTS)),
            1,
            random.choice((Side.BUY, Side.SELL)),
            1 + random.randrange(9),
            95 + random.randrange(11),
            at_us=START_US + number,
        )
        if number > 50 and random.random() < 0.4:
            earlier = number - random.randrange(1, 50)
            order += records.cancel(earlier.to_bytes(16, "big"), 1 + random.randrange(len(ACCOUNTS)))
        return order

    def life(self, process: SequencerProcess, kill_at_s: float, after_ready_s: float) -> Hello | None:
        """Work with the process and kill it; return what it said when it was ready, if it came to that."""
        self.told, received, hello, waiting = [], bytearray(), None, set[int]()
        end_s = time.monotonic() + kill_at_s
        again: list[int] = []
        while (left_s := end_s - time.monotonic()) > 0:
            if hello is not None:
                self._fill(process, waiting, again)
            if select.select([process.socket], [], [], left_s)[0]:
                part = process.socket.recv(2**16)
                assert part, "it ended by itself"
                received += part
                if hello is None and len(received) >= HELLO.size:
                    hello = HELLO.unpack_from(received)
                    del received[: HELLO.size]
                    end_s = time.monotonic() + after_ready_s
                    again = sorted(self.unanswered) + self._some_answered()
                if hello is not None:
                    self._take(received, waiting)
        process.kill()
        while part := _rest(process):  # it had said that too
            received += part
        if hello is None and len(received) >= HELLO.size:
            hello = HELLO.unpack_from(received)
            del received[: HELLO.size]
        if hello is not None:
            self._take(received, waiting)
        process.socket.close()
        return hello

    def _some_answered(self) -> list[int]:
        numbers = self.random.sample(sorted(self.answered), min(10, len(self.answered)))
        self.repeats = set(numbers)
        return numbers

    def _fill(self, process: SequencerProcess, waiting: set[int], again: list[int]) -> None:
        while len(waiting) < IN_FLIGHT:
            if again:
                number = again.pop(0)
                run = self.unanswered.get(number) or self.answered[number]
            else:
                self.numbers += 1
                number = self.numbers
                run = self.unanswered[number] = self.run_of(number)
            process.send(number, run)
            waiting.add(number)

    def _take(self, received: bytearray, waiting: set[int]) -> None:
        while len(received) >= HEAD.size:
            number, size = HEAD.unpack_from(received)
            if len(received) < HEAD.size + size:
                return
            reports = bytes(received[HEAD.size : HEAD.size + size])
            del received[: HEAD.size + size]
            waiting.discard(number)
            if number in self.answered:
                assert reports[0] in {ReportKind.DUPLICATE, ReportKind.REJECTED}
            run = self.unanswered.pop(number, None) or self.answered[number]
            self.answered[number] = run
            self.told.append((run, reports))


def _rest(process: SequencerProcess) -> bytes:
    try:
        return process.socket.recv(2**16)
    except ConnectionResetError:  # it had not read all that was sent
        return b""


def accepted_once(auditor: Auditor) -> None:
    kinds = bytes(auditor.reports[::REPORT_BYTES])
    ids = Counter(
        bytes(auditor.reports[place * REPORT_BYTES + 16 : place * REPORT_BYTES + 32])
        for place, kind in enumerate(kinds)
        if kind == ReportKind.ACCEPTED
    )
    assert ids
    assert max(ids.values()) == 1


@pytest.mark.timeout(600)
def test_two_hundred_kills_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(200)
    load, auditor, journal = Load(random), Auditor(by_reference=False), tmp_path / "journal"
    load.unanswered[0] = opening(10**12, 10**9)
    readies = told = 0
    hashed = b""
    begin = time.monotonic()
    for kill in range(1, KILLS + 1):
        in_start = random.random() < 0.25
        process = SequencerProcess.start(tmp_path, SNAPSHOT_RECORDS)
        kill_at_s = random.random() * 0.1 if in_start else 60.0
        before = auditor.durable_records
        hello = load.life(process, kill_at_s, after_ready_s=random.random() * 0.12)
        if hello is not None:
            readies += 1
            assert hello == (before, hashed) if before else hello[0] == 0
        content = journal.read_bytes() if journal.exists() else b""
        assert content[: auditor.end] == bytes(auditor._journal), "what was acknowledged was changed"
        auditor.catch_up(content)
        for run, reports in load.told:
            auditor.answered(run, reports)
        told += len(load.told)
        hashed = auditor.venue.state_hash()
        if kill % 10 == 0:
            accepted_once(auditor)
            assert rebuild(journal).state_hash() == hashed
    with capsys.disabled():
        sys.stdout.write(
            f"\n{KILLS} kills, {readies} of them after a start, {told} answers, "
            f"{auditor.durable_records} records in {time.monotonic() - begin:.0f} s\n"
        )
    assert readies > KILLS // 2
    assert told > 1_000
    assert len(list((tmp_path / "snapshots").glob("*.snapshot"))) == 2
