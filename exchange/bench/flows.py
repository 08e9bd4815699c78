"""Streams of messages to an order book in five shapes, from a seed. Pure.

A message is `(kind, side, number, price, quantity)`: kind NEW, CANCEL or CHANGE; `number` names the order,
from 1 as they are entered; price in ticks. CHANGE gives another price and a new quantity.

Of 100 messages 48 enter an order, 42 cancel one and 10 change one. Cancels and changes name an order drawn at
random among those not cancelled yet; some of them are filled already, as it happens to real clients. Orders
stand around a middle price, near it more than far, one in twelve across it; each shape moves the middle in
its own way.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Final

Message = tuple[int, int, int, int, int]

NEW: Final = 0
CANCEL: Final = 1
CHANGE: Final = 2
BUY: Final = 1
SELL: Final = 2

MIDDLE: Final = 20_000
"""Ticks, where every shape begins."""
_SPREAD: Final = 30.0
"""How far from the middle orders stand, ticks: the mean of an exponential."""
_ACROSS: Final = 12
"""One order in so many is priced on the other side of the middle."""
_QUANTITY_MAX: Final = 100
_MESSAGE: Final = struct.Struct("<BBBBIQQqQ")
MESSAGE_BYTES: Final = _MESSAGE.size

Path = Callable[[float], float]


def _still(_: float) -> float:
    return 0.0


def _swing(share: float) -> Path:
    return lambda at: share * math.sin(2 * math.pi * 3 * at)


def _crash(at: float) -> float:
    """Down by 60 % within a fiftieth of the stream, and slowly back."""
    if at < 0.5:
        return 0.0
    if at < 0.52:
        return -0.6 * (at - 0.5) / 0.02
    return -0.6 * max(0.0, 1 - (at - 0.52) / 0.3)


SHAPES: Final[dict[str, tuple[Path, float]]] = {
    "static": (_still, 0.0),
    "normal": (_still, 1.0),
    "swing-25": (_swing(0.25), 1.0),
    "swing-40": (_swing(0.40), 1.0),
    "flash-crash": (_crash, 1.0),
}
"""By name: the middle's way over the stream (0 to 1), as a share of MIDDLE, and its random steps in ticks."""


def flow(shape: str, count: int, seed: int, spread: float = _SPREAD) -> Iterator[Message]:
    """Yield `count` messages; the same arguments give the same messages. `spread` is in ticks."""
    path, step = SHAPES[shape]
    draw = Random(f"{shape} {seed}")  # noqa: S311 - a benchmark's draws
    entered: list[tuple[int, int, int]] = []  # number, side and price of orders that were not cancelled
    number, drift = 0, 0.0
    rate = 1 / spread
    for at in range(count):
        drift += step * (draw.random() - 0.5)
        middle = MIDDLE * (1 + path(at / count)) + drift
        kind = draw.random()
        if kind < 0.48 or not entered:
            number += 1
            side = BUY if draw.random() < 0.5 else SELL
            price = _price(draw, middle, side, rate)
            entered.append((number, side, price))
            yield NEW, side, number, price, draw.randint(1, _QUANTITY_MAX)
            continue
        place = int(draw.random() * len(entered))
        named, side, before = entered[place]
        if kind < 0.90:
            entered[place] = entered[-1]
            entered.pop()
            yield CANCEL, side, named, 0, 0
        else:
            price = _price(draw, middle, side, rate)
            price += price == before
            entered[place] = named, side, price
            yield CHANGE, side, named, price, draw.randint(1, _QUANTITY_MAX)


def pack(messages: Iterable[Message]) -> bytes:
    """Put messages into the records that the core's `BareBook` reads."""
    return b"".join(
        _MESSAGE.pack(kind, side - 1, 0, 0, quantity, sequence, number, price, 0)
        for sequence, (kind, side, number, price, quantity) in enumerate(messages)
    )


def _price(draw: Random, middle: float, side: int, rate: float) -> int:
    away = draw.expovariate(rate)
    if draw.random() * _ACROSS < 1:
        away = -away
    return max(1, round(middle - away if side == BUY else middle + away))
