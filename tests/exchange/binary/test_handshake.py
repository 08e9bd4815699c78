"""Who gets in, and that a client knows whom it talks to."""

from __future__ import annotations

import asyncio
import hashlib
import hmac

import pytest

from exchange.binary import AsyncBinaryClient, member_key, wire
from exchange.binary.client import Handshake, Instrument
from exchange.binary.refusals import ConnectionEnded, GatewayRefused, OtherExchange, ServerUnproven
from exchange.binary.wire import Code
from exchange.core.records import REPORT_BYTES
from tests.exchange.binary.conftest import Exchange, opened, until
from tests.exchange.binary.fakes import ANNA, BERT, CHAIN_ID, CLEARING, OTHER_UNIT, SECRET, UNIT

STRANGER = b"\x77" * 20


async def last_word(reader: asyncio.StreamReader) -> tuple[Code, int, int]:
    """Everything until the end; the last record is why."""
    async with asyncio.timeout(10):
        data = await reader.read()
    assert data[-REPORT_BYTES] == wire.Kind.REFUSED
    code, a, b = wire.read_refused(data[-REPORT_BYTES:])
    return Code(code), a, b


def test_a_members_key_is_a_mac_of_its_account() -> None:
    assert member_key(SECRET, ANNA) == hmac.new(SECRET, b"carat member key" + ANNA, hashlib.sha256).digest()
    assert member_key(SECRET, ANNA) != member_key(SECRET, BERT)
    with pytest.raises(ValueError, match="20 bytes"):
        member_key(SECRET, ANNA[1:])


async def test_a_member_is_told_where_it_is(exchange: Exchange) -> None:
    await exchange.sequencer.list_unit(OTHER_UNIT, tick=5, lot=10)
    async with await exchange.connect(BERT, chain_id=CHAIN_ID, clearing=CLEARING) as client:
        said = client.welcome
        assert (said.participant, said.chain_id, said.clearing) == (2, CHAIN_ID, CLEARING)
        assert said.next_sequence == exchange.sequencer.venue.engine.counters()["sequence"] + 1
        assert (said.idle_ms, said.heartbeat_ms, said.in_flight_bytes) == (30_000, 10_000, 2**20)
        assert client.instruments == {
            UNIT: Instrument(1, 1, 1, 10**6),
            OTHER_UNIT: Instrument(2, 5, 10, 10**6),
        }


async def test_a_new_account_is_registered_once_its_proof_is_right(exchange: Exchange) -> None:
    with pytest.raises(GatewayRefused):
        await AsyncBinaryClient.connect("127.0.0.1", exchange.port, STRANGER, bytes(32))
    assert exchange.sequencer.venue.engine.participant(STRANGER) == 0
    async with await exchange.connect(STRANGER) as client:
        assert client.welcome.participant == 4
    assert exchange.sequencer.venue.engine.participant(STRANGER) == 4


@pytest.mark.parametrize(
    "key",
    [bytes(32), SECRET, member_key(SECRET, BERT), member_key(bytes(32), ANNA)],
    ids=["zeros", "the secret itself", "another member's", "of another gateway"],
)
async def test_a_wrong_key_is_refused(exchange: Exchange, key: bytes) -> None:
    with pytest.raises(GatewayRefused) as refusal:
        await AsyncBinaryClient.connect("127.0.0.1", exchange.port, ANNA, key)
    assert refusal.value.facts["reason"] == "PROOF_WRONG"
    assert exchange.gateway.sessions == 0


async def test_a_replayed_proof_is_refused(exchange: Exchange) -> None:
    handshake = Handshake(ANNA, member_key(SECRET, ANNA), cancel_on_disconnect=False)
    reader, writer = await exchange.raw()
    writer.write(handshake.hello)
    proof = handshake.prove(await reader.readexactly(REPORT_BYTES))
    writer.write(proof)
    assert (await reader.readexactly(REPORT_BYTES))[0] == wire.Kind.WELCOME
    writer.close()
    reader, writer = await exchange.raw()
    writer.write(handshake.hello + proof)
    assert await last_word(reader) == (Code.PROOF_WRONG, 0, 0)
    writer.close()


async def test_every_challenge_is_fresh(exchange: Exchange) -> None:
    seen = set()
    for _ in range(8):
        reader, writer = await exchange.raw()
        writer.write(wire.Hello(ANNA, 0, bytes(32)).pack())
        seen.add(await reader.readexactly(REPORT_BYTES))
        writer.close()
    assert len(seen) == 8


@pytest.mark.parametrize("at", [0, 1, 5, 10, 11])
async def test_a_first_record_that_is_no_hello_is_refused(exchange: Exchange, at: int) -> None:
    record = bytearray(wire.Hello(ANNA, 0, bytes(32)).pack())
    record[at] ^= 0x40
    reader, writer = await exchange.raw()
    writer.write(record)
    assert (await last_word(reader))[0] == Code.PROTOCOL
    writer.close()


async def test_another_version_is_told_which_is_spoken(exchange: Exchange) -> None:
    record = bytearray(wire.Hello(ANNA, 0, bytes(32)).pack())
    record[6:8] = (9).to_bytes(2, "little")
    reader, writer = await exchange.raw()
    writer.write(record)
    assert await last_word(reader) == (Code.VERSION, 9, wire.VERSION)
    writer.close()


