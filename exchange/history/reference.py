"""The recorder in plain Python: the text to read. The compiled one does the same, faster.

ACCEPTED makes an order, TRADE a trade; other reports change orders. A replay may meet orders that a later
moment wrote already (see `rewind`): what a report says of an order is set, whatever stood there; only a trade
adds, and not to an order whose last trade is that one or a later one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeVar

from exchange.core.codes import OrderType, ReportFlag, ReportKind, Status
from exchange.core.records import REPORT_BYTES, Report, reports_of
from exchange.history.chains import Chain
from exchange.history.recorder import ORDERS, TAPE, TRADES, Previous, Touched, named
from exchange.history.refusals import HistoryFull, HistoryIncomplete
from exchange.history.rows import ORDER, ORDERS_MAX, ROW_BYTES, TRADE, TRADES_MAX, read_trade
from exchange.history.stores import RowStore
from exchange.netting import Delta, net
from exchange.tape import TapeTrade, tape_root

T = TypeVar("T")

_STANDING: Final = (Status.OPEN, Status.PARKED)
_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_FILL: Final = struct.Struct("<QII16s16s")
_ENTRY: Final = struct.Struct("<QII")
_NOTHING: Final = bytes(16)

_ENDS: Final[dict[int, Status]] = {
    ReportKind.FILLED: Status.FILLED,
    ReportKind.CANCELLED: Status.CANCELLED,
    ReportKind.EXPIRED: Status.EXPIRED,
}
_OF_ORDERS: Final = frozenset(
    (*_ENDS, ReportKind.RESTED, ReportKind.AMENDED, ReportKind.TRIGGERED, ReportKind.REPLENISHED)
) | {ReportKind.REDUCED}
_NEVER_STAND: Final = (OrderType.MARKET, OrderType.STOP)
"""Types of orders that no book ever shows."""

# Places in an order,
_PARTICIPANT, _PREVIOUS, _INSTRUMENT, _SIDE, _STATUS, _REASON, _ENTRY_STATUS = 16, 20, 24, 26, 29, 30, 31
_ORDINAL, _QUANTITY, _PRICE, _FILL_AT, _ENTRY_AT = 36, 48, 56, 64, 112
# and in a trade.
_TRADE_PRICE, _TAKER, _TRADE_INSTRUMENT = 32, 56, 116
_TAKER_PREVIOUS, _MAKER_PREVIOUS, _TAPE_PREVIOUS = 104, 108, 112


class ReferenceRecorder:
    """The recorder in plain Python."""

    is_compiled = False

    def __init__(self, orders: RowStore, trades: RowStore) -> None:
        self._order_store, self._trade_store = orders, trades
        self._order_rows, self._trade_rows = orders.view(), trades.view()
        self.orders = self.trades = 0
        self.watching = False
        self._accounts: list[bytes] = []
        self._units: list[int] = []
        self._collectors: list[int] = []
        self._touched: dict[Touched, None] = {}
        self._forget()

    def _forget(self) -> None:
        """Begin without rows."""
        self.orders = self.trades = 0
        self._ids: dict[bytes, int] = {}
        self._chains: tuple[dict[int, Chain], dict[int, Chain], dict[int, Chain]] = ({}, {}, {})
        self._entering = self._entering_sequence = 0
        self._touched.clear()

    def seed(self, accounts: list[bytes], units: list[int], collectors: list[int]) -> None:
        """Say who the participants are, what the instruments, and who collects their fees."""
        self._accounts, self._units, self._collectors = list(accounts), list(units), list(collectors)

    # --- taking ---

    def take(self, reports: bytes) -> list[tuple[int, int, int]]:
        """Take reports in; return the epochs that they close."""
        kinds = reports[::REPORT_BYTES]
        self._reserve(kinds.count(ReportKind.ACCEPTED), kinds.count(ReportKind.TRADE))
        closed = []
        for report in reports_of(reports):
            if report.kind == ReportKind.EPOCH_CLOSED:
                closed.append((report.number, report.left, report.quantity))
            else:
                self._take_one(report)
        return closed

    def _reserve(self, orders: int, trades: int) -> None:
        orders, trades = self.orders + orders, self.trades + trades
        if orders > ORDERS_MAX or trades > TRADES_MAX:
            raise HistoryFull(orders=orders, trades=trades)
        if orders > self._order_store.rows:
            self._order_rows.release()
            try:
                self._order_store.reserve(orders)
            finally:
                self._order_rows = self._order_store.view()
        if trades > self._trade_store.rows:
            self._trade_rows.release()
            try:
                self._trade_store.reserve(trades)
            finally:
                self._trade_rows = self._trade_store.view()

    def _take_one(self, report: Report) -> None:
        kind = report.kind
        if self._entering and (report.sequence != self._entering_sequence or kind == ReportKind.TRIGGERED):
            self._entering = 0  # what comes now is no longer of the order's entry
        if kind == ReportKind.ACCEPTED:
            self._accepted(report)
        elif kind == ReportKind.TRADE:
            self._traded(report)
        elif kind in _OF_ORDERS:
            if not report.flags & ReportFlag.REPEATED:
                self._changed(report, self._number_of(report.id))
        elif kind == ReportKind.REGISTERED:
            _put(self._accounts, report.participant, report.id + report.other_id[:4], bytes(20))
        elif kind == ReportKind.LISTED:
            _put(self._units, report.instrument, int.from_bytes(report.id, "little"), 0)
            if report.instrument > len(self._collectors):
                _put(self._collectors, report.instrument, 0, 0)
        elif kind == ReportKind.RULES_SET:
            _put(self._collectors, report.instrument, report.participant, 0)

    def _accepted(self, report: Report) -> None:
        self.orders += 1
        number = self.orders
        chain = self._chain(ORDERS, report.participant)
        previous = chain.head()
        ordinal = chain.append(number)
        ORDER.pack_into(
            self._order_rows,
            (number - 1) * ROW_BYTES,
            *(
                report.id,
                report.participant,
                previous,
                report.instrument,
                report.side,
                report.type,
                report.tif,
            ),
            *(0, 0, 0, 0, ordinal, report.at_us, report.quantity, report.price),
            *(0, 0, self._collector_of(report.instrument), _NOTHING, _NOTHING, 0, 0, 0),
        )
        self._ids[report.id] = number
        self._entering, self._entering_sequence = number, report.sequence
        self._stand(number, report.code, 0)

    def _traded(self, report: Report) -> None:
        self.trades += 1
        number = self.trades
        assert number == report.number, "a trade is missing"
        taker, maker = self._number_of(report.id), self._number_of(report.other_id)
        self._append_trade(report, number, taker, maker)
        value = report.price * report.quantity
        self._fill(taker, number, report.quantity, value, report.a)
        self._fill(maker, number, report.quantity, value, report.b)
        if taker == self._entering:
            at = (taker - 1) * ROW_BYTES + _ENTRY_AT
            filled, first, count = _ENTRY.unpack_from(self._order_rows, at)
            _ENTRY.pack_into(self._order_rows, at, filled + report.quantity, first or number, count + 1)
        if not report.left:
            self._stand(maker, Status.FILLED, 0)
        if self.watching:
            self._touch(maker)
            if report.flags & ReportFlag.AUCTION:
                self._touch(taker)

    def _number_of(self, order_id: bytes) -> int:
        number = self._ids.get(order_id, 0)
        assert number, "a report of an unknown order"
        return number

    def _append_trade(self, report: Report, number: int, taker: int, maker: int) -> None:
        chains = (
            self._chain(TRADES, report.participant),
            self._chain(TRADES, report.other),
            self._chain(TAPE, report.instrument),
        )
        previous = [chain.head() for chain in chains]
        for chain in chains:
            chain.append(number)
        TRADE.pack_into(
            self._trade_rows,
            (number - 1) * ROW_BYTES,
            *(report.id, report.other_id, report.price, report.quantity, report.at_us),
            *(report.participant, report.other),
            *(report.a.to_bytes(16, "little"), report.b.to_bytes(16, "little")),
            self._collector(taker) if report.a else 0,
            self._collector(maker) if report.b else 0,
            *(*previous, report.instrument, report.side, bool(report.flags & ReportFlag.AUCTION)),
        )

    def _changed(self, report: Report, number: int) -> None:
        kind, at = report.kind, (number - 1) * ROW_BYTES
        if self.watching and kind not in (ReportKind.TRIGGERED, ReportKind.FILLED):
            self._touch(number)  # where it stood, before it is given another price
        if kind in (ReportKind.AMENDED, ReportKind.REDUCED):
            _U64.pack_into(self._order_rows, at + _QUANTITY, report.quantity)
            _U64.pack_into(self._order_rows, at + _PRICE, report.price)
        elif kind in _ENDS:
            self._stand(number, _ENDS[kind], report.code)
        elif kind == ReportKind.TRIGGERED:
            self._stand(number, Status.OPEN, 0)

    def _stand(self, number: int, status: int, reason: int) -> None:
        """Set where an order stands, and count it if that opens or closes it."""
        rows, at = self._order_rows, (number - 1) * ROW_BYTES
        by = (status in _STANDING) - (rows[at + _STATUS] in _STANDING)
        rows[at + _STATUS], rows[at + _REASON] = status, reason
        if number == self._entering:
            rows[at + _ENTRY_STATUS], rows[at + _ENTRY_STATUS + 1] = status, reason
        if by:
            (participant,) = _U32.unpack_from(rows, at + _PARTICIPANT)
            (ordinal,) = _U32.unpack_from(rows, at + _ORDINAL)
            self._chains[ORDERS][participant].opened(ordinal, by)

    def _fill(self, number: int, trade: int, quantity: int, value: int, fee: int) -> None:
        at = (number - 1) * ROW_BYTES + _FILL_AT
        filled, last, collector, filled_fen, fees = _FILL.unpack_from(self._order_rows, at)
        if last >= trade:
            return  # counted before the replay
        filled_fen = (int.from_bytes(filled_fen, "little") + value).to_bytes(16, "little")
        fees = (int.from_bytes(fees, "little") + fee).to_bytes(16, "little")
        _FILL.pack_into(self._order_rows, at, filled + quantity, trade, collector, filled_fen, fees)

    def _collector_of(self, instrument: int) -> int:
        return self._collectors[instrument - 1] if instrument <= len(self._collectors) else 0

    def _collector(self, number: int) -> int:
        collector: int = _FILL.unpack_from(self._order_rows, (number - 1) * ROW_BYTES + _FILL_AT)[2]
        assert collector, "a fee that nobody collects"
        return collector

    def _touch(self, number: int) -> None:
        rows, at = self._order_rows, (number - 1) * ROW_BYTES
        (price,) = _U64.unpack_from(rows, at + _PRICE)
        if price and rows[at + _STATUS] != Status.PARKED and rows[at + _SIDE + 1] not in _NEVER_STAND:
            (instrument,) = _U16.unpack_from(rows, at + _INSTRUMENT)
            self._touched[instrument, rows[at + _SIDE], price] = None

    # --- finding ---

    def _chain(self, kind: int, key: int) -> Chain:
        chain = self._chains[kind].get(key)
        if chain is None:
            chain = self._chains[kind][key] = Chain()
        return chain

    def rewind(self, orders: int, trades: int) -> None:
        """Keep so many rows of each, and find them again."""
        for kind, rows, most, mark, needed in (
            ("orders", self._order_rows, self._order_store.rows, _PARTICIPANT, orders),
            ("trades", self._trade_rows, self._trade_store.rows, _TAKER, trades),
        ):
            written = _written(rows, min(most, needed), mark)
            if written < needed:
                raise HistoryIncomplete(kind=kind, found=written, needed=needed)
        self._order_rows.release()
        self._trade_rows.release()
        self._order_store.cut(orders)
        self._trade_store.cut(trades)
        self._order_rows, self._trade_rows = self._order_store.view(), self._trade_store.view()
        self._forget()
        for number in range(1, orders + 1):
            self._find_order(number)
        for number in range(1, trades + 1):
            self._find_trade(number)
        self.orders, self.trades = orders, trades

    def _find_order(self, number: int) -> None:
        rows, at = self._order_rows, (number - 1) * ROW_BYTES
        self._ids[bytes(rows[at : at + 16])] = number
        chain = self._chain(ORDERS, _U32.unpack_from(rows, at + _PARTICIPANT)[0])
        ordinal = chain.append(number)
        if rows[at + _STATUS] in _STANDING:
            chain.opened(ordinal, 1)

    def _find_trade(self, number: int) -> None:
        rows, at = self._trade_rows, (number - 1) * ROW_BYTES
        for participant in struct.unpack_from("<II", rows, at + _TAKER):
            self._chain(TRADES, participant).append(number)
        self._chain(TAPE, _U16.unpack_from(rows, at + _TRADE_INSTRUMENT)[0]).append(number)

    def find(self, order_id: bytes) -> int:
        """Return the newest order of this id."""
        return self._ids.get(order_id, 0)

    def numbers(self, kind: int, key: int, after: int, limit: int, *, only_open: bool = False) -> list[int]:
        """Return numbers of a chain."""
        chain = self._chains[kind].get(key)
        if chain is None:
            return []
        found: Iterator[int] = chain.after(after, self._previous_of(kind, key), only_open=only_open)
        if only_open:
            found = (
                each for each in found if self._order_rows[(each - 1) * ROW_BYTES + _STATUS] in _STANDING
            )
        return list(islice(found, limit))

    def _previous_of(self, kind: int, key: int) -> Previous:
        def of_orders(number: int) -> int:
            return int(_U32.unpack_from(self._order_rows, (number - 1) * ROW_BYTES + _PREVIOUS)[0])

        def of_trades(number: int) -> int:
            at = (number - 1) * ROW_BYTES
            is_taker = _U32.unpack_from(self._trade_rows, at + _TAKER)[0] == key
            where = _TAKER_PREVIOUS if is_taker else _MAKER_PREVIOUS
            return int(_U32.unpack_from(self._trade_rows, at + where)[0])

        def of_tape(number: int) -> int:
            return int(_U32.unpack_from(self._trade_rows, (number - 1) * ROW_BYTES + _TAPE_PREVIOUS)[0])

        return (of_orders, of_trades, of_tape)[kind]

    def open_orders(self, participant: int) -> int:
        """Return how many of its orders stand in a book or wait."""
        chain = self._chains[ORDERS].get(participant)
        return chain.open_all if chain else 0

    def last_trade(self, instrument: int) -> int:
        """Return the number of an instrument's last trade; 0: none."""
        chain = self._chains[TAPE].get(instrument)
        return chain.head() if chain else 0

    def drain(self) -> list[Touched]:
        """Return the levels touched since the last call."""
        touched = list(self._touched)
        self._touched.clear()
        return touched

    def views(self) -> tuple[memoryview, memoryview]:
        """Return the rows of both, to read."""
        return self._order_rows[:], self._trade_rows[:]

    def close(self) -> None:
        """Let go of the stores."""
        self._order_rows.release()
        self._trade_rows.release()

    # --- the tape ---

    def tape(self, first: int, trades: int, epoch: int) -> list[TapeTrade]:
        """Return trades with names."""
        found = (read_trade(self._trade_rows, first + n) for n in range(trades))
        return [named(each, epoch, self._units[each.instrument - 1], self._account) for each in found]

    def _account(self, participant: int) -> bytes:
        assert participant <= len(self._accounts), "a trade without names"
        return self._accounts[participant - 1] if participant else bytes(20)

    def root(self, first: int, trades: int, epoch: int) -> bytes:
        """Return the tape root of trades."""
        return tape_root(self.tape(first, trades, epoch))

    def net(self, first: int, trades: int) -> list[Delta]:
        """Return what trades move."""
        return net(self.tape(first, trades, 0))


def _written(rows: memoryview, most: int, mark: int) -> int:
    """Return how many of the first `most` rows were written: up to the first whose u32 at `mark` is 0."""
    for number in range(most):
        if not _U32.unpack_from(rows, number * ROW_BYTES + mark)[0]:
            return number
    return most


def _put(items: list[T], number: int, item: T, filler: T) -> None:
    """Set the item of a number, from 1."""
    items.extend([filler] * (number - len(items)))
    items[number - 1] = item
