"""What a hostile or broken client can do to others: nothing."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time

import pytest

from exchange.binary import member_key, wire
from exchange.binary.client import Handshake
from exchange.binary.refusals import GatewayRefused
from exchange.binary.wire import Code
from exchange.core import records
from exchange.core.codes import ReportKind, Side
from exchange.core.records import REPORT_BYTES, Report
from tests.exchange.binary.conftest import Exchange, hear, hear_nothing, kinds, opened, until
from tests.exchange.binary.fakes import ANNA, BERT, SECRET
from tests.exchange.binary.test_handshake import last_word
from tests.exchange.binary.test_streaming import buy, has
from tests.exchange.core.streams import Stream, mutated, order_id

K = ReportKind
SECONDS = float(os.environ.get("CARAT_FUZZ_SECONDS", "4"))


async def works(exchange: Exchange, number: int) -> None:
    """Another member's order is answered."""
    async with await exchange.connect(BERT) as bert:
        await bert.send(buy(number, price=50))
        assert K.ACCEPTED in kinds(await hear(bert, has(K.RESTED)))


async def test_one_byte_at_a_time_is_as_good_as_all_at_once(exchange: Exchange) -> None:
    handshake = Handshake(ANNA, member_key(SECRET, ANNA), cancel_on_disconnect=False)
    reader, writer = await exchange.raw()

    async def drip(data: bytes) -> None:
        for each in data:
            writer.write(bytes([each]))
            await asyncio.sleep(0)

    await drip(handshake.hello)
    await drip(handshake.prove(await reader.readexactly(REPORT_BYTES)))
    welcome = await reader.readexactly(REPORT_BYTES)
    directory = await reader.readexactly(handshake.directory_bytes(welcome))
    handshake.check(welcome, directory)
    await drip(buy(1, 50, display=10) + buy(2))
    seen = await reader.readexactly(5 * REPORT_BYTES)
    assert list(seen[::REPORT_BYTES]) == [K.TERMS_STAGED, K.ACCEPTED, K.RESTED, K.ACCEPTED, K.RESTED]
    writer.close()


async def test_half_a_record_is_never_done(exchange: Exchange) -> None:
    runs = len(exchange.sequencer.runs)
    client = await exchange.connect()
    await client.send(buy(1)[:63])
    await hear_nothing(client)
    client.close()
    await asyncio.sleep(0.05)
    assert len(exchange.sequencer.runs) == runs


@pytest.mark.parametrize("sent", [b"", b"\xf0", wire.Hello(ANNA, 0, bytes(32)).pack()])
async def test_a_handshake_that_does_not_end_is_ended(sent: bytes) -> None:
    async with opened(handshake_s=0.2) as exchange:
        reader, writer = await exchange.raw()
        writer.write(sent)
        begun = time.monotonic()
        assert await last_word(reader) == (Code.HANDSHAKE_TIMEOUT, 200, 0)
        assert time.monotonic() - begun < 10
        writer.close()


async def test_a_slow_loris_is_ended_however_it_drips() -> None:
    async with opened(handshake_s=0.2) as exchange:
        reader, writer = await exchange.raw()

        async def drip() -> None:
            for each in wire.Hello(ANNA, 0, bytes(32)).pack():
                writer.write(bytes([each]))
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert (await last_word(reader))[0] == Code.HANDSHAKE_TIMEOUT
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        writer.close()


async def test_a_flood_of_connections_is_bounded_and_a_member_gets_in() -> None:
    async with opened(handshakes=16, handshake_s=30.0) as exchange:
        flood = []
        for _ in range(300):
            line = socket.socket()
            line.setblocking(False)
            line.connect_ex(("127.0.0.1", exchange.port))
            flood.append(line)
            if len(flood) % 50 == 0:
                await asyncio.sleep(0.02)
                assert exchange.gateway.connections <= 16
        await works(exchange, 1)
        assert exchange.gateway.connections <= 17
        for line in flood:
            line.close()


async def test_an_idle_member_is_ended_and_one_that_shows_life_is_not() -> None:
    async with opened(idle_s=0.8, heartbeat_s=5.0) as exchange:
        reader, writer = await exchange.raw()
        handshake = Handshake(ANNA, member_key(SECRET, ANNA), cancel_on_disconnect=False)
        writer.write(handshake.hello)
        writer.write(handshake.prove(await reader.readexactly(REPORT_BYTES)))
        lively = await exchange.connect(BERT)
        alive = asyncio.create_task(lively.receive())
        assert await last_word(reader) == (Code.IDLE, 800, 0)
        writer.close()
        await asyncio.sleep(1.0)
        assert not alive.done()
        alive.cancel()
        await asyncio.gather(alive, return_exceptions=True)
        lively.close()


async def test_the_server_shows_life_too() -> None:
    async with opened(heartbeat_s=0.1) as exchange, await exchange.connect() as client:
        assert await client._reader.readexactly(REPORT_BYTES) == wire.SERVER_HEARTBEAT


