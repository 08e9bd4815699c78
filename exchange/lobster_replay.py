"""LOBSTER messages through the engine, and its book against the published one after every message.

A file shows as many levels as it was ordered with. What happens deeper it leaves out: orders come, change and
go there without a message. So a level is compared while it is *in view*, from the row after the one in which
it came into view; the size that it came with is taken from the published book, the unknown part of it as a
standing order, and counted. In view everything is a message, and every difference is a mismatch.

Words used here
    in view     at or better than the worst published level of the row before; a whole side where that row
                had room left.
    named       an order whose submission is in the file.
    standing    quantity whose submission is not: from before the file, or from out of view.
    unwatched   a named order that was out of view since: it may have changed, or gone, without a message.
    key         the price so that smaller is better: the price of asks, minus the price of bids.
"""

from __future__ import annotations

from collections import Counter
from typing import Final
from uuid import UUID

from chain.units import UnitId
from exchange.book import Book, Level, Order, OrderStatus
from exchange.commands import (
    AMOUNT_MAX,
    CASH,
    INT63_MAX,
    CancelOrder,
    Command,
    Credit,
    ListInstrument,
    OrderKind,
    PlaceOrder,
    ReduceOrder,
    Side,
)
from exchange.engine import apply
from exchange.lobster import LobsterMalformed, Message, MessageType, PublishedBook
from exchange.lobster_compare import Comparison, key, note
from exchange.state import State

_UNIT: Final = UnitId.allowance(2026).value
_NAMED, _STANDING, _TAKER = (bytes(19) + bytes([number]) for number in (1, 2, 3))
_OPPOSITE: Final = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


