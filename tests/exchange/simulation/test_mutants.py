"""Broken on purpose, one way at a time: the simulation has to find each within some hundred seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from exchange import journal, opening, snapshots
from exchange.clearing import ClearingDesk
from exchange.custody import Custody
from exchange.history import History
from exchange.journal import Frame, Journal, Position
from exchange.sequencer import Sequencer, _Done, _note
from exchange.simulation import run_seed
from exchange.venue import Venue

SEEDS_MAX = 600

Break = Callable[[pytest.MonkeyPatch], None]


def answers_before_the_sync(patch: pytest.MonkeyPatch) -> None:
    async def do(self: Sequencer, group: Sequence[Any], before: _Done | None) -> _Done:
        self._is_busy = True
        start = self.journal.end
        done = _Done(group, start.records + 1, self._apply(group), start)
        self._release(done, _note(self.venue, done))
        await self._on_disk(self.journal.append, [each.run for each in group])
        return _Done([], start.records + 1, [], self.journal.end)

    patch.setattr(Sequencer, "_do", do)


def never_syncs(patch: pytest.MonkeyPatch) -> None:
    def append(self: Journal, runs: Sequence[bytes]) -> None:
        frame, end = journal.frame_after(self.end, runs)
        self._file.write_at(self.end.offset, frame)
        self.end = end

    patch.setattr(Journal, "append", append)


def reads_what_is_not_durable(patch: pytest.MonkeyPatch) -> None:
    async def read(self: Sequencer, look: Callable[[Venue], Any]) -> Any:
        return look(self.venue)

    patch.setattr(Sequencer, "read", read)


def tells_a_number_that_is_not_durable(patch: pytest.MonkeyPatch) -> None:
    right = Sequencer.participants_of

    async def participants_of(self: Sequencer, accounts: Sequence[bytes]) -> list[int]:
        if all(map(self.venue.participant, accounts)):
            return [self.venue.participant(each) for each in accounts]
        return await right(self, accounts)

    patch.setattr(Sequencer, "participants_of", participants_of)


def looks_at_no_checksum_of_a_frame(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "_payload_fault", lambda _tail, _found, **_same: None)


def looks_at_no_hash_of_a_snapshot(patch: pytest.MonkeyPatch) -> None:
    class Any32(bytes):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = bytes.__hash__

    patch.setattr(snapshots.Snapshot, "hash", property(lambda _self: Any32(32)))


def does_not_sync_what_a_start_reads(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Journal, "_make_durable", lambda _self, _last: None)


def does_a_frame_twice_after_a_start(patch: pytest.MonkeyPatch) -> None:
    right = Journal.replay

    def replay(self: Journal, start: Position | None = None) -> Iterator[Frame]:
        if start is not None and start.records and start != self.start:
            for frame in right(self):
                if frame.end == start:
                    yield frame
        yield from right(self, start)

    patch.setattr(Journal, "replay", replay)


def forgets_which_epoch_is_settled(patch: pytest.MonkeyPatch) -> None:
    right = Custody.load.__func__  # type: ignore[attr-defined]

    def load(cls: type[Custody], snapshot: bytes) -> Custody:
        custody: Custody = right(cls, snapshot)
        custody.settled_epoch = 0
        return custody

    patch.setattr(Custody, "load", classmethod(load))


def forgets_how_far_the_chain_was_read(patch: pytest.MonkeyPatch) -> None:
    right = Custody.load.__func__  # type: ignore[attr-defined]

    def load(cls: type[Custody], snapshot: bytes) -> Custody:
        custody: Custody = right(cls, snapshot)
        custody.chain_block = -1
        return custody

    patch.setattr(Custody, "load", classmethod(load))


def does_not_rewind_the_history(patch: pytest.MonkeyPatch) -> None:
    right = History.rewind

    def rewind(self: History, mark: dict[str, int] | None = None) -> None:
        stores = self._stores
        written = [
            next((n for n in range(store.rows) if not any(store.view()[n * 128 : n * 128 + 128])), store.rows)
            for store in stores
        ]
        right(self, mark if mark is None else {**mark, "orders": written[0], "trades": written[1]})

    patch.setattr(History, "rewind", rewind)


def publishes_a_snapshot_before_its_history(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(History, "sync", lambda _self: None)


def saves_in_the_middle_of_a_group(patch: pytest.MonkeyPatch) -> None:
    right = Sequencer.save

    def save(self: Sequencer) -> None:
        self._is_busy = False
        right(self)

    patch.setattr(Sequencer, "save", save)


def releases_before_the_epoch_is_settled(patch: pytest.MonkeyPatch) -> None:
    right = ClearingDesk._release_due

    async def release_due(self: ClearingDesk) -> bool:
        custody = self.sequencer.venue.custody
        settled, custody.settled_epoch = custody.settled_epoch, len(custody.epochs) + 1
        working = asyncio.ensure_future(right(self))
        await asyncio.sleep(0)
        custody.settled_epoch = settled
        return await working

    patch.setattr(ClearingDesk, "_release_due", release_due)


def goes_on_after_a_failed_sync(patch: pytest.MonkeyPatch) -> None:
    def append(self: Journal, runs: Sequence[bytes]) -> None:
        frame, end = journal.frame_after(self.end, runs)
        try:
            self._file.write_at(self.end.offset, frame)
            self._file.sync()
        except OSError:
            pass
        self.end = end

    patch.setattr(Journal, "append", append)


def takes_an_older_snapshot_for_a_newer(patch: pytest.MonkeyPatch) -> None:
    right = snapshots.newest_first

    def newest_first(*arguments: Any) -> Iterator[snapshots.Snapshot]:
        found = list(right(*arguments))
        if len(found) > 1:
            yield snapshots.Snapshot(
                found[0].identity, found[0].position, found[0].mark, found[1].core, found[1].custody
            )
        yield from found

    patch.setattr(opening.snapshots, "newest_first", newest_first)


MUTANTS: list[Break] = [
    answers_before_the_sync,
    never_syncs,
    reads_what_is_not_durable,
    tells_a_number_that_is_not_durable,
    looks_at_no_checksum_of_a_frame,
    looks_at_no_hash_of_a_snapshot,
    does_not_sync_what_a_start_reads,
    does_a_frame_twice_after_a_start,
    forgets_which_epoch_is_settled,
    forgets_how_far_the_chain_was_read,
    does_not_rewind_the_history,
    publishes_a_snapshot_before_its_history,
    saves_in_the_middle_of_a_group,
    releases_before_the_epoch_is_settled,
    goes_on_after_a_failed_sync,
    takes_an_older_snapshot_for_a_newer,
]


@pytest.mark.parametrize("break_it", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_found(break_it: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        break_it(patch)
        outcomes = map(run_seed, range(1, SEEDS_MAX))
        found = next((outcome for outcome in outcomes if outcome.violation), None)
    assert found is not None, f"{break_it.__name__} is not found in {SEEDS_MAX} seeds"
    assert not found.violation.startswith(("TypeError", "AttributeError", "NameError")), (
        "it does not even run"
    )
    assert not run_seed(found.seed).violation, "the same seed holds as soon as nothing is broken"
