"""The common messages: random limit orders, and cancels of half as many. Pure, from a seed.

A message is [kind, number, side, price, quantity]: kind 0 enters the order `number` (from 1), 1 cancels it;
side 1 buys, 2 sells. A cancel names an order drawn at random among those not cancelled before; many are
filled by then.
"""

from __future__ import annotations

from random import Random

ENTER, CANCEL = 0, 1
BUY, SELL = 1, 2
MIDDLE = 10_000


def messages(orders: int, seed: int = 23) -> list[list[int]]:
    """Return the messages of so many orders."""
    draw = Random(seed)  # noqa: S311 - a benchmark's draws
    found: list[list[int]] = []
    waiting: list[int] = []
    for number in range(1, orders + 1):
        side = BUY if draw.random() < 0.5 else SELL
        away = round(draw.gauss(20, 20))
        price = MIDDLE - away if side == BUY else MIDDLE + away
        found.append([ENTER, number, side, price, draw.randint(1, 100)])
        waiting.append(number)
        if draw.random() < 0.5:
            place = draw.randrange(len(waiting))
            found.append([CANCEL, waiting[place], 0, 0, 0])
            waiting[place] = waiting[-1]
            waiting.pop()
    return found
