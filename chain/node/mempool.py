"""Transactions that wait: by sender and nonce, first come first served between senders.

A transaction whose nonce is next may run in the next block. One with a gap before it waits, up to a
bound per sender and in all, until the gap closes. There is no replacing: nobody pays, so nobody can
outbid; a second transaction for a waiting nonce is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from chain.node.errors import ServerError
from chain.node.transactions import Transaction

MAX_QUEUED_PER_SENDER = 1_024
MAX_QUEUED = 16_384
MAX_READY = 65_536


class Mempool:
    """Ready transactions in the order in which they became ready, and queued ones behind a gap."""

    def __init__(self, state_nonce: Callable[[bytes], int]) -> None:
        self._state_nonce = state_nonce
        self._ready: dict[bytes, Transaction] = {}
        self._next: dict[bytes, int] = {}
        self._queued: dict[bytes, dict[int, Transaction]] = {}
        self._by_hash: dict[bytes, Transaction] = {}
        self._queued_count = 0

    def __len__(self) -> int:
        return len(self._by_hash)

    @property
    def queued(self) -> int:
        """How many wait behind a gap."""
        return self._queued_count

    def get(self, transaction_hash: bytes) -> Transaction | None:
        """A waiting transaction."""
        return self._by_hash.get(transaction_hash)

    def next_nonce(self, sender: bytes) -> int:
        """The nonce after the sender's mined and ready transactions."""
        nonce = self._next.get(sender)
        return self._state_nonce(sender) if nonce is None else nonce

    def add(self, transaction: Transaction) -> bool:
        """Take a transaction in; True if it is ready to run, False if it waits behind a gap.

        Raises
        ------
        ServerError :
            If the nonce is used, another transaction waits for it, or too many wait.
        """
        if transaction.hash in self._by_hash:
            return transaction.hash in self._ready
        sender, nonce = transaction.sender, transaction.nonce
        expected = self.next_nonce(sender)
        if nonce < expected:
            mined = self._state_nonce(sender)
            if nonce < mined:
                raise ServerError(f"nonce too low: next nonce {mined}, tx nonce {nonce}")
            raise ServerError(f"replacement transaction underpriced: tx nonce {nonce} is already waiting")
        if nonce > expected:
            self._queue(transaction)
            return False
        if len(self._ready) >= MAX_READY:
            raise ServerError(f"txpool is full: {MAX_READY} transactions wait")
        self._make_ready(transaction)
        self._promote(sender)
        return True

    def take_ready(self) -> list[Transaction]:
        """The ready transactions, in order; they stay until `settle`."""
        return list(self._ready.values())

    def has_ready(self) -> bool:
        """Whether a block would not be empty."""
        return bool(self._ready)

    def settle(self, mined: list[Transaction], refused: list[Transaction]) -> None:
        """Forget what was mined or refused; what followed a refused one in nonce waits again."""
        for transaction in (*mined, *refused):
            self._ready.pop(transaction.hash, None)
            self._by_hash.pop(transaction.hash, None)
        for sender in {transaction.sender for transaction in refused}:
            self._demote(sender)
        if not self._ready:
            self._next.clear()

    def clear(self) -> None:
        """Forget everything: the head has gone back."""
        self._ready.clear()
        self._next.clear()
        self._queued.clear()
        self._by_hash.clear()
        self._queued_count = 0

    def __iter__(self) -> Iterator[Transaction]:
        return iter(list(self._by_hash.values()))

    def _make_ready(self, transaction: Transaction) -> None:
        self._ready[transaction.hash] = transaction
        self._by_hash[transaction.hash] = transaction
        self._next[transaction.sender] = transaction.nonce + 1

    def _queue(self, transaction: Transaction) -> None:
        waiting = self._queued.setdefault(transaction.sender, {})
        if transaction.nonce in waiting:
            raise ServerError(
                f"replacement transaction underpriced: tx nonce {transaction.nonce} is already waiting"
            )
        if len(waiting) >= MAX_QUEUED_PER_SENDER or self._queued_count >= MAX_QUEUED:
            raise ServerError(
                f"txpool is full: {len(waiting)} of {MAX_QUEUED_PER_SENDER} wait for this sender, "
                f"{self._queued_count} of {MAX_QUEUED} in all"
            )
        waiting[transaction.nonce] = transaction
        self._by_hash[transaction.hash] = transaction
        self._queued_count += 1

    def _promote(self, sender: bytes) -> None:
        waiting = self._queued.get(sender)
        while waiting and (transaction := waiting.pop(self._next[sender], None)) is not None:
            self._queued_count -= 1
            self._make_ready(transaction)
        if waiting is not None and not waiting:
            del self._queued[sender]

    def _demote(self, sender: bytes) -> None:
        followers = [t for t in self._ready.values() if t.sender == sender]
        self._next.pop(sender, None)
        for transaction in followers:
            del self._ready[transaction.hash]
            del self._by_hash[transaction.hash]
        for transaction in followers:
            with suppress(ServerError):  # no room to wait: dropped, its sender may send it again
                self.add(transaction)
