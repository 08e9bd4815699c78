"""The store as somebody sees it who must not change it, and who does not trust it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb

from chain.node.hashing import keccak
from chain.node.log_index import TABLES as LOG_INDEX
from chain.node.store import TABLES, StateDB, StoreFormatUnknown, check_format, unpack_meta
from chain.refusals import Refusal

_MAP_BYTES_MIN = 1 << 32
_LATER_TABLES = (b"rules", *LOG_INDEX)


class StoreMissing(Refusal):
    """There is no chain in this directory."""


class RecordDiffers(Exception):
    """A stored record is not what it has to be; `block` is None for what belongs to no block."""

    def __init__(self, block: int | None, record: str, key: bytes, why: str) -> None:
        super().__init__(f"block {block}: {record} {key.hex()}: {why}")
        self.block = block
        self.record = record
        self.key = key
        self.why = why


class StoreReader:
    """The tables as they are at one moment, also while a node goes on writing.

    While it is open the node's file cannot reuse space, and grows faster.

    Raises
    ------
    StoreMissing, StoreFormatUnknown, StoreDamaged :
        If there is no chain to read, it has another format, or does not say which.
    """

    def __init__(self, directory: Path) -> None:
        data = directory / "chain.lmdb" / "data.mdb"
        if not data.exists():
            raise StoreMissing(directory=str(directory))
        # Address space only; the node may have grown its own since.
        size = max(_MAP_BYTES_MIN, 2 * data.stat().st_size)
        self._env = lmdb.open(str(data.parent), readonly=True, max_dbs=16, map_size=size, create=False)
        try:
            self._tables = {name: self._open(name) for name in TABLES}
            self._txn = self._env.begin()
            check_format(directory, self.get(b"meta", b"format"))
        except lmdb.NotFoundError:
            self._env.close()
            raise StoreFormatUnknown(directory=str(directory)) from None
        except BaseException:
            self._env.close()
            raise

    def get(self, table: bytes, key: bytes) -> bytes | None:
        """What is stored under `key`."""
        db = self._tables[table]
        return None if db is None else self._txn.get(key, db=db)

    def rows(self, table: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Every record of a table, in the order of the keys."""
        db = self._tables[table]
        if db is not None:
            yield from self._txn.cursor(db=db)

    def count(self, table: bytes) -> int:
        """How many records a table has."""
        db = self._tables[table]
        return 0 if db is None else int(self._txn.stat(db=db)["entries"])

    def meta(self) -> dict[str, Any]:
        """Every small record; raises StoreDamaged."""
        found = ((key.decode(errors="replace"), value) for key, value in self.rows(b"meta"))
        return {name: unpack_meta(name, value) for name, value in found}

    def _open(self, table: bytes) -> Any:
        try:
            return self._env.open_db(table, create=False)
        except lmdb.NotFoundError:
            if table in _LATER_TABLES:
                return None  # an older node wrote it, and had none
            raise

    def close(self) -> None:
        """Let go of the store."""
        self._txn.abort()
        self._env.close()


class CheckedState(StateDB):
    """Trie nodes and code: what is read must have its key as its hash, what is written must be there."""

    def __init__(self, store: StoreReader) -> None:
        super().__init__(store)
        self._reader = store

    def __getitem__(self, key: bytes) -> bytes:
        value = super().__getitem__(key)
        if keccak(value) != key:
            raise RecordDiffers(None, "state", key, "its hash is not its key")
        return value

    def check_written(self, block: int, root: bytes) -> None:  # noqa: ARG002
        """Hold what a block has written against what is stored; raises RecordDiffers."""
        for key, value in self.pending.items():
            stored = self._reader.get(b"state", key)
            if stored != value:
                why = "missing" if stored is None else "its hash is not its key"
                raise RecordDiffers(block, "state", key, why)
        self.pending.clear()
