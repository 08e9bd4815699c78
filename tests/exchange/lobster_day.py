"""A market that publishes itself as LOBSTER does: a naive book, of which the file shows the best levels."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

EMPTY = {"buy": "-9999999999,0", "sell": "9999999999,0"}
DIRECTION = {"buy": 1, "sell": -1}
OTHER = {"buy": "sell", "sell": "buy"}


@dataclass
class Resting:
    name: int
    side: str
    price: int
    size: int


@dataclass
class Day:
    """Orders in order of arrival; only what changes the shown levels is written."""

    depth: int
    orders: list[Resting] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    books: list[str] = field(default_factory=list)
    executions: int = 0
    _names: int = 0

    def levels(self, side: str) -> list[tuple[int, int]]:
        sizes: dict[int, int] = {}
        for order in self.orders:
            if order.side == side:
                sizes[order.price] = sizes.get(order.price, 0) + order.size
        return sorted(sizes.items(), reverse=side == "buy")

    def book(self) -> str:
        cells = []
        for number in range(self.depth):
            for side in ("sell", "buy"):
                levels = self.levels(side)
                cells.append("{},{}".format(*levels[number]) if number < len(levels) else EMPTY[side])
        return ",".join(cells)

    def say(self, before: str, kind: int, name: int, size: int, price: int, side: str) -> None:
        after = self.book()
        if after != before or kind > 4:
            at = f"{34_200 + len(self.messages) // 7}.{len(self.messages):09d}"
            self.messages.append(f"{at},{kind},{name},{size},{price},{DIRECTION[side]}")
            self.books.append(after)

    def submit(self, side: str, price: int, size: int) -> None:
        best = self.levels(OTHER[side])
        crosses = best and DIRECTION[side] * (price - best[0][0]) >= 0
        if crosses:
            self.take(OTHER[side], size)
            return
        before = self.book()
        self._names += 1
        self.orders.append(Resting(self._names, side, price, size))
        self.say(before, 1, self._names, size, price, side)

    def shrink(self, order: Resting, size: int) -> None:
        before = self.book()
        order.size -= size
        if order.size == 0:
            self.orders.remove(order)
        self.say(before, 2 if order.size else 3, order.name, size, order.price, order.side)

    def take(self, side: str, size: int) -> None:
        """Execute the best orders of a side, earliest first."""
        while size and (levels := self.levels(side)):
            maker = next(o for o in self.orders if (o.side, o.price) == (side, levels[0][0]))
            before, part = self.book(), min(size, maker.size)
            maker.size -= part
            size -= part
            if maker.size == 0:
                self.orders.remove(maker)
            self.say(before, 4, maker.name, part, maker.price, side)
            self.executions += 1

    def begin(self) -> None:
        """The file begins here: what stands now stood before it."""
        self.messages, self.books, self.executions = [], [], 0


def random_day(seed: int, depth: int, acts: int = 300) -> Day:
    """A day of random acts around one price, with orders that stood before it."""
    draw = random.Random(seed)
    day = Day(depth)
    for number in range(acts + 40):
        if number == 40:
            day.begin()
        act = draw.random()
        if act < 0.5 or not day.orders:
            side = draw.choice(("buy", "sell"))
            day.submit(side, 1_000 - DIRECTION[side] * draw.randint(-1, 9), draw.randint(1, 9) * 10)
        elif act < 0.8:
            order = draw.choice(day.orders)
            day.shrink(order, order.size)
        elif act < 0.9:
            order = draw.choice(day.orders)
            if order.size > 1:
                day.shrink(order, draw.randint(1, order.size - 1))
        elif act < 0.97:
            day.take(draw.choice(("buy", "sell")), draw.randint(1, 120))
        elif number >= 40:
            day.say("", 5, 0, 3, 1_000, "sell")
    return day


def written(folder: Path, messages: Iterable[str], books: Iterable[str] = ()) -> tuple[Path, Path]:
    """Write both files."""
    message_file, book_file = folder / "message.csv", folder / "orderbook.csv"
    message_file.write_text("".join(f"{line}\n" for line in messages), encoding="utf-8")
    book_file.write_text("".join(f"{line}\n" for line in books), encoding="utf-8")
    return message_file, book_file
