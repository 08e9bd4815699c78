"""Snapshots: a start from one gives what the whole journal gives; a damaged one costs time, never truth."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from exchange import snapshots
from exchange.core.codes import Side
from exchange.disk import OS_DISK
from exchange.gateway.rendering import alarms
from exchange.opening import start
from exchange.recompute import rebuild
from exchange.refusals import JournalBehindSnapshot
from tests.exchange.conftest import IDENTITY, Exchange
from tests.exchange.world import ANNA, BERT


async def two_snapshots(exchange: Exchange) -> bytes:
    """Trade, stop with a snapshot, and all of it again; then trade once more. Return the state hash."""
    async with exchange.funded(saved=True) as running:
        await running.trade(3, ANNA, BERT)
        await running.place(ANNA, Side.SELL, 7, 120)
    async with exchange.running(saved=True) as running:
        await running.trade(4, BERT, ANNA)
        await running.close()
    async with exchange.running() as running:
        await running.trade(2, ANNA, BERT)
        return running.venue.state_hash()


def snapshot_files(exchange: Exchange) -> list[Path]:
    return sorted((exchange.directory / "snapshots").iterdir())


async def test_a_start_reads_the_newest_snapshot_and_only_what_came_after_it(exchange: Exchange) -> None:
    expected = await two_snapshots(exchange)
    assert len(snapshot_files(exchange)) == 2
    async with exchange.running() as running:
        assert running.opened.replayed == 2
        assert running.venue.state_hash() == expected
        trades = running.venue.history.trades_after(0, 10)
    whole = rebuild(exchange.journal, rows=True)
    assert whole.state_hash() == expected
    assert whole.history.trades_after(0, 10) == trades


async def test_every_flipped_byte_of_a_snapshot_makes_the_start_read_further_back(exchange: Exchange) -> None:
    expected = await two_snapshots(exchange)
    older, newest = snapshot_files(exchange)
    content = newest.read_bytes()
    for offset in range(len(content)):
        altered = bytearray(content)
        altered[offset] ^= 0x40
        assert snapshots.read(bytes(altered)) is None
    for size in range(0, len(content), 7):
        assert snapshots.read(content[:size]) is None
    newest.write_bytes(content[:-1])
    opened = start(exchange.directory, IDENTITY)
    assert opened.venue.state_hash() == expected
    opened.journal.close()
    opened.venue.history.close()
    older.write_bytes(b"")
    opened = start(exchange.directory, IDENTITY)
    assert opened.replayed == opened.journal.end.records
    assert opened.venue.state_hash() == expected
    opened.journal.close()
    opened.venue.history.close()


async def test_a_lost_history_is_made_again_from_the_journal(exchange: Exchange) -> None:
    expected = await two_snapshots(exchange)
    for file in (exchange.directory / "history").iterdir():
        file.unlink()
    async with exchange.running() as running:
        assert running.opened.replayed == running.sequencer.commands
        assert running.venue.state_hash() == expected
        assert running.venue.history.trades == 3


async def test_a_journal_that_lacks_what_a_snapshot_covers_is_refused(exchange: Exchange) -> None:
    await two_snapshots(exchange)
    _, newest = snapshot_files(exchange)
    found = snapshots.read(newest.read_bytes())
    assert found is not None
    content = exchange.journal.read_bytes()
    exchange.journal.write_bytes(content[: found.position.offset - 1])
    with pytest.raises(JournalBehindSnapshot) as refusal:
        start(exchange.directory, IDENTITY)
    assert refusal.value.facts["snapshot_records"] == found.position.records


async def test_only_two_are_kept_and_those_of_another_deployment_are_passed_over(exchange: Exchange) -> None:
    await two_snapshots(exchange)
    async with exchange.running(saved=True):
        pass
    names = [path.name for path in snapshot_files(exchange)]
    assert len(names) == 2
    found = list(snapshots.newest_first(OS_DISK, exchange.directory / "snapshots", IDENTITY))
    assert [f"{each.position.records:020d}.snapshot" for each in found] == names[::-1]
    other = type(IDENTITY)(7, IDENTITY.clearing)
    assert list(snapshots.newest_first(OS_DISK, exchange.directory / "snapshots", other)) == []


async def test_a_snapshot_that_cannot_be_written_is_an_alarm_until_one_can(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def alarm_codes() -> list[str]:
        await running.place(ANNA, Side.SELL, 1, 120)
        saving = running.sequencer._saving
        assert saving is not None
        await saving
        return [each["code"] for each in alarms(running.venue, running.sequencer, running.desk)]

    async with exchange.funded() as running:
        running.opened.keeper.every = 1
        with monkeypatch.context() as patch:
            patch.setattr(snapshots, "write", full)
            assert await alarm_codes() == ["SnapshotUnavailable"]
            assert running.sequencer.unsaved is not None
            assert running.sequencer.unsaved.facts == {"reason": "No space left on device"}
        assert await alarm_codes() == []
    assert snapshot_files(exchange)
