"""A whole market's epoch on the real chain, whose node is killed in the middle: each firm is settled once."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from chain.bench.chains import Chain, running_carat
from chain.bench.settlement import (
    CHUNK_DELTAS,
    FIRMS,
    KEYRING,
    OPERATORS,
    PRICE_FEN,
    UNITS,
    ClearingMarket,
    open_clearing,
)
from chain.events import EventReader
from chain.refusals import ChainUnreachable
from chain.rpc import ChainRpc
from exchange.chain_port import ChainPort
from exchange.clearing import ClearingDesk
from exchange.core import records
from exchange.core.codes import Phase, ReportKind, Side
from exchange.core.records import reports_of
from exchange.journal import Identity
from exchange.netting import CHUNK_DELTAS_MAX, Delta
from exchange.opening import start
from exchange.sequencer import Sequencer
from exchange.venue import Venue
from exchange.words import account_text
from tests.exchange.world import START_US

KILLED_AT = (3, 9, 14)


class FragileChain:
    """A node that is killed while a chunk is sent, and started again on the same data and port."""

    def __init__(self, data: Path, running: ExitStack) -> None:
        self._data = data
        self._running = running
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.chain = self.start()

    def start(self) -> Chain:
        operators = [KEYRING.signer(label).address for label in OPERATORS]
        self.chain = self._running.enter_context(running_carat(self._data, operators, self._port))
        return self.chain

    def kill_in(self, seconds: float) -> threading.Thread:
        def kill() -> None:
            time.sleep(seconds)
            self.chain.process.kill()
            self.chain.process.wait()

        thread = threading.Thread(target=kill)
        thread.start()
        return thread


class InterruptedPort(ChainPort):
    """The product's port to Clearing; the node dies during some of its calls."""

    def __init__(self, fragile: FragileChain, market: ClearingMarket) -> None:
        super().__init__(fragile.chain.url, market.deployment, KEYRING.signer("exchange"))
        self._fragile = fragile
        self._dice = Random(5)
        self._left = list(KILLED_AT)
        self.sent: list[int] = []
        self.killers: list[threading.Thread] = []

    def settle(self, epoch: int, chunk: int, chunks: int, tape_root: bytes, deltas: Sequence[Delta]) -> None:
        self.sent.append(chunk)
        if chunk in self._left:
            self._left.remove(chunk)
            # Somewhere between the dry run, the block on disk and the answer: never the same moment twice.
            self.killers.append(self._fragile.kill_in(self._dice.uniform(0.0, 0.25)))
        super().settle(epoch, chunk, chunks, tape_root, deltas)


def orders(market: ClearingMarket, venue: Venue) -> bytes:
    """Every firm sells one unit and buys the other, at one price: each sale meets its purchase at once."""
    commands: list[bytes] = []
    for number, (name, unit, quantity_t, _) in enumerate(
        sorted(market.epoch(), key=lambda delta: (delta[1], abs(delta[2]), delta[2] > 0))
    ):
        side = Side.BUY if quantity_t > 0 else Side.SELL
        account = bytes.fromhex(name[2:])
        who, what = venue.participant(account), venue.instrument(unit)
        name_ = UUID(int=number + 1).bytes
        commands.append(records.new_order(name_, who, what, side, abs(quantity_t), PRICE_FEN, at_us=START_US))
    return b"".join(commands)


async def done(sequencer: Sequencer, run: bytes) -> None:
    for report in reports_of(await sequencer.submit(run)):
        assert report.kind != ReportKind.REJECTED, report


@pytest.mark.timeout(280)
async def test_each_firm_is_settled_once_though_the_node_is_killed_in_the_middle(tmp_path: Path) -> None:
    assert CHUNK_DELTAS == CHUNK_DELTAS_MAX
    with ExitStack() as running:
        fragile = FragileChain(tmp_path / "chain", running)
        market = await asyncio.to_thread(open_clearing, fragile.chain, FIRMS)
        before = market.balances()
        identity = Identity(
            market.deployment.chain_id, bytes.fromhex(market.deployment.addresses["Clearing"][2:])
        )
        opened = start(tmp_path / "exchange", identity)
        sequencer, custody = Sequencer(opened.venue, opened.journal), opened.venue.custody
        writer = asyncio.create_task(sequencer.run())
        port = InterruptedPort(fragile, market)
        desk = ClearingDesk(sequencer, port, market.deployment.block)
        await desk.follow()
        listed = sequencer.venue.instrument
        await done(
            sequencer, b"".join(records.set_phase(listed(unit.value), Phase.CONTINUOUS) for unit in UNITS)
        )
        await done(sequencer, orders(market, sequencer.venue))
        await done(sequencer, records.close_epoch(custody.open_epoch, START_US))

        kills = 0
        while custody.settled_epoch == 0:
            try:
                await desk.round()
            except ChainUnreachable:
                port.killers[kills].join()
                kills += 1
                settled, applied = 0, port.sent[-1]
                await asyncio.to_thread(fragile.start)
                assert market.progress() in ((settled, applied), (settled, applied + 1)), (
                    "a chunk is whole or not"
                )
        writer.cancel()
        sequencer.close()

        assert kills == len(KILLED_AT)
        assert market.progress() == (1, 0)
        settled_firms = Counter(
            (event.args["account"], event.args["unitId"])
            for event in EventReader(ChainRpc(fragile.chain.url), market.deployment, ("Clearing",)).read(
                0, None
            )
            if event.name == "AccountSettled"
        )
        assert set(settled_firms.values()) == {1}
        assert set(settled_firms) == {(name, unit) for name, unit, _, _ in market.epoch()}
        assert {name for name, _ in settled_firms} == {account_text(f.address) for f in market.market.firms}
        market.require_settled(before, [market.epoch()])