async def test_no_more_is_taken_than_may_be_in_flight() -> None:
    async with opened(in_flight_bytes=64 * 64) as exchange, await exchange.connect() as client:
        exchange.sequencer.hold()
        begun = len(exchange.sequencer.runs)
        for number in range(1, 3001):
            client._writer.write(buy(number, 1, 10))
        await until(lambda: sum(map(len, exchange.sequencer.runs[begun:])) >= 64 * 64)
        await asyncio.sleep(0.05)
        taken = sum(map(len, exchange.sequencer.runs[begun:]))
        assert taken < 64 * 64 + 256 * 1024
        assert taken < 3000 * 64
        exchange.sequencer.go_on()
        heard = await hear(client, has(K.RESTED, 3000))
        assert [each.id for each in heard if each.kind == K.ACCEPTED] == [order_id(n) for n in range(1, 3001)]


async def test_a_client_that_does_not_read_is_cut_off_and_others_live_on() -> None:
    async with opened(unread_bytes=64 * 1024) as exchange:
        client = await exchange.connect()
        client._writer.transport.pause_reading()
        await client.send(b"".join(buy(n, 1, 10) for n in range(1, 2001)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(20):
            for number in range(10_000):  # its fills go on while it does not read
                if not exchange.gateway.sessions:
                    break
                bulk = b"".join(
                    records.new_order(order_id(10**6 + number * 1000 + n), 2, 1, Side.SELL, 1, 10)
                    + records.new_order(order_id(10**8 + number * 1000 + n), 1, 1, Side.BUY, 1, 10)
                    for n in range(500)
                )
                await exchange.sequencer.submit(bulk)
        assert exchange.gateway.sessions == 0
        client.close()
        await works(exchange, 10**9)


async def test_a_client_that_only_sends_is_not_read_any_more() -> None:
    async with opened(unread_bytes=256 * 1024, in_flight_bytes=2**20) as exchange:
        client = await exchange.connect()
        client._writer.transport.pause_reading()
        begun = len(exchange.sequencer.runs)
        junk = bytes([99]) + bytes(63)
        for _ in range(400):
            client._writer.write(junk * 1024)
        await asyncio.sleep(0.5)
        assert len(exchange.sequencer.runs) == begun
        assert client._writer.transport.get_write_buffer_size() > 10_000_000  # of 26 MB
        client._writer.transport.abort()
        await works(exchange, 1)


async def test_garbage_from_a_member_is_answered_record_by_record(exchange: Exchange) -> None:
    rng = random.Random(3)
    async with await exchange.connect() as client:
        junk = b"".join(bytes([rng.choice((1, 7, 40, 200))]) + rng.randbytes(63) for _ in range(500))
        await client.send(junk)
        heard = await hear(client, has(K.REJECTED, 500))
        assert len(heard) == 500
    await works(exchange, 1)


def _is_ended(report: Report, name: bytes) -> bool:
    return report.id == name and report.kind in (K.CANCELLED, K.REJECTED)


async def test_random_bytes_for_some_seconds(exchange: Exchange) -> None:
    """No fault is logged (see the fixture), no invariant breaks, and a member trades all the while."""
    seed = random.SystemRandom().randrange(2**48)
    until = time.monotonic() + SECONDS
    rounds = 0

    async def stranger(rng: random.Random) -> None:
        _, writer = await exchange.raw()
        hello = wire.Hello(rng.randbytes(20), rng.randrange(2), rng.randbytes(32)).pack()
        writer.write(rng.choice((b"", hello)) + rng.randbytes(rng.choice((1, 63, 64, 65, 1000, 100_000))))
        await asyncio.sleep(0.01 * rng.random())
        (writer.transport.abort if rng.random() < 0.5 else writer.close)()

    async def member(rng: random.Random) -> None:
        try:
            client = await exchange.connect(ANNA, cancel_on_disconnect=rng.random() < 0.5)
        except GatewayRefused:  # her last sessions have not quite ended
            return
        junk = mutated(rng, Stream(rng, wild=0.1).run(100), rng.choice((0.05, 0.3, 1.0)))
        at = 0
        while at < len(junk):
            step = rng.choice((1, 63, 64, 200, 5000))
            client._writer.write(junk[at : at + step])
            at += step
            await asyncio.sleep(0)
        await asyncio.sleep(0.01 * rng.random())
        (client._writer.transport.abort if rng.random() < 0.5 else client.close)()

    async with await exchange.connect(BERT) as bert:
        while rounds < 3 or time.monotonic() < until:
            rounds += 1
            rng = random.Random(seed + rounds)
            await asyncio.gather(
                *(rng.choice((stranger, member))(random.Random(seed + rounds * 100 + n)) for n in range(4))
            )
            name = order_id(2**100 + rounds)
            await bert.send(records.new_order(name, 0, 1, Side.BUY, 1, 1) + records.cancel(name, 0))
            # A stray order of hers may fill it first: then the cancel is rejected.
            heard = await hear(bert, lambda heard, name=name: any(_is_ended(each, name) for each in heard))
            assert heard[0].kind == K.ACCEPTED, f"seed {seed}"
    exchange.sequencer.venue.engine.check()
