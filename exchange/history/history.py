"""Orders and trades for readers: what the engine reported, kept for good. See the package."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from exchange.history.recorder import ORDERS, TAPE, TRADES, Recorder
from exchange.history.reference import ReferenceRecorder
from exchange.history.refusals import TapeEpochUnknown
from exchange.history.rows import Change, OrderRow, Trade, read_order, read_trade
from exchange.history.stores import RowFile, RowMemory, RowStore
from exchange.netting import Delta
from exchange.tape import TapeTrade

_recorder: type[Recorder] = ReferenceRecorder
with suppress(ImportError):  # not built: exchange.core says so once, for both
    from exchange.history._native import CompiledRecorder

    _recorder = CompiledRecorder

_BEGINNING: Final = {"orders": 0, "trades": 0, "epochs": 0, "committed": 0}
_WALKED_AT_ONCE: Final = 1_024


class History:
    """Every order that was accepted and every trade, found by id, number, participant and instrument.

    One thread at a time may use it. Numbers count from 1.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        stores: tuple[RowStore, RowStore] | None = None,
        recorder: type[Recorder] | None = None,
    ) -> None:
        """Keep orders and trades in two files of a directory, or in memory, or in two given stores.

        A new one has no rows, whatever the files hold, until `rewind` says how many of them count. One that
        takes reports without it begins from the beginning.
        """
        if stores is None:
            stores = _files(directory) if directory is not None else (RowMemory(), RowMemory())
        self._stores = stores
        self._recorder: Recorder = (recorder or _recorder)(*stores)
        self._epochs = self._committed = 0
        self._firsts: dict[int, int] = {}  # epoch by its first trade, if closed since the start
        self._streamed = 0
        self._is_placed = False

    # --- writing ---

    def seed(self, accounts: list[bytes], units: list[int], collectors: list[int]) -> None:
        """Say what a snapshot knows, at a start from one.

        By participant number the accounts, by instrument number the units and the participants who collect
        their fees (0: nobody).
        """
        self._recorder.seed(accounts, units, collectors)

    def take(self, reports: bytes) -> None:
        """Take in the reports of whole commands, every one, in their order.

        Raises HistoryFull, or OSError when there is no room for more rows; then nothing was taken.
        """
        if not self._is_placed:
            self.rewind()
        for number, first, trades in self._recorder.take(reports):
            self._firsts[first] = number
            if number > self._epochs:
                self._epochs, self._committed = number, first + trades - 1

    def sync(self) -> None:
        """Return once everything taken is on the disk; raises OSError."""
        for store in self._stores:
            store.sync()

    def mark(self) -> dict[str, int]:
        """Return how far it is, for a snapshot of this moment; `sync` before the snapshot counts."""
        return {
            "orders": self.orders,
            "trades": self.trades,
            "epochs": self._epochs,
            "committed": self._committed,
        }

    def rewind(self, mark: dict[str, int] | None = None) -> None:
        """Go back to a mark, or to the beginning; all that came after it is to be taken again.

        Rows after the mark are forgotten. Orders before it may have been changed since: they stay as they
        are, and are what they have to be when the replay has come to where they were written.

        Raises
        ------
        HistoryIncomplete :
            The files hold less than was there at the mark.
        """
        mark = mark or _BEGINNING
        self._recorder.rewind(mark["orders"], mark["trades"])
        self._epochs, self._committed = mark["epochs"], mark["committed"]
        self._firsts.clear()
        self._is_placed = True
        self._streamed = self.trades

    def close(self) -> None:
        """Let go of the files; nothing can be asked after it."""
        self._recorder.close()
        for store in self._stores:
            store.close()

    # --- reading ---

    @property
    def orders(self) -> int:
        """How many orders there are: the newest one's number."""
        return self._recorder.orders

    @property
    def trades(self) -> int:
        """How many trades there are: the newest one's number."""
        return self._recorder.trades

    def trade(self, number: int) -> Trade:
        """Return a trade; raises IndexError when there is none of this number."""
        if not 0 < number <= self.trades:
            raise IndexError(number)
        return self._read_trades((number,))[0]

    def trades_after(self, number: int, limit: int, instrument: int = 0, participant: int = 0) -> list[Trade]:
        """Return at most `limit` trades after a number, oldest first: all, an instrument's, a participant's.

        Of a participant in one instrument all trades of the participant after `number` may be looked at.
        """
        if limit <= 0:
            return []
        number = max(number, 0)
        if participant and instrument:
            return self._trades_of_both(number, limit, instrument, participant)
        if participant or instrument:
            kind, key = (TRADES, participant) if participant else (TAPE, instrument)
            return self._read_trades(self._recorder.numbers(kind, key, number, limit))
        return self._read_trades(range(number + 1, min(self.trades, number + limit) + 1))

    def _trades_of_both(self, number: int, limit: int, instrument: int, participant: int) -> list[Trade]:
        found: list[Trade] = []
        while len(found) < limit:
            numbers = self._recorder.numbers(TRADES, participant, number, _WALKED_AT_ONCE)
            if not numbers:
                break
            number = numbers[-1]
            found += (each for each in self._read_trades(numbers) if each.instrument == instrument)
        return found[:limit]

    def order(self, order_id: bytes) -> OrderRow | None:
        """Return the order of an id of 16 bytes; of an id that was used again the newest."""
        number = self._recorder.find(order_id)
        return self._read_orders((number,))[0] if number else None

    def orders_of(
        self, participant: int, after: int, limit: int, *, only_open: bool = False
    ) -> tuple[list[OrderRow], int | None]:
        """Return at most `limit` of a participant's orders, oldest first.

        Returns
        -------
        The orders numbered above `after`, and what to give as `after` for the next; None: these were all.
        """
        numbers = self._recorder.numbers(ORDERS, participant, max(after, 0), limit + 1, only_open=only_open)
        more = len(numbers) > limit
        del numbers[limit:]
        return self._read_orders(numbers), numbers[-1] if more and numbers else None

    def open_orders(self, participant: int) -> int:
        """Return how many of a participant's orders stand in a book or wait."""
        return self._recorder.open_orders(participant)

    def last_price(self, instrument: int) -> int:
        """Return the price of an instrument's last trade, fen a tonne; 0: none."""
        number = self._recorder.last_trade(instrument)
        return self._read_trades((number,))[0].price_fen if number else 0

    def _read_orders(self, numbers: Iterable[int]) -> list[OrderRow]:
        orders, trades = self._recorder.views()
        with orders, trades:
            return [read_order(orders, number) for number in numbers]

    def _read_trades(self, numbers: Iterable[int]) -> list[Trade]:
        orders, trades = self._recorder.views()
        with orders, trades:
            return [read_trade(trades, number) for number in numbers]

    # --- the market stream ---

    @property
    def watching(self) -> bool:
        """Whether changes are collected for `take_changes`; setting it begins anew."""
        return self._recorder.watching

    @watching.setter
    def watching(self, watching: bool) -> None:
        self._recorder.watching = watching
        self._recorder.drain()
        self._streamed = self.trades

    def take_changes(self) -> list[Change]:
        """Return what changed since the last call, by instrument; nothing while `watching` is off."""
        touched = self._recorder.drain()
        if not self.watching:
            return []
        trades = self.trades_after(self._streamed, self.trades - self._streamed)
        self._streamed = self.trades
        changes = {
            instrument: Change(instrument, [], [])
            for instrument in sorted({each[0] for each in touched} | {trade.instrument for trade in trades})
        }
        for instrument, side, price in touched:
            changes[instrument].touched.append((side, price))
        for trade in trades:
            changes[trade.instrument].trades.append(trade)
        return list(changes.values())

    # --- the tape ---

    def tape(self, first: int, trades: int, epoch: int = 0) -> list[TapeTrade]:
        """Return `trades` trades from `first` on with accounts and units in place of numbers; see `root`."""
        return self._recorder.tape(first, self._whole(first, trades), epoch or self._epoch_of(first))

    def root(self, first: int, trades: int, epoch: int = 0) -> bytes:
        """Return the tape root over `trades` trades from `first` on, which are the epoch's.

        Without `epoch` it is the one that begins with `first`: the open one, or one closed since the start.

        Raises
        ------
        TapeEpochUnknown :
            No such epoch is known to begin there.
        IndexError :
            There are no such trades.
        """
        return self._recorder.root(first, self._whole(first, trades), epoch or self._epoch_of(first))

    def net(self, first: int, trades: int) -> list[Delta]:
        """Return what `trades` trades from `first` on move, fees too (see `netting`); raises IndexError."""
        return self._recorder.net(first, self._whole(first, trades))

    def _whole(self, first: int, trades: int) -> int:
        if not (first > 0 and 0 <= trades <= self.trades + 1 - first):
            raise IndexError(first, trades)
        return trades

    def _epoch_of(self, first: int) -> int:
        if first == self._committed + 1:
            return self._epochs + 1
        if first not in self._firsts:
            raise TapeEpochUnknown(first=first)
        return self._firsts[first]


def _files(directory: Path) -> tuple[RowStore, RowStore]:
    orders = RowFile(directory / "orders")
    try:
        return orders, RowFile(directory / "trades")
    except OSError:
        orders.close()
        raise
