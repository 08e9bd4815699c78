"""The engine core with one instrument in it, and which orders stand there.

The core tells how much stands at a price, not which orders. That is kept here beside it, made of nothing but
the core's reports; `check` holds the two together. Prices and sizes that are compared with a published book
are the core's own (`depth`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from exchange.core import Engine
from exchange.core.api import Engine as EngineCore
from exchange.core.api import LevelView
from exchange.core.codes import (
    AMOUNT_MAX,
    CASH,
    INT63_MAX,
    CommandKind,
    OrderFlag,
    OrderType,
    ReportFlag,
    ReportKind,
    Side,
    TimeInForce,
)
from exchange.core.records import COMMAND, REPORT_BYTES, credit, list_instrument, register, reports_of

INSTRUMENT: Final = 1
OPPOSITE: Final = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}

_NAMED, _STANDING, _TAKER = 1, 2, 3
"""The participants: for orders that the file names, for what stands there besides, for executions."""
_FUNDS: Final = AMOUNT_MAX // 3

# kind, flags, id, other id, quantity, left
_READ: Final = struct.Struct("<B2xB12x16s16s8xQQ56x")
assert _READ.size == REPORT_BYTES

# Looking an enumeration's member up costs more than what is done with it here.
_ACCEPTED, _RESTED, _TRADE = int(ReportKind.ACCEPTED), int(ReportKind.RESTED), int(ReportKind.TRADE)
_FILLED, _CANCELLED, _AMENDED = int(ReportKind.FILLED), int(ReportKind.CANCELLED), int(ReportKind.AMENDED)
_CHANGE_NOTHING: Final = frozenset({_ACCEPTED, _FILLED})
_KEPT_PRIORITY: Final = int(ReportFlag.KEPT_PRIORITY)
_NEW, _CANCEL, _AMEND = int(CommandKind.NEW), int(CommandKind.CANCEL), int(CommandKind.AMEND)
_LIMIT, _POST_ONLY = int(OrderType.LIMIT), int(OrderFlag.POST_ONLY)
_GTC, _IOC = int(TimeInForce.GTC), int(TimeInForce.IOC)


@dataclass(slots=True, eq=False)
class Order:
    """A resting order of ours."""

    id: bytes
    participant: int
    side: Side
    price: int
    whole: int
    """What is filled included."""
    name: int | None
    """The file's id of it; None where the file does not submit it."""
    left: int = 0
    """0 once it is gone."""
    unwatched: bool = False


Queue = dict[bytes, Order]
"""The orders of a price, the earliest first."""


