"""A sequencer over the real engine, without a disk: with a delay, and with a switch for failing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from exchange.core import Engine, records
from exchange.core.codes import ReportKind
from exchange.core.records import reports_of
from exchange.refusals import JournalUnavailable

T = TypeVar("T")

ANNA, BERT, CARL = (bytes([number]) * 20 for number in (1, 2, 3))
UNIT, OTHER_UNIT = 1001, 1002
SECRET = bytes(range(32))
CHAIN_ID, CLEARING = 1337, b"\x11" * 20


class Listed(NamedTuple):
    unit: int
    tick_fen: int
    lot_t: int
    quantity_max_t: int


class FakeVenue:
    def __init__(self) -> None:
        self.engine = Engine()
        self.listed: list[Listed] = []


class FakeSequencer:
    """Groups what waits into a batch; a batch takes `delay_s`; after `fail` nothing is taken."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.venue = FakeVenue()
        self.failed: JournalUnavailable | None = None
        self.listeners: list[Callable[[bytes], None]] = []
        self.delay_s = delay_s
        self.runs: list[bytes] = []
        self.batches: list[bytes] = []
        self.shift_us = 0
        self._gate = asyncio.Event()
        self._gate.set()
        self._waiting: list[tuple[bytes, asyncio.Future[bytes]]] = []
        self._arrived = asyncio.Event()
        self._task = asyncio.create_task(self._work())
        self._transfers = 0

    async def submit(self, run: bytes) -> bytes:
        assert run
        assert len(run) % 64 == 0
        if self.failed is not None:
            raise self.failed
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.runs.append(run)
        self._waiting.append((run, answer))
        self._arrived.set()
        return await answer

    async def read(self, look: Callable[[Any], T]) -> T:
        await asyncio.sleep(0)
        return look(self.venue)

    async def participant_of(self, account: bytes) -> int:
        known = self.venue.engine.participant(account)
        if not known:
            await self.submit(records.register(account, self.now_us()))
        return self.venue.engine.participant(account)

    def now_us(self) -> int:
        return time.time_ns() // 1_000 + self.shift_us

    def hold(self) -> None:
        """Let nothing become durable until `go_on`."""
        self._gate.clear()

    def go_on(self) -> None:
        self._gate.set()

    def fail(self) -> None:
        self.failed = JournalUnavailable(errno=28)
        for _, answer in self._waiting:
            answer.set_exception(self.failed)
        self._waiting.clear()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def list_unit(self, unit: int = UNIT, tick: int = 1, lot: int = 1) -> None:
        await self.submit(records.list_instrument(unit, tick, lot, 10**6))
        self.venue.listed.append(Listed(unit, tick, lot, 10**6))

    async def give(self, participant: int, instrument: int, amount: int) -> None:
        self._transfers += 1
        transfer = self._transfers.to_bytes(32, "big")
        (report,) = reports_of(await self.submit(records.credit(participant, instrument, amount, transfer)))
        assert report.kind == ReportKind.CREDITED

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._gate.wait()
                batch, self._waiting = self._waiting, []
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.failed is not None:
                    for _, answer in batch:
                        answer.set_exception(self.failed)
                    continue
                reports = [self.venue.engine.apply(run) for run, _ in batch]
                self.batches.append(b"".join(reports))
                for listener in tuple(self.listeners):
                    listener(self.batches[-1])
                for (_, answer), told in zip(batch, reports, strict=True):
                    if not answer.done():
                        answer.set_result(told)
                await asyncio.sleep(0)
