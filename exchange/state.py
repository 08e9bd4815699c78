"""Everything that the engine knows. It is a function of the journal: the same commands give the same state.

`state_hash` is over a canonical encoding of all of it, so two engines, or two runs, can be compared in
32 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from exchange.book import Book, BookSide, Order
from exchange.commands import Credit, ListInstrument
from exchange.reports import Trade
from exchange.risk import Ledger


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
    debited: int
    orders: list[bytes]
    """Which orders left the book because of it."""

    @property
    def missing(self) -> int:
        """What the account took and did not have."""
        return self.amount - self.paid_out - self.debited


def deposit_key(account: bytes, deposit_id: bytes) -> bytes:
    """Return what names a deposit: two accounts may use one id."""
    return account + deposit_id


@dataclass(slots=True)
class State:
    """The exchange at one moment. Only `exchange.engine` changes it."""

    instruments: dict[int, ListInstrument] = field(default_factory=dict)
    books: dict[int, Book] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    orders: dict[bytes, Order] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    deposits: dict[bytes, Credit] = field(default_factory=dict)
    """By `deposit_key`."""
    withdrawals: dict[bytes, Withdrawal] = field(default_factory=dict)
    exits: dict[bytes, Exit] = field(default_factory=dict)
    settled_epoch: int = 0
    chain_block: int = -1
    """Last block of the chain that was taken in; -1 before the first."""

    @property
    def open_epoch(self) -> int:
        """Number of the epoch that trades are executed in now; the first is 1."""
        return len(self.epochs) + 1

    @property
    def committed_trades(self) -> int:
        """How many trades, from the first on, are in closed epochs."""
        return self.epochs[-1].first_trade + self.epochs[-1].trades - 1 if self.epochs else 0

    def trades_of(self, epoch: Epoch) -> list[Trade]:
        """Return the trades of a closed epoch, in order."""
        return self.trades[epoch.first_trade - 1 : epoch.first_trade - 1 + epoch.trades]

    def trade_state(self, trade: Trade) -> str:
        """Return `executed`, `committed` (in a closed epoch) or `settled` (moved on chain)."""
        if trade.epoch <= self.settled_epoch:
            return "settled"
        return "committed" if trade.epoch < self.open_epoch else "executed"


def state_hash(state: State) -> bytes:
    """Return SHA-256 over the whole state in canonical order."""
    digest = sha256()
    for part in _canonical(state):
        digest.update(repr(part).encode())
        digest.update(b"\n")
    return digest.digest()


def _canonical(state: State) -> Iterator[object]:
    """Walk the state: mappings by key, books and logs in their own order; an empty balance counts as none."""
    yield "state", state.settled_epoch, state.chain_block
    yield from (state.instruments[unit] for unit in sorted(state.instruments))
    for account, assets in sorted(state.ledger.accounts.items()):
        for asset, balance in sorted(assets.items()):
            if balance.available or balance.reserved:
                yield account, asset, balance
    for unit in sorted(state.books):
        yield from _resting(state.books[unit].bids)
        yield from _resting(state.books[unit].asks)
    yield from state.orders.values()
    yield from state.trades
    yield from state.epochs
    yield from (state.deposits[key] for key in sorted(state.deposits))
    yield from (state.exits[key] for key in sorted(state.exits))
    yield from (state.withdrawals[withdrawal_id] for withdrawal_id in sorted(state.withdrawals))


def _resting(side: BookSide) -> Iterator[object]:
    for level in side.from_best():
        yield side.side, level.price_fen, level.quantity_t, tuple(level.orders)
