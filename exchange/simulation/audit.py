"""The auditor: reads the durable journal with a reader of its own and knows what must be true.

It keeps a clean replay: a venue that took in every durable frame once, in order, and never crashed. All
that the exchange says to anybody is held against it.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, NoReturn

from exchange.core import Engine, ReferenceEngine
from exchange.core.codes import ReportFlag, ReportKind
from exchange.core.records import COMMAND_BYTES, REPORT_BYTES, Report, reports_of
from exchange.custody import Withdrawal
from exchange.history import History
from exchange.history.reference import ReferenceRecorder
from exchange.recompute import expected_in_clearing
from exchange.simulation.chain import SimulatedClearing
from exchange.tape import tape_root
from exchange.venue import Venue

_FILE_HEAD: Final = 64
_HEAD: Final = struct.Struct("<4sIQQ32sII")
_TAIL_END: Final = bytes(24) + b"\xffCARATE\xff"
_REPORT_PLACE: Final = struct.Struct("<B7xQ")


class Violation(Exception):
    """Something does not hold that must."""


class Auditor:
    """What is durable, and what it means."""

    def __init__(self, *, by_reference: bool) -> None:
        engine = ReferenceEngine() if by_reference else Engine()
        history = History(recorder=ReferenceRecorder) if by_reference else History()
        self.venue = Venue(engine, history=history)  # type: ignore[arg-type]
        self.records = bytearray()
        self.reports = bytearray()
        self.participants: dict[bytes, int] = {}
        self.answers = 0
        self.looks = 0
        self._journal = bytearray()
        """The part of the file that was taken in."""
        self._hash = b""
        self._frames = 0
        self._starts: list[tuple[int, int]] = []
        self._days = self._trades = 0
        self._trades_before: dict[bytes, int] = {}
        """How many trades there were before a withdrawal."""
        self._accepted: dict[bytes, int] = {}
        """On which day an order was accepted."""

    @property
    def end(self) -> int:
        """Where in the file the last frame ends that was taken in."""
        return len(self._journal)

    @property
    def durable_records(self) -> int:
        """How many records are durable."""
        return len(self.records) // COMMAND_BYTES

    # --- taking in ---

    def catch_up(self, journal: bytes | bytearray) -> None:
        """Take in what became durable since the last time."""
        if len(journal) == len(self._journal):
            return
        if not self._journal:
            self._hash = sha256(journal[:_FILE_HEAD]).digest()
            self._journal += journal[:_FILE_HEAD]
        start = len(self._journal)
        at = start
        for payload, at in self._frames_of(journal, start):  # noqa: B007 - the last one is used below
            self._take(payload)
        self._journal += journal[start:at]

    def _frames_of(self, journal: bytes | bytearray, at: int) -> Iterator[tuple[bytes, int]]:
        while len(journal) >= at + 128:
            magic, length, number, first, before, _, _ = _HEAD.unpack_from(journal, at)
            end = at + 64 + length + 64
            if magic != b"CJFR" or end > len(journal):
                return
            found = sha256(journal[at : end - 64]).digest()
            if journal[end - 64 : end] != found + _TAIL_END or before != self._hash:
                return
            if (number, first) != (self._frames + 1, self.durable_records + 1):
                fail("frames do not follow each other", number=number, first=first)
            self._hash, self._frames = found, number
            yield bytes(journal[at + 64 : end - 64]), end
            at = end

    def _take(self, payload: bytes) -> None:
        first = self.durable_records + 1
        reports = self.venue.apply(payload)
        self._starts.append((first, len(self.reports)))
        self.records += payload
        self.reports += reports
        try:
            self.venue.take(first, payload, reports)
        except AssertionError as fault:
            fail("an invariant is broken in the clean replay", fault=str(fault))
        self._look_at(reports)

    def _look_at(self, reports: bytes) -> None:
        kinds = reports[::REPORT_BYTES]
        for place, kind in enumerate(kinds):
            if kind == ReportKind.ACCEPTED:
                at = place * REPORT_BYTES
                self._accept(reports[at + 16 : at + 32])
            elif kind == ReportKind.DAY_ENDED:
                self._days += 1
            elif kind == ReportKind.TRADE:
                self._trades += 1
            elif kind == ReportKind.DEBITED:
                at = place * REPORT_BYTES
                self._trades_before.setdefault(reports[at + 32 : at + 48], self._trades)
            elif kind == ReportKind.DUPLICATE:
                at = place * REPORT_BYTES
                self._repeat(Report.unpack(reports[at : at + REPORT_BYTES]))

    def _accept(self, order_id: bytes) -> None:
        day = self._accepted.get(order_id)
        if day is not None and self._days - day < 2:
            fail("an order is applied twice", order=order_id.hex())
        self._accepted[order_id] = self._days

    def _repeat(self, report: Report) -> None:
        """The answer to a retry says what the readers' row of the order says of its entry."""
        row = self.venue.history.order(report.id)
        if row is None or (row.entry_status, row.entry_filled_t) != (report.type, report.a):
            fail("a retry is told otherwise than the first", report=report, row=row)

    # --- holding against it ---

    def answered(self, run: bytes, reports: bytes) -> None:
        """Somebody is told these reports of his run: it is durable, and does just that."""
        self.answers += 1
        (_, first) = _REPORT_PLACE.unpack_from(reports)
        start = (first - 1) * COMMAND_BYTES
        if self.records[start : start + len(run)] != run:
            fail("a run was answered that is not durable", first=first, durable=self.durable_records)
        offset = next(place for at, place in reversed(self._starts) if at <= first)
        if self.reports.find(reports, offset) < 0:
            fail("an answer differs from the clean replay", first=first)

    def registered(self, account: bytes, participant: int) -> None:
        """Somebody is told an account's number."""
        if self.venue.participant(account) != participant:
            fail("a participant number was told that is not durable", participant=participant)

    def looked(self, venue: Venue, *, closely: bool) -> None:
        """A reader saw this venue."""
        self.looks += 1
        if venue.sequence != self.durable_records:
            fail("a reader saw what is not durable", saw=venue.sequence, durable=self.durable_records)
        if closely:
            self.same(venue)

    def same(self, venue: Venue) -> None:
        """The venue is what a clean replay gives, and so are the rows for readers."""
        mine = self.venue
        if venue.state_hash() != mine.state_hash():
            fail("the state hash differs from the clean replay", records=self.durable_records)
        if (venue.history.orders, venue.history.trades) != (mine.history.orders, mine.history.trades):
            fail("the history has other counts than the clean replay")
        for kind, (found, expected) in zip(
            ("orders", "trades"), zip(_rows(venue.history), _rows(mine.history), strict=True), strict=True
        ):
            if found != expected:
                row = next(
                    n for n in range(0, len(found), 128) if found[n : n + 128] != expected[n : n + 128]
                )
                fail(
                    "a row of the history differs from the clean replay",
                    kind=kind,
                    number=row // 128 + 1,
                    found=found[row : row + 128].hex(),
                    expected=expected[row : row + 128].hex(),
                )

    def started(self, journal: bytes | bytearray, end: int, venue: Venue) -> None:
        """The exchange has started from this file, whose last frame it says ends there."""
        if journal[: self.end] != self._journal:
            fail("the journal lost what was durable", durable=self.durable_records)
        self.catch_up(journal)
        if end != self.end:
            fail("the exchange goes on from another frame than the last whole one", end=end, mine=self.end)
        self.same(venue)
        try:
            venue.check()
        except AssertionError as fault:
            fail("an invariant is broken after a start", fault=str(fault))

    def settles(self, epoch: int, root: bytes) -> None:
        """The chain is asked to settle an epoch under this root."""
        epochs = self.venue.custody.epochs
        if epoch > len(epochs) or epochs[epoch - 1].tape_root != root:
            fail("an epoch is settled that is not durable, or under another root", epoch=epoch)

    def releases(self, withdrawal: Withdrawal, settled: int) -> None:
        """The chain, which has settled so many epochs, is asked to pay this."""
        mine = self.venue.custody.withdrawals.get(withdrawal.withdrawal_id)
        what = withdrawal.account, withdrawal.asset, withdrawal.amount
        if mine is None or (mine.account, mine.asset, mine.amount) != what:
            fail("a withdrawal is released that is not durable", withdrawal=withdrawal)
        epochs = self.venue.custody.epochs[:settled]
        if self._trades_before[withdrawal.withdrawal_id] > sum(epoch.trades for epoch in epochs):
            fail("a withdrawal is released before the trades that it may come from", withdrawal=withdrawal)

    # --- at the end ---

    def at_rest(self, clearing: SimulatedClearing) -> None:
        """Exchange and chain agree on everything, each thing done once."""
        venue, custody = self.venue, self.venue.custody
        venue.check()
        held = {key: amount for key, amount in clearing.held.items() if amount}
        if expected_in_clearing(venue) != held:
            fail("Clearing holds other than what the journal says")
        owed: Counter[tuple[bytes, int]] = Counter(held)
        for taken in custody.exits.values():
            owed[taken.account, taken.asset] += taken.missing
        for each in venue.balances():
            owed[each.account, each.asset] -= each.available + each.reserved
        if any(owed.values()):
            fail("Clearing holds other than what the accounts have", difference=+owed)
        self._roots(clearing)
        self._withdrawals(clearing)

    def _roots(self, clearing: SimulatedClearing) -> None:
        custody = self.venue.custody
        if custody.settled_epoch != clearing.settled or len(custody.epochs) != clearing.settled:
            fail("an epoch is not settled", settled=clearing.settled, closed=len(custody.epochs))
        for epoch, root in zip(custody.epochs, clearing.roots, strict=True):
            tape = self.venue.history.tape(epoch.first_trade, epoch.trades, epoch.number)
            if tape_root(tape) != root:
                fail("the chain has another root than the tape", epoch=epoch.number)

    def _withdrawals(self, clearing: SimulatedClearing) -> None:
        asked: dict[bytes, int] = {}
        for report in _debits(self.reports):
            name = report.id + report.other_id
            if name not in self.venue.custody.exits and not report.flags & ReportFlag.REPEATED:
                if report.other_id in asked:
                    fail("a withdrawal is taken twice", withdrawal=name.hex())
                asked[report.other_id] = report.a
        custody = self.venue.custody
        if {name: each.amount for name, each in custody.withdrawals.items()} != asked:
            fail("custody has other withdrawals than the engine took")
        by_exit = {name for name, each in custody.withdrawals.items() if each.released and not each.block}
        paid = Counter(name for _, name in clearing.released)
        if dict(paid) != dict.fromkeys(asked.keys() - by_exit, 1):
            fail("a withdrawal is not paid once", paid=len(paid), asked=len(asked), by_exit=len(by_exit))


def fail(what: str, **facts: Any) -> NoReturn:
    """Raise a violation with its facts."""
    raise Violation(", ".join([what, *(f"{name}={value}" for name, value in facts.items())]))


def _rows(history: History) -> tuple[bytes, bytes]:
    orders, trades = history._recorder.views()
    with orders, trades:
        return bytes(orders[: history.orders * 128]), bytes(trades[: history.trades * 128])


def _debits(reports: bytearray) -> Iterator[Report]:
    kinds = bytes(reports[::REPORT_BYTES])
    at = kinds.find(ReportKind.DEBITED)
    while at >= 0:
        yield from reports_of(bytes(reports[at * REPORT_BYTES : (at + 1) * REPORT_BYTES]))
        at = kinds.find(ReportKind.DEBITED, at + 1)