async def test_unknown_flags_are_refused(exchange: Exchange) -> None:
    reader, writer = await exchange.raw()
    writer.write(wire.Hello(ANNA, 0x8000, bytes(32)).pack())
    assert (await last_word(reader))[0] == Code.PROTOCOL
    writer.close()


async def test_commands_in_place_of_the_proof_reach_nobody(exchange: Exchange) -> None:
    runs = len(exchange.sequencer.runs)
    reader, writer = await exchange.raw()
    writer.write(wire.Hello(ANNA, 0, bytes(32)).pack() + bytes([13]) * 640)
    assert await last_word(reader) == (Code.PROTOCOL, 13, 0)
    writer.close()
    assert len(exchange.sequencer.runs) == runs


class Impostor:
    """A process on the exchange's port that does not know the member's key."""

    def __init__(self, welcome: bytes) -> None:
        self.welcome = welcome

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(64)
        writer.write(wire.challenge_record(bytes(32)))
        await reader.readexactly(64)
        writer.write(self.welcome)
        await writer.drain()
        writer.close()


@pytest.mark.parametrize(
    "welcome",
    [
        wire.Welcome(1, 0, CHAIN_ID, CLEARING, 1, 1_000, 1_000, 1, 1, 1, 1, b"\x01" * 32).pack(),
        b"HTTP/1.1 400 Bad Request\r\n".ljust(REPORT_BYTES),
    ],
    ids=["welcome", "something else"],
)
async def test_a_server_that_does_not_know_the_key_is_found_out(welcome: bytes) -> None:
    server = await asyncio.start_server(Impostor(welcome), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ServerUnproven):
        await AsyncBinaryClient.connect("127.0.0.1", port, ANNA, member_key(SECRET, ANNA))
    server.close()
    await server.wait_closed()


def test_no_byte_of_welcome_or_directory_can_be_changed_on_the_way() -> None:
    key = member_key(SECRET, ANNA)
    handshake = Handshake(ANNA, key, cancel_on_disconnect=False)
    challenge = wire.challenge_record(b"\x05" * 32)
    proof = wire.read_proof(handshake.prove(challenge))
    assert proof is not None
    blank = wire.Welcome(1, 1, CHAIN_ID, CLEARING, 1, 1_000, 1_000, 1, 1, 1, 1)
    directory = wire.directory_record(1, UNIT, 1, 1, 10)
    shown = wire.server_proof(key, handshake.hello, challenge, proof, blank.pack() + directory)
    welcome = blank._replace(proof=shown).pack()
    assert handshake.check(welcome, directory).participant == 1
    everything = welcome + directory
    unchecked = {
        *range(8),
        14,
        15,
        *range(80, 96),
    }  # kind and magic are looked at before; zeros carry nothing
    for at in {*range(256)} - unchecked:
        changed = bytearray(everything)
        changed[at] ^= 1
        with pytest.raises(ServerUnproven):
            handshake.check(bytes(changed[:128]), bytes(changed[128:]))


async def test_a_client_that_was_told_of_another_exchange_hangs_up(exchange: Exchange) -> None:
    with pytest.raises(OtherExchange):
        await exchange.connect(chain_id=1)
    with pytest.raises(OtherExchange):
        await exchange.connect(clearing=bytes(20))


async def test_an_account_has_so_many_sessions_and_others_still_get_in(exchange: Exchange) -> None:
    clients = [await exchange.connect() for _ in range(4)]
    with pytest.raises(GatewayRefused) as refusal:
        await exchange.connect()
    assert refusal.value.facts == {"reason": "ACCOUNT_SESSIONS_FULL", "a": 4, "b": 0}
    (await exchange.connect(BERT)).close()
    clients[0].close()
    await until(lambda: exchange.gateway.sessions == 3)
    (await exchange.connect()).close()
    for client in clients:
        client.close()


async def test_there_are_so_many_sessions_in_all() -> None:
    async with opened(sessions=1) as exchange, await exchange.connect():
        with pytest.raises(GatewayRefused) as refusal:
            await exchange.connect(BERT)
        assert refusal.value.facts == {"reason": "SESSIONS_FULL", "a": 1, "b": 0}


async def test_a_failed_journal_lets_nobody_new_in(exchange: Exchange) -> None:
    exchange.sequencer.fail()
    with pytest.raises(GatewayRefused) as refusal:
        await exchange.connect(STRANGER)
    assert refusal.value.facts["reason"] == "JOURNAL_UNAVAILABLE"


async def test_a_closed_gateway_tells_its_members_and_takes_nobody() -> None:
    async with opened() as exchange:
        client = await exchange.connect()
        port = exchange.port
        closing = asyncio.create_task(exchange.gateway.wait_closed())
        with pytest.raises(GatewayRefused) as refusal:
            await client.receive()
        assert refusal.value.facts["reason"] == "CLOSING"
        client.close()
        await closing
        with pytest.raises((OSError, ConnectionEnded)):
            await AsyncBinaryClient.connect("127.0.0.1", port, ANNA, member_key(SECRET, ANNA))
