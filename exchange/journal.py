"""The journal: every command in order, chained by hash and durable before anyone is told.

    file     header, then frames
    header   64 bytes: magic "CARATJ01", chain id u64, Clearing's address 20, zeros 24, CRC-32 of these 60
    frame    head 60 bytes, payload, tail 4 bytes
    head     magic "CJFR", payload bytes u32, frame number u64 (from 1), commands u32, CRC-32 of the payload
             u32, hash of the previous frame 32, CRC-32 of these 56
    payload  records (`exchange.records`)
    tail     "\\xffEND"

A frame's hash is SHA-256 of its head and payload; before the first stands SHA-256 of the file's header.
Integers are big-endian. One frame is one group commit: many commands, one fdatasync.

What a crash leaves and what a hand leaves are told apart. A write that did not finish leaves a last frame
that ends early, or in zeros: it was never acknowledged and is cut. Anything else that does not fit was
altered after it was acknowledged: it is named and refused, and nothing is cut.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

from exchange.commands import Command
from exchange.records import RecordMalformed, decode_all
from exchange.refusals import JournalCorrupt, JournalForeign, JournalLocked, JournalUnavailable

_FILE: Final = struct.Struct(">8sQ20s24s")
_FRAME: Final = struct.Struct(">4sIQII32s")
_CRC: Final = struct.Struct(">I")
_FILE_MAGIC: Final = b"CARATJ01"
_FRAME_MAGIC: Final = b"CJFR"
_TAIL: Final = b"\xffEND"
FILE_HEAD_BYTES: Final = _FILE.size + _CRC.size
FRAME_HEAD_BYTES: Final = _FRAME.size + _CRC.size
PAYLOAD_BYTES_MAX: Final = 2**26


@dataclass(frozen=True, slots=True)
class Identity:
    """Which deployment a journal belongs to, so that it is never replayed into another."""

    chain_id: int
    clearing: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One group commit as it stands in the file."""

    number: int
    offset: int
    end: int
    commands: list[Command]
    hash: bytes


@dataclass(frozen=True, slots=True)
class JournalSummary:
    """What a check of the whole journal found. `torn_bytes` at the end were never acknowledged."""

    identity: Identity
    frames: int
    commands: int
    whole_bytes: int
    torn_bytes: int
    last_hash: bytes


