"""The sequencer, the one writer: puts runs of commands in order, makes them durable, applies them, answers.

Everything that touches the state runs on one event loop, so nothing needs a lock; only the disk has a
thread of its own. A group of runs is written and synced while the engine already does it: nobody is told
anything of it, and no reader sees any of it, before both are done. While one group is under way the next
one gathers, so many commands share one fdatasync. The disk begins on the next group while custody and history
take in the one before, which is durable; the engine does the next one only after that, so whoever looks in
between sees what is durable.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from chain.refusals import Refusal
from exchange.core import records
from exchange.core.records import COMMAND_BYTES
from exchange.history import Change
from exchange.history.refusals import HistoryFull
from exchange.journal import Journal, Position
from exchange.opening import Keeper
from exchange.refusals import InvariantBroken, JournalUnavailable, SnapshotUnavailable
from exchange.venue import Venue

RUN_BYTES_MAX: Final = 2**20
GROUP_BYTES_MAX: Final = 2**20
_APART_BYTES: Final = 2**19
"""Reports of a group that are worth a thread: below, waking it takes longer than what it saves."""

T = TypeVar("T")
OnDisk = Callable[..., Awaitable[Any]]


class Told(NamedTuple):
    """What a run did: its reports, and what the chain said in it and does not fit."""

    reports: bytes
    refused: list[Refusal]


@dataclass(slots=True)
class _Waiting:
    run: bytes
    make: Callable[[Venue], bytes] | None
    """Makes the run when its turn has come: then it is a group of its own."""
    answer: asyncio.Future[Told]


class _Done(NamedTuple):
    """A group that is durable and applied, and of which nobody knows yet."""

    group: Sequence[_Waiting]
    first: int
    reports: list[bytes]
    end: Position
    """Where the journal ended after it: the next group may be under way already."""


@contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except AssertionError as fault:
        raise InvariantBroken(reason=str(fault)) from fault


def _note(venue: Venue, done: _Done) -> tuple[list[Told], bool]:
    """Let custody and history know of a group; whether the engine's invariants are to be checked then."""
    first, told, is_to_check = done.first, [], venue.debug
    try:
        with _broken():
            for each, said in zip(done.group, done.reports, strict=True):
                refused, is_closed = venue.note(first, each.run, said)
                told.append(Told(said, refused))
                is_to_check = is_to_check or is_closed
                first += len(each.run) // COMMAND_BYTES
    except (OSError, HistoryFull) as error:
        # The history has no room: what is done cannot be shown, until a start makes it anew.
        raise JournalUnavailable(reason=f"the history has no room: {error}") from error
    return told, is_to_check


