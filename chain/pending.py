"""Transactions that were signed and are not final yet, on disk.

What is signed is written down before it is sent. So a process that ends between sending and knowing goes on
from here: it sends the same bytes again and gives no nonce to two acts. A transaction may be replaced by one
of the same nonce with a higher fee; all of them are kept, for any of them may be the one that is mined.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from chain.transactions import SignedTransaction, read_transaction

_BUSY_S: Final = 10.0
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS pending (
    tx_hash TEXT PRIMARY KEY, sender TEXT NOT NULL, nonce INTEGER NOT NULL, raw BLOB NOT NULL
) WITHOUT ROWID
"""


class Pending(Protocol):
    """Where signed transactions are kept until they are final."""

    def keep(self, transactions: Sequence[SignedTransaction]) -> None:
        """Write them down, for good before this returns."""

    def forget(self, transactions: Iterable[SignedTransaction]) -> None:
        """Drop these, and whatever has the same sender and nonce: they are final, or never will be mined."""

    def of(self, senders: Collection[str]) -> list[SignedTransaction]:
        """Return what is kept of these accounts, by account and nonce, the oldest of a nonce first."""

    def everything(self) -> list[SignedTransaction]:
        """Return all that is kept, in the same order."""


class NothingPending:
    """Keeps nothing: for a chain of our own, which has a transaction on disk before it answers."""

    def keep(self, transactions: Sequence[SignedTransaction]) -> None:
        """Do nothing."""

    def forget(self, transactions: Iterable[SignedTransaction]) -> None:
        """Do nothing."""

    def of(self, _senders: Collection[str]) -> list[SignedTransaction]:
        """Return nothing."""
        return []

    def everything(self) -> list[SignedTransaction]:
        """Return nothing."""
        return []


class PendingStore:
    """The same in an SQLite file, for one chain. Safe between threads and processes."""

    def __init__(self, path: Path, chain_id: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))  # for its owner alone
        self._chain_id = chain_id
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(_TABLE)

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def keep(self, transactions: Sequence[SignedTransaction]) -> None:
        """Write them down, for good before this returns."""
        rows = [(each.tx_hash, each.sender, each.nonce, each.raw) for each in transactions]
        self._change("INSERT OR IGNORE INTO pending VALUES (?, ?, ?, ?)", rows)

    def forget(self, transactions: Iterable[SignedTransaction]) -> None:
        """Drop these, and whatever has the same sender and nonce."""
        rows = [(each.sender, each.nonce) for each in transactions]
        self._change("DELETE FROM pending WHERE sender = ? AND nonce = ?", rows)

    def of(self, senders: Collection[str]) -> list[SignedTransaction]:
        """Return what is kept of these accounts, by account and nonce, the oldest of a nonce first."""
        return [each for each in self.everything() if each.sender in senders]

    def everything(self) -> list[SignedTransaction]:
        """Return all that is kept, in the same order."""
        with self._lock:
            raws = [raw for (raw,) in self._connection.execute("SELECT raw FROM pending")]
        found = [read_transaction(raw, self._chain_id) for raw in raws]
        return sorted(found, key=lambda each: (each.sender, each.nonce, each.fee.max_wei))

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(statement, rows)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