class Market:
    """One instrument, and funds without end. Whatever the core refuses is a bug of ours: AssertionError."""

    def __init__(self, engine: EngineCore | None = None) -> None:
        self.engine: EngineCore = Engine() if engine is None else engine
        self.trades = 0
        self.changes = dict.fromkeys(Side, 0)
        """How many of the core's reports changed a side of its book."""
        self.now_us = 0
        self._orders: dict[bytes, Order] = {}
        self._queues: dict[Side, dict[int, Queue]] = {side: {} for side in Side}
        self._ids = 0
        self._open()

    # --- questions ---

    def depth(self, side: Side, levels: int) -> list[LevelView]:
        """Return the best levels of the core's book."""
        return self.engine.depth(INSTRUMENT, side, levels)

    def best(self, side: Side) -> int | None:
        """Return the best price of the core's book."""
        found = self.engine.depth(INSTRUMENT, side, 1)
        return found[0].price if found else None

    def queue(self, side: Side, price: int) -> list[Order]:
        """Return the orders of a price, the earliest first."""
        return list(self._queues[side].get(price, {}).values())

    def is_next(self, order: Order) -> bool:
        """Whether no order of its price came earlier."""
        return next(iter(self._queues[order.side][order.price].values())) is order

    def check(self) -> None:
        """Assert that the core has the orders that are held here, and nothing else in its book."""
        for side, queues in self._queues.items():
            ours = sorted(queues.items(), reverse=side is Side.BUY)
            summed = [(price, sum(o.left for o in queue.values()), len(queue)) for price, queue in ours]
            assert self.depth(side, len(ours) + 1) == summed, f"{side.name}: the orders held are not the book"
        for order in self._orders.values():
            found = self.engine.order(order.id)
            assert found is not None, "an order held is not known"
            assert (found.participant, found.side, found.price) == (
                order.participant,
                order.side,
                order.price,
            )
            assert (found.quantity, found.quantity - found.filled) == (order.whole, order.left)

    # --- acts ---

    def rest(self, side: Side, price: int, size: int, name: int | None = None) -> Order:
        """Place an order that nothing opposite stands against."""
        participant = _STANDING if name is None else _NAMED
        order = Order(self._next_id(), participant, side, price, size, name)
        self._orders[order.id] = order
        self._new(order.id, participant, side, _GTC, _POST_ONLY, size, price)
        assert order.left == size, "a resting order did not rest"
        return order

    def execute(self, order: Order, size: int) -> None:
        """Send the aggressor that takes `size` of an order that is next in turn."""
        before, left = self.trades, order.left - size
        side = OPPOSITE[order.side]
        self._new(self._next_id(), _TAKER, side, _IOC, 0, size, order.price)
        assert (self.trades, order.left) == (before + 1, left), (
            "an execution was not one trade with its order"
        )

    def reduce(self, order: Order, size: int) -> None:
        """Take `size`, less than all, off an order, which keeps its place."""
        whole = order.whole - size
        self._do(
            COMMAND.pack(_AMEND, 0, 0, 0, 0, 0, 0, order.participant, 0, order.id, whole, 0, self.now_us, 0)
        )
        assert order.whole == whole, "a reduction did not reduce"

    def cancel(self, order: Order) -> None:
        """Take an order out."""
        self._do(
            COMMAND.pack(_CANCEL, 0, 0, 0, 0, 0, 0, order.participant, 0, order.id, 0, 0, self.now_us, 0)
        )
        assert not order.left, "a cancel did not cancel"

    # --- the core ---

    def _open(self) -> None:
        participants = (_NAMED, _STANDING, _TAKER)
        commands = [list_instrument(1, 1, 1, INT63_MAX)]
        commands += [register(bytes(19) + bytes([number])) for number in participants]
        commands += [
            credit(number, asset, _FUNDS, bytes([number, asset]).rjust(32, b"\0"))
            for number in participants
            for asset in (CASH, INSTRUMENT)
        ]
        done = {ReportKind.LISTED, ReportKind.REGISTERED, ReportKind.CREDITED}
        for report in reports_of(self.engine.apply(b"".join(commands))):
            assert report.kind in done, f"the market did not open: {report}"

    def _next_id(self) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(16, "little")

    def _new(
        self, order_id: bytes, participant: int, side: Side, tif: int, flags: int, size: int, price: int
    ) -> None:
        self._do(
            COMMAND.pack(
                _NEW, side, _LIMIT, tif, flags, 0, INSTRUMENT, participant, 0,
                order_id, size, price, self.now_us, 0,
            )
        )  # fmt: skip

    def _do(self, command: bytes) -> None:
        """Give the core a command, and do to the orders held here what its reports say."""
        reports = self.engine.apply(command)
        for kind, flags, name, other, quantity, left in _READ.iter_unpack(reports):
            if kind in _CHANGE_NOTHING:
                continue
            order = self._orders.get(other if kind == _TRADE else name)
            assert order is not None, f"refused, or not filled: {[*map(repr, reports_of(reports))]}"
            self.changes[order.side] += 1
            order.left = left
            if kind == _RESTED:
                self._queues[order.side].setdefault(order.price, {})[name] = order
            elif kind == _TRADE:
                self.trades += 1
            elif kind == _AMENDED:
                assert flags & _KEPT_PRIORITY, "a smaller order lost its place"
                order.whole = quantity
            else:
                assert kind == _CANCELLED, f"refused: {[*map(repr, reports_of(reports))]}"
                order.left = 0
            if not order.left:
                self._drop(order)

    def _drop(self, order: Order) -> None:
        del self._orders[order.id]
        queues = self._queues[order.side]
        del queues[order.price][order.id]
        if not queues[order.price]:
            del queues[order.price]
