"""Files as the exchange needs them: few operations, so that a simulation can stand in for the disk.

Disk  a directory tree: opens files, replaces small ones whole, lists and removes
File  bytes that are appended to, made durable, cut, and read
"""

from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path
from typing import Final, Protocol, Self

_SYNCED_BYTES: Final = 2**20
"""How much of a large file is written at a time."""


class File(Protocol):
    """An open file. Every call may raise OSError."""

    def size(self) -> int:
        """Return its bytes."""

    def view(self) -> memoryview:
        """Return all of it as it is now, to be read and released."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Write all of it at a place; durable only after `sync`."""

    def sync(self) -> None:
        """Wait until what was written is durable."""

    def truncate(self, size: int) -> None:
        """Cut it to a size, durably."""

    def close(self) -> None:
        """Let it go, and its lock."""


class Disk(Protocol):
    """Where files are."""

    def exists(self, path: Path) -> bool:
        """Whether there is a file."""

    def open(self, path: Path) -> File:
        """Open a file to read and write, for this process alone.

        Raises
        ------
        BlockingIOError :
            Another process has it.
        """

    def replace(self, path: Path, parts: list[bytes]) -> None:
        """Write a file whole: durable and under its name, or not there at all."""

    def read(self, path: Path) -> bytes:
        """Return a small file's bytes."""

    def names(self, directory: Path) -> list[str]:
        """Return the names in a directory; none where there is none."""

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""


class OsFile:
    """A file of the operating system."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def size(self) -> int:
        """Return its bytes."""
        return os.fstat(self._descriptor).st_size

    def view(self) -> memoryview:
        """Return all of it, mapped."""
        size = self.size()
        if size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ))

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Write all of it at a place."""
        left = memoryview(data)
        while left:
            written = os.pwrite(self._descriptor, left, offset)
            left, offset = left[written:], offset + written

    def sync(self) -> None:
        """Wait until what was written is durable."""
        os.fdatasync(self._descriptor)

    def truncate(self, size: int) -> None:
        """Cut it, durably."""
        os.ftruncate(self._descriptor, size)
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let it go, and its lock."""
        os.close(self._descriptor)

    @classmethod
    def open(cls, path: Path, *, alone: bool) -> Self:
        """Open a file: alone, to write; else to read, whoever else writes."""
        descriptor = os.open(path, (os.O_RDWR if alone else os.O_RDONLY) | os.O_CLOEXEC)
        try:
            if alone:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)


class OsDisk:
    """The disk of the operating system. What it makes is its owner's alone."""

    def exists(self, path: Path) -> bool:
        """Whether there is a file."""
        return path.exists()

    def open(self, path: Path) -> File:
        """Open a file for this process alone."""
        return OsFile.open(path, alone=True)

    def replace(self, path: Path, parts: list[bytes]) -> None:
        """Write beside, make durable, rename, make the name durable."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_name(path.name + ".partial")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        file = OsFile(descriptor)
        try:
            offset = 0
            for part in parts:
                for start in range(0, len(part), _SYNCED_BYTES):
                    piece = memoryview(part)[start : start + _SYNCED_BYTES]
                    file.write_at(offset, piece)
                    offset += len(piece)
                    if len(part) > _SYNCED_BYTES:
                        file.sync()  # a journal on this disk waits behind one piece, not behind all of it
            os.fsync(descriptor)
        finally:
            file.close()
        partial.replace(path)
        _sync_directory(path.parent)

    def read(self, path: Path) -> bytes:
        """Return a file's bytes."""
        return path.read_bytes()

    def names(self, directory: Path) -> list[str]:
        """Return the names in a directory."""
        return sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


OS_DISK = OsDisk()
