"""The streams of `flows` as commands of the engine core, for a market of some size. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from exchange.bench.flows import BUY, CANCEL, NEW, Message
from exchange.core import records
from exchange.core.codes import Side
from exchange.core.records import COMMAND, COMMAND_BYTES

COMPLIANCE_ENTITIES: Final = 3_378
"""How many firms the national market covered at the end of 2025: as many participants."""

_CASH_FEN: Final = 10**15
_TONNES: Final = 10**12
_MAKER_PPM: Final = 200
_TAKER_PPM: Final = 500
_START_US: Final = 1_780_000_000_000_000
_COMMAND_US: Final = 10
_LIMIT: Final = 1
_GTC: Final = 1
_KIND_NEW: Final = 13
_KIND_CANCEL: Final = 14
_KIND_AMEND: Final = 15


@dataclass(frozen=True, slots=True)
class Size:
    """How many take part, and in how many instruments.

    Without fees no band, position limit or collector is set either. With `apart` all buys are the first
    participant's and all sales the second's, so that nobody meets an order of his own.
    """

    participants: int = COMPLIANCE_ENTITIES
    instruments: int = 1
    fees: bool = True
    apart: bool = False


TWO_WITHOUT_FEES: Final = Size(participants=2, fees=False, apart=True)


def opening(size: Size) -> bytes:
    """Return the commands that register everyone, list every instrument, and give everyone plenty of all."""
    parts = [records.register(number.to_bytes(20, "big")) for number in range(1, size.participants + 1)]
    if size.fees:
        parts.append(records.register(b"\xff" * 20))
    for instrument in range(1, size.instruments + 1):
        parts.append(records.list_instrument(10_000 + instrument, tick=1, lot=1, quantity_max=10**6))
        if size.fees:
            parts.append(
                records.set_rules(
                    instrument,
                    maker_ppm=_MAKER_PPM,
                    taker_ppm=_TAKER_PPM,
                    fee_participant=size.participants + 1,
                    position_limit=10 * _TONNES,
                )
            )
    transfer = 0
    for participant in range(1, size.participants + 1):
        for asset in range(size.instruments + 1):
            transfer += 1
            amount = _TONNES if asset else _CASH_FEN
            parts.append(records.credit(participant, asset, amount, transfer.to_bytes(32, "little")))
    return b"".join(parts)


def commands(messages: Iterable[Message], size: Size, seed: int) -> bytes:
    """Return the messages as a run of commands, with random 128-bit ids and participants."""
    return b"".join(each_command(messages, size, seed))


def each_command(messages: Iterable[Message], size: Size, seed: int) -> Iterator[bytes]:
    """Yield the commands of `commands` one by one."""
    draw = Random(f"market {seed}")  # noqa: S311 - a benchmark's draws
    orders: dict[int, tuple[bytes, int]] = {}  # by number: id and participant
    at_us = _START_US
    for kind, side, number, price, quantity in messages:
        at_us += _COMMAND_US
        if kind == NEW:
            name = draw.getrandbits(128).to_bytes(16, "little")
            drawn = 1 + int(draw.random() * size.participants)
            who = (1 if side == BUY else 2) if size.apart else drawn
            where = 1 + number % size.instruments
            orders[number] = name, who
            yield COMMAND.pack(
                _KIND_NEW, side, _LIMIT, _GTC, 0, 0, where, who, 0, name, quantity, price, at_us, 0
            )
        elif kind == CANCEL:
            name, who = orders.pop(number)
            yield COMMAND.pack(_KIND_CANCEL, 0, 0, 0, 0, 0, 0, who, 0, name, 0, 0, at_us, 0)
        else:
            name, who = orders[number]
            yield COMMAND.pack(_KIND_AMEND, 0, 0, 0, 0, 0, 0, who, 0, name, quantity, price, at_us, 0)


def resting(count: int, size: Size, seed: int, levels: int = 2_000, middle: int = 20_000) -> Iterator[bytes]:
    """Yield `count` orders that all stay in the book, on `levels` prices a side."""
    draw = Random(f"resting {seed}")  # noqa: S311 - a benchmark's draws
    for number in range(count):
        side = Side.BUY if number % 2 else Side.SELL
        away = 1 + int(draw.random() * levels)
        price = max(1, middle - away) if side == Side.BUY else middle + away
        yield COMMAND.pack(
            _KIND_NEW,
            side,
            _LIMIT,
            _GTC,
            0,
            0,
            1 + number % size.instruments,
            1 + int(draw.random() * size.participants),
            0,
            draw.getrandbits(128).to_bytes(16, "little"),
            1 + int(draw.random() * 100),
            price,
            _START_US,
            0,
        )


def batches(run: bytes, record_bytes: int = COMMAND_BYTES, at_once: int = 1_024) -> list[bytes]:
    """Cut a run of records into batches."""
    step = record_bytes * at_once
    return [run[at : at + step] for at in range(0, len(run), step)]