class Sequencer:
    """Owns the venue. Use: `run` as a task, then `submit` and `read` from anywhere on its loop.

    Parameters
    ----------
    venue, journal, keeper :
        As `exchange.opening.start` has made them ready. Without a keeper no snapshots are made.
    clock :
        Gives microseconds since 1970 UTC.
    on_disk :
        Calls a function where it may wait for the disk. By default in a thread of its own.
    """

    def __init__(
        self,
        venue: Venue,
        journal: Journal,
        keeper: Keeper | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        on_disk: OnDisk | None = None,
    ) -> None:
        self.venue = venue
        self.journal = journal
        self.failed: JournalUnavailable | InvariantBroken | None = None
        self.on_changes: Callable[[list[Change]], None] = lambda _changes: None
        self.listeners: list[Callable[[bytes], None]] = []
        """Each hears the reports of every durable group, before its answers go out."""
        self.unsaved: SnapshotUnavailable | None = None
        """Why the last snapshot could not be written."""
        self.apart_bytes = _APART_BYTES
        """A group with so many bytes of reports is taken in by a thread."""
        self._keeper = keeper
        self._saving: asyncio.Future[None] | None = None
        self._clock = clock
        self._on_disk = on_disk or self._in_thread
        self._queue: deque[_Waiting] = deque()
        self._looks: deque[tuple[Callable[[Venue], Any], asyncio.Future[Any]]] = deque()
        self._is_busy = False
        self._arrived = asyncio.Event()
        self._moved: asyncio.Future[None] | None = None
        self._disk = ThreadPoolExecutor(max_workers=2, thread_name_prefix="disk")
        self._taker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        self._last_us = venue.engine.counters()["now_us"]

    @property
    def commands(self) -> int:
        """How many records were done."""
        return self.journal.end.records

    def now_us(self) -> int:
        """Return the time to put into a command: microseconds since 1970 UTC, never running backwards."""
        self._last_us = max(self._last_us, self._clock())
        return self._last_us

    # --- asking ---

    async def submit(self, run: bytes) -> bytes:
        """Do a run of records in order, nothing between them; return its reports once it is durable.

        Raises
        ------
        JournalUnavailable, InvariantBroken :
            It was not acknowledged; after the next start a retry tells whether it was done.
        """
        if not run or len(run) % COMMAND_BYTES or len(run) > RUN_BYTES_MAX:
            raise ValueError(f"{len(run)} bytes are no run of records")
        return (await self._wait(run, None)).reports

    async def compose(self, make: Callable[[Venue], bytes]) -> Told:
        """Do a run that is made of the venue as it is just before; an empty one does nothing."""
        return await self._wait(b"", make)

    async def participant_of(self, account: bytes) -> int:
        """Return an account's number in the core; registers it when it has none."""
        (number,) = await self.participants_of([account])
        return number

    async def participants_of(self, accounts: Sequence[bytes]) -> list[int]:
        """Return the numbers of accounts; registers together those that have none."""

        def is_known(account: bytes) -> bool:
            """Whether it has a number that is durable: custody hears of it only then."""
            return 0 < self.venue.participant(account) <= len(self.venue.custody.accounts)

        def make(venue: Venue) -> bytes:
            new = dict.fromkeys(each for each in accounts if not venue.participant(each))
            return b"".join(records.register(each) for each in new)

        if not all(map(is_known, accounts)):
            await self.compose(make)
        return [self.venue.participant(each) for each in accounts]

    async def read(self, look: Callable[[Venue], T]) -> T:
        """Look at the venue as it is durable; raises JournalUnavailable once that is not known any more."""
        if self.failed is not None:
            raise type(self.failed)(**self.failed.facts)
        if not self._is_busy:
            return look(self.venue)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._looks.append((look, answer))
        return await answer

    async def until(self, happened: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something holds of the venue; returns False when it still does not after `timeout_s`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not happened():
            left_s = deadline - loop.time()
            if left_s <= 0 or self.failed is not None:
                return False
            if self._moved is None:
                self._moved = loop.create_future()
            await asyncio.wait([self._moved], timeout=left_s)
        return True

    async def _wait(self, run: bytes, make: Callable[[Venue], bytes] | None) -> Told:
        if self.failed is not None:
            raise type(self.failed)(**self.failed.facts)
        waiting = _Waiting(run, make, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._arrived.set()
        return await waiting.answer

    # --- doing ---

    async def run(self) -> None:
        """Write and apply what arrives, until the disk fails or for ever."""
        while self.failed is None:
            await self._arrived.wait()
            self._arrived.clear()
            durable: _Done | None = None
            while self._queue or durable is not None:
                group: list[_Waiting] = []
                try:
                    if durable is not None and (not self._queue or self._queue[0].make is not None):
                        self._finish(durable)
                        durable = None
                    if self._queue:
                        group = self._take()
                    if group:
                        durable = await self._do(group, durable)
                except (JournalUnavailable, InvariantBroken) as refusal:
                    self._fail([*(durable.group if durable is not None else ()), *group], refusal)
                    return

    async def _do(self, group: Sequence[_Waiting], before: _Done | None) -> _Done:
        """Write a group and apply it meanwhile; return when both are done.

        The group before, which is durable, is finished as soon as the disk works on this one: by then
        nothing of this one is applied. A large one is taken in by a thread while the engine does this one,
        if nobody wants to look at the venue in between; the loop stands still until both are done, so
        nobody can.
        """
        self._is_busy = True
        start = self.journal.end
        writing = asyncio.ensure_future(self._on_disk(self.journal.append, [each.run for each in group]))
        try:
            if before is None or not self._is_apart(before):
                if before is not None:
                    self._finish(before, is_last=False)
                reports = self._apply(group)
            else:
                taking = self._taker.submit(_note, self.venue, before)
                try:
                    reports = self._apply(group)
                finally:
                    wait([taking])
                self._release(before, taking.result())
        finally:
            await writing
        return _Done(group, start.records + 1, reports, self.journal.end)

    def _apply(self, group: Sequence[_Waiting]) -> list[bytes]:
        return [self.venue.apply(each.run) for each in group]

    def _is_apart(self, done: _Done) -> bool:
        """Whether a group is worth a thread, and nobody looks at the venue as it is just after it."""
        return (
            sum(map(len, done.reports)) >= self.apart_bytes
            and not self._looks
            and not self.venue.history.watching
            and not self.venue.debug
            and (self._keeper is None or not self._keeper.is_due(done.end.records))
        )

    def _finish(self, done: _Done, *, is_last: bool = True) -> None:
        """Take in what a durable group did and release its answers. The venue is just after that group."""
        self._release(done, _note(self.venue, done))
        if is_last:
            self._is_busy = False
        self._let_look()
        self._wake()
        if self._keeper is not None and self._keeper.is_due(done.end.records):
            self._save(self._keeper, done.end)

    def _release(self, done: _Done, noted: tuple[list[Told], bool]) -> None:
        """Release the answers of a group that was taken in."""
        told, is_to_check = noted
        if is_to_check:
            with _broken():
                self.venue.engine.check()
        if self.listeners:
            everything = done.reports[0] if len(done.reports) == 1 else b"".join(done.reports)
            for listener in self.listeners:
                listener(everything)
        if self.venue.history.watching:
            self.on_changes(self.venue.history.take_changes())
        for each, answer in zip(done.group, told, strict=True):
            if not each.answer.done():  # whoever asked may have gone
                each.answer.set_result(answer)
        self._wake()

    def _take(self) -> list[_Waiting]:
        """Take the next group; one that has to be made now is a group of its own."""
        head = self._queue[0]
        if head.make is not None:
            self._queue.popleft()
            if head.answer.done():
                return []
            try:
                head.run = head.make(self.venue)
            except Refusal as refusal:
                head.answer.set_exception(refusal)
                return []
            if not head.run:
                head.answer.set_result(Told(b"", []))
                return []
            return [head]
        group, size = [], 0
        while self._queue and self._queue[0].make is None and size < GROUP_BYTES_MAX:
            waiting = self._queue.popleft()
            group.append(waiting)
            size += len(waiting.run)
        return group

    def _let_look(self) -> None:
        while self._looks:
            look, answer = self._looks.popleft()
            if answer.done():
                continue
            try:
                answer.set_result(look(self.venue))
            except Exception as error:  # noqa: BLE001 - it is whoever looks that gets it
                answer.set_exception(error)

    def _fail(self, group: Sequence[_Waiting], refusal: JournalUnavailable | InvariantBroken) -> None:
        self.failed = refusal
        waiting = [each.answer for each in (*group, *self._queue)] + [answer for _, answer in self._looks]
        for answer in waiting:
            if not answer.done():
                answer.set_exception(type(refusal)(**refusal.facts))
        self._queue.clear()
        self._looks.clear()
        self._wake()

    def _wake(self) -> None:
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)
        self._moved = None

    def _save(self, keeper: Keeper, end: Position) -> None:
        """Have a snapshot written beside the work; one at a time."""
        if self._saving is not None and not self._saving.done():
            return
        write = keeper.prepare(self.venue, end)
        self._saving = asyncio.ensure_future(self._write_snapshot(write))

    async def _write_snapshot(self, write: Callable[[], None]) -> None:
        """A snapshot that cannot be written is none: the journal has everything, and a start takes longer."""
        try:
            await self._on_disk(write)
        except OSError as error:
            self.unsaved = SnapshotUnavailable(reason=error.strerror or type(error).__name__)
        else:
            self.unsaved = None

    def save(self) -> None:
        """Write a snapshot now, at the end of work: the next start has nothing to replay.

        If `run` was ended in the middle of a group there is no such moment: the engine is ahead of the rest.
        """
        if self._keeper is None or self.failed is not None or self._is_busy:
            return
        if self.journal.end.records > self._keeper.covered:
            with suppress(OSError):
                self._keeper.prepare(self.venue, self.journal.end)()

    def _in_thread(self, do: Callable[..., T], *arguments: object) -> Awaitable[T]:
        # Not a coroutine: that would begin only when the loop is next free, after the engine's work.
        return asyncio.get_running_loop().run_in_executor(self._disk, do, *arguments)

    def close(self) -> None:
        """Finish the write under way and let the files go."""
        self._disk.shutdown(wait=True)
        self._taker.shutdown(wait=True)
        self.journal.close()
        self.venue.history.close()
