"""A history without rows, for whoever replays: tape roots and what epochs move, a few bytes a trade at most.

`Tally` is the work: it takes reports in as they come. `TallyRecorder` lets a `History` stand on one:

    History(recorder=TallyRecorder)

It needs no report but TRADE, LISTED, REGISTERED, RULES_SET and EPOCH_CLOSED. What it cannot know is who
collected an instrument's fees when an order came in. As long as that is always the same one it is no matter,
and else it says so (CollectorChanged), and the replay has to keep rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn, Protocol

from exchange.core.codes import ReportFlag, ReportKind, Side
from exchange.core.records import Report, reports_of
from exchange.history.recorder import Touched
from exchange.history.refusals import CollectorChanged, RowsNotKept
from exchange.history.stores import RowStore
from exchange.netting import Delta, net
from exchange.tape import TapeTrade, tape_root

KINDS: Final = frozenset(
    {
        ReportKind.TRADE,
        ReportKind.LISTED,
        ReportKind.REGISTERED,
        ReportKind.RULES_SET,
        ReportKind.EPOCH_CLOSED,
    }
)
"""The reports that it needs."""


class ClosedEpoch(NamedTuple):
    """An epoch's number, its first trade's, how many trades; its tape's root, and what it moves."""

    number: int
    first: int
    trades: int
    root: bytes
    deltas: list[Delta]


class Tally(Protocol):
    """Takes reports in. One thread at a time may use it."""

    @property
    def trades(self) -> int:
        """How many trades there were."""

    @property
    def epochs(self) -> int:
        """How many epochs were closed."""

    def take(self, reports: bytes) -> list[tuple[int, int, int, bytes, list[Delta]]]:
        """Take reports in; return the epochs that they close, as `ClosedEpoch` has them.

        Raises CollectorChanged; then it is of no use any more.
        """

    def root(self) -> bytes:
        """Return the tape root of the open epoch's trades so far."""

    def net(self) -> list[Delta]:
        """Return what the open epoch's trades moved so far."""


class ReferenceTally:
    """The tally in plain Python: keeps the open epoch's trades."""

    is_compiled = False

    def __init__(self) -> None:
        self.trades = self.epochs = 0
        self._open: list[TapeTrade] = []
        self._accounts: list[bytes] = []
        self._units: list[int] = []
        self._collectors: list[int] = []

    def take(self, reports: bytes) -> list[tuple[int, int, int, bytes, list[Delta]]]:
        """Take reports in; return the epochs that they close."""
        closed = []
        for report in reports_of(reports):
            if report.kind == ReportKind.TRADE:
                self._trade(report)
            elif report.kind == ReportKind.REGISTERED:
                if report.participant > len(self._accounts):
                    self._accounts.append(report.id + report.other_id[:4])
            elif report.kind == ReportKind.LISTED:
                if report.instrument > len(self._units):
                    self._units.append(int.from_bytes(report.id, "little"))
                    self._collectors.append(0)
            elif report.kind == ReportKind.RULES_SET:
                self._rules(report)
            elif report.kind == ReportKind.EPOCH_CLOSED and not report.flags & ReportFlag.REPEATED:
                first = self.trades + 1 - len(self._open)
                assert (report.number, report.left) == (self.epochs + 1, first), "an epoch is missing"
                assert report.quantity == len(self._open), "an epoch of other trades"
                closed.append((report.number, report.left, report.quantity, self.root(), self.net()))
                self._open.clear()
                self.epochs += 1
        return closed

    def _rules(self, report: Report) -> None:
        before = self._collectors[report.instrument - 1]
        if report.participant and before not in (0, report.participant):
            raise CollectorChanged(instrument=report.instrument)
        self._collectors[report.instrument - 1] = report.participant or before

    def _trade(self, report: Report) -> None:
        self.trades += 1
        assert report.number == self.trades, "a trade is missing"
        collector = self._collectors[report.instrument - 1]
        assert collector or not (report.a or report.b), "a fee that nobody collects"
        taker = self._accounts[report.participant - 1], report.a
        maker = self._accounts[report.other - 1], report.b
        buy, sale = (taker, maker) if report.side == Side.BUY else (maker, taker)
        to = self._accounts[collector - 1] if collector else b""
        self._open.append(
            TapeTrade(
                number=report.number,
                epoch=self.epochs + 1,
                unit=self._units[report.instrument - 1],
                price_fen=report.price,
                quantity_t=report.quantity,
                at_us=report.at_us,
                taker_side=report.side,
                maker_order=report.other_id,
                taker_order=report.id,
                buyer=buy[0],
                seller=sale[0],
                buyer_fee_fen=buy[1],
                seller_fee_fen=sale[1],
                buyer_fee_to=to if buy[1] else bytes(20),
                seller_fee_to=to if sale[1] else bytes(20),
            )
        )

    def root(self) -> bytes:
        """Return the tape root of the open epoch's trades so far."""
        return tape_root(self._open)

    def net(self) -> list[Delta]:
        """Return what the open epoch's trades moved so far."""
        return net(self._open)


