"""The rows about the product's path as it is: commands through sequencer and journal, and through HTTP.

Here the disk and other processes are waited for, so the wall clock counts.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import orjson

from chain.bench.report import Row, Target
from exchange.bench import server
from exchange.bench.book import BenchResultWrong
from exchange.bench.flows import BUY, NEW, flow
from exchange.client import place_order
from exchange.commands import Command, OrderKind, PlaceOrder, Side
from exchange.invariants import check
from exchange.journal import Journal, verify
from exchange.sequencer import Sequencer
from exchange.wire import account_text

DURABLE: Final = "durable"
HTTP_BATCHES: Final = "http-batches"
HTTP_SINGLE: Final = "http-single"
_BATCH: Final = 1_024
_SEED: Final = 23
_ORDERS_A_REQUEST: Final = 100
_UNIT_TEXT: Final = "allowance-2026"


def durable(folder: Path, *, quick: bool) -> Row:
    """Batches of orders through the sequencer: journal, fdatasync, engine, reports."""
    count = (4 if quick else 40) * _BATCH
    elapsed_s, commits_ms = asyncio.run(_submit(folder / "durable", _orders(count)))
    summary = verify(folder / "durable")
    if summary.commands != count + len(server.opening()):
        raise BenchResultWrong(row=DURABLE, reason="the journal lacks commands", commands=summary.commands)
    return Row(
        DURABLE,
        "durable: journal on disk before the reports are released",
        "a second",
        Target(3e6),
        count / elapsed_s,
        f"{count:,} limit orders through the product's sequencer, {_BATCH:,} at a time, the next batch "
        "offered while the one before is written; each is on disk (fdatasync) before its reports exist. By "
        "the wall clock. The journal is verified and every invariant checked after.",
        details={"commit_p50_ms": round(median(commits_ms), 3), "commit_max_ms": round(max(commits_ms), 3)},
    )


def http(name: str, folder: Path, *, quick: bool) -> Row:
    """Orders through the gateway over one kept connection, each request answered when it is durable."""
    single = name == HTTP_SINGLE
    at_once = 1 if single else _ORDERS_A_REQUEST
    requests = (50 if quick else 2_000) if single else (10 if quick else 200)
    bodies = [orjson.dumps(batch) for batch in _order_messages(requests * at_once, at_once)]
    with _gateway(folder / name) as (port, secret), _connected(port, secret) as ask:
        began = time.perf_counter()
        answers = [ask(body) for body in bodies]
        elapsed_s = time.perf_counter() - began
    outcomes = [outcome for answer in answers for outcome in orjson.loads(answer)]
    taken = sum("reports" in outcome for outcome in outcomes)
    if taken != requests * at_once:
        raise BenchResultWrong(row=name, reason=f"{requests * at_once - taken} orders were not taken")
    return Row(
        name,
        "HTTP, one order a request, durable" if single else f"HTTP, {at_once} orders a request, durable",
        "a second",
        Target(5e3 if single else 1e5),
        requests * at_once / elapsed_s,
        f"{requests:,} requests, one after the other over one connection, to the product's gateway, "
        "sequencer and journal in a process of their own, without a chain; bodies prepared before, every "
        "answer read after. By the wall clock; the client shares the cores.",
        details={"requests": requests, "orders": requests * at_once},
    )


async def _submit(path: Path, orders: Iterator[PlaceOrder]) -> tuple[float, list[float]]:
    sequencer = Sequencer(Journal.open(path, server.IDENTITY))
    sequencer.replay()
    writer = asyncio.create_task(sequencer.run())
    commits_ms: list[float] = []

    async def submit(batch: Sequence[Command]) -> None:
        began = time.perf_counter()
        outcomes = await sequencer.submit(batch)
        commits_ms.append((time.perf_counter() - began) * 1_000)
        if not all(isinstance(outcome, list) for outcome in outcomes):
            raise BenchResultWrong(row=DURABLE, reason="an order was refused")

    try:
        await sequencer.submit(server.opening())
        batches = [list(batch) for batch in iter(lambda: list(islice(orders, _BATCH)), [])]
        began = time.perf_counter()
        before: asyncio.Task[None] | None = None
        for batch in batches:
            now = asyncio.create_task(submit(batch))
            if before is not None:
                await before
            before = now
        if before is not None:
            await before
        elapsed_s = time.perf_counter() - began
        check(sequencer.state)
    finally:
        writer.cancel()
        sequencer.close()
    return elapsed_s, commits_ms


def _limits(count: int) -> Iterator[tuple[int, Side, int, int, int]]:
    """Draw limit orders around a middle: number, side, price, quantity, firm."""
    draw = Random(_SEED)  # noqa: S311 - a benchmark's draws
    entering = (message for message in flow("normal", 4 * count, _SEED) if message[0] == NEW)
    for _, side, number, price, quantity in islice(entering, count):
        yield number, Side.BUY if side == BUY else Side.SELL, price, quantity, draw.randrange(server.FIRMS)


def _orders(count: int) -> Iterator[PlaceOrder]:
    for number, side, price, quantity, firm in _limits(count):
        name = number.to_bytes(16, "big")
        yield PlaceOrder(
            name, server.firm(firm), server.UNIT, side, OrderKind.LIMIT, quantity, price, 10**15 + number
        )


def _order_messages(count: int, at_once: int) -> Iterator[list[dict[str, Any]]]:
    messages = (
        place_order(
            f"00000000-0000-0000-0000-{number:012x}",
            account_text(server.firm(firm)),
            _UNIT_TEXT,
            "buy" if side == Side.BUY else "sell",
            quantity,
            price,
        )
        for number, side, price, quantity, firm in _limits(count)
    )
    return iter(lambda: list(islice(messages, at_once)), [])


@contextmanager
def _gateway(journal: Path) -> Iterator[tuple[int, str]]:
    command = [sys.executable, "-m", "exchange.bench.server", str(journal)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    try:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        if len(ready) != 3:
            raise BenchResultWrong(row="http", reason="the gateway did not start")
        yield int(ready[1]), ready[2]
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextmanager
def _connected(port: int, secret: str) -> Iterator[Callable[[bytes], bytes]]:
    head = (
        f"POST /commands HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {secret}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask(body: bytes) -> bytes:
            connection.sendall(b"%b%d\r\n\r\n%b" % (head, len(body), body))
            return _answer(connection)

        yield ask


def _answer(connection: socket.socket) -> bytes:
    found = bytearray()
    while (end := found.find(b"\r\n\r\n")) < 0:
        found += _more(connection)
    head = bytes(found[:end]).lower()
    if not head.startswith(b"http/1.1 200"):
        raise BenchResultWrong(row="http", reason=head[:80].decode(errors="replace"))
    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(found) < end + 4 + length:
        found += _more(connection)
    return bytes(found[end + 4 :])


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(1 << 18)
    if not part:
        raise BenchResultWrong(row="http", reason="the gateway hung up")
    return part
