"""What makes rows of reports: `reference` in plain Python, `_native` the same, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from exchange.core.codes import Side
from exchange.history.rows import Trade
from exchange.history.stores import RowStore
from exchange.netting import Delta
from exchange.tape import TapeTrade

Touched = tuple[int, int, int]
"""Instrument, side, price."""
Previous = Callable[[int], int]

ORDERS: Final = 0
"""Chains of a participant's orders,"""
TRADES: Final = 1
"""of a participant's trades,"""
TAPE: Final = 2
"""of an instrument's trades."""


class Recorder(Protocol):
    """Keeps the rows of two stores, and what finds them. One thread at a time may use it."""

    watching: bool

    def __init__(self, orders: RowStore, trades: RowStore) -> None: ...

    @property
    def orders(self) -> int:
        """How many orders there are."""

    @property
    def trades(self) -> int:
        """How many trades there are."""

    def seed(self, accounts: list[bytes], units: list[int], collectors: list[int]) -> None:
        """Say who the participants are, what the instruments, and who collects their fees (0: nobody)."""

    def take(self, reports: bytes) -> list[tuple[int, int, int]]:
        """Take reports in; return (number, first, trades) of each epoch that they close.

        Raises HistoryFull, or OSError when there is no room, with nothing taken.
        """

    def rewind(self, orders: int, trades: int) -> None:
        """Keep so many rows of each, and find them again by one look at each; raises HistoryIncomplete."""

    def find(self, order_id: bytes) -> int:
        """Return the newest order of this id; 0: none."""

    def numbers(self, kind: int, key: int, after: int, limit: int, *, only_open: bool = False) -> list[int]:
        """Return at most `limit` numbers of a chain above `after`, oldest first; of orders those open."""

    def open_orders(self, participant: int) -> int:
        """Return how many of its orders stand in a book or wait."""

    def last_trade(self, instrument: int) -> int:
        """Return the number of an instrument's last trade; 0: none."""

    def drain(self) -> list[Touched]:
        """Return the levels touched since the last call, each once; only while `watching`."""

    def views(self) -> tuple[memoryview, memoryview]:
        """Return the rows of orders and of trades, to read; to be released before `take` or `rewind`."""

    def close(self) -> None:
        """Let go of the stores."""

    def tape(self, first: int, trades: int, epoch: int) -> list[TapeTrade]:
        """Return trades with names."""

    def root(self, first: int, trades: int, epoch: int) -> bytes:
        """Return the tape root of trades."""

    def net(self, first: int, trades: int) -> list[Delta]:
        """Return what trades move."""


def named(trade: Trade, epoch: int, unit: int, account: Callable[[int], bytes]) -> TapeTrade:
    """Return a trade as the tape has it; `account` gives a participant's, and zeros for 0."""
    taker = account(trade.taker), trade.taker_fee_fen, account(trade.taker_collector)
    maker = account(trade.maker), trade.maker_fee_fen, account(trade.maker_collector)
    buy, sale = (taker, maker) if trade.taker_side == Side.BUY else (maker, taker)
    return TapeTrade(
        number=trade.number,
        epoch=epoch,
        unit=unit,
        price_fen=trade.price_fen,
        quantity_t=trade.quantity_t,
        at_us=trade.at_us,
        taker_side=trade.taker_side,
        maker_order=trade.maker_order,
        taker_order=trade.taker_order,
        buyer=buy[0],
        seller=sale[0],
        buyer_fee_fen=buy[1],
        seller_fee_fen=sale[1],
        buyer_fee_to=buy[2],
        seller_fee_to=sale[2],
    )
