"""What the node keeps on disk: one LMDB environment, one LMDB transaction a block.

Everything that a block changes (state trie nodes, code, header, body, receipts, lookups, the clock) is
gathered in memory and written by `Store.commit` at once. LMDB is copy-on-write and its commit is an
fsync: after a `kill -9` at any moment the store holds exactly the blocks whose commit had returned, and
perhaps the one that was being committed, never half of one.

State nodes are addressed by their hash. They are never removed unless a `pruner` says so, so every old state
stays readable and going back to an older head (`Store.rewind`) only removes blocks and lookups.
"""

from __future__ import annotations

import fcntl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import lmdb
import orjson
from eth.abc import AtomicWriteBatchAPI
from eth.db.atomic import AtomicDBWriteBatch, BaseAtomicDB

from chain.node.log_index import TABLES as LOG_INDEX
from chain.node.pruning import Kept, Pruner
from chain.node.store_view import StoreView
from chain.node.trie import Trie
from chain.refusals import Refusal

# Raised with every change to what the records mean. 1 had no seals, 2 no rules; 2 is read as it is.
FORMAT = 3
_READ_AS_IT_IS = (2, FORMAT)
TABLES = (
    b"state",
    b"headers",
    b"bodies",
    b"receipts",
    b"seals",
    b"numbers",
    b"transactions",
    b"rules",
    *LOG_INDEX,
    b"meta",
)
COMPACTED = "compacted.mdb"
_MAP_BYTES = 1 << 32


class StoreInUse(Refusal):
    """Another process serves this data directory."""


class StoreFormatUnknown(Refusal):
    """The data directory was written by another version of the node, and cannot be read by this one."""


class StoreDamaged(Refusal):
    """A small record is not the one that was written."""


class Readable(Protocol):
    """Tables that can be read."""

    def get(self, table: bytes, key: bytes) -> bytes | None:
        """What is stored under `key`."""


class StateDB(BaseAtomicDB):
    """Trie nodes and code as py-evm reads and writes them; writes wait in memory for the block's commit."""

    def __init__(self, store: Readable) -> None:
        self._store = store
        self.pending: dict[bytes, bytes] = {}
        self.trie = Trie(self)

    def __getitem__(self, key: bytes) -> bytes:
        value = self.pending.get(key)
        if value is None:
            value = self._store.get(b"state", key)
            if value is None:
                raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.pending[key] = value

    def __delitem__(self, key: bytes) -> None:
        # Old states share nodes with new ones: nothing that is on disk is ever removed.
        self.pending.pop(key, None)

    def _exists(self, key: bytes) -> bool:
        return key in self.pending or self._store.get(b"state", key) is not None

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicWriteBatchAPI]:
        """A batch that is visible only when it ends without an exception."""
        with AtomicDBWriteBatch._commit_unless_raises(self) as batch:
            yield batch


