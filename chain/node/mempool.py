"""Transactions that wait: in nonce order by sender, first come first served between senders.

A transaction whose nonce is next is ready for a block. One with a gap before it waits until the gap closes.

Replacing (same sender, same nonce)
    Where a price is offered, geth's rule: fee and tip must both rise by ten percent and by one wei at
    least, and the sender must be able to pay. Where neither offers anything nobody can outbid, so only a
    cancellation (to the sender itself, nothing in it), as every wallet sends it, replaces what waits.
    Everything else is "replacement transaction underpriced": a client that signs two different acts for one
    nonce by mistake keeps the first.

Bounds
    Slots of 4 KiB in all and per sender, how many wait behind gaps in all and per sender, how far ahead a
    nonce may be, and how many senders may be there of whom nothing was ever mined: addresses cost nothing.
    In a full pool the last transaction of the largest holder makes room for whoever holds less; so a flood
    crowds out itself. Operators are never crowded out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, zip_longest
from typing import Final

from chain.node.errors import RpcError, ServerError
from chain.node.replacing import (
    AccountLimitExceeded,
    Dropped,
    NonceTooHigh,
    PoolFull,
    Replaced,
    require_replaceable,
)
from chain.node.shares import Shares
from chain.node.transactions import Transaction

SLOT_BYTES: Final = 4_096
MAX_SLOTS = 65_536
MAX_SLOTS_PER_SENDER = 32_768
MAX_QUEUED = 16_384
MAX_QUEUED_PER_SENDER = 1_024
MAX_NONCE_GAP = 16_384
MAX_NEWCOMERS = 16_384

_Place = tuple[bytes, int]  # sender, nonce


def _nothing_dropped(_: Transaction, __: RpcError) -> None:
    pass


class Mempool:
    """Ready transactions in the order in which they became ready, and queued ones behind a gap."""

    def __init__(
        self,
        state_nonce: Callable[[bytes], int],
        balance: Callable[[bytes], int] = lambda _: 0,
        operators: frozenset[bytes] = frozenset(),
        on_drop: Callable[[Transaction, RpcError], None] = _nothing_dropped,
    ) -> None:
        self._state_nonce = state_nonce
        self._balance = balance
        self._operators = operators
        self._on_drop = on_drop
        # By place and not by hash: what replaces another takes its turn.
        self._ready: dict[_Place, Transaction] = {}
        self._arrivals: dict[_Place, int] = {}
        self._arrived = 0
        self._next: dict[bytes, int] = {}
        self._queued: dict[bytes, dict[int, Transaction]] = {}
        self._by_hash: dict[bytes, Transaction] = {}
        self._shares = Shares(operators)
        self._queued_shares = Shares(operators)
        self._newcomers: set[bytes] = set()
        self._turns: dict[bytes, int] = {}  # the last block of each sender, while blocks are contended
        self._turn = 0

    def __len__(self) -> int:
        return len(self._by_hash)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(list(self._by_hash.values()))

    @property
    def queued(self) -> int:
        """How many wait behind a gap."""
        return sum(map(len, self._queued.values()))

    @property
    def arrived(self) -> int:
        """How many have ever become ready: a mark to wait for."""
        return self._arrived

    def get(self, transaction_hash: bytes) -> Transaction | None:
        """A waiting transaction."""
        return self._by_hash.get(transaction_hash)

    def is_ready(self, transaction: Transaction) -> bool:
        """Whether this very transaction may run in the next block."""
        waiting = self._ready.get((transaction.sender, transaction.nonce))
        return waiting is not None and waiting.hash == transaction.hash

    def next_nonce(self, sender: bytes) -> int:
        """The nonce after the sender's mined and ready transactions."""
        nonce = self._next.get(sender)
        return self._state_nonce(sender) if nonce is None else nonce

    def by_sender(self) -> tuple[dict[bytes, list[Transaction]], dict[bytes, list[Transaction]]]:
        """The ready and the queued transactions by sender, each in the order of the nonces."""
        ready: dict[bytes, list[Transaction]] = {}
        for (sender, _), transaction in self._ready.items():
            ready.setdefault(sender, []).append(transaction)
        queued = {sender: [each for _, each in sorted(held.items())] for sender, held in self._queued.items()}
        return ready, queued

    def add(self, transaction: Transaction) -> bool:
        """Take a transaction in; True if it is ready to run, False if it waits behind a gap.

        Raises
        ------
        ServerError :
            If the nonce is used (`nonce too low`) or too far ahead, another transaction waits for it, or
            there is no room. Nothing has changed then.
        """
        if transaction.hash in self._by_hash:
            return self.is_ready(transaction)
        sender, nonce = transaction.sender, transaction.nonce
        waiting = self._waiting_at(sender, nonce)
        if waiting is not None:
            return self._replace(waiting, transaction)
        expected = self.next_nonce(sender)
        if nonce < expected:
            raise ServerError(f"nonce too low: next nonce {self._state_nonce(sender)}, tx nonce {nonce}")
        if nonce > expected + MAX_NONCE_GAP:
            raise NonceTooHigh(
                f"nonce too high: tx nonce {nonce}, next nonce {expected}, gap {MAX_NONCE_GAP}"
            )
        self._make_room(transaction, queued=nonce > expected)
        self._keep(transaction)
        if nonce > expected:
            self._queued.setdefault(sender, {})[nonce] = transaction
            self._queued_shares.change(sender, slots_of(transaction))
            return False
        self._make_ready(transaction)
        self._promote(sender)
        return True

    # Blocks

    def take_ready(self, *, by_turns: bool = False) -> list[Transaction]:
        """The ready transactions in the order of their coming; they stay until `settle`.

        `by_turns`: one of each sender, then a second one of each, and so on, beginning with whoever was
        longest in no block. For when there are more than blocks can hold: many of one sender would else keep
        everybody waiting.
        """
        if not by_turns:
            return list(self._ready.values())
        ready = self.by_sender()[0]
        order = sorted(ready, key=lambda sender: self._turns.get(sender, 0))
        turns = zip_longest(*(ready[sender] for sender in order))
        return [transaction for turn in turns for transaction in turn if transaction is not None]

    def has_ready(self, until: int | None = None) -> bool:
        """Whether a block would not be empty; with `until`, of what had become ready at that mark."""
        if until is None:
            return bool(self._ready)
        return any(self._arrivals[place] <= until for place in islice(self._ready, 1))

    def settle(self, mined: list[Transaction], refused: list[Transaction]) -> None:
        """Forget what was mined or refused; what followed a refused one in nonce waits again."""
        for transaction in (*mined, *refused):
            if self.is_ready(transaction):
                self._forget_ready(transaction)
        self._turn += 1
        senders = {transaction.sender for transaction in mined}
        self._newcomers -= senders
        self._turns.update(dict.fromkeys(senders, self._turn))
        for sender in {transaction.sender for transaction in refused}:
            self._demote(sender)
        if not self._ready:
            self._next.clear()
            self._turns.clear()

    def drop(self, transaction: Transaction, reason: RpcError) -> None:
        """Let go of a transaction; what follows it in nonce waits behind the gap."""
        ready = self.is_ready(transaction)
        (self._forget_ready if ready else self._forget_queued)(transaction)
        self._on_drop(transaction, reason)
        if ready:
            self._demote(transaction.sender)

    def clear(self) -> None:
        """Forget everything: the head has gone back."""
        for held in (self._ready, self._arrivals, self._next, self._queued, self._by_hash, self._turns):
            held.clear()
        self._shares.clear()
        self._queued_shares.clear()
        self._newcomers.clear()

    # Replacing

    def _waiting_at(self, sender: bytes, nonce: int) -> Transaction | None:
        ready = self._ready.get((sender, nonce))
        return self._queued.get(sender, {}).get(nonce) if ready is None else ready

    def _replace(self, old: Transaction, new: Transaction) -> bool:
        require_replaceable(old, new)
        cost, balance = new.value + new.gas * new.max_fee_per_gas, self._balance(new.sender)
        if cost > balance:
            raise ServerError(
                f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, "
                f"overshot {cost - balance}"
            )
        slots = slots_of(new) - slots_of(old)
        if self._shares.total + slots > MAX_SLOTS:
            raise PoolFull(f"txpool is full: {self._shares.total} of {MAX_SLOTS} slots")
        del self._by_hash[old.hash]
        self._by_hash[new.hash] = new
        self._shares.change(new.sender, slots)
        place = (new.sender, new.nonce)
        ready = place in self._ready
        if ready:
            self._ready[place] = new
        else:
            self._queued[new.sender][new.nonce] = new
            self._queued_shares.change(new.sender, slots)
        self._on_drop(old, Replaced(f"transaction replaced by 0x{new.hash.hex()}"))
        return ready

    # Room

    def _make_room(self, transaction: Transaction, *, queued: bool) -> None:
        sender, slots = transaction.sender, slots_of(transaction)
        own = self._shares.of(sender)
        if own + slots > MAX_SLOTS_PER_SENDER:
            raise AccountLimitExceeded(
                f"account limit exceeded: {own} slots of {SLOT_BYTES} bytes wait for this sender, "
                f"limit {MAX_SLOTS_PER_SENDER}"
            )
        if queued and len(self._queued.get(sender, ())) >= MAX_QUEUED_PER_SENDER:
            raise AccountLimitExceeded(
                f"account limit exceeded: {MAX_QUEUED_PER_SENDER} transactions of this sender wait for "
                f"nonce {self.next_nonce(sender)}"
            )
        self._greet(sender)
        if queued:
            self._crowd_out(self._queued_shares, sender, slots, MAX_QUEUED)
        self._crowd_out(self._shares, sender, slots, MAX_SLOTS)

    def _greet(self, sender: bytes) -> None:
        if sender in self._newcomers or sender in self._operators or self._shares.of(sender):
            return
        if self._state_nonce(sender):
            return
        if len(self._newcomers) >= MAX_NEWCOMERS:
            raise PoolFull(
                f"txpool is full: {len(self._newcomers)} senders of whom nothing was mined yet wait"
            )

    def _crowd_out(self, shares: Shares, sender: bytes, slots: int, limit: int) -> None:
        """Drop the last transactions of the largest holder until there are `slots`, if it stays as large."""
        missing = shares.total + slots - limit
        if missing <= 0:
            return
        own, holder = shares.of(sender), shares.largest()
        keeps = 0 if sender in self._operators else own + slots
        if holder is None or shares.of(holder) - missing < keeps:
            raise PoolFull(f"txpool is full: {shares.total} of {limit} slots, {own} of them this sender's")
        while shares.total + slots > limit:
            last = self._last_of(holder, queued_only=shares is self._queued_shares)
            self._drop(last, Dropped("txpool is full: the transaction made room for another sender's"))

    def _last_of(self, sender: bytes, *, queued_only: bool) -> Transaction:
        queued = self._queued.get(sender)
        if queued:
            return queued[max(queued)]
        assert not queued_only
        return self._ready[(sender, self._next[sender] - 1)]

    def _drop(self, transaction: Transaction, reason: RpcError) -> None:
        if self.is_ready(transaction):
            self._forget_ready(transaction)
            self._next[transaction.sender] = transaction.nonce
        else:
            self._forget_queued(transaction)
        self._on_drop(transaction, reason)

    # Bookkeeping

    def _keep(self, transaction: Transaction) -> None:
        sender = transaction.sender
        self._by_hash[transaction.hash] = transaction
        if sender not in self._operators and not self._shares.of(sender) and not self._state_nonce(sender):
            self._newcomers.add(sender)
        self._shares.change(sender, slots_of(transaction))

    def _forget(self, transaction: Transaction) -> None:
        del self._by_hash[transaction.hash]
        self._shares.change(transaction.sender, -slots_of(transaction))
        if not self._shares.of(transaction.sender):
            self._newcomers.discard(transaction.sender)

    def _make_ready(self, transaction: Transaction) -> None:
        place = (transaction.sender, transaction.nonce)
        self._arrived += 1
        self._ready[place] = transaction
        self._arrivals[place] = self._arrived
        self._next[transaction.sender] = transaction.nonce + 1

    def _forget_ready(self, transaction: Transaction) -> None:
        place = (transaction.sender, transaction.nonce)
        del self._ready[place]
        del self._arrivals[place]
        self._forget(transaction)

    def _forget_queued(self, transaction: Transaction) -> None:
        held = self._queued[transaction.sender]
        del held[transaction.nonce]
        if not held:
            del self._queued[transaction.sender]
        self._queued_shares.change(transaction.sender, -slots_of(transaction))
        self._forget(transaction)

    def _promote(self, sender: bytes) -> None:
        held = self._queued.get(sender)
        while held and (transaction := held.pop(self._next[sender], None)) is not None:
            self._queued_shares.change(sender, -slots_of(transaction))
            self._make_ready(transaction)
        if held is not None and not held:
            del self._queued[sender]

    def _demote(self, sender: bytes) -> None:
        """What follows a refused transaction is behind a gap now; where there is no room to wait, it goes."""
        self._next.pop(sender, None)
        followers = [each for (owner, _), each in self._ready.items() if owner == sender]
        for transaction in followers:
            self._forget_ready(transaction)
        for transaction in followers:
            try:
                self.add(transaction)
            except ServerError as error:
                self._on_drop(transaction, error)


def slots_of(transaction: Transaction) -> int:
    """How much of the pool a transaction takes."""
    return 1 + max(0, len(transaction.raw) - 1) // SLOT_BYTES
