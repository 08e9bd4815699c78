"""A disk that does what disks do: it keeps what was synced, and of the rest whatever it likes.

Two ways to end: killed, when the operating system still has everything that was written; and without power,
when only what was synced is sure, and any write since may be there whole, broken off at a byte, in part by
sectors, as zeros, or not at all. What was not synced before a kill is not synced after it either: a power cut
later may take it.

Faults: a sync may fail, and what it should have synced stays dirty, or looks written and never will be, or is
taken back; a write may find the disk full.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from exchange.history.rows import ROW_BYTES

SECTOR: Final = 512


class Crashed(BaseException):
    """The process ended inside a call to the disk. Nothing of it may handle that."""


@dataclass(slots=True)
class Faults:
    """How often what goes wrong, each out of 1,000; and after how many calls to the disk the process ends."""

    sync_fails: int = 0
    is_full: int = 0
    row_room_fails: int = 0
    calls_left: int = -1
    """Ends the process at that call; negative: never."""


@dataclass(slots=True)
class SimulatedDisk:
    """All files of the machine."""

    random: Random
    trace: Callable[..., None]
    faults: Faults = field(default_factory=Faults)
    files: dict[str, SimulatedFile] = field(default_factory=dict)
    small: dict[str, bytes] = field(default_factory=dict)
    """Files that are replaced whole."""
    removed: dict[str, bytes] = field(default_factory=dict)
    """Those removed, whose removal may not be durable."""
    rows: dict[str, SimulatedRows] = field(default_factory=dict)

    # --- the protocol ---

    def exists(self, path: Path) -> bool:
        """Whether there is a file."""
        return str(path) in self.small or str(path) in self.files

    def open(self, path: Path) -> SimulatedFile:
        """Open a file for one process alone."""
        name = str(path)
        if name not in self.files:
            content = self.small.pop(name)
            self.files[name] = SimulatedFile(self, bytearray(content), bytearray(content))
        file = self.files[name]
        if file.is_open:
            raise BlockingIOError(errno.EAGAIN, "another process has it")
        file.is_open = True
        return file

    def replace(self, path: Path, parts: list[bytes]) -> None:
        """Write a file whole, or not at all."""
        self.step("replace")
        if self.happens(self.faults.is_full):
            raise OSError(errno.ENOSPC, "no space left")
        self.small[str(path)] = b"".join(parts)
        self.step("replaced")

    def read(self, path: Path) -> bytes:
        """Return a file's bytes."""
        return self.small[str(path)]

    def names(self, directory: Path) -> list[str]:
        """Return the names in a directory."""
        place = str(directory) + "/"
        return sorted(name[len(place) :] for name in self.small if name.startswith(place))

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        self.step("remove")
        content = self.small.pop(str(path), None)
        if content is not None:
            self.removed[str(path)] = content

    # --- trouble ---

    def happens(self, of_1000: int) -> bool:
        """Whether something happens that happens so often."""
        return of_1000 > 0 and self.random.random() * 1_000 < of_1000

    def step(self, name: str) -> None:
        """Count a call; end the process here if it is time."""
        if self.faults.calls_left >= 0:
            self.faults.calls_left -= 1
            if self.faults.calls_left < 0:
                self.trace("ends inside", name)
                raise Crashed

    def store(self, name: str) -> SimulatedRows:
        """Return the rows of a name, as a new process maps them."""
        rows = self.rows.get(name)
        if rows is None:
            rows = self.rows[name] = SimulatedRows(self)
        rows.remap()
        return rows

    def killed(self) -> None:
        """Leave what a process leaves that was killed: the operating system has all it wrote."""
        for file in self.files.values():
            file.is_open = False

    def power_cut(self) -> None:
        """Leave what a machine leaves that lost its power."""
        for file in self.files.values():
            file.is_open = False
            file.lose(self.random)
        for rows in self.rows.values():
            rows.lose(self.random)
        for name, content in self.removed.items():
            if self.random.random() < 0.5:
                self.small.setdefault(name, content)
        self.removed.clear()

    def damage_newest(self, suffix: str) -> None:
        """Alter a byte of the newest file of a kind, as an old disk does."""
        names = sorted(name for name in self.small if name.endswith(suffix))
        if names:
            content = bytearray(self.small[names[-1]])
            content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
            self.small[names[-1]] = bytes(content)
            self.trace("damaged", names[-1])


