"""Clients of the binary gateway: blocking, and for asyncio.

    with BinaryClient("127.0.0.1", port, account, key) as client:
        client.send(records.new_order(order_id, 0, client.instruments[unit].number, Side.BUY, 5, 7_000))
        for report in reports_of(client.receive()):
            ...

They do not reconnect: who does sends what is unanswered again under the same ids, and the core's DUPLICATE
tells what was done.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import selectors
import socket
import ssl as tls
import threading
import time
from typing import Final, NamedTuple, Self

from exchange.binary import wire
from exchange.binary.refusals import ConnectionEnded, GatewayRefused, OtherExchange, ServerUnproven
from exchange.binary.wire import HelloFlag, Kind, Welcome
from exchange.core.records import REPORT_BYTES, reports_of

_READ_BYTES: Final = 256 * 1024


class Instrument(NamedTuple):
    """What can be traded, and on which terms."""

    number: int
    tick_fen: int
    lot_t: int
    quantity_max_t: int


class Handshake:
    """The client's side of it, without a socket."""

    def __init__(self, account: bytes, key: bytes, *, cancel_on_disconnect: bool) -> None:
        self._key = key
        flags = HelloFlag.CANCEL_ON_DISCONNECT * cancel_on_disconnect
        self.hello = wire.Hello(account, flags, secrets.token_bytes(wire.NONCE_BYTES)).pack()
        self._challenge = self._proof = b""

    def prove(self, challenge: bytes) -> bytes:
        """Return the record that answers the server's challenge."""
        _require(challenge, Kind.CHALLENGE)
        self._challenge = challenge
        self._proof = wire.client_proof(self._key, self.hello, challenge)
        return wire.proof_record(self._proof)

    def directory_bytes(self, welcome: bytes) -> int:
        """Return how much follows the WELCOME."""
        _require(welcome, Kind.WELCOME)
        return Welcome.unpack(welcome).instruments * REPORT_BYTES

    def check(self, welcome: bytes, directory: bytes) -> Welcome:
        """Return what the server says of itself; raises ServerUnproven."""
        said = Welcome.unpack(welcome)
        blank = said._replace(proof=bytes(wire.PROOF_BYTES)).pack()
        proof = wire.server_proof(self._key, self.hello, self._challenge, self._proof, blank + directory)
        if not hmac.compare_digest(proof, said.proof):
            raise ServerUnproven
        return said


def _require(record: bytes, kind: Kind) -> None:
    if record[0] == Kind.REFUSED:
        raise GatewayRefused.of(record)
    if record[0] != kind or record[1:6] != wire.MAGIC:
        raise ServerUnproven(kind=record[0])


def _directory(records: bytes) -> dict[int, Instrument]:
    return {
        int.from_bytes(each.id, "little"): Instrument(each.instrument, each.price, each.left, each.quantity)
        for each in reports_of(records)
    }


class _Inbox:
    """Cuts what comes into whole records; heartbeats are left out."""

    def __init__(self) -> None:
        self._rest = b""

    def put(self, data: bytes) -> bytes:
        """Return the whole records that are there now."""
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % REPORT_BYTES
        self._rest = data[whole:]
        if whole != len(data):
            data = data[:whole]
        if Kind.HEARTBEAT in data[::REPORT_BYTES]:
            data = b"".join(
                data[at : at + REPORT_BYTES]
                for at in range(0, whole, REPORT_BYTES)
                if data[at] != Kind.HEARTBEAT
            )
        return data


def _last_word(reports: bytes) -> GatewayRefused | None:
    is_refused = reports[-REPORT_BYTES:][:1] == bytes([Kind.REFUSED])
    return GatewayRefused.of(reports[-REPORT_BYTES:]) if is_refused else None