class Replay:
    """One instrument's day in an engine of its own. Use: `take` every message, then read the counters."""

    def __init__(self) -> None:
        self.state = State()
        self.kinds: Counter[MessageType] = Counter()
        self.comparison = Comparison()
        self.seeded: list[tuple[Side, int, int]] | None = None
        """The levels that the first row gave: side, price, size."""
        self.in_turn = 0
        """Executions of a named order that was next in turn."""
        self.out_of_turn = 0
        self.first_out_of_turn: list[int] = []
        """Lines of executions that an earlier order of the price, in view ever since, should have had."""
        self.unknown_orders: dict[int, None] = {}
        """Orders that messages refer to and whose submission is not in the file, as they came."""
        self.unknown_messages = 0
        self.returned = 0
        """Messages to a named order that was thought gone while it was out of view."""
        self.gone_out_of_view = 0
        self.placed_for_executions = 0
        self.nothing_to_cancel = 0
        self.first_order: int | None = None
        self._submitted: set[int] = set()
        self._held: dict[int, bytes] = {}
        self._names: dict[bytes, int] = {}
        self._unwatched: set[bytes] = set()
        self._ids = 0
        self._now_us = 0
        self._do(ListInstrument(_UNIT, 1, 1, INT63_MAX))
        for account in (_NAMED, _STANDING, _TAKER):
            self._do(Credit(bytes(31) + b"\x01", account, CASH, AMOUNT_MAX))
            self._do(Credit(bytes(31) + b"\x02", account, _UNIT, AMOUNT_MAX))

    def take(self, message: Message, published: PublishedBook | None) -> None:
        """Do one message, then compare with the book after it.

        Raises
        ------
        LobsterMalformed :
            It submits an order that rests already.
        """
        self.kinds[message.kind] += 1
        self._now_us = message.at_ns // 1_000
        if message.kind is MessageType.SUBMISSION:
            self._submit(message)
        elif message.on_the_book:
            self._shrink(message)
        if published is not None:
            self._compare(message, published)

    @property
    def unknown_before(self) -> list[int]:
        """Orders that stood before the file begins: ids rise in order flow, theirs are below its first."""
        first = self.first_order
        return [order for order in self.unknown_orders if first is None or order < first]

    @property
    def _book(self) -> Book:
        return self.state.books[_UNIT]

    # --- messages ---

    def _submit(self, message: Message) -> None:
        known = self._held.get(message.order)
        if known is not None:
            if known not in self._unwatched:
                raise LobsterMalformed(line=message.line, reason=f"order {message.order} rests already")
            self._gone(self.state.orders[known])
        if self.first_order is None:
            self.first_order = message.order
        self._submitted.add(message.order)
        self._clear(_OPPOSITE[message.side], key(_OPPOSITE[message.side], message.price))
        self._rest(message.side, message.price, message.size, message.order)

    def _shrink(self, message: Message) -> None:
        """Take the message's size from its order: by a trade, or by a reduction that keeps the order's place.

        What its order does not have comes from the price's standing quantity, then from unwatched orders.
        """
        order = self._order_of(message)
        if message.kind is MessageType.EXECUTION:
            self._execute(message, order)
            return
        left = message.size
        if order is not None:
            left -= self._reduce(order, left)
            if message.kind is MessageType.DELETION and order.status is OrderStatus.OPEN:
                self._delete_rest(order)
        if self._reduce_others(message, left):
            self.nothing_to_cancel += 1

    def _execute(self, message: Message, order: Order | None) -> None:
        """Send the aggressor that the execution had, once the order that it names is next in turn.

        An execution says that nothing better stands. Where no one order has its whole size, the parts are put
        together; what nobody has, the file has not shown, and it is placed for this.
        """
        side = message.side
        self._clear(side, key(side, message.price) - 1)
        named = order is not None
        if order is None:
            order = next((each for each in self._others(message) if each.remaining_t >= message.size), None)
        if order is None or order.remaining_t < message.size:
            left = message.size - (self._reduce(order, message.size) if order else 0)
            if self._reduce_others(message, left):
                self.placed_for_executions += 1
                self._clear(_OPPOSITE[side], key(_OPPOSITE[side], message.price))
            order, named = self._rest(side, message.price, message.size), False
        first = self._to_the_front(order, message)
        self.in_turn += named and first is order
        order = first
        before = len(self.state.trades)
        self._place(_TAKER, _OPPOSITE[side], OrderKind.IOC, message.size, message.price)
        trades = [(each.maker_order, each.quantity_t) for each in self.state.trades[before:]]
        assert trades == [(order.order_id, message.size)], "an execution was not one trade with its order"
        if order.status is not OrderStatus.OPEN:
            self._forget(order)

    def _order_of(self, message: Message) -> Order | None:
        name = self._held.get(message.order)
        order = None if name is None else self.state.orders[name]
        if order is not None and (order.side, order.price_fen) == (message.side, message.price):
            return order
        if message.order in self._submitted:
            self.returned += 1
        else:
            self.unknown_orders[message.order] = None
            self.unknown_messages += 1
        return None

    def _reduce(self, order: Order, size: int) -> int:
        """Take up to `size` off a resting order, which keeps its place; return how much it was."""
        quantity_t = min(size, order.remaining_t)
        if quantity_t == order.remaining_t:
            self._cancel(order)
            self._forget(order)
        else:
            whole_t = order.filled_t + order.remaining_t - quantity_t
            self._do(ReduceOrder(order.order_id, order.account, whole_t, self._now_us))
        return quantity_t

    def _reduce_others(self, message: Message, size: int) -> int:
        """Take `size` off what a message about an order that is not held may mean; return what is lacking."""
        for order in self._others(message):
            if not size:
                break
            size -= self._reduce(order, size)
        return size

    def _delete_rest(self, order: Order) -> None:
        """The file says that all of it is gone: what it was thought to have besides, others have."""
        rest_t, unwatched = order.remaining_t, order.order_id in self._unwatched
        self._cancel(order)
        self._forget(order)
        if unwatched and self.comparison.in_view(order.side, order.price_fen):
            self._rest(order.side, order.price_fen, rest_t)

    def _others(self, message: Message) -> list[Order]:
        """Return the price's standing orders, then its unwatched ones from the youngest on."""
        level = self._book.own(message.side).levels.get(message.price)
        orders = list(level.orders.values()) if level else []
        standing = [order for order in orders if order.order_id not in self._names]
        if not self.comparison.in_view(message.side, message.price):
            return standing  # the level's sum is nowhere published: leave the named orders alone
        return standing + [order for order in reversed(orders) if order.order_id in self._unwatched]

    def _to_the_front(self, order: Order, execution: Message) -> Order:
        """Make an order next in turn, where its place or that of the ones before it was only assumed.

        Orders before it that the file submitted, in view ever since, prove the execution to be out of turn.
        """
        level = self._book.own(order.side).levels[order.price_fen]
        queue = list(level.orders.values())
        if queue[0] is order:
            return order
        before = queue[: queue.index(order)]
        if order.order_id in self._names:
            # Named, and sure of their place: submitted earlier, and never out of view.
            sure = [each for each in before if each.order_id in self._names.keys() - self._unwatched]
            if sure and order.order_id not in self._unwatched:
                self.out_of_turn += 1
                note(self.first_out_of_turn, execution.line)
            for each in before:
                if each.order_id in self._unwatched:
                    # It came earlier and does not trade first: it is gone, and others have its quantity.
                    self.gone_out_of_view += 1
                    self._forget(each)
        return self._requeue([order, *(each for each in queue if each is not order)])[0]

    # --- comparison ---

    def _compare(self, message: Message, published: PublishedBook) -> None:
        """Compare what is in view, take what came into view from the published book, and go on from there."""
        found = self.comparison.take(message.line, self._book, published)
        for side, price in found.entered:
            self._unwatch(side, price)
        for side, price, size in found.differences:
            self._shrink_level(side, price, size)
        for side, price, size in found.differences:
            self._fill_level(side, price, size)
        if self.seeded is None:
            self.seeded = [each for each in found.differences if each[2]]

    def _unwatch(self, side: Side, price: int) -> None:
        """What stands at a price that was out of view may have changed there."""
        level = self._book.own(side).levels.get(price)
        if level is not None:
            self._unwatched.update(self._names.keys() & level.orders.keys())

    def _shrink_level(self, side: Side, price: int, size: int) -> None:
        """Take off what a level has too much: standing quantity first, then the youngest orders."""
        level = self._book.own(side).levels.get(price)
        while level is not None and level.quantity_t > size:
            orders = list(level.orders.values())
            standing = (order for order in orders if order.order_id not in self._names)
            order = next(standing, None) or orders[-1]
            excess_t = level.quantity_t - size
            if order.remaining_t <= excess_t:
                self._gone(order)
            else:
                self._reduce(order, excess_t)

    def _fill_level(self, side: Side, price: int, size: int) -> None:
        level = self._book.own(side).levels.get(price)
        lacking_t = size - (level.quantity_t if level else 0)
        if lacking_t > 0:
            self._rest(side, price, lacking_t)

    # --- orders of ours ---

    def _clear(self, side: Side, bound: int) -> None:
        """Remove what stands at or better than a bound: it would have traded, so it had gone."""
        while (level := self._best(side)) is not None and key(side, level.price_fen) <= bound:
            for order in list(level.orders.values()):
                self._gone(order)

    def _best(self, side: Side) -> Level | None:
        return self._book.own(side).best()

    def _gone(self, order: Order) -> None:
        """Cancel an order that left without a message."""
        if order.order_id in self._names:
            self.gone_out_of_view += 1
        self._cancel(order)
        self._forget(order)

    def _forget(self, order: Order) -> None:
        """From here on its quantity, if any, is standing."""
        name = self._names.pop(order.order_id, None)
        if name is not None:
            del self._held[name]
        self._unwatched.discard(order.order_id)

    def _requeue(self, orders: list[Order]) -> list[Order]:
        """Place the orders of a whole level anew, in this order; return the new ones."""
        requeued = []
        for order in orders:
            rest_t, unwatched = order.remaining_t, order.order_id in self._unwatched
            name = self._names.get(order.order_id)
            self._cancel(order)
            self._forget(order)
            again = self._rest(order.side, order.price_fen, rest_t, name)
            if unwatched:
                self._unwatched.add(again.order_id)
            requeued.append(again)
        return requeued

    def _rest(self, side: Side, price: int, size: int, name: int | None = None) -> Order:
        account = _STANDING if name is None else _NAMED
        order = self._place(account, side, OrderKind.LIMIT, size, price)
        assert order.remaining_t == size, "a resting order traded at its entry"
        if name is not None:
            self._held[name], self._names[order.order_id] = order.order_id, name
            if not self.comparison.in_view(side, price):
                self._unwatched.add(order.order_id)
        return order

    def _place(self, account: bytes, side: Side, kind: OrderKind, size: int, price: int) -> Order:
        self._ids += 1
        order_id = UUID(int=self._ids).bytes
        self._do(PlaceOrder(order_id, account, _UNIT, side, kind, size, price, self._now_us))
        return self.state.orders[order_id]

    def _cancel(self, order: Order) -> None:
        self._do(CancelOrder(order.order_id, order.account, self._now_us))

    def _do(self, command: Command) -> None:
        apply(self.state, command)
