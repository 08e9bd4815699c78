"""Runs one package on the messages: `python drivers.py NAME MESSAGES.json SECONDS`. Prints one JSON object.

    {"done": messages, "cpu_s": ..., "wall_s": ..., "trades": n, "volume": n, "open": orders}

`trades` counts each meeting of two orders once; null where a package does not match. What a package wants as
an order's object is made before the clock starts. After SECONDS of CPU time it stops and says how far it got.
A cancel of an order that is no longer open is not sent where the package would raise for it.
"""

# ruff: noqa: PLC0415 - each driver imports its own package alone

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

CHUNK = 250
BUY = 1
Messages = list[list[int]]


class Pylight:
    """lightmatchingengine 2019.1.4."""

    def __init__(self, _messages: Messages) -> None:
        from lightmatchingengine.lightmatchingengine import LightMatchingEngine

        self._engine = LightMatchingEngine()
        self._orders: dict[int, Any] = {}
        self.trades = self.volume = 0

    def do(self, message: list[int]) -> None:
        kind, number, side, price, quantity = message
        if kind == 0:
            order, trades = self._engine.add_order("X", price, quantity, side)
            self._orders[number] = order
            for trade in trades:  # it tells the taker's side of a level, and each maker's
                if trade.order_id != order.order_id:
                    self.trades += 1
                    self.volume += trade.trade_qty
        elif self._orders[number].leaves_qty:
            self._engine.cancel_order(self._orders[number].order_id, "X")
            self._orders[number].leaves_qty = 0

    def open(self) -> int:
        books = self._engine.order_books["X"]
        return sum(len(level) for side in (books.bids, books.asks) for level in side.values())


class Pyorderbook:
    """pyorderbook 0.4.9."""

    def __init__(self, messages: Messages) -> None:
        from pyorderbook import Book, ask, bid

        logging.disable(logging.CRITICAL)
        self._book = Book()
        self._orders = {
            number: (bid if side == BUY else ask)("X", price, quantity)
            for kind, number, side, price, quantity in messages
            if kind == 0
        }
        self.trades = self.volume = 0

    def do(self, message: list[int]) -> None:
        order = self._orders[message[1]]
        if message[0] == 0:
            for trade in self._book.match(order).trades:
                self.trades += 1
                self.volume += trade.fill_quantity
        elif self._book.get_order(order.id) is not None:
            self._book.cancel(order)

    def open(self) -> int:
        return len(self._book.order_map)


class OrderMatching:
    """order-matching 0.12.0: one order placed and matched at a time."""

    def __init__(self, messages: Messages) -> None:
        from loguru import logger
        from order_matching.enums import Side
        from order_matching.matching_engine import MatchingEngine
        from order_matching.order import LimitOrder
        from order_matching.orders import Orders

        logger.disable("order_matching")
        start = datetime(2026, 1, 1)  # noqa: DTZ001 - it takes times without a zone
        self._engine = MatchingEngine(seed=1)
        self._one: Callable[[Any], Any] = lambda order: Orders([order])
        self._orders = {
            number: LimitOrder(
                side=Side.BUY if side == BUY else Side.SELL,
                price=float(price),
                size=float(quantity),
                timestamp=start + timedelta(microseconds=number),
                order_id=str(number),
                trader_id="x",
            )
            for kind, number, side, price, quantity in messages
            if kind == 0
        }
        self.trades = 0
        self.volume = 0.0

    def do(self, message: list[int]) -> None:
        order = self._orders[message[1]]
        if message[0] == 0:
            self._engine.place(self._one(order))
            for trade in self._engine.match(order.timestamp).trades:
                self.trades += 1
                self.volume += trade.size
        elif self._engine.unprocessed_orders.find_order_by_id(order.order_id) is not None:
            self._engine.cancel_order(order.order_id)

    def open(self) -> int:
        book = self._engine.unprocessed_orders
        return sum(len(list(level)) for side in (book.bids, book.offers) for level in side.values())


class Nautilus:
    """nautilus_trader's L3 book: it keeps orders and does not match them."""

    trades = volume = None

    def __init__(self, messages: Messages) -> None:
        from nautilus_trader.model.book import OrderBook
        from nautilus_trader.model.data import BookOrder
        from nautilus_trader.model.enums import BookType, OrderSide
        from nautilus_trader.model.identifiers import InstrumentId
        from nautilus_trader.model.objects import Price, Quantity

        self._book = OrderBook(InstrumentId.from_str("X.Y"), BookType.L3_MBO)
        self._orders = {
            number: BookOrder(
                OrderSide.BUY if side == BUY else OrderSide.SELL,
                Price(price, 0),
                Quantity(quantity, 0),
                number,
            )
            for kind, number, side, price, quantity in messages
            if kind == 0
        }

    def do(self, message: list[int]) -> None:
        if message[0] == 0:
            self._book.add(self._orders[message[1]], 0)
        else:
            self._book.delete(self._orders[message[1]], 0)

    def open(self) -> int:
        return sum(len(level.orders()) for level in [*self._book.bids(), *self._book.asks()])


DRIVERS: dict[str, Any] = {
    "lightmatchingengine": Pylight,
    "pyorderbook": Pyorderbook,
    "order-matching": OrderMatching,
    "nautilus_trader": Nautilus,
}


def main(name: str, path: str, seconds: str) -> int:
    messages: Messages = json.loads(Path(path).read_bytes())
    driver = DRIVERS[name](messages)
    do, done = driver.do, 0
    cpu, wall = time.process_time(), time.perf_counter()
    while done < len(messages) and time.process_time() - cpu < float(seconds):
        for message in messages[done : done + CHUNK]:
            do(message)
        done = min(done + CHUNK, len(messages))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    found = {
        "done": done,
        "cpu_s": cpu,
        "wall_s": wall,
        "trades": driver.trades,
        "volume": None if driver.volume is None else int(driver.volume),
        "open": driver.open(),
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