class BinaryClient:
    """A member's connection, over a blocking socket. One thread may send while another one receives.

    Attributes
    ----------
    welcome :
        What the server said: participant number, limits, next sequence.
    instruments :
        By unit; those that are listed later come as LISTED reports.

    Raises
    ------
    GatewayRefused, ServerUnproven, OtherExchange, OSError
    """

    def __init__(
        self,
        host: str,
        port: int,
        account: bytes,
        key: bytes,
        *,
        chain_id: int | None = None,
        clearing: bytes | None = None,
        cancel_on_disconnect: bool = False,
        timeout_s: float = 5.0,
    ) -> None:
        self._inbox = _Inbox()
        self._refused: GatewayRefused | None = None
        self._sending = threading.Lock()
        self.socket = socket.create_connection((host, port), timeout_s)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            handshake = Handshake(account, key, cancel_on_disconnect=cancel_on_disconnect)
            self.socket.sendall(handshake.hello)
            self.socket.sendall(handshake.prove(self._exactly(REPORT_BYTES)))
            welcome = self._exactly(REPORT_BYTES)
            directory = self._exactly(handshake.directory_bytes(welcome))
            self.welcome = handshake.check(welcome, directory)
            _require_exchange(self.welcome, chain_id, clearing)
        except BaseException:
            self.socket.close()
            raise
        self.instruments = _directory(directory)
        self._sent_s = time.monotonic()
        self.socket.settimeout(None)  # a sender and a receiver cannot have a time-out each
        self._readable = selectors.DefaultSelector()
        self._readable.register(self.socket, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._readable.close()
        self.socket.close()

    def fileno(self) -> int:
        """Return the socket's number, to wait on."""
        return self.socket.fileno()

    def send(self, run: bytes) -> None:
        """Send commands, without waiting for what they do. TERMS and its order belong into one run.

        Blocks while the gateway takes no more, as it does while its reports are not read: so receive as well.
        """
        with self._sending:
            self.socket.sendall(run)
            self._sent_s = time.monotonic()

    def receive(self, timeout_s: float | None = None) -> bytes:
        """Return the next reports, whole and at least one; sends signs of life while it waits.

        Raises
        ------
        TimeoutError :
            None came in time.
        GatewayRefused :
            The gateway ended the session. What came before it was returned before.
        ConnectionEnded :
            The line broke.
        """
        if self._refused is not None:
            raise self._refused
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            reports = self._inbox.put(self._read(deadline_s))
            self._refused = _last_word(reports)
            if self._refused is not None:
                reports = reports[:-REPORT_BYTES]
                if not reports:
                    raise self._refused
            if reports:
                return reports

    def _read(self, deadline_s: float | None) -> bytes:
        while True:
            now_s = time.monotonic()
            rest_s = self._sent_s + self.welcome.idle_ms / 3_000 - now_s
            if rest_s <= 0:
                self.send(wire.heartbeat())
                continue
            if deadline_s is not None:
                if deadline_s <= now_s:
                    raise TimeoutError
                rest_s = min(rest_s, deadline_s - now_s)
            if not self._readable.select(rest_s):
                continue
            try:
                data = self.socket.recv(_READ_BYTES)
            except OSError as error:
                raise ConnectionEnded from error
            if not data:
                raise ConnectionEnded
            return data

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionEnded
            data += part
            if data[0] == Kind.REFUSED:
                size = REPORT_BYTES
        return data


def _require_exchange(said: Welcome, chain_id: int | None, clearing: bytes | None) -> None:
    if chain_id not in (None, said.chain_id) or clearing not in (None, said.clearing):
        raise OtherExchange(chain_id=said.chain_id, clearing="0x" + said.clearing.hex())


class AsyncBinaryClient:
    """The same for asyncio: `connect`, `send`, `receive`, `close`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, welcome: Welcome, directory: bytes
    ) -> None:
        self.welcome = welcome
        self.instruments = _directory(directory)
        self._reader, self._writer = reader, writer
        self._inbox = _Inbox()
        self._refused: GatewayRefused | None = None

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        account: bytes,
        key: bytes,
        *,
        chain_id: int | None = None,
        clearing: bytes | None = None,
        cancel_on_disconnect: bool = False,
        ssl: tls.SSLContext | None = None,
    ) -> Self:
        """Connect and prove; raises as `BinaryClient`."""
        reader, writer = await asyncio.open_connection(host, port, limit=_READ_BYTES, ssl=ssl)
        try:
            handshake = Handshake(account, key, cancel_on_disconnect=cancel_on_disconnect)
            writer.write(handshake.hello)
            writer.write(handshake.prove(await reader.readexactly(REPORT_BYTES)))
            welcome = await reader.readexactly(REPORT_BYTES)
            directory = await reader.readexactly(handshake.directory_bytes(welcome))
            said = handshake.check(welcome, directory)
            _require_exchange(said, chain_id, clearing)
        except asyncio.IncompleteReadError as error:
            writer.close()
            raise ConnectionEnded from error
        except BaseException:
            writer.close()
            raise
        return cls(reader, writer, said, directory)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def send(self, run: bytes) -> None:
        """Send commands, without waiting for what they do."""
        self._writer.write(run)
        await self._writer.drain()

    async def receive(self) -> bytes:
        """Return the next reports, whole and at least one; sends signs of life while it waits."""
        if self._refused is not None:
            raise self._refused
        while True:
            try:
                data = await asyncio.wait_for(self._reader.read(_READ_BYTES), self.welcome.idle_ms / 3_000)
            except TimeoutError:
                self._writer.write(wire.heartbeat())
                continue
            except ConnectionError as error:
                raise ConnectionEnded from error
            if not data:
                raise ConnectionEnded
            reports = self._inbox.put(data)
            self._refused = _last_word(reports)
            if self._refused is not None:
                reports = reports[:-REPORT_BYTES]
                if not reports:
                    raise self._refused
            if reports:
                return reports
