"""The tables of a store for many reads in a row: without copies, and with a place to go on from."""

from __future__ import annotations

from typing import Any


class StoreView:
    """What one LMDB read transaction sees; nothing it gave may be used once that has ended."""

    def __init__(self, txn: Any, tables: dict[bytes, Any]) -> None:
        self._txn = txn
        self._tables = tables
        self._cursors: dict[bytes, Any] = {}

    def get(self, table: bytes, key: bytes) -> memoryview | None:
        """What is stored under `key`."""
        value: memoryview | None = self._txn.get(key, db=self._tables[table])
        return value

    def after(self, table: bytes, key: bytes) -> tuple[memoryview, memoryview] | None:
        """The first entry whose key is `key` or greater."""
        cursor = self._cursor(table)
        return cursor.item() if cursor.set_range(key) else None

    def before(self, table: bytes, key: bytes) -> tuple[memoryview, memoryview] | None:
        """The last entry whose key is less than `key`."""
        cursor = self._cursor(table)
        found = cursor.prev() if cursor.set_range(key) else cursor.last()
        return cursor.item() if found else None

    def _cursor(self, table: bytes) -> Any:
        cursor = self._cursors.get(table)
        if cursor is None:
            cursor = self._cursors[table] = self._txn.cursor(db=self._tables[table])
        return cursor
