"""The core's order book without accounts (`BareBook`), held against the whole core."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain.refusals import Refusal
from exchange.bench.flows import CANCEL, MESSAGE_BYTES, NEW, Message, pack
from exchange.bench.market import TWO_WITHOUT_FEES, batches, commands, opening
from exchange.core import Engine, ReferenceEngine
from exchange.core.codes import ReportKind
from exchange.core.records import COMMAND_BYTES, REPORT

try:
    from exchange.core._compiled import BareBook
except ImportError:
    BareBook = None  # type: ignore[assignment, misc]

_BARE_REPORT: Final = struct.Struct("<B7xQQqI4xQQ8x")
_BARE_TRADE: Final = 1
_BARE_CANCELLED: Final = 2
_BARE_CHANGED: Final = 3
_AT_ONCE: Final = 1_024

Event = tuple[int, int, int, int, int]
"""A trade or a cancellation: which of the two, the order, the maker or 0, price, quantity."""


class BenchResultWrong(Refusal):
    """What was timed did not do what it should have: then there is no figure."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of messages, checked: as the book alone reads them, and as the whole core does."""

    messages: bytes
    commands: bytes
    trades: int


def engine_of_two() -> Engine:
    """A core with two participants, one instrument, no fees."""
    engine = Engine()
    engine.apply(opening(TWO_WITHOUT_FEES))
    return engine


def check_alike(shape: str, messages: Sequence[Message]) -> Stream:
    """Run a stream through the book alone and through the whole core, and at the end cancel every order.

    Every trade and every cancelled remainder must be the same, in the same order: so what stood was the same.

    Raises
    ------
    BenchResultWrong :
        They differ, nothing was traded, or an invariant of the core is broken.
    """
    count = len(messages)
    gone = {number for kind, _, number, *_ in messages if kind == CANCEL}
    closing = [(CANCEL, side, number, 0, 0) for kind, side, number, *_ in messages if kind == NEW]
    whole = [*messages, *(message for message in closing if message[2] not in gone)]
    packed = pack(whole)
    ours, filled = _bare_events(packed)
    changed = [
        (kind, side, number, price, quantity + filled.get(at, 0))
        for at, (kind, side, number, price, quantity) in enumerate(whole)
    ]
    run = commands(changed, TWO_WITHOUT_FEES, 1)
    cores = _core_events(shape, changed, run)
    trades = sum(event[0] == _BARE_TRADE for event in ours)
    if ours != cores:
        raise BenchResultWrong(row=shape, reason="the book alone and the core differ", events=len(ours))
    if trades == 0:
        raise BenchResultWrong(row=shape, reason="nothing was traded")
    return Stream(packed[: count * MESSAGE_BYTES], run[: count * COMMAND_BYTES], trades)


def _bare_events(packed: bytes) -> tuple[list[Event], dict[int, int]]:
    """What the book alone did, and for each message that changed an order how much of that was filled before.

    The book alone takes a change's quantity as what is left, the core as the whole.
    """
    book, events = BareBook(), []
    filled: dict[int, int] = {}
    before: dict[int, int] = {}
    for batch in batches(packed, MESSAGE_BYTES, _AT_ONCE):
        book.apply(batch)
        for kind, sequence, order, price, quantity, maker, taker in _BARE_REPORT.iter_unpack(book.reports()):
            if kind == _BARE_TRADE:
                events.append((kind, taker, maker, price, quantity))
                filled[maker] = filled.get(maker, 0) + quantity
                filled[taker] = filled.get(taker, 0) + quantity
            elif kind == _BARE_CANCELLED:
                events.append((kind, order, 0, price, quantity))
            elif kind == _BARE_CHANGED:
                before[sequence] = filled.get(order, 0)
    return events, before


def _core_events(shape: str, messages: Sequence[Message], run: bytes) -> list[Event]:
    names = {
        run[at * COMMAND_BYTES + 16 : at * COMMAND_BYTES + 32]: message[2]
        for at, message in enumerate(messages)
        if message[0] == NEW
    }
    engine, events = engine_of_two(), []
    for batch in batches(run):
        for report in REPORT.iter_unpack(engine.apply(batch)):
            kind, order, other, price, quantity, left = report[0], *report[8:13]
            if kind == ReportKind.TRADE:
                events.append((_BARE_TRADE, names[order], names[other], price, quantity))
            elif kind == ReportKind.CANCELLED:
                events.append((_BARE_CANCELLED, names[order], 0, price, left))
    check_invariants(shape, engine)
    return events


def check_invariants(what: str, engine: Engine) -> None:
    """Check every invariant of an engine; raises BenchResultWrong."""
    try:
        engine.check()
    except AssertionError as broken:
        raise BenchResultWrong(row=what, reason=str(broken)) from None


def check_reference(what: str, first: bytes, commands: bytes, prefix: int) -> None:
    """Compare reports and state hash of the core with the reference's over the first commands.

    Raises
    ------
    BenchResultWrong :
        They differ.
    """
    core, reference = Engine(), ReferenceEngine()
    for run in (first, commands[: prefix * COMMAND_BYTES]):
        if core.apply(run) != reference.apply(run):
            raise BenchResultWrong(row=what, reason="a report of the core is not the reference's")
    if core.state_hash() != reference.state_hash():
        raise BenchResultWrong(row=what, reason="the core's state hash is not the reference's")