class Journal:
    """The one writer of a journal file.

    Use: `Journal.open`, then `replay` to its end once, then `append`.
    """

    def __init__(self, file: BinaryIO, path: Path, head_hash: bytes) -> None:
        self._file = file
        self.path = path
        self.frames = 0
        self.last_hash = head_hash
        self._end = FILE_HEAD_BYTES
        self._replayed = False
        self._failed: str | None = None

    @classmethod
    def open(cls, path: Path, identity: Identity) -> Journal:
        """Open the journal for writing, made when there is none.

        Raises
        ------
        JournalLocked, JournalForeign, JournalCorrupt
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _create(path, identity)
        file = path.open("r+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise JournalLocked(path=str(path)) from None
        try:
            head = _read_file_head(file)
            found = _identity_of(head)
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
        return cls(file, path, sha256(head).digest())

    def replay(self) -> Iterator[list[Command]]:
        """Yield the commands of every frame, then cut a torn tail; raises JournalCorrupt."""
        with self.path.open("rb") as reader:
            for frame in _frames(reader):
                self.frames, self.last_hash, self._end = frame.number, frame.hash, frame.end
                yield frame.commands
        if os.fstat(self._file.fileno()).st_size > self._end:
            self._file.truncate(self._end)
            os.fsync(self._file.fileno())
        self._file.seek(self._end)
        self._replayed = True

    def append(self, records: Sequence[bytes]) -> None:
        """Write the records of some commands as one frame and wait until it is durable.

        Raises
        ------
        JournalUnavailable :
            The disk failed. What it holds now is unknown, so this journal takes nothing more; a new start
            reads what became durable.
        """
        assert self._replayed, "appended before the replay came to its end"
        if self._failed is not None:
            raise JournalUnavailable(reason=self._failed)
        payload = b"".join(records)
        assert 0 < len(payload) <= PAYLOAD_BYTES_MAX, "a frame of no commands, or of far too many"
        number = self.frames + 1
        head = _frame_head(number, len(records), payload, self.last_hash)
        try:
            _write_all(self._file.fileno(), head + payload + _TAIL)
            os.fdatasync(self._file.fileno())
        except OSError as error:
            self._failed = error.strerror or type(error).__name__
            raise JournalUnavailable(reason=self._failed) from error
        self.frames = number
        self.last_hash = sha256(head + payload).digest()
        self._end += len(head) + len(payload) + len(_TAIL)

    def close(self) -> None:
        """Let another process write."""
        self._file.close()


def verify(path: Path) -> JournalSummary:
    """Read the whole journal and check every byte; changes nothing, needs no lock.

    Raises
    ------
    JournalCorrupt :
        Names the frame (0 is the file's header) and the byte offset where it begins.
    """
    frames, commands, end = 0, 0, FILE_HEAD_BYTES
    with path.open("rb") as file:
        head = _read_file_head(file)
        last_hash = sha256(head).digest()
        for frame in _frames(file):
            frames, end, last_hash = frame.number, frame.end, frame.hash
            commands += len(frame.commands)
        size = os.fstat(file.fileno()).st_size
    return JournalSummary(_identity_of(head), frames, commands, end, size - end, last_hash)


def read_commands(path: Path) -> Iterator[Command]:
    """Yield every command of a journal, for whoever recomputes; raises JournalCorrupt."""
    with path.open("rb") as file:
        _read_file_head(file)
        for frame in _frames(file):
            yield from frame.commands


def _create(path: Path, identity: Identity) -> None:
    """Make an empty journal, whole or not at all."""
    body = _FILE.pack(_FILE_MAGIC, identity.chain_id, identity.clearing, b"")
    partial = path.with_suffix(".partial")
    # Everybody's orders are in it: its owner alone reads it.
    with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(body + _CRC.pack(crc32(body)))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read_file_head(file: BinaryIO) -> bytes:
    file.seek(0)
    head = file.read(FILE_HEAD_BYTES)
    if len(head) < FILE_HEAD_BYTES:
        raise JournalCorrupt(frame=0, offset=0, reason="the file's header is cut short")
    body = head[: _FILE.size]
    if _CRC.unpack_from(head, _FILE.size)[0] != crc32(body) or body[:8] != _FILE_MAGIC:
        raise JournalCorrupt(frame=0, offset=0, reason="the file's header was altered")
    return head


def _identity_of(head: bytes) -> Identity:
    _, chain_id, clearing, _ = _FILE.unpack_from(head)
    return Identity(chain_id, clearing)


def _frame_head(number: int, commands: int, payload: bytes, previous: bytes) -> bytes:
    body = _FRAME.pack(_FRAME_MAGIC, len(payload), number, commands, crc32(payload), previous)
    return body + _CRC.pack(crc32(body))


def _frames(file: BinaryIO) -> Iterator[Frame]:
    """Yield the frames from the first on, up to the end or to a torn last one; raises JournalCorrupt."""
    file.seek(0)
    previous = sha256(file.read(FILE_HEAD_BYTES)).digest()
    number, offset = 1, FILE_HEAD_BYTES
    while True:
        head = file.read(FRAME_HEAD_BYTES)
        if len(head) < FRAME_HEAD_BYTES:
            return  # the end, or a head that was never finished
        fault = _head_fault(head, number, previous)
        if fault is None:
            _, payload_bytes, _, count, payload_crc, _ = _FRAME.unpack_from(head)
            rest = file.read(payload_bytes + len(_TAIL))
            if len(rest) < payload_bytes + len(_TAIL):
                return  # a frame that was never finished
            payload, tail = rest[:payload_bytes], rest[payload_bytes:]
            commands, fault = _read_payload(payload, tail, count, payload_crc)
        if fault is not None:
            if _never_finished(file, offset, number):
                return
            raise JournalCorrupt(frame=number, offset=offset, reason=fault)
        previous = sha256(head + payload).digest()
        end = offset + FRAME_HEAD_BYTES + payload_bytes + len(_TAIL)
        yield Frame(number, offset, end, commands, previous)
        number, offset = number + 1, end


def _head_fault(head: bytes, number: int, previous: bytes) -> str | None:
    """Say what is wrong with a frame's head, if anything is."""
    body = head[: _FRAME.size]
    magic, _, found, _, _, before = _FRAME.unpack_from(head)
    if magic != _FRAME_MAGIC or _CRC.unpack_from(head, _FRAME.size)[0] != crc32(body):
        return "the frame's head was altered"
    if found != number:
        return f"frame {found} stands where frame {number} belongs"
    if before != previous:
        return "the frame does not follow the one before it"
    return None


def _read_payload(payload: bytes, tail: bytes, count: int, crc: int) -> tuple[list[Command], str | None]:
    if tail != _TAIL:
        return [], "the frame's end was altered"
    if crc32(payload) != crc:
        return [], "the frame's records were altered"
    try:
        commands = decode_all(payload)
    except RecordMalformed as error:
        return [], str(error)
    return commands, None if len(commands) == count else "the frame holds another number of records"


def _never_finished(file: BinaryIO, offset: int, number: int) -> bool:
    """Whether a crash broke off the write at `offset` and the disk filled it up with zeros.

    Then the file ends in zeros, which no finished frame does, and no later frame follows.
    """
    file.seek(offset)
    rest = file.read()
    if rest[-len(_TAIL) :] != bytes(len(_TAIL)):
        return False
    at = rest.find(_FRAME_MAGIC, 1)
    while at >= 0:
        head = rest[at : at + FRAME_HEAD_BYTES]
        if len(head) == FRAME_HEAD_BYTES:
            body = head[: _FRAME.size]
            later = _FRAME.unpack_from(head)[2] > number
            if later and _CRC.unpack_from(head, _FRAME.size)[0] == crc32(body):
                return False
        at = rest.find(_FRAME_MAGIC, at + 1)
    return True


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