@dataclass(slots=True)
class SimulatedFile:
    """A file: what is durable, what the operating system shows, and the writes between the two."""

    disk: SimulatedDisk
    durable: bytearray
    shown: bytearray
    dirty: list[tuple[int, bytes]] = field(default_factory=list)
    is_open: bool = False

    def size(self) -> int:
        """Return its bytes."""
        return len(self.shown)

    def view(self) -> memoryview:
        """Return all of it as it is now."""
        return memoryview(bytes(self.shown))

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Write at a place."""
        self.disk.step("write")
        content = bytes(data)
        if self.disk.happens(self.disk.faults.is_full):
            self._write(offset, content[: self.disk.random.randrange(len(content))])
            self.disk.trace("disk full")
            raise OSError(errno.ENOSPC, "no space left")
        self._write(offset, content)

    def _write(self, offset: int, content: bytes) -> None:
        if content:
            _put(self.shown, offset, content)
            self.dirty.append((offset, content))

    def sync(self) -> None:
        """Make durable what was written."""
        self.disk.step("sync")
        if self.disk.happens(self.disk.faults.sync_fails):
            self._fail()
        for offset, content in self.dirty:
            _put(self.durable, offset, content)
        self.dirty.clear()
        self.disk.step("synced")

    def _fail(self) -> None:
        """Fail as file systems do: dirty still, or clean and never written, or taken back."""
        way = self.disk.random.randrange(3)
        self.disk.trace("sync fails", way)
        if way >= 1:
            self.dirty.clear()
        if way == 2:
            self.shown[:] = self.durable
        raise OSError(errno.EIO, "input/output error")

    def truncate(self, size: int) -> None:
        """Cut it, durably."""
        self.disk.step("truncate")
        for offset, content in self.dirty:
            _put(self.durable, offset, content)
        self.dirty.clear()
        del self.shown[size:]
        self.durable[:] = self.shown
        self.disk.step("truncated")

    def close(self) -> None:
        """Let it go."""
        self.is_open = False

    def lose(self, random: Random) -> None:
        """Keep of what was not synced what a power cut leaves."""
        for offset, content in self.dirty:
            _leave(self.durable, offset, content, random)
        self.dirty.clear()
        self.shown[:] = self.durable


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _leave(durable: bytearray, offset: int, data: bytes, random: Random) -> None:
    """Do a write as a power cut leaves it."""
    way = random.random()
    if way < 0.2:
        return
    if way < 0.35:
        _put(durable, offset, data)
    elif way < 0.6:
        torn = random.randrange(len(data))
        if random.random() < 0.5:
            _put(durable, offset, data[:torn])
        else:  # the file is as long as it should be; words of eight bytes are whole
            _put(durable, offset, data[: torn // 8 * 8])
            _grow(durable, offset + len(data))
    else:  # some sectors of it; the file is as long as it should be, or as its last sector
        if random.random() < 0.7:
            _grow(durable, offset + len(data))
        kept = random.choice((0.0, 0.2, 0.5, 0.8, 0.95))
        for first in range(offset // SECTOR * SECTOR, offset + len(data), SECTOR):
            if random.random() < kept:
                start, end = max(first, offset), min(first + SECTOR, offset + len(data))
                _put(durable, start, data[start - offset : end - offset])


def _grow(content: bytearray, size: int) -> None:
    if len(content) < size:
        content.extend(bytes(size - len(content)))


class SimulatedRows:
    """A history's mapped rows. Each line of a row may survive as it was at any moment since the last sync."""

    VERSIONS_MAX: Final = 6

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._rows = bytearray()
        self._older: list[bytes] = [b""]
        """The synced content, then what was there at some moments since."""

    @property
    def rows(self) -> int:
        """How many rows there is room for."""
        return len(self._rows) // ROW_BYTES

    def view(self) -> memoryview:
        """Return all of it, to read and write."""
        return memoryview(self._rows)

    def reserve(self, rows: int) -> None:
        """Have room for at least so many rows."""
        if rows > self.rows:
            if self._disk.happens(self._disk.faults.row_room_fails):
                self._disk.trace("no room for rows")
                raise OSError(errno.ENOSPC, "no space left")
            self._rows.extend(bytes((rows + 64 - self.rows) * ROW_BYTES))

    def cut(self, rows: int) -> None:
        """Forget what stands after so many rows."""
        self.note()
        del self._rows[rows * ROW_BYTES :]

    def sync(self) -> None:
        """Make it durable."""
        self._disk.step("sync of rows")
        if self._disk.happens(self._disk.faults.sync_fails):
            self._disk.trace("sync of rows fails")
            raise OSError(errno.EIO, "input/output error")
        self._older = [bytes(self._rows)]

    def close(self) -> None:
        """Let go of it; the file stays."""

    def note(self) -> None:
        """Remember how it is now: lines may reach the disk like this."""
        if len(self._older) > self.VERSIONS_MAX:
            del self._older[1 + self._disk.random.randrange(self.VERSIONS_MAX)]
        self._older.append(bytes(self._rows))

    def lose(self, random: Random) -> None:
        """Keep what a power cut leaves."""
        versions = [*self._older, bytes(self._rows)]
        size = len(random.choice(versions))
        piece = random.choice((64, 128, 512, 4096))
        kept = bytearray(size)
        for start in range(0, size, piece):
            found = random.choice(versions)[start : min(start + piece, size)]
            kept[start : start + len(found)] = found
        self._rows = kept
        self._older = [bytes(kept)]

    def remap(self) -> None:
        """Be mapped by a new process: no view of the old one holds it."""
        self._rows = bytearray(self._rows)
