"""The sequencer: the one writer. It puts commands in order, makes them durable, applies them, answers.

Everything that touches the state runs on one event loop, so nothing needs a lock; only the disk has a thread
of its own. While one batch is written the next one gathers: many commands share one fdatasync.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from chain.refusals import Refusal
from exchange.commands import Command
from exchange.engine import apply
from exchange.invariants import check
from exchange.journal import Journal
from exchange.records import encode
from exchange.refusals import JournalUnavailable
from exchange.reports import Report
from exchange.state import State
from exchange.views import Change, Views

Outcome = list[Report] | Refusal
BATCH_COMMANDS_MAX: Final = 4_096


@dataclass(slots=True)
class _Waiting:
    commands: Sequence[Command]
    records: list[bytes]
    answer: asyncio.Future[list[Outcome]]


class Sequencer:
    """Owns the state. Use: `replay` once, then `run` as a task, then `submit` from anywhere on its loop."""

    def __init__(self, journal: Journal) -> None:
        self.state = State()
        self.views = Views()
        self.journal = journal
        self.commands = 0
        self.failed: JournalUnavailable | None = None
        self.on_changes: Callable[[list[Change]], None] = lambda _changes: None
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._moved: asyncio.Future[None] | None = None
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._last_us = 0

    def replay(self) -> None:
        """Apply everything in the journal and check every invariant; raises JournalCorrupt."""
        for commands in self.journal.replay():
            for command in commands:
                self._last_us = max(self._last_us, getattr(command, "at_us", 0))
                self._apply(command)
        check(self.state)
        self.views.take_changes(self.state)

    def now_us(self) -> int:
        """Return the time to put into a command: microseconds since 1970 UTC, never running backwards."""
        self._last_us = max(self._last_us, time.time_ns() // 1_000)
        return self._last_us

    async def submit(self, commands: Sequence[Command]) -> list[Outcome]:
        """Do commands in order and return what each did, once all of them are durable.

        Raises
        ------
        RecordMalformed :
            A number does not fit the journal; none was taken.
        JournalUnavailable :
            None was acknowledged; after the next start a retry tells which were done.
        """
        if self.failed is not None:
            raise JournalUnavailable(**self.failed.facts)
        if not commands:
            return []
        waiting = _Waiting(
            commands, [encode(each) for each in commands], asyncio.get_running_loop().create_future()
        )
        self._queue.append(waiting)
        self._arrived.set()
        return await waiting.answer

    async def run(self) -> None:
        """Write and apply what arrives, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                batch = self._take()
                records = [record for waiting in batch for record in waiting.records]
                try:
                    await loop.run_in_executor(self._disk, self.journal.append, records)
                except JournalUnavailable as refusal:
                    self._fail(batch, refusal)
                    return
                for waiting in batch:
                    outcomes = [self._apply(command) for command in waiting.commands]
                    if not waiting.answer.done():  # whoever asked may have gone
                        waiting.answer.set_result(outcomes)
                self.on_changes(self.views.take_changes(self.state))
                self._wake()

    async def until(self, happened: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something holds of the state; returns False when it still does not after `timeout_s`."""
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

    def close(self) -> None:
        """Finish the write under way and let the journal go."""
        self._disk.shutdown(wait=True)
        self.journal.close()

    def _take(self) -> list[_Waiting]:
        batch, taken = [], 0
        while self._queue and taken < BATCH_COMMANDS_MAX:
            waiting = self._queue.popleft()
            batch.append(waiting)
            taken += len(waiting.commands)
        return batch

    def _apply(self, command: Command) -> Outcome:
        self.commands += 1
        try:
            reports = apply(self.state, command)
        except Refusal as refusal:
            return refusal.with_traceback(None)
        self.views.observe(self.state, command, reports)
        return reports

    def _fail(self, batch: list[_Waiting], refusal: JournalUnavailable) -> None:
        self.failed = refusal
        for waiting in [*batch, *self._queue]:
            if not waiting.answer.done():
                waiting.answer.set_exception(JournalUnavailable(**refusal.facts))
        self._queue.clear()
        self._wake()

    def _wake(self) -> None:
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)
        self._moved = None
