"""The whole core, with its risk, on the benchmark's messages: its report stream, hashed as it does.

The benchmark's own driver measures the book alone (carat_adapter). Here the engine as the exchange runs it,
or the reference, reads the generator's file. Buyers are one participant, sellers another, both rich. To the
benchmark a modify is a cancel and a new order; so it is here, and each life of an order has its own id.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from exchange.core import records
from exchange.core.api import Engine
from exchange.core.codes import ReportKind, Side, TimeInForce
from exchange.core.records import REPORT_BYTES, Report

_HEAD = struct.Struct("<QII")
_MESSAGE = struct.Struct("<BBBxIQQqq")
NEW, CANCEL, MODIFY = 0, 1, 2
ACK, TRADE, CANCEL_ACK, MODIFY_ACK, CANCEL_REJECT, MODIFY_REJECT = range(6)
BUYER, SELLER = 1, 2
_BATCH = 4_096


@dataclass(slots=True)
class _Lives:
    """Which life of an order it is in, and whose it is: neither is in the benchmark's messages."""

    number: dict[int, int] = field(default_factory=dict)
    owner: dict[int, int] = field(default_factory=dict)


def report_hash(engine_class: type[Engine], workload: Path, messages_max: int | None = None) -> str:
    """Return the SHA-256 of the canonical report stream of a workload file (all of it, or its beginning)."""
    engine = engine_class()
    engine.apply(
        records.register(b"B" * 20)
        + records.register(b"S" * 20)
        + records.list_instrument(1, 1, 1, 2**32)
        + records.credit(BUYER, 0, 2**100, bytes(32))
        + records.credit(SELLER, 1, 2**100, bytes(32))
    )
    digest = hashlib.sha256()
    separator = b""
    lives = _Lives()
    for batch in _batches(workload, messages_max):
        for line in _lines(engine, batch, lives):
            digest.update(separator + line.encode())
            separator = b"\n"
    engine.check()
    return digest.hexdigest()


def _batches(workload: Path, messages_max: int | None) -> Iterator[list[tuple[int, ...]]]:
    raw = workload.read_bytes()
    _, _, count = _HEAD.unpack_from(raw)
    end = _HEAD.size + min(count, messages_max or count) * _MESSAGE.size
    messages = _MESSAGE.iter_unpack(raw[_HEAD.size : end])
    while batch := list(islice(messages, _BATCH)):
        yield batch


def _name(order_id: int, lives: _Lives) -> bytes:
    return order_id.to_bytes(8, "little") + lives.number.get(order_id, 1).to_bytes(8, "little")


def _lines(engine: Engine, batch: list[tuple[int, ...]], lives: _Lives) -> Iterator[str]:
    """Do a batch, a run of new orders and cancels at a time; a modify depends on what its cancel says."""
    run: list[tuple[tuple[int, ...], bytes]] = []
    for message in batch:
        if message[0] == MODIFY:
            yield from _said(engine, run)
            run = []
            yield from _modify(engine, message, lives)
        else:
            run.append((message, _command(message, lives)))
    yield from _said(engine, run)


def _command(message: tuple[int, ...], lives: _Lives) -> bytes:
    type_, side, ioc, quantity, _, order_id, price, _ = message
    if type_ == CANCEL:
        return records.cancel(_name(order_id, lives), lives.owner.get(order_id, BUYER))
    lives.owner[order_id] = SELLER if side else BUYER
    return _new(message, lives, TimeInForce.IOC if ioc else TimeInForce.GTC, quantity, price)


def _new(message: tuple[int, ...], lives: _Lives, tif: TimeInForce, quantity: int, price: int) -> bytes:
    side, order_id = message[1], message[5]
    who, which = (SELLER, Side.SELL) if side else (BUYER, Side.BUY)
    return records.new_order(_name(order_id, lives), who, 1, which, quantity, price, tif=tif)


def _said(engine: Engine, run: list[tuple[tuple[int, ...], bytes]]) -> Iterator[str]:
    if not run:
        return
    answers = engine.apply(b"".join(command for _, command in run))
    first = 0
    for offset in range(0, len(answers), REPORT_BYTES):
        report = Report.unpack(answers[offset : offset + REPORT_BYTES])
        first = first or report.sequence
        line = _line(run[report.sequence - first][0], report)
        if line:
            yield line


def _line(message: tuple[int, ...], report: Report) -> str:
    """Return the benchmark's line for a report, or nothing where it has none."""
    seq, order_id, price = message[4], message[5], report.price
    side = report.side - 1
    if report.kind == ReportKind.ACCEPTED:
        return f"{ACK},{seq},{side},{order_id},{price},{report.quantity}"
    if report.kind == ReportKind.TRADE:
        maker = int.from_bytes(report.other_id[:8], "little")
        return f"{TRADE},{seq},{price},{report.quantity},{maker},{order_id}"
    if report.kind == ReportKind.CANCELLED and not report.flags:
        return f"{CANCEL_ACK},{seq},{side},{order_id},{price}"
    if message[0] == CANCEL and report.kind in (ReportKind.REJECTED, ReportKind.CANCELLED):
        return f"{CANCEL_REJECT},{seq},{order_id}"
    assert report.kind in (ReportKind.RESTED, ReportKind.FILLED), report
    return ""


def _modify(engine: Engine, message: tuple[int, ...], lives: _Lives) -> Iterator[str]:
    _, _, _, quantity, seq, order_id, price, _ = message
    who = lives.owner.get(order_id, BUYER)
    gone = Report.unpack(engine.apply(records.cancel(_name(order_id, lives), who))[:REPORT_BYTES])
    if gone.kind != ReportKind.CANCELLED or gone.flags:
        yield f"{MODIFY_REJECT},{seq},{order_id}"
        return
    lives.number[order_id] = lives.number.get(order_id, 1) + 1
    side = who - 1
    command = _new((NEW, side, *message[2:]), lives, TimeInForce.GTC, quantity, price)
    for line in _said(engine, [(message, command)]):
        if not line.startswith(f"{ACK},"):
            yield line
    yield f"{MODIFY_ACK},{seq},{side},{order_id},{price},{quantity}"
