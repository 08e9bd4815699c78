"""Many commands quickly: one block of `market`'s stream, again and again with other ids and at later times.

Some blocks make a trading day. Orders are good for their day, so every day begins with an empty book and does
the same work; it ends with its epoch closed and with DAY_END, so that ids are forgotten as in real use. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from exchange.bench.flows import flow
from exchange.bench.market import Size, batches, commands, opening
from exchange.core import records
from exchange.core.codes import CommandKind, TimeInForce
from exchange.core.records import COMMAND_BYTES

_BLOCK_BITS: Final = 37
"""A block has 2^37 microseconds: its number stands above them, so that a XOR moves a block in time."""
_START_US: Final = 12 << 47
_COMMAND_US: Final = 10
_TIF_AT: Final = 3
_ID_AT: Final = 16
_TIME_AT: Final = 48
BLOCKS_A_DAY: Final = 4
BLOCKS_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Days:
    """Trading days in a row, from 0. `opening` comes before the first one."""

    opening: bytes
    block: bytes
    """The first block's commands."""

    @classmethod
    def of(cls, messages: int, participants: int, seed: int) -> Days:
        """Return days whose blocks have so many commands each: the normal stream of `flows`."""
        size = Size(participants=participants)
        block = bytearray(commands(flow("normal", messages, seed), size, seed))
        tifs = bytes(TimeInForce.DAY if kind == CommandKind.NEW else 0 for kind in range(256))
        block[_TIF_AT::COMMAND_BYTES] = block[::COMMAND_BYTES].translate(tifs)
        for number in range(messages):
            at_us = _START_US + (number + 1) * _COMMAND_US
            struct.pack_into("<Q", block, number * COMMAND_BYTES + _TIME_AT, at_us)
        return cls(opening(size), bytes(block))

    @property
    def commands_a_day(self) -> int:
        """How many commands a day has, its end included."""
        return BLOCKS_A_DAY * len(self.block) // COMMAND_BYTES + 2

    def blocks(self, day: int) -> Iterator[bytes]:
        """Yield a day's blocks."""
        for number in range(day * BLOCKS_A_DAY, (day + 1) * BLOCKS_A_DAY):
            yield self._moved(number)

    def _moved(self, number: int) -> bytes:
        if not 0 <= number < BLOCKS_MAX:
            raise ValueError(f"block {number} is none of {BLOCKS_MAX}")
        if number == 0:
            return self.block
        other = bytearray(COMMAND_BYTES)
        other[_ID_AT : _ID_AT + 16] = blake2b(number.to_bytes(8, "little"), digest_size=16).digest()
        other[_TIME_AT : _TIME_AT + 8] = (number << _BLOCK_BITS).to_bytes(8, "little")
        mask = int.from_bytes(bytes(other) * (len(self.block) // COMMAND_BYTES), "little")
        moved = int.from_bytes(self.block, "little") ^ mask
        return moved.to_bytes(len(self.block), "little")

    def end(self, day: int) -> bytes:
        """Return what ends a day: its epoch is closed, its orders expire."""
        at_us = _START_US + ((day + 1) * BLOCKS_A_DAY << _BLOCK_BITS) - 1
        return records.close_epoch(day + 1, at_us) + records.day_end(at_us)

    def runs(self, days: int, at_once: int) -> Iterator[bytes]:
        """Yield all of it in runs of at most `at_once` commands."""
        yield from batches(self.opening, at_once=at_once)
        for day in range(days):
            for block in self.blocks(day):
                yield from batches(block, at_once=at_once)
            yield self.end(day)

    def trading(self, days: int, at_once: int) -> Iterator[bytes]:
        """Yield days alone, without epochs."""
        for day in range(days):
            for block in self.blocks(day):
                yield from batches(block, at_once=at_once)
            yield self.end(day)[COMMAND_BYTES:]
