"""Where rows live: in a file that is mapped into memory, or in memory alone.

A store is a run of rows of `ROW_BYTES`. Rows that nothing was written to read as zeros, also where rows were
cut off and the store grew again.
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path
from typing import Final, Protocol

from exchange.history.rows import ROW_BYTES

_ROWS_FIRST: Final = 4_096
_ROWS_STEP_MAX: Final = 2**21
"""A store doubles, but by at most so many rows (256 MiB) at a time: a file takes its blocks when it grows."""


class RowStore(Protocol):
    """A run of rows that grows."""

    @property
    def rows(self) -> int:
        """How many rows there is room for."""

    def view(self) -> memoryview:
        """Return all of it, to read and write. To be released before the store is grown or cut."""

    def reserve(self, rows: int) -> None:
        """Have room for at least so many rows."""

    def cut(self, rows: int) -> None:
        """Forget what stands after so many rows."""

    def sync(self) -> None:
        """Return once all that was written before is on the disk."""

    def close(self) -> None:
        """Let go of it."""


def _grown(rows: int, needed: int) -> int:
    while rows < needed:
        rows += min(max(rows, _ROWS_FIRST), _ROWS_STEP_MAX)
    return rows


class RowMemory:
    """Rows in memory: for tests, and for whoever needs no history after the process."""

    def __init__(self, content: bytes | bytearray = b"") -> None:
        self._bytes = bytearray(content)

    @property
    def rows(self) -> int:
        """How many rows there is room for."""
        return len(self._bytes) // ROW_BYTES

    def view(self) -> memoryview:
        """Return all of it, to read and write."""
        return memoryview(self._bytes)

    def reserve(self, rows: int) -> None:
        """Have room for at least so many rows."""
        if rows > self.rows:
            self._bytes.extend(bytes((_grown(self.rows, rows) - self.rows) * ROW_BYTES))

    def cut(self, rows: int) -> None:
        """Forget what stands after so many rows."""
        del self._bytes[rows * ROW_BYTES :]

    def sync(self) -> None:
        """Nothing outlives the process."""

    def close(self) -> None:
        """Nothing is held."""


class RowFile:
    """Rows in a file, mapped. What was written is the operating system's at once: only its fall loses any."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it; raises OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.rows = os.fstat(self._file).st_size // ROW_BYTES
        os.ftruncate(self._file, self.rows * ROW_BYTES)  # half a row is none
        self._map = self._mapped(self.rows)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)  # the file's name
        finally:
            os.close(directory)

    def _mapped(self, rows: int) -> mmap.mmap | None:
        return mmap.mmap(self._file, rows * ROW_BYTES) if rows else None

    def view(self) -> memoryview:
        """Return all of it, to read and write."""
        return memoryview(self._map) if self._map is not None else memoryview(bytearray())

    def reserve(self, rows: int) -> None:
        """Have room for at least so many rows; raises OSError with nothing changed."""
        if rows > self.rows:
            grown = _grown(self.rows, rows)
            # Real blocks, not a hole: writing to a mapped hole on a full disk would kill the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file, self.rows * ROW_BYTES, (grown - self.rows) * ROW_BYTES)
            else:
                os.ftruncate(self._file, grown * ROW_BYTES)
            self._remap(grown)

    def cut(self, rows: int) -> None:
        """Forget what stands after so many rows."""
        if rows < self.rows:
            os.ftruncate(self._file, rows * ROW_BYTES)
            self._remap(rows)

    def _remap(self, rows: int) -> None:
        if self._map is not None and rows > self.rows and sys.platform == "linux":
            self._map.resize(rows * ROW_BYTES)  # what is mapped stays so; no other system can
        else:
            fresh = self._mapped(rows)  # first: where that fails, all is as before
            self._unmap()
            self._map = fresh
        self.rows = rows

    def _unmap(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None

    def sync(self) -> None:
        """Return once all written before is on the disk; raises OSError. Other threads run meanwhile."""
        os.fsync(self._file)  # of pages that were written through the map, too

    def close(self) -> None:
        """Let go of it."""
        self._unmap()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
