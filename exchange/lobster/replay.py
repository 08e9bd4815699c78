"""LOBSTER messages through the engine, and its book against the published one after every message.

A file shows as many levels as it was ordered with. What happens deeper it leaves out: orders come, change and
go there without a message. So a level is compared while it is *in view*, from the row after the one in which
it came into view; the size that it came with is taken from the published book, the unknown part of it as a
standing order, and counted. In view everything is a message, and every difference is a mismatch.

Words used here: see `exchange.lobster`.
"""

from __future__ import annotations

from collections import Counter

from exchange.core.codes import Side
from exchange.lobster.compare import Comparison, key, note
from exchange.lobster.file import LobsterMalformed, Message, MessageType, PublishedBook
from exchange.lobster.market import OPPOSITE, Market, Order

_SUBMISSION, _DELETION, _EXECUTION = MessageType.SUBMISSION, MessageType.DELETION, MessageType.EXECUTION


class Replay:
    """One instrument's day in an engine of its own. Use: `take` every message, then read the counters."""

    def __init__(self, market: Market | None = None) -> None:
        self.market = Market() if market is None else market
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
        self._held: dict[int, Order] = {}
        """The named orders that rest, by the file's id."""

    def take(self, message: Message, published: PublishedBook | None) -> None:
        """Do one message, then compare with the book after it.

        Raises
        ------
        LobsterMalformed :
            It submits an order that rests already.
        """
        self.kinds[message.kind] += 1
        self.market.now_us = message.at_ns // 1_000
        if message.kind is _SUBMISSION:
            self._submit(message)
        elif message.on_the_book:
            self._shrink(message)
        if published is not None:
            self._compare(message, published)

    def check(self) -> None:
        """Assert that the core's invariants hold, and that it has the orders that are held here."""
        self.market.engine.check()
        self.market.check()

    @property
    def unknown_before(self) -> list[int]:
        """Orders that stood before the file begins: ids rise in order flow, theirs are below its first."""
        first = self.first_order
        return [order for order in self.unknown_orders if first is None or order < first]

    # --- messages ---

    def _submit(self, message: Message) -> None:
        known = self._held.get(message.order)
        if known is not None:
            if not known.unwatched:
                raise LobsterMalformed(line=message.line, reason=f"order {message.order} rests already")
            self._gone(known)
        if self.first_order is None:
            self.first_order = message.order
        self._submitted.add(message.order)
        self._clear_opposite(message)
        self._rest(message.side, message.price, message.size, message.order)

    def _shrink(self, message: Message) -> None:
        """Take the message's size from its order: by a trade, or by a reduction that keeps the order's place.

        What its order does not have comes from the price's standing quantity, then from unwatched orders.
        """
        order = self._order_of(message)
        if message.kind is _EXECUTION:
            self._execute(message, order)
            return
        left = message.size
        if order is not None:
            left -= self._reduce(order, left)
            if message.kind is _DELETION and order.left:
                self._delete_rest(order)
        if left and self._reduce_others(message, left):
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
            order = next((each for each in self._others(message) if each.left >= message.size), None)
        if order is None or order.left < message.size:
            left = message.size - (self._reduce(order, message.size) if order else 0)
            if self._reduce_others(message, left):
                self.placed_for_executions += 1
                self._clear_opposite(message)
            order, named = self._rest(side, message.price, message.size), False
        if self.market.is_next(order):
            self.in_turn += named
        else:
            order = self._to_the_front(order, message)
        self.market.execute(order, message.size)
        if not order.left:
            self._forget(order)

    def _order_of(self, message: Message) -> Order | None:
        order = self._held.get(message.order)
        if order is not None and order.price == message.price and order.side is message.side:
            return order
        if message.order in self._submitted:
            self.returned += 1
        else:
            self.unknown_orders[message.order] = None
            self.unknown_messages += 1
        return None

    def _reduce(self, order: Order, size: int) -> int:
        """Take up to `size` off a resting order, which keeps its place; return how much it was."""
        size = min(size, order.left)
        if size == order.left:
            self._cancel(order)
        else:
            self.market.reduce(order, size)
        return size

    def _reduce_others(self, message: Message, size: int) -> int:
        """Take `size` off what a message about an order that is not held may mean; return what is lacking."""
        for order in self._others(message):
            if not size:
                break
            size -= self._reduce(order, size)
        return size

    def _delete_rest(self, order: Order) -> None:
        """The file says that all of it is gone: what it was thought to have besides, others have."""
        rest, unwatched = order.left, order.unwatched
        self._cancel(order)
        if unwatched and self.comparison.in_view(order.side, order.price):
            self._rest(order.side, order.price, rest)

    def _others(self, message: Message) -> list[Order]:
        """Return the price's standing orders, then its unwatched ones from the youngest on."""
        orders = self.market.queue(message.side, message.price)
        standing = [order for order in orders if order.name is None]
        if not self.comparison.in_view(message.side, message.price):
            return standing  # the level's sum is nowhere published: leave the named orders alone
        return standing + [order for order in reversed(orders) if order.unwatched]

    def _to_the_front(self, order: Order, execution: Message) -> Order:
        """Make an order next in turn, where its place or that of the ones before it was only assumed.

        Orders before it that the file submitted, in view ever since, prove the execution to be out of turn.
        """
        queue = self.market.queue(order.side, order.price)
        before = queue[: queue.index(order)]
        if order.name is not None:
            # Named, and sure of their place: submitted earlier, and never out of view.
            sure = any(each.name is not None and not each.unwatched for each in before)
            if sure and not order.unwatched:
                self.out_of_turn += 1
                note(self.first_out_of_turn, execution.line)
            for each in before:
                if each.unwatched:
                    # It came earlier and does not trade first: it is gone, and others have its quantity.
                    self.gone_out_of_view += 1
                    self._forget(each)
        return self._requeue([order, *(each for each in queue if each is not order)])[0]

    # --- comparison ---

    def _compare(self, message: Message, published: PublishedBook) -> None:
        """Compare what is in view, take what came into view from the published book, and go on from there."""
        found = self.comparison.take(message.line, self.market, published)
        if self.seeded is None:
            differences = found.differences if found else []
            self.seeded = [each for each in differences if each[2]]
        if found is None:
            return
        for side, price in found.entered:
            self._unwatch(side, price)
        for side, price, size in found.differences:
            self._shrink_level(side, price, size)
        for side, price, size in found.differences:
            self._fill_level(side, price, size)

    def _unwatch(self, side: Side, price: int) -> None:
        """What stands at a price that was out of view may have changed there."""
        for order in self.market.queue(side, price):
            order.unwatched = order.name is not None

    def _shrink_level(self, side: Side, price: int, size: int) -> None:
        """Take off what a level has too much: standing quantity first, then the youngest orders."""
        orders = self.market.queue(side, price)
        excess = sum(order.left for order in orders) - size
        standing = [order for order in orders if order.name is None]
        named = [order for order in reversed(orders) if order.name is not None]
        for order in standing + named:
            if excess <= 0:
                break
            if order.left <= excess:
                excess -= order.left
                self._gone(order)
            else:
                excess -= self._reduce(order, excess)

    def _fill_level(self, side: Side, price: int, size: int) -> None:
        lacking = size - sum(order.left for order in self.market.queue(side, price))
        if lacking > 0:
            self._rest(side, price, lacking)

    # --- orders of ours ---

    def _clear(self, side: Side, bound: int) -> None:
        """Remove what stands at or better than a bound: it would have traded, so it had gone."""
        while (price := self.market.best(side)) is not None and key(side, price) <= bound:
            for order in self.market.queue(side, price):
                self._gone(order)

    def _clear_opposite(self, message: Message) -> None:
        """Remove what an order at the message's price could trade with."""
        opposite = OPPOSITE[message.side]
        self._clear(opposite, key(opposite, message.price))

    def _gone(self, order: Order) -> None:
        """Cancel an order that left without a message."""
        if order.name is not None:
            self.gone_out_of_view += 1
        self._cancel(order)

    def _cancel(self, order: Order) -> None:
        self.market.cancel(order)
        self._forget(order)

    def _forget(self, order: Order) -> None:
        """From here on its quantity, if any, is standing."""
        if order.name is not None:
            del self._held[order.name]
        order.name, order.unwatched = None, False

    def _requeue(self, orders: list[Order]) -> list[Order]:
        """Place the orders of a whole level anew, in this order; return the new ones."""
        requeued = []
        for order in orders:
            rest, unwatched, name = order.left, order.unwatched, order.name
            self._cancel(order)
            again = self._rest(order.side, order.price, rest, name)
            again.unwatched |= unwatched
            requeued.append(again)
        return requeued

    def _rest(self, side: Side, price: int, size: int, name: int | None = None) -> Order:
        order = self.market.rest(side, price, size, name)
        if name is not None:
            self._held[name] = order
            order.unwatched = not self.comparison.in_view(side, price)
        return order
