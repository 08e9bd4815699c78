"""A process is killed between its write and its sync. The next one reads the frame: is it durable?

It was not: the next one told retries that it was done, and a power cut then took it.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from exchange.core import records
from exchange.journal import Identity, Journal
from exchange.refusals import JournalUnavailable
from exchange.simulation.disk import Crashed, SimulatedDisk

PATH = Path("/exchange/journal")
IDENTITY = Identity(1337, b"\x11" * 20)
RUN = records.register(b"\x01" * 20)


def opened(disk: SimulatedDisk) -> tuple[Journal, list[bytes]]:
    journal = Journal.open(PATH, IDENTITY, disk)
    return journal, [bytes(frame.payload) for frame in journal.replay()]


def test_what_a_start_has_read_survives_a_power_cut() -> None:
    disk = SimulatedDisk(Random(1), lambda *_event: None)
    journal, _ = opened(disk)
    disk.faults.calls_left = 1  # the write is done, its sync never
    with pytest.raises(Crashed):
        journal.append([RUN])
    disk.killed()
    _, found = opened(disk)
    assert found == [RUN], "the operating system still has it"
    disk.power_cut()
    assert opened(disk)[1] == [RUN]


@pytest.mark.parametrize("seed", range(20))
def test_what_looks_written_after_a_failed_sync_is_written_again(seed: int) -> None:
    disk = SimulatedDisk(Random(seed), lambda *_event: None)
    journal, _ = opened(disk)
    disk.faults.sync_fails = 1_000
    with pytest.raises(JournalUnavailable):
        journal.append([RUN])
    disk.faults.sync_fails = 0
    disk.killed()
    _, found = opened(disk)
    disk.power_cut()
    assert opened(disk)[1] == found


def test_a_start_whose_sync_fails_is_refused() -> None:
    disk = SimulatedDisk(Random(1), lambda *_event: None)
    opened(disk)[0].append([RUN])
    disk.killed()
    disk.faults.sync_fails = 1_000
    with pytest.raises(JournalUnavailable):
        opened(disk)
