"""Load on a binary gateway, and what came of it as JSON.

    python -m exchange.binary.load --port PORT --account 0x... --key HEX --unit UNIT pipelined --orders 500000
    python -m exchange.binary.load --port PORT --account 0x... --key HEX --unit UNIT ping-pong --orders 2000

Records are made before the clock starts. *pipelined* keeps a window of commands in flight; a heartbeat after
each chunk, answered in its place, says when a chunk is answered and how long it took. *ping-pong* waits for
each order's answer.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from chain.refusals import Refusal
from exchange.binary import wire
from exchange.binary.client import BinaryClient, Instrument
from exchange.binary.wire import Kind
from exchange.core.codes import OrderType, ReportKind, SelfTrade, Side, TimeInForce
from exchange.core.records import COMMAND, COMMAND_BYTES, REPORT_BYTES, CommandKind

_ANSWERS: Final = (ReportKind.ACCEPTED, ReportKind.REJECTED, ReportKind.DUPLICATE)
_COUNTED: Final = (*_ANSWERS, ReportKind.TRADE, ReportKind.CANCELLED, ReportKind.RESTED)
_READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Flow:
    """What the orders are like. Prices lie `levels` ticks around `mid_fen`."""

    mid_fen: int
    levels: int = 8
    lots: int = 1
    cancel_every: int = 0
    """One in so many is a cancel; 0: none."""
    side: Side | None = None
    """One side only; None: by turns. A member does not trade with itself: that takes two, a side each."""
    passive: bool = False
    """Buys stay below the middle and sales above it: nothing trades."""


def make_orders(instrument: Instrument, count: int, flow: Flow, seed: int | None = None) -> bytes:
    """Return `count` commands, 64 bytes each. Ids are fresh."""
    prefix = os.urandom(8) if seed is None else seed.to_bytes(8, "little")
    quantity = flow.lots * instrument.lot_t
    out = bytearray(count * COMMAND_BYTES)
    for at in range(count):
        name = prefix + struct.pack("<Q", at + 1)
        if flow.cancel_every and at % flow.cancel_every == flow.cancel_every - 1:
            earlier = prefix + struct.pack("<Q", at)
            fields: tuple[Any, ...] = (CommandKind.CANCEL, 0, 0, 0, 0, 0, 0, 0, 0, earlier, 0, 0, 0, 0)
        else:
            side = flow.side or (Side.BUY if at & 1 else Side.SELL)
            step = 1 + (at * 7919 >> 1) % flow.levels - (0 if flow.passive else flow.levels // 2)
            price = flow.mid_fen + instrument.tick_fen * (-step if side == Side.BUY else step)
            fields = (
                *(CommandKind.NEW, side, OrderType.LIMIT, TimeInForce.GTC, 0, SelfTrade.CANCEL_MAKER),
                *(instrument.number, 0, 0, name, quantity, price, 0, 0),
            )
        COMMAND.pack_into(out, at * COMMAND_BYTES, *fields)
    return bytes(out)


@dataclass
class Outcome:
    """Figures of a run; times in microseconds."""

    mode: str
    commands: int
    seconds: float
    per_second: int
    reports: int
    p50_us: int
    p99_us: int
    max_us: int
    kinds: dict[str, int]


def _outcome(
    mode: str, commands: int, seconds: float, reports: int, times_us: Sequence[float], kinds: Sequence[int]
) -> Outcome:
    ordered = sorted(times_us)
    return Outcome(
        mode=mode,
        commands=commands,
        seconds=round(seconds, 4),
        per_second=int(commands / seconds),
        reports=reports,
        p50_us=int(ordered[len(ordered) // 2]),
        p99_us=int(ordered[len(ordered) * 99 // 100]),
        max_us=int(ordered[-1]),
        kinds={kind.name.lower(): count for kind, count in zip(_COUNTED, kinds, strict=True)},
    )


def pipelined(client: BinaryClient, orders: bytes, *, window: int = 16_384, chunk: int = 1_024) -> Outcome:
    """Send all orders with at most `window` commands unanswered."""
    line = client.socket
    chunks = [
        orders[at : at + chunk * COMMAND_BYTES] + wire.heartbeat(at.to_bytes(16, "little"))
        for at in range(0, len(orders), chunk * COMMAND_BYTES)
    ]
    ahead = max(1, window // chunk)
    kinds = [0] * len(_COUNTED)
    sent_at: deque[float] = deque()
    times_us: list[float] = []
    reports = next_chunk = offset = 0
    rest = b""
    line.setblocking(False)
    started = time.perf_counter()
    while len(times_us) < len(chunks):
        may_send = next_chunk < len(chunks) and len(sent_at) < ahead + bool(offset)
        readable, writable, _ = select.select([line], [line] if may_send else [], [], 30)
        if not readable and not writable:
            raise TimeoutError("no answer for 30 s")
        if writable:
            if not offset:
                sent_at.append(time.perf_counter())
            offset += line.send(memoryview(chunks[next_chunk])[offset:])
            if offset == len(chunks[next_chunk]):
                next_chunk, offset = next_chunk + 1, 0
        if readable:
            rest, seen, beats = _receive(line, rest, kinds)
            reports += seen
            now = time.perf_counter()
            times_us.extend((now - sent_at.popleft()) * 1e6 for _ in range(beats))
    seconds = time.perf_counter() - started
    return _outcome("pipelined", len(orders) // COMMAND_BYTES, seconds, reports, times_us, kinds)


def _receive(line: socket.socket, rest: bytes, kinds: list[int]) -> tuple[bytes, int, int]:
    """Return what is left of a record, how many reports came, and how many heartbeats were answered."""
    data = line.recv(_READ_BYTES)
    if not data:
        raise ConnectionError("the gateway hung up")
    data = rest + data
    whole = len(data) - len(data) % REPORT_BYTES
    column = data[:whole:REPORT_BYTES]
    if Kind.REFUSED in column:
        raise ConnectionError(f"the gateway refused: {wire.read_refused(data[whole - REPORT_BYTES : whole])}")
    for at, kind in enumerate(_COUNTED):
        kinds[at] += column.count(kind)
    beats = (
        [at for at, kind in enumerate(column) if kind == Kind.HEARTBEAT] if Kind.HEARTBEAT in column else []
    )
    answered = sum(
        any(data[at * REPORT_BYTES + 88 : at * REPORT_BYTES + 96]) for at in beats
    )  # others: the server's
    return data[whole:], len(column) - len(beats), answered


def ping_pong(client: BinaryClient, orders: bytes) -> Outcome:
    """Send one order, wait for its answer, and so on."""
    line = client.socket
    line.setblocking(True)
    kinds = [0] * len(_COUNTED)
    times_us = []
    reports = 0
    rest = b""
    started = time.perf_counter()
    for at in range(0, len(orders), COMMAND_BYTES):
        begun = time.perf_counter()
        line.sendall(orders[at : at + COMMAND_BYTES])
        answered = sum(kinds[: len(_ANSWERS)])
        while sum(kinds[: len(_ANSWERS)]) == answered:
            rest, seen, _ = _receive(line, rest, kinds)
            reports += seen
        times_us.append((time.perf_counter() - begun) * 1e6)
    seconds = time.perf_counter() - started
    return _outcome("ping-pong", len(orders) // COMMAND_BYTES, seconds, reports, times_us, kinds)


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        account, key = bytes.fromhex(options.account.removeprefix("0x")), bytes.fromhex(options.key)
        connect = partial(BinaryClient, options.host, options.port, account, key)
        with connect() as client:
            units = client.instruments
        instrument = units[options.unit] if options.unit else next(iter(units.values()))
        is_paced = options.mode == "ping-pong"
        flow = Flow(
            mid_fen=options.mid_fen,
            levels=options.levels,
            lots=options.lots,
            cancel_every=0 if is_paced else options.cancel_every,
            side=Side[options.side.upper()] if options.side else None,
            passive=options.passive,
        )
        orders = make_orders(
            instrument, options.orders, flow
        )  # takes longer than a gateway waits for the idle
        with connect() as client:
            if is_paced:
                outcome = ping_pong(client, orders)
            else:
                outcome = pipelined(client, orders, window=options.window, chunk=options.chunk)
    except (Refusal, OSError, KeyError, ValueError, StopIteration) as error:
        print(f"error: {error!r}", file=sys.stderr)  # noqa: T201
        return 2
    print(json.dumps(asdict(outcome)))  # noqa: T201 - the command line's answer
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m exchange.binary.load", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("mode", choices=("pipelined", "ping-pong"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--account", required=True, help="20 bytes in hex")
    parser.add_argument("--key", required=True, help="the member's key, 32 bytes in hex")
    parser.add_argument("--unit", type=int, default=0, help="the unit to trade; 0: the first one listed")
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--window", type=int, default=16_384, help="most commands in flight")
    parser.add_argument("--chunk", type=int, default=1_024, help="commands sent at once")
    parser.add_argument("--mid-fen", type=int, default=7_000)
    parser.add_argument("--levels", type=int, default=8)
    parser.add_argument("--lots", type=int, default=1)
    parser.add_argument("--cancel-every", type=int, default=0)
    parser.add_argument("--side", choices=("buy", "sell"), help="one side only; by default by turns")
    parser.add_argument("--passive", action="store_true", help="nothing trades")
    return parser


if __name__ == "__main__":
    sys.exit(main())
