"""A file of command frames like a journal's, to time a replay with; CRC-32 and chained SHA-256 in each.

frame  payload bytes u32, CRC-32 of the payload u32, SHA-256 of (the hash before, the payload), the payload
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from chain.refusals import Refusal

_HEAD = struct.Struct("<II32s")


class BenchFrameAltered(Refusal):
    """A frame's checksum or hash is not that of its bytes."""


def write_frames(path: Path, payloads: Iterable[bytes]) -> None:
    """Write one frame for each payload."""
    before = bytes(32)
    with path.open("wb") as file:
        for payload in payloads:
            before = _chained(before, payload)
            file.write(_HEAD.pack(len(payload), crc32(payload), before))
            file.write(payload)


@dataclass(frozen=True, slots=True)
class JournalLike:
    """Such a file, read from its beginning; `checks` tells whether every byte is checked."""

    path: Path
    checks: bool = True

    def __iter__(self) -> Iterator[bytes]:
        """Yield the payloads.

        Raises
        ------
        BenchFrameAltered :
            A frame is cut short or was changed.
        """
        before, number = bytes(32), 0
        with self.path.open("rb", buffering=1 << 20) as file:
            while head := file.read(_HEAD.size):
                if len(head) < _HEAD.size:
                    raise BenchFrameAltered(frame=number)
                length, crc, expected = _HEAD.unpack(head)
                payload = file.read(length)
                if self.checks:
                    before = _chained(before, payload)
                    if len(payload) < length or crc32(payload) != crc or before != expected:
                        raise BenchFrameAltered(frame=number)
                number += 1
                yield payload


def _chained(before: bytes, payload: bytes) -> bytes:
    digest = sha256(before)
    digest.update(payload)
    return digest.digest()
