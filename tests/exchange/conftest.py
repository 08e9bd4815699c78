"""An exchange inside the test's own event loop, over Clearing in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from exchange.clearing import ClearingDesk
from exchange.core import records
from exchange.core.codes import CASH, ReportKind, Side
from exchange.core.records import Report, reports_of
from exchange.custody import Custody
from exchange.journal import Identity
from exchange.opening import Opened, start
from exchange.sequencer import Sequencer
from exchange.venue import Venue
from tests.exchange.fakes import FakeClearing
from tests.exchange.world import ACCOUNTS, UNIT, listing, order, withdrawal

IDENTITY = Identity(chain_id=1337, clearing=b"\x11" * 20)


@dataclass
class Running:
    """A sequencer at work and a desk that is moved by hand."""

    opened: Opened
    sequencer: Sequencer
    desk: ClearingDesk
    clearing: FakeClearing

    @property
    def venue(self) -> Venue:
        return self.sequencer.venue

    @property
    def custody(self) -> Custody:
        return self.venue.custody

    async def do(self, run: bytes) -> list[Report]:
        """Submit; nothing may be rejected."""
        reports = list(reports_of(await self.sequencer.submit(run)))
        assert not any(report.kind == ReportKind.REJECTED for report in reports), reports
        return reports

    async def place(self, account: bytes, side: Side, quantity_t: int, price_fen: int) -> bytes:
        name = uuid4().bytes
        await self.do(order(self.venue, name, account, side, quantity_t, price_fen))
        return name

    async def trade(self, quantity_t: int, seller: bytes, buyer: bytes) -> None:
        """Trade so much at 100 fen."""
        await self.place(seller, Side.SELL, quantity_t, 100)
        await self.place(buyer, Side.BUY, quantity_t, 100)

    async def withdraw(self, account: bytes, asset: int, amount: int) -> bytes:
        name = uuid4().bytes
        await self.do(withdrawal(self.venue, name, account, asset, amount))
        return name

    async def close(self) -> int:
        number = self.custody.open_epoch
        await self.do(records.close_epoch(number))
        return number


@dataclass
class Exchange:
    """A directory on disk and a chain, over which an exchange can be started again and again."""

    directory: Path
    clearing: FakeClearing = field(default_factory=FakeClearing)

    @property
    def journal(self) -> Path:
        return self.directory / "journal"

    @asynccontextmanager
    async def running(self, *, saved: bool = False) -> AsyncIterator[Running]:
        """Run it; `saved` makes a snapshot at the end."""
        opened = start(self.directory, IDENTITY, debug=True)
        sequencer = Sequencer(opened.venue, opened.journal, opened.keeper)
        writer = asyncio.create_task(sequencer.run())
        try:
            desk = ClearingDesk(sequencer, self.clearing, 0, idle_s=0.01)
            yield Running(opened, sequencer, desk, self.clearing)
            sequencer.venue.check()
        finally:
            writer.cancel()
            if saved:
                sequencer.save()
            sequencer.close()

    @asynccontextmanager
    async def funded(self, *, saved: bool = False) -> AsyncIterator[Running]:
        """Everyone has 1,000,000 fen and 1,000 t, deposited on chain and seen."""
        for account in ACCOUNTS:
            self.clearing.deposit(account, CASH, 1_000_000)
            self.clearing.deposit(account, UNIT, 1_000)
        async with self.running(saved=saved) as running:
            await running.do(listing())
            await running.desk.follow()
            yield running


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path)
