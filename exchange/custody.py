"""Custody: what came in, what goes out, and which epochs the chain has settled.

The part of the exchange's state that the engine core does not keep. A function of the journal alone: it
takes in the carried records and the few reports that concern it, in the order of their numbers.

Words used here
    account   20 bytes, the registry account's address; the core's participants are numbered in `accounts`.
    asset     0 for cash (fen), else the unit id on chain (tonnes); the core's instruments are numbered in
              `listed`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

from chain.refusals import Refusal
from exchange import carried
from exchange.core.codes import CASH, ReportFlag, ReportKind
from exchange.core.records import Report
from exchange.refusals import EpochOutOfOrder, TapeRootDiffers, WithdrawalUnknown

NOTED: Final = frozenset(
    {
        ReportKind.LISTED,
        ReportKind.REGISTERED,
        ReportKind.RULES_SET,
        ReportKind.CREDITED,
        ReportKind.DEBITED,
        ReportKind.EPOCH_CLOSED,
        ReportKind.DAY_ENDED,
    }
)
"""The reports that `take` has to see."""


class Listed(NamedTuple):
    """A unit that can be traded, on these terms."""

    unit: int
    tick_fen: int
    lot_t: int
    quantity_max_t: int


@dataclass(slots=True)
class Epoch:
    """A closed epoch: which trades it holds, and whether the chain has settled it."""

    number: int
    first_trade: int
    """Number of its first trade."""
    trades: int
    tape_root: bytes
    at_us: int
    settled: bool = False
    block: int = 0
    tx_hash: bytes = b""


@dataclass(slots=True)
class Withdrawal:
    """An amount that left trading; `released` once the chain has paid it out."""

    withdrawal_id: bytes
    account: bytes
    asset: int
    amount: int
    at_us: int
    after_epoch: int
    """It is released only after this epoch is settled: what it takes out may come from its trades."""
    released: bool = False
    block: int = 0
    tx_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Deposit:
    """An amount that came in."""

    account: bytes
    asset: int
    amount: int


@dataclass(slots=True)
class Exit:
    """What an account took out of Clearing itself, and where it came from here.

    `paid_out` were withdrawals that it had asked for, `debited` was available; the rest its unsettled trades
    had used: Clearing is then short by as much, and an epoch may not settle until a person has acted.
    """

    account: bytes
    asset: int
    amount: int
    paid_out: int
    debited: int = 0

    @property
    def missing(self) -> int:
        """What the account took and did not have."""
        return self.amount - self.paid_out - self.debited


def deposit_key(account: bytes, deposit_id: bytes) -> bytes:
    """Return what names a deposit: two accounts may use one id."""
    return account + deposit_id


def withdrawal_transfer(withdrawal_id: bytes) -> bytes:
    """Return the id of a withdrawal as the core and Clearing have it: 32 bytes."""
    return withdrawal_id.rjust(32, b"\0")


def exit_transfer(tx_hash: bytes, log_index: int) -> bytes:
    """Return the id of the debit that follows a forced exit: nobody else can make one like it."""
    return sha256(b"carat exit" + tx_hash + log_index.to_bytes(4, "big")).digest()


@dataclass(slots=True)
class Custody:
    """Custody at one moment."""

    accounts: list[bytes] = field(default_factory=list)
    """By participant number, from 1."""
    listed: list[Listed] = field(default_factory=list)
    """By instrument number, from 1."""
    collectors: list[int] = field(default_factory=list)
    """Who collects the fees of an instrument's new orders, by its number; 0: nobody."""
    deposits: dict[bytes, Deposit] = field(default_factory=dict)
    """By `deposit_key`."""
    withdrawals: dict[bytes, Withdrawal] = field(default_factory=dict)
    unreleased: dict[bytes, Withdrawal] = field(default_factory=dict)
    """Those of `withdrawals` that the chain has not paid."""
    exits: dict[bytes, Exit] = field(default_factory=dict)
    """By `exit_transfer`."""
    epochs: list[Epoch] = field(default_factory=list)
    settled_epoch: int = 0
    chain_block: int = -1
    """Last block of the chain that was taken in; -1 before the first."""
    day_end_us: int = 0
    """When a trading day last ended."""
    root: carried.Root | None = None
    """The last record was this ROOT: its SETTLED comes next."""

    @property
    def open_epoch(self) -> int:
        """Number of the epoch that trades are executed in now; the first is 1."""
        return len(self.epochs) + 1

    @property
    def committed_trades(self) -> int:
        """How many trades, from the first on, are in closed epochs."""
        return self.epochs[-1].first_trade + self.epochs[-1].trades - 1 if self.epochs else 0

    def epoch_of(self, trade: int) -> int:
        """Return the epoch that a trade is in."""
        if trade > self.committed_trades:
            return self.open_epoch
        return bisect_left(self.epochs, trade, key=lambda epoch: epoch.first_trade + epoch.trades - 1) + 1

    def trade_state(self, trade: int) -> str:
        """Return `executed`, `committed` (in a closed epoch) or `settled` (moved on chain)."""
        epoch = self.epoch_of(trade)
        if epoch <= self.settled_epoch:
            return "settled"
        return "committed" if epoch < self.open_epoch else "executed"

    def asset(self, instrument: int) -> int:
        """Return the unit of an instrument; 0 for cash."""
        return CASH if instrument == CASH else self.listed[instrument - 1].unit

    # --- taking in ---

    def take_report(self, report: Report, trades: int, root: Callable[[int, int], bytes]) -> None:
        """Take in a report of a kind out of NOTED.

        Parameters
        ----------
        trades :
            How many trades there were before it.
        root :
            Gives the tape root of so many trades from a first one on.
        """
        self.root = None
        if report.kind == ReportKind.RULES_SET:
            self.collectors[report.instrument - 1] = report.participant
        elif report.kind == ReportKind.LISTED:
            self._take_listed(report)
        elif report.kind == ReportKind.DAY_ENDED:
            self.day_end_us = report.at_us
        elif not report.flags & ReportFlag.REPEATED:
            _TAKE_REPORT[report.kind](self, report, trades, root)

    def take_carried(self, record: carried.Carried | None) -> Refusal | None:
        """Take in what the chain says; return why not, where it does not fit: then nothing has changed."""
        root, self.root = self.root, None
        if isinstance(record, carried.Root):
            self.root = record
        elif isinstance(record, carried.Settled):
            return self._take_settled(record, root)
        elif isinstance(record, carried.Released):
            return self._take_released(record)
        elif isinstance(record, carried.Cursor):
            self.chain_block = max(self.chain_block, record.block)
        elif isinstance(record, carried.Exit):
            self._take_exit(record)
        return None

    def _take_listed(self, report: Report) -> None:
        listed = Listed(int.from_bytes(report.id, "little"), report.price, report.left, report.quantity)
        if report.instrument > len(self.listed):
            self.listed.append(listed)
            self.collectors.append(0)
        else:
            self.listed[report.instrument - 1] = listed

    def _take_registered(self, report: Report, _trades: int, _root: Callable[[int, int], bytes]) -> None:
        self.accounts.append(report.id + report.other_id[:4])

    def _take_credited(self, report: Report, _trades: int, _root: Callable[[int, int], bytes]) -> None:
        account = self.accounts[report.participant - 1]
        key = deposit_key(account, report.id + report.other_id)
        self.deposits[key] = Deposit(account, self.asset(report.instrument), report.a)

    def _take_debited(self, report: Report, trades: int, _root: Callable[[int, int], bytes]) -> None:
        taken = self.exits.get(report.id + report.other_id)
        if taken is not None:
            taken.debited = report.a
            return
        withdrawal = Withdrawal(
            withdrawal_id=report.other_id,
            account=self.accounts[report.participant - 1],
            asset=self.asset(report.instrument),
            amount=report.a,
            at_us=report.at_us,
            after_epoch=self.open_epoch if trades > self.committed_trades else self.open_epoch - 1,
        )
        self.withdrawals[report.other_id] = self.unreleased[report.other_id] = withdrawal

    def _take_epoch(self, report: Report, _trades: int, root: Callable[[int, int], bytes]) -> None:
        tape_root = root(report.left, report.quantity)
        self.epochs.append(Epoch(report.number, report.left, report.quantity, tape_root, report.at_us))

    def _take_settled(self, record: carried.Settled, root: carried.Root | None) -> Refusal | None:
        if not 0 < record.epoch <= min(self.settled_epoch + 1, len(self.epochs)):
            return EpochOutOfOrder(expected=self.settled_epoch + 1, got=record.epoch)
        epoch = self.epochs[record.epoch - 1]
        said = root.tape_root if root is not None and root.epoch == record.epoch else b""
        if said != epoch.tape_root:
            return TapeRootDiffers(
                epoch=epoch.number, journal="0x" + epoch.tape_root.hex(), chain="0x" + said.hex()
            )
        if not epoch.settled:
            epoch.settled, epoch.block, epoch.tx_hash = True, record.block, record.tx_hash
            self.settled_epoch = epoch.number
        return None

    def _take_released(self, record: carried.Released) -> Refusal | None:
        withdrawal = self.withdrawals.get(record.withdrawal_id)
        if withdrawal is None:
            return WithdrawalUnknown(withdrawal_id=record.withdrawal_id.hex())
        if not withdrawal.released:
            self._release(withdrawal, record.block, record.tx_hash)
        return None

    def _take_exit(self, record: carried.Exit) -> None:
        """Follow the chain.

        It has paid. The debit of what was available comes next, as a command of the core.
        """
        key = exit_transfer(record.tx_hash, record.log_index)
        if key in self.exits:
            return
        account, asset = self.accounts[record.participant - 1], self.asset(record.instrument)
        paid = self.paid_by_exit(account, asset, record.amount)
        for withdrawal in paid:
            self._release(withdrawal, 0, record.tx_hash)
        paid_out = sum(withdrawal.amount for withdrawal in paid)
        self.exits[key] = Exit(account, asset, record.amount, paid_out)

    def paid_by_exit(self, account: bytes, asset: int, amount: int) -> list[Withdrawal]:
        """Return the withdrawals that count as paid by an exit of so much.

        The oldest first, as far as it goes.
        """
        paid, left = [], amount
        for withdrawal in self.unreleased.values():
            if (withdrawal.account, withdrawal.asset) == (account, asset) and withdrawal.amount <= left:
                paid.append(withdrawal)
                left -= withdrawal.amount
        return paid

    def _release(self, withdrawal: Withdrawal, block: int, tx_hash: bytes) -> None:
        withdrawal.released, withdrawal.block, withdrawal.tx_hash = True, block, tx_hash
        del self.unreleased[withdrawal.withdrawal_id]

    # --- as bytes ---

    def snapshot(self) -> bytes:
        """Return the canonical bytes of all of it."""
        return orjson.dumps(
            {
                "accounts": [account.hex() for account in self.accounts],
                "listed": [[hex(each.unit), *each[1:]] for each in self.listed],
                "collectors": self.collectors,
                "deposits": [
                    [key.hex(), each.account.hex(), hex(each.asset), hex(each.amount)]
                    for key, each in self.deposits.items()
                ],
                "withdrawals": [_plain(each) for each in self.withdrawals.values()],
                "exits": [[key.hex(), _plain(each)] for key, each in self.exits.items()],
                "epochs": [_plain(each) for each in self.epochs],
                "settled_epoch": self.settled_epoch,
                "chain_block": self.chain_block,
                "day_end_us": self.day_end_us,
                "root": None if self.root is None else [self.root.epoch, self.root.tape_root.hex()],
            }
        )

    @classmethod
    def load(cls, snapshot: bytes) -> Custody:
        """Return the custody that gave this snapshot.

        Raises ValueError, KeyError or TypeError when it is none.
        """
        found = orjson.loads(snapshot)
        root = found["root"]
        withdrawals = {each.withdrawal_id: each for each in map(_withdrawal, found["withdrawals"])}
        return cls(
            accounts=[bytes.fromhex(account) for account in found["accounts"]],
            listed=[Listed(int(unit, 16), *rest) for unit, *rest in found["listed"]],
            collectors=found["collectors"],
            deposits={
                bytes.fromhex(key): Deposit(bytes.fromhex(account), int(asset, 16), int(amount, 16))
                for key, account, asset, amount in found["deposits"]
            },
            withdrawals=withdrawals,
            unreleased={name: each for name, each in withdrawals.items() if not each.released},
            exits={bytes.fromhex(key): Exit(**_rich(plain)) for key, plain in found["exits"]},
            epochs=[Epoch(**_rich(plain)) for plain in found["epochs"]],
            settled_epoch=found["settled_epoch"],
            chain_block=found["chain_block"],
            day_end_us=found["day_end_us"],
            root=None if root is None else carried.Root(root[0], bytes.fromhex(root[1])),
        )


