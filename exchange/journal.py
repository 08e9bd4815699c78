"""The journal: every command in order, chained by hash and durable before anyone is told.

    file     header, then frames; all of it in pieces of 64 bytes, little-endian
    header   magic "CARATJ02", chain id u64, Clearing's address 20, zeros 24, CRC-32 of these 60
    frame    head 64, payload, tail 64
    head     magic "CJFR", payload bytes u32, frame number u64 (from 1), number of its first record u64
             (from 1), hash of the previous frame 32, CRC-32 of the payload, CRC-32 of these 60
    payload  commands of `exchange.core.records` and `exchange.carried`, 64 bytes each
    tail     the frame's hash 32, zeros 24, magic "\\xffCARATE\\xff"

A frame's hash is SHA-256 of its head and payload; before the first stands SHA-256 of the file's header. One
frame is one group commit: many commands, one fdatasync.

What a crash leaves and what a hand leaves are told apart. A write that did not finish leaves a last frame
that ends early, or in zeros, or with a sector of zeros: it was never acknowledged and is cut. Anything else
that does not fit was altered after it was acknowledged: it is named and refused, and nothing is cut.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from zlib import crc32

from exchange.core.records import COMMAND_BYTES
from exchange.disk import OS_DISK, Disk, File, OsFile
from exchange.frame_checks import checks
from exchange.refusals import JournalCorrupt, JournalForeign, JournalLocked, JournalUnavailable

_FILE: Final = struct.Struct("<8sQ20s24s")
_HEAD: Final = struct.Struct("<4sIQQ32sI")
_TAIL: Final = struct.Struct("<32s24s8s")
_CRC: Final = struct.Struct("<I")
_FILE_MAGIC: Final = b"CARATJ02"
_OLD_MAGIC: Final = b"CARATJ01"
_FRAME_MAGIC: Final = b"CJFR"
_TAIL_MAGIC: Final = b"\xffCARATE\xff"
FILE_HEAD_BYTES: Final = _FILE.size + _CRC.size
FRAME_HEAD_BYTES: Final = _HEAD.size + _CRC.size
FRAME_TAIL_BYTES: Final = _TAIL.size
PAYLOAD_BYTES_MAX: Final = 2**26
_LOOKED_AT_BYTES: Final = 2**20
_SECTOR: Final = 512


@dataclass(frozen=True, slots=True)
class Identity:
    """Which deployment a journal belongs to, so that it is never replayed into another."""

    chain_id: int
    clearing: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two frames: where the next one begins, and what it follows."""

    offset: int
    frames: int
    records: int
    hash: bytes
    """Of the last frame; before the first one, of the file's header."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One group commit as it stands in the file. `payload` is a view into it; `end` is what follows."""

    offset: int
    payload: memoryview
    end: Position

    @property
    def first(self) -> int:
        """Number of its first record."""
        return self.end.records - len(self.payload) // COMMAND_BYTES + 1


@dataclass(frozen=True, slots=True)
class JournalSummary:
    """What a check of the whole journal found. `torn_bytes` at the end were never acknowledged."""

    identity: Identity
    end: Position
    torn_bytes: int


