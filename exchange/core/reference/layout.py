"""What a record of each kind may hold: the first look at a command, before anything else counts."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from exchange.core.codes import INT63_MAX, CommandKind, OrderFlag, OrderType, Reject, TimeInForce
from exchange.core.records import COMMAND, TRANSFER, Command, Transfer
from exchange.core.reference.state import Rejected, Terms

_WORDS: Final = struct.Struct("<8Q")
_U64: Final = 2**64 - 1
_DIGEST_FACTORS: Final = (
    0x9E3779B97F4A7C15,
    0xBF58476D1CE4E5B9,
    0x94D049BB133111EB,
    0xD6E8FEB86659FD93,
    0xA0761D6478BD642F,
    0xE7037ED1A0B428DB,
    0x8EBC6AF09C88C6E3,
)
"""Odd, and without a simple ratio to each other, so that no two small changes make up for each other."""
_ID, _FLAGS, _QUANTITY, _AT_US, _LAST_OF_ID = 16, 4, 32, 48, 28


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind uses. Small fields: the values they may have; large ones: whether they are used at all."""

    side: frozenset[int] = frozenset({0})
    type: frozenset[int] = frozenset({0})
    tif: frozenset[int] = frozenset({0})
    flags: frozenset[int] = frozenset({0})
    stp: frozenset[int] = frozenset({0})
    instrument: bool = False
    participant: bool = False
    id: bool = False
    quantity: bool = False
    price: bool = False
    extra: bool = False


def _upto(first: int, last: int) -> frozenset[int]:
    return frozenset(range(first, last + 1))


SHAPES: Final[dict[int, Shape]] = {
    CommandKind.LIST: Shape(id=True, quantity=True, price=True, extra=True),
    CommandKind.RULES: Shape(flags=_upto(0, 1), instrument=True, participant=True, id=True, quantity=True),
    CommandKind.REFERENCE: Shape(instrument=True, price=True),
    CommandKind.PHASE: Shape(type=_upto(1, 4), instrument=True),
    CommandKind.UNCROSS: Shape(instrument=True),
    CommandKind.REGISTER: Shape(id=True, quantity=True),
    CommandKind.CREDIT: Shape(instrument=True, participant=True),
    CommandKind.DEBIT: Shape(flags=_upto(0, 1), instrument=True, participant=True),
    CommandKind.KILL: Shape(type=_upto(0, 1), participant=True),
    CommandKind.ADVANCE: Shape(),
    CommandKind.DAY_END: Shape(),
    CommandKind.TERMS: Shape(id=True, quantity=True, price=True, extra=True),
    CommandKind.NEW: Shape(
        side=_upto(1, 2),
        type=_upto(1, 4),
        tif=_upto(1, 5),
        flags=_upto(0, 3),
        stp=_upto(0, 3),
        instrument=True,
        participant=True,
        id=True,
        quantity=True,
        price=True,
    ),
    CommandKind.CANCEL: Shape(participant=True, id=True),
    CommandKind.AMEND: Shape(participant=True, id=True, quantity=True, price=True),
    CommandKind.MASS_CANCEL: Shape(instrument=True, participant=True),
    CommandKind.EPOCH: Shape(quantity=True),
}

NEEDS_ID: Final = (
    CommandKind.LIST,
    CommandKind.TERMS,
    CommandKind.NEW,
    CommandKind.CANCEL,
    CommandKind.AMEND,
)
"""Kinds whose id is not all zeros."""


def read(record: bytes) -> Command | Transfer:
    """Return the command in a record; raises Rejected (MALFORMED, UNKNOWN_KIND)."""
    command = Command._make(COMMAND.unpack(record))
    shape = SHAPES.get(command.kind)
    if shape is None:
        raise Rejected(Reject.UNKNOWN_KIND, command.kind)
    small = (
        (1, command.side, shape.side),
        (2, command.type, shape.type),
        (3, command.tif, shape.tif),
        (4, command.flags, shape.flags),
        (5, command.stp, shape.stp),
    )
    for offset, value, allowed in small:
        if value not in allowed:
            raise _malformed(offset, value)
    for offset, value, used in (
        (6, command.instrument, shape.instrument),
        (8, command.participant, shape.participant),
        (12, command.spare, False),
    ):
        if value and not used:
            raise _malformed(offset, value)
    if command.kind in (CommandKind.CREDIT, CommandKind.DEBIT):
        return Transfer._make(TRANSFER.unpack(record))
    _look_at_the_rest(command, shape)
    return command


def _look_at_the_rest(command: Command, shape: Shape) -> None:
    name = int.from_bytes(command.id, "little")
    if (name and not shape.id) or (not name and command.kind in NEEDS_ID):
        raise _malformed(_ID, name)
    if command.kind == CommandKind.RULES and name >> 96:
        raise _malformed(_LAST_OF_ID, name >> 96)
    for offset, value, used in ((32, command.quantity, shape.quantity), (40, command.price, shape.price)):
        if value and not used:
            raise _malformed(offset, value)
    if command.kind == CommandKind.REGISTER and command.quantity >> 32:
        raise _malformed(_QUANTITY, command.quantity)
    if command.at_us > INT63_MAX:
        raise _malformed(_AT_US, command.at_us)
    if command.extra and not shape.extra:
        raise _malformed(56, command.extra)
    if command.kind == CommandKind.TERMS and not (command.quantity or command.price or command.extra):
        raise _malformed(_QUANTITY, 0)
    if command.kind == CommandKind.NEW:
        _look_at_order(command)


def _look_at_order(command: Command) -> None:
    """A market order is immediate, a stop waits, only a limit that rests can be post-only."""
    rests = command.tif in (TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD)
    if command.type == OrderType.MARKET and command.tif != TimeInForce.IOC:
        raise _malformed(3, command.tif)
    if command.type in (OrderType.STOP, OrderType.STOP_LIMIT) and not rests:
        raise _malformed(3, command.tif)
    if command.flags & OrderFlag.POST_ONLY and not (command.type == OrderType.LIMIT and rests):
        raise _malformed(_FLAGS, command.flags)


def _malformed(offset: int, value: int) -> Rejected:
    return Rejected(Reject.MALFORMED, offset, value & _U64)


def digest(record: bytes, terms: Terms) -> int:
    """Return the digest of a NEW command's content: all but its id and time, with its terms."""
    words: tuple[int, ...] = _WORDS.unpack(record)
    content = words[0], words[1], words[4], words[5], terms.display, terms.stop, terms.expiry_us
    return sum(word * factor for word, factor in zip(content, _DIGEST_FACTORS, strict=True)) & _U64
