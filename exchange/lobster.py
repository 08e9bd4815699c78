"""LOBSTER files: what happened in an order book of NASDAQ, message by message, and the book after each.

A message line is `time,type,order id,size,price,direction`; a book line is `ask price, ask size, bid price,
bid size` for each published level. Prices are whole ten-thousandths of a dollar, times are seconds after
midnight. A first line of words is a heading. Everything else that is not as the format says is refused with
its line.

Source: LOBSTER, Sample Files Readme, 2013-09-01 (lobsterdata.com).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Final

from chain.refusals import Refusal
from exchange.commands import Side

NUMBER_MAX: Final = 10**12
"""Largest size or price that is read: an order's value then fits the engine's sums many times over."""

_LINE_CHARACTERS_MAX: Final = 1 << 16
_CELLS_A_LEVEL: Final = 4
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TIME: Final = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,18}))?", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9 _.#()-]*", re.ASCII)
_SIDES: Final = {1: Side.BUY, -1: Side.SELL}

Levels = tuple[tuple[int, int], ...]
"""Prices and sizes of one side, best first."""


class LobsterMalformed(Refusal):
    """This line is not what the LOBSTER format says."""


class MessageType(IntEnum):
    """What happened to the book."""

    SUBMISSION = 1
    REDUCTION = 2
    DELETION = 3
    EXECUTION = 4
    HIDDEN_EXECUTION = 5
    CROSS = 6
    HALT = 7


_ON_THE_BOOK: Final = frozenset(
    {MessageType.SUBMISSION, MessageType.REDUCTION, MessageType.DELETION, MessageType.EXECUTION}
)


@dataclass(frozen=True, slots=True)
class Message:
    """One line. `side` is the resting order's, also of an execution; CROSS and HALT mean nothing by it."""

    line: int
    at_ns: int
    """Nanoseconds after midnight."""
    kind: MessageType
    order: int
    size: int
    price: int
    side: Side

    @property
    def on_the_book(self) -> bool:
        """Whether it changes the visible book."""
        return self.kind in _ON_THE_BOOK


@dataclass(frozen=True, slots=True)
class PublishedBook:
    """The visible book after a message; `depth` is how many levels the file has room for."""

    depth: int
    asks: Levels
    bids: Levels

    def of(self, side: Side) -> Levels:
        """Return the levels on which such an order rests."""
        return self.bids if side is Side.BUY else self.asks

    @property
    def crossed(self) -> bool:
        """Whether somebody could trade: then it is no book of a market that matches continuously."""
        return bool(self.asks and self.bids and self.asks[0][0] <= self.bids[0][0])


def read(messages: Path, orderbook: Path | None) -> Iterator[tuple[Message, PublishedBook | None]]:
    """Read messages, each with the book after it where there is one.

    Raises
    ------
    LobsterMalformed :
        A line is not what the format says, there is no message, or one file ends before the other.
    """
    taken = 0
    if orderbook is None:
        for message in read_messages(messages):
            taken = message.line
            yield message, None
    else:
        for message_, book in zip_longest(read_messages(messages), read_books(orderbook)):
            if message_ is None or book is None:
                shorter = messages if message_ is None else orderbook
                reason = "the file ends here, the other one goes on"
                raise LobsterMalformed(file=shorter.name, line=taken + 1, reason=reason)
            taken = message_.line
            yield message_, book
    if not taken:
        raise LobsterMalformed(file=messages.name, line=1, reason="there is no message")


def read_messages(path: Path) -> Iterator[Message]:
    """Read a message file; raises LobsterMalformed."""
    for line, cells in _lines(path):
        try:
            if len(cells) != 6:
                raise ValueError(f"6 cells are expected, {len(cells)} found")
            yield _message(line, cells)
        except ValueError as error:
            raise LobsterMalformed(file=path.name, line=line, reason=str(error)) from error


def read_books(path: Path) -> Iterator[PublishedBook]:
    """Read an orderbook file of any number of levels; raises LobsterMalformed."""
    expected = 0
    for line, cells in _lines(path):
        try:
            expected = expected or len(cells)
            if len(cells) != expected or len(cells) % _CELLS_A_LEVEL:
                raise ValueError(f"the same multiple of 4 cells is expected, {len(cells)} found")
            numbers = [_whole(cell) for cell in cells]
            yield PublishedBook(
                len(cells) // _CELLS_A_LEVEL,
                _levels(numbers[0::4], numbers[1::4], Side.SELL),
                _levels(numbers[2::4], numbers[3::4], Side.BUY),
            )
        except ValueError as error:
            raise LobsterMalformed(file=path.name, line=line, reason=str(error)) from error


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give each line's number and cells, without the heading."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        line = 0
        while text := file.readline(_LINE_CHARACTERS_MAX):
            line += 1
            cells = [cell.strip() for cell in text.split(",")]
            if line == 1 and all(map(_WORD.fullmatch, cells)) and len(cells) > 1:
                continue
            yield line, cells


def _message(line: int, cells: list[str]) -> Message:
    at_ns = _nanoseconds(cells[0])
    kind, order, size, price, direction = (_whole(cell) for cell in cells[1:])
    if kind not in MessageType.__members__.values():
        raise ValueError(f"type {kind} is unknown")
    if kind not in {MessageType.CROSS, MessageType.HALT}:
        if direction not in _SIDES:
            raise ValueError(f"direction 1 or -1 is expected, {direction} found")
        if not (0 < size <= NUMBER_MAX and 0 < price <= NUMBER_MAX):
            raise ValueError(f"size {size} or price {price} is out of range")
        if order < 0 or (order == 0 and kind in _ON_THE_BOOK):
            raise ValueError(f"order id {order} names nothing")
    return Message(line, at_ns, MessageType(kind), order, size, price, _SIDES.get(direction, Side.SELL))


def _levels(prices: list[int], sizes: list[int], side: Side) -> Levels:
    """Return the occupied levels; an empty place has size 0 and comes after all others."""
    occupied = sum(1 for size in sizes if size)
    found = tuple(zip(prices[:occupied], sizes[:occupied], strict=True))
    if not all(0 < price <= NUMBER_MAX and 0 < size <= NUMBER_MAX for price, size in found):
        raise ValueError("a level's price or size is out of range, or a level comes after an empty one")
    keys = [price if side is Side.SELL else -price for price, _ in found]
    if any(worse <= better for better, worse in pairwise(keys)):
        raise ValueError("the levels are not from best to worst")
    return found


def _whole(cell: str) -> int:
    if _WHOLE.fullmatch(cell) is None:
        raise ValueError(f"a whole number is expected, {cell[:40]!r} found")
    return int(cell)


def _nanoseconds(cell: str) -> int:
    parts = _TIME.fullmatch(cell)
    if parts is None:
        raise ValueError(f"seconds after midnight are expected, {cell[:40]!r} found")
    return int(parts[1]) * 10**9 + int((parts[2] or "0")[:9].ljust(9, "0"))
