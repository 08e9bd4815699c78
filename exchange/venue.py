"""The venue: the engine core with what stands beside it. A function of the journal alone.

    engine    orders, trades, balances: what decides
    custody   deposits, withdrawals, epochs: what the chain says, and what leaves
    history   orders and trades for readers

A run of records is done in two steps. `apply` has the engine do it, which may be before it is durable;
`take` lets custody and history know, once it is. Whoever replays does both at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple

from chain.refusals import Refusal
from exchange import carried
from exchange.core import Engine
from exchange.core.codes import CARRIED_FIRST, CASH, ReportKind
from exchange.core.records import COMMAND_BYTES, REPORT_BYTES, Report
from exchange.custody import NOTED, Custody, Listed
from exchange.history import History, tally

_CARRIED: Final = re.compile(rb"[\x80-\xff]")
_NOTED: Final = re.compile(b"[" + b"".join(re.escape(bytes([kind])) for kind in sorted(NOTED)) + b"]")
_OTHERS: Final = bytes(kind for kind in range(256) if kind not in NOTED)
assert CARRIED_FIRST == 0x80

REPLAYED: Final = sum(1 << kind for kind in NOTED | tally.KINDS)
"""The reports that custody and a history without rows need, as `Engine.apply_only` wants them."""


class Balance(NamedTuple):
    """What an account has of an asset: fen of cash (asset 0), or tonnes of a unit."""

    account: bytes
    asset: int
    available: int
    reserved: int


@dataclass(slots=True)
class Venue:
    """The venue at one moment."""

    engine: Engine = field(default_factory=Engine)
    custody: Custody = field(default_factory=Custody)
    history: History = field(default_factory=History)
    debug: bool = False
    """Check every invariant after every run, not only when an epoch closes."""

    @property
    def sequence(self) -> int:
        """Number of the last record that the engine has done."""
        return self.engine.counters()["sequence"]

    # --- names and numbers ---

    @property
    def accounts(self) -> list[bytes]:
        """Every account, by its number in the core, from 1."""
        return self.custody.accounts

    @property
    def listed(self) -> list[Listed]:
        """Everything listed, by its number in the core, from 1."""
        return self.custody.listed

    def participant(self, account: bytes) -> int:
        """Return an account's number in the core, 0 if it has none."""
        return self.engine.participant(account)

    def account(self, participant: int) -> bytes:
        """Return the account of a number, from 1."""
        return self.custody.accounts[participant - 1]

    def instrument(self, unit: int) -> int:
        """Return a unit's number in the core, 0 if it has none."""
        return self.engine.instrument(unit)

    def unit(self, instrument: int) -> int:
        """Return the unit of a number, from 1."""
        return self.custody.listed[instrument - 1].unit

    # --- doing ---

    def apply(self, run: bytes | memoryview) -> bytes:
        """Have the engine do a run of records; return its reports."""
        return self.engine.apply(run)

    def take(self, first: int, run: bytes | memoryview, reports: bytes) -> list[Refusal]:
        """Let custody and history know what a run did.

        Parameters
        ----------
        first :
            Number of the run's first record.

        Returns
        -------
        What the chain said and does not fit: these records have changed nothing.

        Raises
        ------
        AssertionError :
            An invariant does not hold: a bug of ours.
        """
        refused, closed = self.note(first, run, reports)
        if closed or self.debug:
            self.engine.check()
        return refused

    def note(self, first: int, run: bytes | memoryview, reports: bytes) -> tuple[list[Refusal], bool]:
        """Do what `take` does, whether or not the engine is further on; say whether an epoch closed, too.

        Of `reports` only those of `REPLAYED` are needed when the history keeps no rows.
        """
        trades = self.history.trades
        self.history.take(reports)
        refused: list[Refusal] = []
        closed = False
        for thing, before in _for_custody(first, run, reports):
            if isinstance(thing, Report):
                self.custody.take_report(thing, trades + before, self.history.root)
                closed = closed or thing.kind == ReportKind.EPOCH_CLOSED
            else:
                refusal = self.custody.take_carried(thing)
                if refusal is not None:
                    refused.append(refusal)
        return refused, closed

    def replay(self, first: int, run: bytes | memoryview) -> None:
        """Do a run that the journal has."""
        self.take(first, run, self.apply(run))

    # --- looking ---

    def balances(self) -> Iterator[Balance]:
        """Yield every balance that is not empty."""
        for participant, account in enumerate(self.custody.accounts, start=1):
            cash = self.engine.cash(participant)
            if cash.available or cash.reserved:
                yield Balance(account, CASH, cash.available, cash.reserved)
            for instrument, listed in enumerate(self.custody.listed, start=1):
                tonnes = self.engine.tonnes(participant, instrument)
                if tonnes.available or tonnes.reserved:
                    yield Balance(account, listed.unit, tonnes.available, tonnes.reserved)

    def state_hash(self) -> bytes:
        """Return 32 bytes that tell two venues apart."""
        digest = blake2b(self.engine.state_hash(), digest_size=32)
        digest.update(self.custody.snapshot())
        return digest.digest()

    def check(self) -> None:
        """Assert every invariant; AssertionError names the broken one."""
        self.engine.check()
        self._check_conserved()
        self._check_epochs()

    def _check_conserved(self) -> None:
        """Of each asset: deposited, less withdrawn and taken by exits, is what all accounts have."""
        expected: Counter[int] = Counter()
        for deposit in self.custody.deposits.values():
            expected[deposit.asset] += deposit.amount
        for withdrawal in self.custody.withdrawals.values():
            expected[withdrawal.asset] -= withdrawal.amount
        for taken in self.custody.exits.values():
            expected[taken.asset] -= taken.debited
        held: Counter[int] = Counter()
        for balance in self.balances():
            held[balance.asset] += balance.available + balance.reserved
        for asset in expected.keys() | held.keys():
            assert expected[asset] == held[asset], (
                f"asset {asset}: {expected[asset]} came in, {held[asset]} is held"
            )

    def _check_epochs(self) -> None:
        """Epochs follow each other without a gap and settle in order."""
        next_trade = 1
        for number, epoch in enumerate(self.custody.epochs, start=1):
            assert (epoch.number, epoch.first_trade) == (number, next_trade), "a gap between epochs"
            assert epoch.settled == (number <= self.custody.settled_epoch), "settled out of order"
            next_trade += epoch.trades
        assert next_trade - 1 <= self.history.trades, "an epoch of trades that there were not"


def _for_custody(
    first: int, run: bytes | memoryview, reports: bytes
) -> Iterator[tuple[Report | carried.Carried | None, int]]:
    """Yield what concerns custody, in order of numbers, each with the trades of the run before it."""
    # Almost always there is nothing: these two look at a byte of each record and of each report.
    commands = (run if isinstance(run, bytes) else bytes(run))[::COMMAND_BYTES]
    kinds = reports[::REPORT_BYTES]
    said = [] if commands.isascii() else [found.start() for found in _CARRIED.finditer(commands)]
    noted = [found.start() for found in _NOTED.finditer(kinds)] if kinds.translate(None, _OTHERS) else []
    if not said and not noted:
        return
    found: list[tuple[int, Report | carried.Carried | None, int]] = []
    for place in noted:
        report = Report.unpack(reports[place * REPORT_BYTES : (place + 1) * REPORT_BYTES])
        found.append((report.sequence, report, kinds.count(ReportKind.TRADE, 0, place)))
    for place in said:
        record = bytes(run[place * COMMAND_BYTES : (place + 1) * COMMAND_BYTES])
        found.append((first + place, carried.read(record), 0))
    found.sort(key=lambda each: each[0])
    for _, thing, before in found:
        yield thing, before
