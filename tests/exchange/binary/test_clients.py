"""The blocking client and the load generator, each in a thread or process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from exchange.binary import BinaryClient, member_key, wire
from exchange.binary.client import Instrument
from exchange.binary.load import Flow, make_orders
from exchange.binary.refusals import ConnectionEnded, GatewayRefused, OtherExchange
from exchange.core import records
from exchange.core.codes import CommandKind, ReportKind, Side
from exchange.core.records import COMMAND, REPORT_BYTES, Command, reports_of
from tests.exchange.binary.conftest import Exchange, kinds, opened
from tests.exchange.binary.fakes import ANNA, CHAIN_ID, CLEARING, SECRET, UNIT
from tests.exchange.binary.test_streaming import buy
from tests.exchange.core.streams import order_id

T = TypeVar("T")
K = ReportKind
INSTRUMENT = Instrument(1, 1, 1, 10**6)


async def beside(exchange: Exchange, act: Callable[[BinaryClient], T], **more: Any) -> T:
    """Run `act` in a thread, with a client of Anna's."""

    def work() -> T:
        with BinaryClient("127.0.0.1", exchange.port, ANNA, member_key(SECRET, ANNA), **more) as client:
            return act(client)

    async with asyncio.timeout(20):
        return await asyncio.to_thread(work)


async def test_a_blocking_client_trades(exchange: Exchange) -> None:
    def act(client: BinaryClient) -> bytes:
        number = client.instruments[UNIT].number
        client.send(records.new_order(order_id(1), 0, number, Side.BUY, 5, 100))
        return client.receive(5)

    reports = list(reports_of(await beside(exchange, act, chain_id=CHAIN_ID, clearing=CLEARING)))
    assert kinds(reports) == [K.ACCEPTED, K.RESTED]


async def test_answers_to_heartbeats_are_not_shown(exchange: Exchange) -> None:
    def act(client: BinaryClient) -> bytes:
        client.send(wire.heartbeat(b"x" * 16) + buy(1) + wire.heartbeat(b"y" * 16))
        seen = b""
        while len(seen) < 2 * REPORT_BYTES:
            seen += client.receive(5)
        with pytest.raises(TimeoutError):
            client.receive(0.05)
        return seen

    assert kinds(list(reports_of(await beside(exchange, act)))) == [K.ACCEPTED, K.RESTED]


async def test_a_waiting_client_shows_signs_of_life() -> None:
    def act(client: BinaryClient) -> float:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            client.receive(1.8)
        return time.monotonic() - begun

    async with opened(idle_s=0.6) as exchange:
        assert 1.7 < await beside(exchange, act) < 6


async def test_a_refusal_comes_after_what_came_before_it(exchange: Exchange) -> None:
    loop = asyncio.get_running_loop()

    def act(client: BinaryClient) -> bytes:
        client.send(buy(1))
        time.sleep(0.05)
        loop.call_soon_threadsafe(exchange.gateway.close)
        time.sleep(0.05)
        seen = client.receive(5)
        for _ in range(2):
            with pytest.raises(GatewayRefused):
                client.receive(5)
        return seen

    assert kinds(list(reports_of(await beside(exchange, act)))) == [K.ACCEPTED, K.RESTED]


async def test_a_line_that_breaks_is_told(exchange: Exchange) -> None:
    loop = asyncio.get_running_loop()

    def act(client: BinaryClient) -> None:
        (session,) = exchange.gateway._admitted
        loop.call_soon_threadsafe(session.abort)
        with pytest.raises(ConnectionEnded):
            client.receive(5)

    await beside(exchange, act)


async def test_the_wrong_key_or_exchange_is_refused(exchange: Exchange) -> None:
    with pytest.raises(OtherExchange):
        await beside(exchange, BinaryClient.fileno, chain_id=1)
    with pytest.raises(GatewayRefused):
        await asyncio.to_thread(BinaryClient, "127.0.0.1", exchange.port, ANNA, bytes(32))


def test_orders_for_load_are_whole_records_with_fresh_ids() -> None:
    run = make_orders(INSTRUMENT, 100, Flow(7_000, cancel_every=4))
    commands = [Command._make(each) for each in COMMAND.iter_unpack(run)]
    assert [each.kind for each in commands[:4]] == [13, 13, 13, CommandKind.CANCEL]
    assert len({each.id for each in commands if each.kind == CommandKind.NEW}) == 75
    assert commands[3].id == commands[2].id
    assert make_orders(INSTRUMENT, 4, Flow(7_000))[16:32] != run[16:32]


@pytest.mark.parametrize("passive", [True, False])
def test_passive_load_does_not_cross_and_other_load_does(passive: bool) -> None:
    run = make_orders(INSTRUMENT, 64, Flow(7_000, passive=passive))
    commands = [Command._make(each) for each in COMMAND.iter_unpack(run)]
    bid = max(each.price for each in commands if each.side == Side.BUY)
    ask = min(each.price for each in commands if each.side == Side.SELL)
    assert (bid < ask) == passive


@pytest.mark.parametrize("mode", ["pipelined", "ping-pong"])
async def test_the_load_generator_counts_every_order(exchange: Exchange, mode: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exchange.binary.load", mode, "--port", str(exchange.port)),
        *("--account", "0x" + ANNA.hex(), "--key", member_key(SECRET, ANNA).hex()),
        *("--unit", str(UNIT), "--orders", "2500", "--window", "512", "--chunk", "100", "--passive"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    figures = json.loads(out)
    assert figures["commands"] == figures["kinds"]["accepted"] == figures["kinds"]["rested"] == 2_500
    assert figures["reports"] == 5_000
    assert 0 < figures["p50_us"] <= figures["p99_us"] <= figures["max_us"]
    assert exchange.sequencer.venue.engine.counters()["open_orders"] == 2_500


async def test_the_load_generator_says_why_it_cannot(exchange: Exchange) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exchange.binary.load", "pipelined", "--port", str(exchange.port)),
        *("--account", "0x" + ANNA.hex(), "--key", bytes(32).hex()),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"PROOF_WRONG" in errors
