"""LOBSTER files: what happened in an order book of NASDAQ, message by message, and the book after each.

A message line is `time,type,order id,size,price,direction`; a book line is `ask price, ask size, bid price,
bid size` for each published level. Prices are whole ten-thousandths of a dollar, times are seconds after
midnight. A first line of words is a heading. Everything else that is not as the format says is refused with
its line.

Source: LOBSTER, Sample Files Readme, 2013-09-01 (lobsterdata.com).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import partial
from itertools import zip_longest
from operator import gt, lt
from pathlib import Path
from typing import Final, NamedTuple

from chain.refusals import Refusal
from exchange.core.codes import Side

NUMBER_MAX: Final = 10**12
"""Largest size or price that is read: an order's value then fits the engine's sums many times over."""

_LINE_CHARACTERS_MAX: Final = 1 << 16
_NUMBERS_KEPT_MAX: Final = 1 << 16
_CELLS_A_LEVEL: Final = 4
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TIME: Final = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,18}))?", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9 _.#()-]*", re.ASCII)
_SIDES: Final = {1: Side.BUY, -1: Side.SELL}


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


_KINDS: Final = {kind.value: kind for kind in MessageType}
_EXECUTION, _HIDDEN = MessageType.EXECUTION, MessageType.HIDDEN_EXECUTION
_SELL: Final = Side.SELL


class Message(NamedTuple):
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
        return self.kind <= _EXECUTION


class Levels(NamedTuple):
    """Prices of one side, best first, and what stands at each."""

    prices: tuple[int, ...]
    sizes: tuple[int, ...]


class PublishedBook(NamedTuple):
    """The visible book after a message; `depth` is how many levels the file has room for."""

    depth: int
    asks: Levels
    bids: Levels

    @property
    def crossed(self) -> bool:
        """Whether somebody could trade: then it is no book of a market that matches continuously."""
        asks, bids = self.asks.prices, self.bids.prices
        return bool(asks and bids and asks[0] <= bids[0])


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
    numbers = _Numbers()
    for line, cells in _lines(path):
        try:
            if len(cells) != 6:
                raise ValueError(f"6 cells are expected, {len(cells)} found")
            yield _message(line, cells, numbers)
        except ValueError as error:
            raise LobsterMalformed(file=path.name, line=line, reason=str(error)) from error


def read_books(path: Path) -> Iterator[PublishedBook]:
    """Read an orderbook file of any number of levels; raises LobsterMalformed.

    A side that is as it was in the row before is the same object.
    """
    prices, sizes = _Numbers(), _Numbers(0, NUMBER_MAX)
    expected = 0
    before: tuple[list[str], list[str], list[str], list[str]] = ([], [], [], [])
    asks = bids = Levels((), ())
    for line, cells in _lines(path):
        try:
            expected = expected or len(cells)
            if len(cells) != expected or len(cells) % _CELLS_A_LEVEL:
                raise ValueError(f"the same multiple of 4 cells is expected, {len(cells)} found")
            columns = cells[0::4], cells[1::4], cells[2::4], cells[3::4]
            if columns[0] != before[0] or columns[1] != before[1]:
                asks = _levels(prices.all_of(columns[0]), sizes.all_of(columns[1]), lt)
            if columns[2] != before[2] or columns[3] != before[3]:
                bids = _levels(prices.all_of(columns[2]), sizes.all_of(columns[3]), gt)
            before = columns
            yield PublishedBook(expected // _CELLS_A_LEVEL, asks, bids)
        except ValueError as error:
            raise LobsterMalformed(file=path.name, line=line, reason=str(error)) from error


class _Numbers(dict[str, int]):
    """What cells say. The same prices and sizes come again and again: each is looked at once."""

    def __init__(self, least: int = -(10**18), most: int = 10**18) -> None:
        self._least, self._most = least, most

    def __missing__(self, cell: str) -> int:
        if len(self) >= _NUMBERS_KEPT_MAX:
            self.clear()
        number = _whole(cell.strip())
        if not self._least <= number <= self._most:
            raise ValueError(f"{number} is out of range")
        self[cell] = number
        return number

    def all_of(self, cells: list[str]) -> tuple[int, ...]:
        """Read several."""
        return tuple(map(self.__getitem__, cells))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give each line's number and cells, without the heading."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for line, text in enumerate(iter(partial(file.readline, _LINE_CHARACTERS_MAX), ""), start=1):
            cells = text.strip().split(",")
            if line == 1 and all(_WORD.fullmatch(cell.strip()) for cell in cells) and len(cells) > 1:
                continue
            yield line, cells


def _message(line: int, cells: list[str], numbers: _Numbers) -> Message:
    at_ns = _nanoseconds(cells[0].strip())
    # Ids hardly come again after their order's last message: they are not kept.
    order = _whole(cells[2].strip())
    kind, size, price, direction = numbers[cells[1]], numbers[cells[3]], numbers[cells[4]], numbers[cells[5]]
    if kind not in _KINDS:
        raise ValueError(f"type {kind} is unknown")
    side = _SIDES.get(direction)
    if kind <= _HIDDEN:
        if side is None:
            raise ValueError(f"direction 1 or -1 is expected, {direction} found")
        if not (0 < size <= NUMBER_MAX and 0 < price <= NUMBER_MAX):
            raise ValueError(f"size {size} or price {price} is out of range")
        if order < 0 or (order == 0 and kind <= _EXECUTION):
            raise ValueError(f"order id {order} names nothing")
    return Message(line, at_ns, _KINDS[kind], order, size, price, side or _SELL)


def _levels(prices: tuple[int, ...], sizes: tuple[int, ...], better: Callable[[int, int], bool]) -> Levels:
    """Return the occupied levels; an empty place has size 0 and comes after all others."""
    if 0 in sizes:
        occupied = sizes.index(0)
        if any(sizes[occupied:]):
            raise ValueError("a level comes after an empty one")
        prices, sizes = prices[:occupied], sizes[:occupied]
    if not prices:
        return Levels(prices, sizes)
    if len(prices) > 1 and not all(map(better, prices, prices[1:])):
        raise ValueError("the levels are not from best to worst")
    if not (0 < prices[0] <= NUMBER_MAX and 0 < prices[-1] <= NUMBER_MAX):
        raise ValueError("a level's price is out of range")
    return Levels(prices, sizes)


def _whole(cell: str) -> int:
    if _WHOLE.fullmatch(cell) is None:
        raise ValueError(f"a whole number is expected, {cell[:40]!r} found")
    return int(cell)


def _nanoseconds(cell: str) -> int:
    parts = _TIME.fullmatch(cell)
    if parts is None:
        raise ValueError(f"seconds after midnight are expected, {cell[:40]!r} found")
    seconds, fraction = parts.groups("0")
    return int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0"))