class Store:
    """The tables of one chain, opened by one process at a time.

    Without `fsync` a commit does not wait for the disk: the end of the process still loses nothing, the end
    of the machine may. For tests.
    """

    def __init__(self, directory: Path, *, fsync: bool = True) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = lock(directory / "node.lock")
        remove_leftovers(directory / "chain.lmdb")
        self._env = lmdb.open(str(directory / "chain.lmdb"), map_size=_MAP_BYTES, max_dbs=16, sync=fsync)
        size = self._env.info()["map_size"]
        self._map_bytes = max(size, _MAP_BYTES)
        self._tables = {name: self._env.open_db(name) for name in TABLES}
        self._reader = self._env.begin()
        self.state = StateDB(self)
        self.pruner: Pruner | None = None
        self.first_kept = 0
        self._closed = False
        try:
            self._check_format(directory)
            self.first_kept = int(self.meta("first_kept") or 0)
        except BaseException:
            self.close()
            raise

    def get(self, table: bytes, key: bytes) -> bytes | None:
        """What is on disk under `key`."""
        value: bytes | None = self._reader.get(key, db=self._tables[table])
        return value

    def range(self, table: bytes, first: bytes, last: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The entries from `first` to `last`, both included, in order of their keys."""
        cursor = self._reader.cursor(db=self._tables[table])
        if not cursor.set_range(first):
            return
        for key, value in cursor:
            if key > last:
                return
            yield key, value

    @contextmanager
    def view(self) -> Iterator[StoreView]:
        """The tables for many reads; what they give is of no use afterwards."""
        with self._env.begin(buffers=True) as txn:
            yield StoreView(txn, self._tables)

    def keys_from(self, table: bytes, first: bytes, count: int) -> list[bytes]:
        """Up to `count` keys from `first` on, in order."""
        cursor = self._reader.cursor(db=self._tables[table])
        if not cursor.set_range(first):
            return []
        return [bytes(key) for key in islice(cursor.iternext(values=False), count)]

    def count(self, table: bytes) -> int:
        """How many records a table has."""
        return int(self._reader.stat(db=self._tables[table])["entries"])

    def bytes_used(self) -> dict[bytes, int]:
        """The bytes of the pages that each table takes; the file holds free pages besides."""
        used: dict[bytes, int] = {}
        for name, db in self._tables.items():
            stat = self._reader.stat(db=db)
            used[name] = stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"])
        return used

    def keep_only(self, kept: Callable[[], Kept]) -> None:
        """Remove from now on, a little with each commit, the state that is not `kept`."""
        self.pruner = Pruner(self, kept, self.meta("kept_records") or 0)

    def meta(self, name: str) -> Any:
        """A small JSON value, None if it was never written; raises StoreDamaged."""
        value = self.get(b"meta", name.encode())
        return None if value is None else unpack_meta(name, value)

    def commit(self, writes: dict[bytes, dict[bytes, bytes]], meta: dict[str, Any]) -> None:
        """Write a block's tables, the waiting state and `meta`, all or nothing, and return when on disk."""
        removals: list[bytes] = []
        if self.pruner is not None:
            step = self.pruner.step(self.state.pending)
            removals, meta = step.removals, {**meta, **step.meta}
        packed = {name.encode(): pack_meta(name, value) for name, value in meta.items()}
        tables = {**writes, b"state": self.state.pending, b"meta": packed}
        self._write(tables, {b"state": removals})
        self.first_kept = meta.get("first_kept", self.first_kept)
        self.state.pending.clear()

    def rewind(self, removals: dict[bytes, list[bytes]], meta: dict[str, Any]) -> None:
        """Remove blocks and lookups above a new head; forget state that waits."""
        self.state.pending.clear()
        if self.pruner is not None:
            self.pruner.reset()
        packed = {name.encode(): pack_meta(name, value) for name, value in meta.items()}
        self._write({b"meta": packed}, removals)
        self.first_kept = meta.get("first_kept", self.first_kept)

    def close(self) -> None:
        """Let go of the directory. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._reader.abort()
        self._env.close()
        self._lock.close()

    def _check_format(self, directory: Path) -> None:
        is_new = next(self.range(b"meta", b"", b"\xff"), None) is None
        if is_new or check_format(directory, self.get(b"meta", b"format")) != FORMAT:
            self.commit({}, {"format": FORMAT})

    def _write(self, tables: dict[bytes, dict[bytes, bytes]], removals: dict[bytes, list[bytes]]) -> None:
        while True:
            try:
                with self._env.begin(write=True) as txn:
                    for name, keys in removals.items():
                        for key in keys:
                            txn.delete(key, db=self._tables[name])
                    for name, rows in tables.items():
                        if rows:
                            txn.cursor(db=self._tables[name]).putmulti(sorted(rows.items()))
                break
            except lmdb.MapFullError:
                # The map is address space, not disk: grow it and write again. No read may be open then.
                self._reader.abort()
                self._map_bytes *= 2
                self._env.set_mapsize(self._map_bytes)
                self._reader = self._env.begin()
        self._reader.abort()
        self._reader = self._env.begin()


def pack_meta(name: str, value: Any) -> bytes:
    """A small JSON value with its checksum, as no block commits to it."""
    encoded = orjson.dumps(value)
    return _checksum(name, encoded) + encoded


def unpack_meta(name: str, packed: bytes) -> Any:
    """The value again; raises StoreDamaged."""
    encoded = packed[4:]
    if packed[:4] != _checksum(name, encoded):
        raise StoreDamaged(record=f"meta {name}")
    return orjson.loads(encoded)


def check_format(directory: Path, packed: bytes | None) -> int:
    """The format of a store; raises StoreFormatUnknown where it says none, or one that is not read here."""
    found = 1 if packed is None else unpack_meta("format", packed)
    if found not in _READ_AS_IT_IS:
        raise StoreFormatUnknown(directory=str(directory), found=found, wanted=FORMAT)
    return int(found)


def _checksum(name: str, encoded: bytes) -> bytes:
    return zlib.crc32(encoded, zlib.crc32(name.encode())).to_bytes(4, "big")


def remove_leftovers(directory: Path) -> None:
    """What a compaction that did not come to its end has left."""
    for name in (COMPACTED, COMPACTED + "-lock"):
        (directory / name).unlink(missing_ok=True)


def lock(path: Path) -> IO[bytes]:
    """Hold a data directory for this process, until the file is closed; raises StoreInUse."""
    handle = path.open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise StoreInUse(directory=str(path.parent)) from None
    return handle
