"""Snapshots: the venue as it was after some frame of the journal, so that a start reads only what came later.

    file     DIR/<number of the last record, 20 digits>.snapshot
    header   magic "CARATS01", chain id u64, Clearing's address 20, zeros 4; where the journal stood: offset
             u64, frames u64, records u64, hash 32; the history's mark: orders u64, trades u64, epochs u64,
             committed u64; bytes of the core's part u64 and of custody's u64; the state's hash 32; CRC-32
             of all before
    then     the core's snapshot (docs/spec/07), custody's (JSON)

A snapshot is a shortcut, never the record: without any, or with a damaged one, the journal is replayed from
further back and gives the same state. But a snapshot that covers more than the journal has says that the
journal lost what was acknowledged: that is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final
from zlib import crc32

from exchange.core import Engine
from exchange.custody import Custody
from exchange.disk import Disk
from exchange.journal import Identity, Position

_HEAD: Final = struct.Struct("<8sQ20s4sQQQ32sQQQQQQ32s")
_CRC: Final = struct.Struct("<I")
_MAGIC: Final = b"CARATS01"
_MARK: Final = ("orders", "trades", "epochs", "committed")
_SUFFIX: Final = ".snapshot"
KEPT: Final = 2
"""How many are kept: the newest, and the one before it in case that one is damaged."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The venue's state after the record `position.records`. `mark` is how far the history was."""

    identity: Identity
    position: Position
    mark: dict[str, int]
    core: bytes
    custody: bytes

    @property
    def hash(self) -> bytes:
        """The venue's state hash."""
        digest = blake2b(blake2b(self.core, digest_size=32).digest(), digest_size=32)
        digest.update(self.custody)
        return digest.digest()

    def engine(self) -> Engine:
        """Return the engine that it holds; raises ValueError."""
        return Engine.load(self.core)

    def custodian(self) -> Custody:
        """Return the custody that it holds; raises ValueError, KeyError or TypeError."""
        return Custody.load(self.custody)


def write(disk: Disk, directory: Path, snapshot: Snapshot) -> None:
    """Make a snapshot durable, then remove those that are too many; raises OSError."""
    at = snapshot.position
    body = _HEAD.pack(
        _MAGIC,
        snapshot.identity.chain_id,
        snapshot.identity.clearing,
        b"",
        at.offset,
        at.frames,
        at.records,
        at.hash,
        *(snapshot.mark[name] for name in _MARK),
        len(snapshot.core),
        len(snapshot.custody),
        snapshot.hash,
    )
    disk.replace(
        directory / f"{at.records:020d}{_SUFFIX}",
        [body, _CRC.pack(crc32(body)), snapshot.core, snapshot.custody],
    )
    for name in _names(disk, directory)[KEPT:]:
        disk.remove(directory / name)


def newest_first(disk: Disk, directory: Path, identity: Identity) -> Iterator[Snapshot]:
    """Yield the whole and unaltered snapshots of a deployment."""
    for name in _names(disk, directory):
        snapshot = read(disk.read(directory / name))
        if snapshot is not None and snapshot.identity == identity:
            yield snapshot


def read(content: bytes) -> Snapshot | None:
    """Read a snapshot; None where a byte of it is not as it was written."""
    start = _HEAD.size + _CRC.size
    body = content[: _HEAD.size]
    if len(content) < start or _CRC.unpack_from(content, _HEAD.size)[0] != crc32(body):
        return None
    magic, chain_id, clearing, _, offset, frames, records, hash_, *rest = _HEAD.unpack(body)
    *mark, core_bytes, custody_bytes, state_hash = rest
    if magic != _MAGIC or len(content) != start + core_bytes + custody_bytes:
        return None
    core, custody = content[start : start + core_bytes], content[start + core_bytes :]
    found = Snapshot(
        Identity(chain_id, clearing),
        Position(offset, frames, records, hash_),
        dict(zip(_MARK, mark, strict=True)),
        core,
        custody,
    )
    return found if found.hash == state_hash else None


def _names(disk: Disk, directory: Path) -> list[str]:
    return sorted((name for name in disk.names(directory) if name.endswith(_SUFFIX)), reverse=True)
