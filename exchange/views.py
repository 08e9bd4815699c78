"""What readers ask for and the state does not keep at hand: lists by account and unit, and what changed.

Derived from the state as it grows, so that a repeated command shows nothing twice; made again at every start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from exchange.book import Order
from exchange.commands import (
    AccountExited,
    CancelOrder,
    Command,
    PlaceOrder,
    ReduceOrder,
    RequestWithdrawal,
    Side,
    WithdrawalReleased,
)
from exchange.reports import ExitTaken, OrderCancelled, Report, Trade
from exchange.state import State, Withdrawal


@dataclass(frozen=True, slots=True)
class Change:
    """What a batch of commands did to one unit's book: levels with their new quantity (0: gone), and trades.

    `sequence` counts a unit's changes since the exchange was started; a gap says that one was missed.
    """

    unit: int
    sequence: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    trades: list[Trade]


@dataclass(slots=True)
class _Touched:
    prices: set[tuple[Side, int]] = field(default_factory=set)
    trades: list[Trade] = field(default_factory=list)


class Views:
    """Follows the state, command by command."""

    def __init__(self) -> None:
        self.orders_of: defaultdict[bytes, list[Order]] = defaultdict(list)
        self.trades_of_unit: defaultdict[int, list[Trade]] = defaultdict(list)
        self.trades_of_account: defaultdict[bytes, list[Trade]] = defaultdict(list)
        self.unreleased: dict[bytes, Withdrawal] = {}
        self.sequence: defaultdict[int, int] = defaultdict(int)
        self._orders_seen = 0
        self._trades_seen = 0
        self._touched: defaultdict[int, _Touched] = defaultdict(_Touched)

    def observe(self, state: State, command: Command, reports: Sequence[Report]) -> None:
        """Take in what an accepted command did."""
        if isinstance(command, PlaceOrder):
            self._observe_order(state, command)
        elif isinstance(command, CancelOrder | AccountExited):
            self._observe_cancels(state, reports)
        elif isinstance(command, ReduceOrder):
            order = state.orders[command.order_id]
            self._touched[order.unit].prices.add((order.side, order.price_fen))
        elif isinstance(command, RequestWithdrawal):
            withdrawal = state.withdrawals[command.withdrawal_id]
            if not withdrawal.released:
                self.unreleased[command.withdrawal_id] = withdrawal
        elif isinstance(command, WithdrawalReleased):
            self.unreleased.pop(command.withdrawal_id, None)

    def _observe_cancels(self, state: State, reports: Sequence[Report]) -> None:
        for report in reports:
            if isinstance(report, OrderCancelled):
                order = state.orders[report.order_id]
                self._touched[order.unit].prices.add((order.side, order.price_fen))
            elif isinstance(report, ExitTaken):
                paid = [each.withdrawal_id for each in self.unreleased.values() if each.released]
                for withdrawal_id in paid:
                    del self.unreleased[withdrawal_id]

    def _observe_order(self, state: State, command: PlaceOrder) -> None:
        if len(state.orders) == self._orders_seen:
            return  # a retry
        self._orders_seen = len(state.orders)
        order = state.orders[command.order_id]
        self.orders_of[order.account].append(order)
        touched = self._touched[order.unit]
        touched.prices.add((order.side, order.price_fen))
        maker_side = Side.SELL if order.side is Side.BUY else Side.BUY
        for trade in state.trades[self._trades_seen :]:
            self.trades_of_unit[trade.unit].append(trade)
            self.trades_of_account[trade.buyer].append(trade)
            self.trades_of_account[trade.seller].append(trade)
            touched.prices.add((maker_side, trade.price_fen))
            touched.trades.append(trade)
        self._trades_seen = len(state.trades)

    def take_changes(self, state: State) -> list[Change]:
        """Return what changed since the last call, one change a unit."""
        changes = []
        for unit, touched in self._touched.items():
            self.sequence[unit] += 1
            changes.append(
                Change(
                    unit=unit,
                    sequence=self.sequence[unit],
                    bids=_levels(state, unit, Side.BUY, touched.prices),
                    asks=_levels(state, unit, Side.SELL, touched.prices),
                    trades=touched.trades,
                )
            )
        self._touched.clear()
        return changes


def _levels(state: State, unit: int, side: Side, touched: set[tuple[Side, int]]) -> list[tuple[int, int]]:
    """Return the touched prices of one side with the quantity that now stands there, best first."""
    levels = state.books[unit].own(side).levels
    prices = sorted((price for own, price in touched if own is side and price), reverse=side is Side.BUY)
    return [(price, levels[price].quantity_t if price in levels else 0) for price in prices]