class Journal:
    """The one writer of a journal file.

    Use: `Journal.open`, then `replay` to its end once, then `append`.
    """

    def __init__(self, file: File, path: Path, start: Position) -> None:
        self._file = file
        self.path = path
        self.start = start
        """Where the first frame begins."""
        self.end = start
        self._replayed = False
        self._failed: str | None = None

    @classmethod
    def open(cls, path: Path, identity: Identity, disk: Disk = OS_DISK) -> Journal:
        """Open the journal for writing, made when there is none.

        Raises
        ------
        JournalLocked, JournalForeign, JournalCorrupt
        """
        if not disk.exists(path):
            # Everybody's orders are in it: its owner alone reads it.
            disk.replace(path, [_file_head(identity)])
        try:
            file = disk.open(path)
        except BlockingIOError:
            raise JournalLocked(path=str(path)) from None
        try:
            with viewed(file) as view:
                found, start = read_head(view)
            if found != identity:
                raise JournalForeign(
                    chain_id=found.chain_id,
                    clearing="0x" + found.clearing.hex(),
                    expected_chain_id=identity.chain_id,
                    expected_clearing="0x" + identity.clearing.hex(),
                )
        except BaseException:
            file.close()
            raise
        return cls(file, path, start)

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self.end.frames

    @property
    def last_hash(self) -> bytes:
        """Hash of the last frame."""
        return self.end.hash

    def stands_at(self, position: Position) -> bool:
        """Whether a frame of this hash ends at that place, so that what a snapshot covers is still there."""
        if position == self.start:
            return True
        with viewed(self._file) as view:
            if not FILE_HEAD_BYTES < position.offset <= len(view):
                return False
            tail = bytes(view[position.offset - FRAME_TAIL_BYTES : position.offset])
        return tail == _TAIL.pack(position.hash, b"", _TAIL_MAGIC)

    def replay(self, start: Position | None = None) -> Iterator[Frame]:
        """Yield every frame from a place on, cut a torn tail, and make durable what was read.

        A frame's payload is valid until the next one is asked for. Only when this has come to its end may
        anybody be told what is in them.

        Raises
        ------
        JournalCorrupt
        JournalUnavailable :
            The disk failed.
        """
        self.end = start or self.start
        last = b""
        with viewed(self._file) as view:
            for frame in frames(view, self.end):
                self.end = frame.end
                yield frame
                frame.payload.release()
                last_offset = frame.offset
            if self.end != (start or self.start):
                last = bytes(view[last_offset : self.end.offset])
            torn = len(view) > self.end.offset
        try:
            if torn:
                self._file.truncate(self.end.offset)
            self._make_durable(last)
        except OSError as error:
            raise JournalUnavailable(reason=error.strerror or type(error).__name__) from error
        self._replayed = True

    def _make_durable(self, last: bytes) -> None:
        """Write the last frame again and sync: whoever wrote it may have ended before his sync did.

        Or at one that failed: then the operating system shows what was written and may never write it, so to
        sync alone is not enough. No earlier frame can be meant: after a failure the journal takes no more.
        """
        if last:
            self._file.write_at(self.end.offset - len(last), last)
            self._file.sync()

    def append(self, runs: Sequence[bytes]) -> None:
        """Write runs of records as one frame and wait until it is durable.

        Raises
        ------
        JournalUnavailable :
            The disk failed. What it holds now is unknown, so this journal takes nothing more; a new start
            reads what became durable.
        """
        assert self._replayed, "appended before the replay came to its end"
        if self._failed is not None:
            raise JournalUnavailable(reason=self._failed)
        frame, end = frame_after(self.end, runs)
        try:
            self._file.write_at(self.end.offset, frame)
            self._file.sync()
        except OSError as error:
            self._failed = error.strerror or type(error).__name__
            raise JournalUnavailable(reason=self._failed) from error
        self.end = end

    def close(self) -> None:
        """Let another process write."""
        self._file.close()


def frame_after(position: Position, runs: Sequence[bytes]) -> tuple[bytes, Position]:
    """Return the bytes of the frame that holds these runs, and where it ends."""
    payload = runs[0] if len(runs) == 1 else b"".join(runs)
    records, rest = divmod(len(payload), COMMAND_BYTES)
    assert rest == 0, "a frame holds whole records"
    assert 0 < len(payload) <= PAYLOAD_BYTES_MAX, "a frame of no commands, or of far too many"
    number = position.frames + 1
    body = _HEAD.pack(_FRAME_MAGIC, len(payload), number, position.records + 1, position.hash, crc32(payload))
    head = body + _CRC.pack(crc32(body))
    digest = sha256(head)
    digest.update(payload)
    found = digest.digest()
    frame = b"".join((head, payload, _TAIL.pack(found, b"", _TAIL_MAGIC)))
    return frame, Position(position.offset + len(frame), number, position.records + records, found)


@contextmanager
def reading(path: Path) -> Iterator[memoryview]:
    """Map a journal to read it, whoever writes meanwhile: it ends where it ended at this moment."""
    file = OsFile.open(path, alone=False)
    try:
        with viewed(file) as view:
            yield view
    finally:
        file.close()


def verify(path: Path) -> JournalSummary:
    """Read the whole journal and check every byte; changes nothing, needs no lock.

    Raises
    ------
    JournalCorrupt :
        Names the frame (0 is the file's header) and the byte offset where it begins.
    """
    with reading(path) as view:
        identity, end = read_head(view)
        for frame in frames(view, end):
            end = frame.end
            frame.payload.release()
        return JournalSummary(identity, end, len(view) - end.offset)


def read_head(view: memoryview) -> tuple[Identity, Position]:
    """Read a journal's header; raises JournalCorrupt."""
    head = bytes(view[:FILE_HEAD_BYTES])
    if len(head) < FILE_HEAD_BYTES:
        raise JournalCorrupt(frame=0, offset=0, reason="the file's header is cut short")
    if head.startswith(_OLD_MAGIC):
        raise JournalCorrupt(
            frame=0, offset=0, reason="the journal is of the format before this one, CARATJ01"
        )
    if head[: len(_FILE_MAGIC)] != _FILE_MAGIC or _CRC.unpack_from(head, _FILE.size)[0] != crc32(
        head[: _FILE.size]
    ):
        raise JournalCorrupt(frame=0, offset=0, reason="the file's header was altered")
    _, chain_id, clearing, _ = _FILE.unpack_from(head)
    return Identity(chain_id, clearing), Position(FILE_HEAD_BYTES, 0, 0, sha256(head).digest())