try:
    from exchange.history._tally import CompiledTally
except ImportError:  # exchange.core says so
    CompiledTally = ReferenceTally  # type: ignore[assignment, misc]


@dataclass(slots=True)
class _Sums:
    """Deltas, added."""

    tonnes: Counter[tuple[int, bytes]]
    cash: Counter[tuple[int, bytes]]

    def add(self, deltas: list[Delta]) -> None:
        for each in deltas:
            self.tonnes[each.unit, each.account] += each.quantity_t
            self.cash[each.unit, each.account] += each.cash_fen

    def deltas(self) -> list[Delta]:
        return [
            Delta(account, unit, self.tonnes[unit, account], self.cash[unit, account])
            for unit, account in sorted(self.cash)
            if self.tonnes[unit, account] or self.cash[unit, account]
        ]


class TallyRecorder:
    """What a `History` without rows stands on. It begins with the first report and cannot go back."""

    watching = False
    orders = 0

    def __init__(self, orders: RowStore, trades: RowStore) -> None:
        del orders, trades
        self._tally: Tally = CompiledTally()
        self._closed: dict[int, ClosedEpoch] = {}

    @property
    def trades(self) -> int:
        """How many trades there were."""
        return self._tally.trades

    def take(self, reports: bytes) -> list[tuple[int, int, int]]:
        """Take reports in; return the epochs that they close; raises CollectorChanged."""
        closed = [ClosedEpoch(*each) for each in self._tally.take(reports)]
        self._closed.update((each.first, each) for each in closed)
        return [each[:3] for each in closed]

    def root(self, first: int, trades: int, epoch: int) -> bytes:
        """Return an epoch's tape root; raises RowsNotKept for anything less than a whole one."""
        known = self._closed.get(first)
        if known is not None and (known.trades, known.number) == (trades, epoch):
            return known.root
        if (first, trades, epoch) == (*self._open(), self._tally.epochs + 1):
            return self._tally.root()
        raise RowsNotKept(first=first, trades=trades)

    def net(self, first: int, trades: int) -> list[Delta]:
        """Return what epochs in a row move; raises RowsNotKept where the trades are not theirs alone."""
        sums, end = _Sums(Counter(), Counter()), first + trades
        while first < end and (known := self._closed.get(first)) is not None:
            sums.add(known.deltas)
            first += known.trades
        if first < end and (first, end - first) == self._open():
            sums.add(self._tally.net())
            first = end
        if first != end:
            raise RowsNotKept(first=first, trades=trades)
        return sums.deltas()

    def _open(self) -> tuple[int, int]:
        """Return the open epoch's first trade and how many there are."""
        last = next(reversed(self._closed.values())) if self._closed else None
        first = last.first + last.trades if last is not None else 1
        return first, self._tally.trades + 1 - first

    def rewind(self, orders: int, trades: int) -> None:
        """Begin; raises RowsNotKept for any place but the beginning."""
        if orders or trades or self.trades:
            raise RowsNotKept(first=1, trades=trades)

    def drain(self) -> list[Touched]:
        """Nothing is watched."""
        return []

    def close(self) -> None:
        """Nothing is held."""

    def seed(self, accounts: list[bytes], units: list[int], collectors: list[int]) -> NoReturn:
        """It begins with the first report."""
        del accounts, units, collectors
        raise RowsNotKept

    def find(self, order_id: bytes) -> NoReturn:
        """No order is kept."""
        del order_id
        raise RowsNotKept

    def numbers(self, kind: int, key: int, after: int, limit: int, *, only_open: bool = False) -> NoReturn:
        """No row is kept."""
        del kind, key, after, limit, only_open
        raise RowsNotKept

    def open_orders(self, participant: int) -> NoReturn:
        """No order is kept."""
        del participant
        raise RowsNotKept

    def last_trade(self, instrument: int) -> NoReturn:
        """No trade is kept."""
        del instrument
        raise RowsNotKept

    def views(self) -> NoReturn:
        """No row is kept."""
        raise RowsNotKept

    def tape(self, first: int, trades: int, epoch: int) -> NoReturn:
        """No trade is kept."""
        del first, trades, epoch
        raise RowsNotKept
