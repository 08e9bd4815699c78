"""A market that publishes itself as LOBSTER does: a naive book, of which the file shows the best levels."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

EMPTY = {"buy": "-9999999999,0", "sell": "9999999999,0"}
DIRECTION = {"buy": 1, "sell": -1}
OTHER = {"buy": "sell", "sell": "buy"}
HEADINGS = ("Time,Type,OrderId,Size,Price,Direction", "BestAsk,BestAskVolume,BestBid,BestBidVolume")


@dataclass(eq=False)
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
    trades: list[tuple[str, int, int]] = field(default_factory=list)
    """Taker's side, price, size."""
    sizes: dict[str, dict[int, int]] = field(default_factory=lambda: {"buy": {}, "sell": {}})
    _names: int = 0

    def levels(self, side: str) -> list[tuple[int, int]]:
        return sorted(self.sizes[side].items(), reverse=side == "buy")

    def book(self) -> str:
        asks, bids = ([f"{price},{size}" for price, size in self.levels(side)] for side in ("sell", "buy"))
        asks += [EMPTY["sell"]] * self.depth
        bids += [EMPTY["buy"]] * self.depth
        return ",".join(
            f"{ask},{bid}" for ask, bid in zip(asks[: self.depth], bids[: self.depth], strict=True)
        )

    def say(self, before: str, kind: int, name: int, size: int, price: int, side: str) -> None:
        after = self.book()
        if after != before or kind > 4:
            self.write(f"{kind},{name},{size},{price},{DIRECTION[side]}", after)

    def write(self, message: str, book: str) -> None:
        self.messages.append(f"{34_200 + len(self.messages) // 7}.{len(self.messages):09d},{message}")
        self.books.append(book)

    def submit(self, side: str, price: int, size: int) -> None:
        best = self.levels(OTHER[side])
        crosses = best and DIRECTION[side] * (price - best[0][0]) >= 0
        if crosses:
            self.take(OTHER[side], size)
            return
        before = self.book()
        self._names += 1
        order = Resting(self._names, side, price, 0)
        self.orders.append(order)
        self._change(order, size)
        self.say(before, 1, order.name, size, price, side)

    def shrink(self, order: Resting, size: int) -> None:
        before = self.book()
        self._change(order, -size)
        self.say(before, 2 if order.size else 3, order.name, size, order.price, order.side)

    def take(self, side: str, size: int) -> None:
        """Execute the best orders of a side, earliest first."""
        while size and (levels := self.levels(side)):
            maker = next(o for o in self.orders if (o.side, o.price) == (side, levels[0][0]))
            before, part = self.book(), min(size, maker.size)
            size -= part
            self._change(maker, -part)
            self.say(before, 4, maker.name, part, maker.price, side)
            self.trades.append((OTHER[side], maker.price, part))

    def cross(self, size: int, price: int) -> None:
        """An auction: it is not of the visible book."""
        self.write(f"6,-1,{size},{price},0", self.book())

    def halt(self) -> None:
        """Trading halts, quoting begins again, trading does: the book stays as it is."""
        for price in (-1, 0, 1):
            self.write(f"7,0,0,{price},-1", self.book())

    def begin(self) -> None:
        """The file begins here: what stands now stood before it."""
        self.messages, self.books, self.trades = [], [], []

    def _change(self, order: Resting, size: int) -> None:
        sizes = self.sizes[order.side]
        order.size += size
        sizes[order.price] = sizes.get(order.price, 0) + size
        if not order.size:
            self.orders.remove(order)
        if not sizes[order.price]:
            del sizes[order.price]


def random_day(
    seed: int, depth: int, acts: int = 300, *, reach: int = 9, price: int = 1_000, standing: int = 40
) -> Day:
    """A day of random acts, with orders that stood before it.

    Orders come up to `reach` ticks away from a price; now and then a side is emptied, trading halts, an
    auction is held, or hidden orders trade, between the ticks too.
    """
    draw = random.Random(seed)
    day = Day(depth)
    for number in range(acts + standing):
        if number == standing:
            day.begin()
        act = draw.random()
        if act < 0.5 or not day.orders:
            side = draw.choice(("buy", "sell"))
            day.submit(side, price - DIRECTION[side] * draw.randint(-1, reach), draw.randint(1, 9) * 10)
        elif act < 0.8:
            order = draw.choice(day.orders)
            day.shrink(order, order.size)
        elif act < 0.9:
            order = draw.choice(day.orders)
            if order.size > 1:
                day.shrink(order, draw.randint(1, order.size - 1))
        elif act < 0.965:
            day.take(draw.choice(("buy", "sell")), draw.randint(1, 120))
        elif act < 0.97:
            day.take(draw.choice(("buy", "sell")), 10**9)
        elif number < standing:
            continue
        elif act < 0.99:
            day.say("", 5, 0, 3, price + draw.randint(-1, 1), draw.choice(("buy", "sell")))
        elif act < 0.995:
            day.cross(draw.randint(0, 500), price)
        else:
            day.halt()
    return day


def written(
    folder: Path, messages: Iterable[str], books: Iterable[str] = (), end: str = "\n"
) -> tuple[Path, Path]:
    """Write both files."""
    message_file, book_file = folder / "message.csv", folder / "orderbook.csv"
    message_file.write_text("".join(f"{line}{end}" for line in messages), encoding="utf-8", newline="")
    book_file.write_text("".join(f"{line}{end}" for line in books), encoding="utf-8", newline="")
    return message_file, book_file