def frames(view: memoryview, start: Position) -> Iterator[Frame]:
    """Yield the frames from a place on, up to the end or to a torn last one; raises JournalCorrupt."""
    at = start
    while places := _places(view, at.offset):
        for (offset, length), (crc, found) in zip(places, checks(view, places), strict=True):
            head = bytes(view[offset : offset + FRAME_HEAD_BYTES])
            fault = _head_fault(head, at)
            if fault is None:
                end = offset + FRAME_HEAD_BYTES + length + FRAME_TAIL_BYTES
                is_same = crc == _HEAD.unpack_from(head)[5]
                fault = _payload_fault(bytes(view[end - FRAME_TAIL_BYTES : end]), found, is_same=is_same)
            if fault is not None:
                _refuse(view, at, fault)
                return
            at = Position(end, at.frames + 1, at.records + length // COMMAND_BYTES, found)
            yield Frame(offset, view[offset + FRAME_HEAD_BYTES : end - FRAME_TAIL_BYTES], at)
    head = bytes(view[at.offset : at.offset + FRAME_HEAD_BYTES])
    fault = _head_fault(head, at) if len(head) == FRAME_HEAD_BYTES else None
    if fault is not None:  # else it is the end, or a frame that was never finished
        _refuse(view, at, fault)


def _places(view: memoryview, offset: int) -> list[tuple[int, int]]:
    """Return where the next frames seem to be, to be looked at together: offset and payload bytes of each."""
    places: list[tuple[int, int]] = []
    size = 0
    while size < _LOOKED_AT_BYTES:
        head = bytes(view[offset : offset + FRAME_HEAD_BYTES])
        if len(head) < FRAME_HEAD_BYTES or head[:4] != _FRAME_MAGIC:
            break
        length = _HEAD.unpack_from(head)[1]
        end = offset + FRAME_HEAD_BYTES + length + FRAME_TAIL_BYTES
        if length % COMMAND_BYTES or not 0 < length <= PAYLOAD_BYTES_MAX or end > len(view):
            break
        places.append((offset, length))
        size += length
        offset = end
    return places


def _refuse(view: memoryview, at: Position, fault: str) -> None:
    """Raise JournalCorrupt, unless a crash explains the fault in the frame after `at`."""
    if not _never_finished(view, at.offset, at.frames + 1):
        raise JournalCorrupt(frame=at.frames + 1, offset=at.offset, reason=fault)


@contextmanager
def viewed(file: File) -> Iterator[memoryview]:
    """All of a file, released afterwards."""
    view = file.view()
    try:
        yield view
    finally:
        view.release()


def _file_head(identity: Identity) -> bytes:
    body = _FILE.pack(_FILE_MAGIC, identity.chain_id, identity.clearing, b"")
    return body + _CRC.pack(crc32(body))


def _head_fault(head: bytes, at: Position) -> str | None:
    """Say what is wrong with a frame's head, if anything is."""
    magic, length, number, first, before, _ = _HEAD.unpack_from(head)
    if magic != _FRAME_MAGIC or _CRC.unpack_from(head, _HEAD.size)[0] != crc32(head[: _HEAD.size]):
        return "the frame's head was altered"
    if number != at.frames + 1:
        return f"frame {number} stands where frame {at.frames + 1} belongs"
    if before != at.hash:
        return "the frame does not follow the one before it"
    if first != at.records + 1:
        return f"record {first} stands where record {at.records + 1} belongs"
    if length % COMMAND_BYTES or not 0 < length <= PAYLOAD_BYTES_MAX:
        return "the frame's head was altered"
    return None


def _payload_fault(tail: bytes, found: bytes, *, is_same: bool) -> str | None:
    if tail[32:] != bytes(24) + _TAIL_MAGIC:
        return "the frame's end was altered"
    if not is_same:
        return "the frame's records were altered"
    return None if tail[:32] == found else "the frame's hash was altered"


def _never_finished(view: memoryview, offset: int, number: int) -> bool:
    """Whether a crash broke off the write at `offset`.

    Then no later frame follows, and the disk filled with zeros what it did not write: the file's end, which
    in a finished frame is never zero, or a whole sector of it.
    """
    rest = bytes(view[offset:])
    if len(rest) < FRAME_HEAD_BYTES + COMMAND_BYTES + FRAME_TAIL_BYTES:
        return True  # no frame is so short
    ends_in_zeros = rest[-len(_TAIL_MAGIC) :] == bytes(len(_TAIL_MAGIC))
    if not ends_in_zeros and not _lacks_a_sector(rest, offset):
        return False
    at = rest.find(_FRAME_MAGIC, 1)
    while at >= 0:
        head = rest[at : at + FRAME_HEAD_BYTES]
        if len(head) == FRAME_HEAD_BYTES:
            later = _HEAD.unpack_from(head)[2] > number
            if later and _CRC.unpack_from(head, _HEAD.size)[0] == crc32(head[: _HEAD.size]):
                return False
        at = rest.find(_FRAME_MAGIC, at + 1)
    return True


def _lacks_a_sector(rest: bytes, offset: int) -> bool:
    """Whether a sector is all zeros; the first one counts from where the frame before ends in it."""
    first = -offset % _SECTOR
    if first and not any(rest[:first]):
        return True
    starts = range(first, len(rest) - _SECTOR + 1, _SECTOR)
    return any(rest[at : at + _SECTOR] == bytes(_SECTOR) for at in starts)
