"""The rows about the gateways: HTTP and binary, in a process of their own; the client shares the machine's
cores.

The disk and other processes are waited for, so the wall clock counts.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson

from chain.bench.report import AT_MOST, Row, Target
from exchange.bench import server
from exchange.bench.book import BenchResultWrong
from exchange.bench.flows import BUY, NEW, flow
from exchange.bench.rows import SEED, Effort
from exchange.binary import BinaryClient, load, member_key
from exchange.client import place_order
from exchange.core.codes import Side
from exchange.journal import verify as verify_journal
from exchange.recompute import rebuild
from exchange.words import account_text

HTTP_BATCHES: Final = "http-batches"
HTTP_SINGLE: Final = "http-single"
BINARY: Final = "binary"
BINARY_PING: Final = "binary-ping-pong"
_ORDERS_A_REQUEST: Final = 100
_BATCH_CONNECTIONS: Final = 4
_SINGLE_CONNECTIONS: Final = 32
_MEMBERS: Final = 2
_MIDDLE_FEN: Final = 7_000
_READ_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class _Served:
    http: int
    binary: int
    secret: str


def http(name: str, effort: Effort, folder: Path) -> Row:
    """Orders over kept connections, each request answered when it is durable."""
    single = name == HTTP_SINGLE
    at_once = 1 if single else _ORDERS_A_REQUEST
    orders = effort.single_orders if single else effort.batched_orders
    connections = _SINGLE_CONNECTIONS if single else _BATCH_CONNECTIONS
    requests = orders // at_once
    bodies = [orjson.dumps(batch) for batch in _order_messages(requests * at_once, at_once)]
    with _served(folder / name) as served:
        elapsed_s, answers = _Clients(served, connections).ask_all(bodies)
    outcomes = [outcome for answer in answers for outcome in orjson.loads(answer)]
    taken = sum("reports" in outcome for outcome in outcomes)
    if taken != requests * at_once:
        raise BenchResultWrong(row=name, reason=f"{requests * at_once - taken} orders were not taken")
    trades = _check(name, folder / name, orders=requests * at_once)
    return Row(
        name,
        "HTTP, one order a request, durable" if single else f"HTTP, {at_once} orders a request, durable",
        "a second",
        Target(5e3 if single else 1e5),
        requests * at_once / elapsed_s,
        f"{requests:,} requests of {server.FIRMS} accounts over {connections} kept connections, on each "
        f"the next "
        "one when the one before is answered, to the product's gateway, sequencer, journal and history "
        "in a "
        "process of their own, without a chain; bodies made before, every answer read. By the wall "
        "clock; the "
        "client shares the cores. The journal is verified and replayed after.",
        details={
            "requests": requests,
            "orders": requests * at_once,
            "connections": connections,
            "trades": trades,
        },
    )


def pipelined(effort: Effort, folder: Path) -> Row:
    """Two members, one buying and one selling, with a window of commands in flight."""
    home = folder / BINARY
    count = effort.binary_orders // _MEMBERS
    with ExitStack() as stack:
        served = stack.enter_context(_served(home))
        members = [stack.enter_context(_member(served, number)) for number in range(_MEMBERS)]
        runs = [
            load.make_orders(
                member.instruments[server.UNIT], count, load.Flow(_MIDDLE_FEN, side=side), seed=int(side)
            )
            for member, side in zip(members, (Side.BUY, Side.SELL), strict=True)
        ]
        with ThreadPoolExecutor(max_workers=_MEMBERS) as threads:
            began = time.perf_counter()
            outcomes = list(threads.map(load.pipelined, members, runs))
            elapsed_s = time.perf_counter() - began
    accepted = sum(each.kinds["accepted"] for each in outcomes)
    if accepted != _MEMBERS * count:
        raise BenchResultWrong(row=BINARY, reason=f"{_MEMBERS * count - accepted} orders were not accepted")
    trades = _check(BINARY, home, orders=accepted)
    return Row(
        BINARY,
        "binary TCP gateway, pipelined, durable",
        "orders a second",
        Target(5e5),
        accepted / elapsed_s,
        f"{accepted:,} limit orders of {_MEMBERS} members, one buying and one selling, most of which "
        f"trade; at "
        "most 16,384 commands of each unanswered, 1,024 sent at once; every report read. The product's "
        "gateway, "
        "sequencer, journal and history in a process of their own. By the wall clock; the client shares "
        "the "
        "cores. The journal is verified and replayed after.",
        details={
            "answer_p50_us": max(each.p50_us for each in outcomes),
            "answer_p99_us": max(each.p99_us for each in outcomes),
            "reports": sum(each.reports for each in outcomes),
            "trades": trades,
        },
    )


def ping_pong(effort: Effort, folder: Path) -> Row:
    """One member who waits for each order's answer."""
    home = folder / BINARY_PING
    with _served(home) as served, _member(served, 0) as member:
        flow_ = load.Flow(_MIDDLE_FEN, passive=True)
        orders = load.make_orders(member.instruments[server.UNIT], effort.pings, flow_, seed=3)
        outcome = load.ping_pong(member, orders)
    if outcome.kinds["accepted"] != effort.pings:
        raise BenchResultWrong(row=BINARY_PING, reason="an order was not accepted")
    _check(BINARY_PING, home, orders=effort.pings)
    return Row(
        BINARY_PING,
        "binary TCP gateway, one order and its answer, p50, durable",
        "us",
        Target(500, sense=AT_MOST),
        outcome.p50_us,
        f"{effort.pings:,} limit orders of one member, each sent when the one before was answered, each "
        f"on disk "
        "before. By the wall clock; the client shares the cores. The journal is verified and replayed "
        "after.",
        details={"p50_us": outcome.p50_us, "p99_us": outcome.p99_us, "max_us": outcome.max_us},
    )


