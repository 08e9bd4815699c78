"""Opening the exchange's directory: a snapshot if there is one, and the journal from there on.

DIR/journal       every command (`exchange.journal`)
DIR/snapshots/    shortcuts (`exchange.snapshots`)
DIR/history/      orders and trades for readers (`exchange.history`), made from the journal
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange import snapshots
from exchange.core import Engine
from exchange.disk import OS_DISK, Disk
from exchange.history import History
from exchange.history.refusals import HistoryIncomplete
from exchange.journal import Identity, Journal, Position
from exchange.refusals import InvariantBroken, JournalBehindSnapshot
from exchange.snapshots import Snapshot
from exchange.venue import Venue

SNAPSHOT_RECORDS: Final = 1_000_000
"""So many records lie between two snapshots, if nobody says otherwise."""


@dataclass(slots=True)
class Opened:
    """An exchange that is ready to go on."""

    venue: Venue
    journal: Journal
    keeper: Keeper
    replayed: int
    """How many records were done again at the start."""


@dataclass(slots=True)
class Keeper:
    """Makes snapshots: one whenever `every` records came. `covered` says how many the last one covers."""

    disk: Disk
    directory: Path
    identity: Identity
    covered: int = 0
    every: int = SNAPSHOT_RECORDS

    def is_due(self, records: int) -> bool:
        """Whether it is time for a new one."""
        return records - self.covered >= self.every

    def prepare(self, venue: Venue, position: Position) -> Callable[[], None]:
        """Take the state as it is now.

        Return what writes it, to be called where one may wait for the disk.
        """
        snapshot = Snapshot(
            self.identity,
            position,
            venue.history.mark(),
            venue.engine.snapshot(),
            venue.custody.snapshot(),
        )
        self.covered = position.records

        def write() -> None:
            venue.history.sync()
            snapshots.write(self.disk, self.directory, snapshot)

        return write


def start(
    directory: Path,
    identity: Identity,
    disk: Disk = OS_DISK,
    make_history: Callable[[Path], History] | None = None,
    *,
    debug: bool = False,
) -> Opened:
    """Open the journal, load the newest snapshot that is whole, and do again what came after it.

    Raises
    ------
    JournalLocked, JournalForeign, JournalCorrupt
    JournalBehindSnapshot :
        A snapshot covers frames that the journal does not have.
    InvariantBroken :
        The state that the journal gives is not one that can be: a bug of ours.
    """
    journal = Journal.open(directory / "journal", identity, disk)
    try:
        keeper = Keeper(disk, directory / "snapshots", identity)
        history = (make_history or _history)(directory / "history")
        venue, position = _load(journal, keeper, history, debug)
        keeper.covered = position.records
        try:
            for frame in journal.replay(position):
                venue.replay(frame.first, frame.payload)
            venue.check()
        except AssertionError as fault:
            raise InvariantBroken(reason=str(fault)) from fault
    except BaseException:
        journal.close()
        raise
    return Opened(venue, journal, keeper, journal.end.records - position.records)


def _history(directory: Path) -> History:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return History(directory)


def _load(journal: Journal, keeper: Keeper, history: History, debug: bool) -> tuple[Venue, Position]:
    """Return the venue of the newest good snapshot, or an empty one."""
    for snapshot in snapshots.newest_first(keeper.disk, keeper.directory, keeper.identity):
        if not journal.stands_at(snapshot.position):
            raise JournalBehindSnapshot(
                snapshot_records=snapshot.position.records, snapshot_frames=snapshot.position.frames
            )
        try:
            engine, custody = snapshot.engine(), snapshot.custodian()
            history.rewind(snapshot.mark)
        except (ValueError, KeyError, TypeError, HistoryIncomplete):
            continue  # another version wrote it, or the history's files are cut: from further back, then
        history.seed(custody.accounts, [each.unit for each in custody.listed], custody.collectors)
        return Venue(engine, custody, history, debug), snapshot.position
    history.rewind()
    return Venue(Engine(), history=history, debug=debug), journal.start