_BYTES: Final = {"withdrawal_id", "account", "tx_hash", "tape_root"}
_WIDE: Final = {"asset", "amount", "paid_out", "debited"}


def _plain(record: Any) -> dict[str, object]:
    """Write a record by its names: bytes and wide numbers as hex."""
    found = {name: getattr(record, name) for name in record.__slots__}
    for name, value in found.items():
        if name in _BYTES:
            found[name] = value.hex()
        elif name in _WIDE:
            found[name] = hex(value)
    return found


def _rich(plain: dict[str, Any]) -> dict[str, Any]:
    found = dict(plain)
    for name, value in plain.items():
        if name in _BYTES:
            found[name] = bytes.fromhex(value)
        elif name in _WIDE:
            found[name] = int(value, 16)
    return found


def _withdrawal(plain: dict[str, Any]) -> Withdrawal:
    return Withdrawal(**_rich(plain))


_TAKE_REPORT: Final[dict[int, Callable[[Custody, Report, int, Callable[[int, int], bytes]], None]]] = {
    ReportKind.REGISTERED: Custody._take_registered,
    ReportKind.CREDITED: Custody._take_credited,
    ReportKind.DEBITED: Custody._take_debited,
    ReportKind.EPOCH_CLOSED: Custody._take_epoch,
}