def _check(row: str, home: Path, *, orders: int) -> int:
    """Verify the journal and replay it; return its trades. Every order must be in it."""
    verify_journal(home / "journal")
    venue = rebuild(home / "journal", rows=True)
    if venue.history.orders != orders:
        raise BenchResultWrong(row=row, reason="orders are missing", orders=venue.history.orders)
    return venue.history.trades


@contextmanager
def _served(home: Path) -> Iterator[_Served]:
    command = [sys.executable, "-m", "exchange.bench.server", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    try:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        if len(ready) != 4:
            raise BenchResultWrong(row="gateway", reason="it did not start")
        yield _Served(int(ready[1]), int(ready[2]), ready[3])
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _member(served: _Served, number: int) -> BinaryClient:
    account = server.firm(number)
    key = member_key(bytes.fromhex(served.secret), account)
    return BinaryClient("127.0.0.1", served.binary, account, key)


def _order_messages(count: int, at_once: int) -> Iterator[list[dict[str, Any]]]:
    draw = Random(SEED)  # noqa: S311 - a benchmark's draws
    entering = (message for message in flow("normal", 4 * count + 100, SEED) if message[0] == NEW)
    messages: Iterator[Any] = (
        place_order(
            f"00000000-0000-0000-0000-{number:012x}",
            account_text(server.firm(draw.randrange(server.FIRMS))),
            server.UNIT_TEXT,
            "buy" if side == BUY else "sell",
            quantity,
            price,
        )
        for _, side, number, price, quantity in islice(entering, count)
    )
    return iter(lambda: list(islice(messages, at_once)), [])


class _Connection:
    """One kept connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.line = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._found = bytearray()

    def read(self) -> bytes | None:
        """Read what there is; return the answer's body once it is whole."""
        part = self.line.recv(_READ_BYTES)
        if not part:
            raise BenchResultWrong(row="http", reason="the gateway hung up")
        self._found += part
        end = self._found.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._found[:end]).lower()
        if not head.startswith(b"http/1.1 200"):
            raise BenchResultWrong(row="http", reason=head[:80].decode(errors="replace"))
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(self._found) < end + 4 + length:
            return None
        body = bytes(self._found[end + 4 :])
        self._found.clear()
        return body


class _Clients:
    """Connections of one thread, each asking the next request when it has its answer."""

    def __init__(self, served: _Served, connections: int) -> None:
        self._connections = [_Connection(served.http) for _ in range(connections)]
        self._head = (
            f"POST /commands HTTP/1.1\r\nHost: 127.0.0.1:{served.http}\r\n"
            f"Authorization: Bearer {served.secret}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()

    def ask_all(self, bodies: list[bytes]) -> tuple[float, list[bytes]]:
        """Ask everything; return how long it took and the answers, as they came."""
        requests = iter([b"%b%d\r\n\r\n%b" % (self._head, len(body), body) for body in bodies])
        answers: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            began = time.perf_counter()
            for connection, request in zip(self._connections, requests, strict=False):
                selector.register(connection.line, selectors.EVENT_READ, connection)
                connection.line.sendall(request)
            while len(answers) < len(bodies):
                for key, _ in selector.select(60):
                    body = key.data.read()
                    if body is None:
                        continue
                    answers.append(body)
                    request = next(requests, b"")
                    if request:
                        key.data.line.sendall(request)
            elapsed_s = time.perf_counter() - began
        for connection in self._connections:
            connection.line.close()
        return elapsed_s, answers
