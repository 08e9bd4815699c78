"""Carried records: what the chain says, in the journal beside the commands that the engine core does.

The core counts them and passes over them; `exchange.custody` takes them in. 64 bytes each, little-endian.

    128 ROOT      epoch u64 at 8, tape root 32 at 16             stands directly before its SETTLED
    129 SETTLED   epoch u64 at 8, block u64 at 16, tx hash 32 at 24
    130 RELEASED  block u64 at 8, withdrawal id 16 at 16, tx hash 32 at 32
    131 CURSOR    block u64 at 8
    132 EXIT      instrument u16 at 2, participant u32 at 4, log index u32 at 8, tx hash 32 at 16,
                  amount u128 at 48

What a layout does not use is zero. A layout never changes; a new one gets a new kind.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from exchange.core.records import COMMAND_BYTES


class CarriedKind(IntEnum):
    """Which record it is."""

    ROOT = 128
    SETTLED = 129
    RELEASED = 130
    CURSOR = 131
    EXIT = 132


class Root(NamedTuple):
    """The tape root that the chain has recorded for an epoch."""

    epoch: int
    tape_root: bytes


class Settled(NamedTuple):
    """The chain has settled an epoch, under the root before, in this transaction."""

    epoch: int
    block: int
    tx_hash: bytes


class Released(NamedTuple):
    """The chain has paid a withdrawal out, in this transaction."""

    block: int
    withdrawal_id: bytes
    tx_hash: bytes


class Cursor(NamedTuple):
    """Everything on chain up to and including this block has been taken in."""

    block: int


class Exit(NamedTuple):
    """An account took an asset (instrument 0: cash) out of Clearing itself, the exchange having been silent.

    Transaction and log index name the event, so it counts once.
    """

    instrument: int
    participant: int
    log_index: int
    tx_hash: bytes
    amount: int


Carried = Root | Settled | Released | Cursor | Exit

_ROOT: Final = struct.Struct("<B7xQ32s16x")
_SETTLED: Final = struct.Struct("<B7xQQ32s8x")
_RELEASED: Final = struct.Struct("<B7xQ16s32s")
_CURSOR: Final = struct.Struct("<B7xQ48x")
_EXIT: Final = struct.Struct("<BxHII4x32s16s")
for _layout in (_ROOT, _SETTLED, _RELEASED, _CURSOR, _EXIT):
    assert _layout.size == COMMAND_BYTES


def settled(epoch: int, tape_root: bytes, block: int, tx_hash: bytes) -> bytes:
    """Return the two records that say that an epoch is settled."""
    return _ROOT.pack(CarriedKind.ROOT, epoch, tape_root) + _SETTLED.pack(
        CarriedKind.SETTLED, epoch, block, tx_hash
    )


def released(withdrawal_id: bytes, block: int, tx_hash: bytes) -> bytes:
    """Return the record that says that a withdrawal is paid out."""
    return _RELEASED.pack(CarriedKind.RELEASED, block, withdrawal_id, tx_hash)


def cursor(block: int) -> bytes:
    """Return the record that says how far the chain has been read."""
    return _CURSOR.pack(CarriedKind.CURSOR, block)


def exit_taken(participant: int, instrument: int, amount: int, tx_hash: bytes, log_index: int) -> bytes:
    """Return the record that says that an account has left; the core's own commands follow it."""
    return _EXIT.pack(
        CarriedKind.EXIT, instrument, participant, log_index, tx_hash, amount.to_bytes(16, "little")
    )


def read(record: bytes | memoryview) -> Carried | None:
    """Read a carried record; None for a kind that this version does not know."""
    kind = record[0]
    if kind == CarriedKind.ROOT:
        return Root._make(_ROOT.unpack(record)[1:])
    if kind == CarriedKind.SETTLED:
        return Settled._make(_SETTLED.unpack(record)[1:])
    if kind == CarriedKind.RELEASED:
        return Released._make(_RELEASED.unpack(record)[1:])
    if kind == CarriedKind.CURSOR:
        return Cursor._make(_CURSOR.unpack(record)[1:])
    if kind == CarriedKind.EXIT:
        _, instrument, participant, log_index, tx_hash, amount = _EXIT.unpack(record)
        return Exit(instrument, participant, log_index, tx_hash, int.from_bytes(amount, "little"))
    return None
