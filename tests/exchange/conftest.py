"""An exchange inside the test's own event loop, over Clearing in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from exchange.clearing import ClearingDesk
from exchange.commands import CASH, Command, ListInstrument
from exchange.invariants import check
from exchange.journal import Identity, Journal
from exchange.reports import Report
from exchange.sequencer import Sequencer
from tests.exchange.fakes import FakeClearing
from tests.exchange.world import ACCOUNTS, UNIT

IDENTITY = Identity(chain_id=1337, clearing=b"\x11" * 20)


@dataclass
class Running:
    """A sequencer at work and a desk that is moved by hand."""

    sequencer: Sequencer
    desk: ClearingDesk
    clearing: FakeClearing

    async def do(self, command: Command) -> list[Report]:
        (outcome,) = await self.sequencer.submit([command])
        assert isinstance(outcome, list), outcome
        return outcome


@dataclass
class Exchange:
    """A journal on disk and a chain, over which an exchange can be started again and again."""

    path: Path
    clearing: FakeClearing = field(default_factory=FakeClearing)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        sequencer = Sequencer(Journal.open(self.path, IDENTITY))
        sequencer.replay()
        writer = asyncio.create_task(sequencer.run())
        try:
            yield Running(sequencer, ClearingDesk(sequencer, self.clearing, 0, idle_s=0.01), self.clearing)
            check(sequencer.state)
        finally:
            writer.cancel()
            sequencer.close()

    @asynccontextmanager
    async def funded(self) -> AsyncIterator[Running]:
        """Everyone has 1,000,000 fen and 1,000 t, deposited on chain and seen."""
        for account in ACCOUNTS:
            self.clearing.deposit(account, CASH, 1_000_000)
            self.clearing.deposit(account, UNIT, 1_000)
        async with self.running() as running:
            await running.do(ListInstrument(UNIT, 1, 1, 10**9))
            await running.desk.follow()
            yield running


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path / "journal")
