"""Unit ids: what a tonne is, in one number or one word.

The chain names a unit by an integer, people by a code. Both say the same four facts:

    allowance-2026       the allowance (碳排放配额) of the period 2026
    offset-2026-7-1      batch 1 of what project 7 reduced in 2026 (CCER)

`contracts/libraries/UnitId.sol` is the same layout on chain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chain.refusals import Refusal

ALLOWANCE: Final = 1
OFFSET: Final = 2

_TEXT = re.compile(r"allowance-(\d{1,5})|offset-(\d{1,5})-(\d{1,10})-(\d{1,10})", re.ASCII)


class UnitMalformed(Refusal):
    """No unit can have this name."""


@dataclass(frozen=True, slots=True, order=True)
class UnitId:
    """One fungible kind of tonne: its class, vintage and, for an offset, project and batch."""

    kind: int
    vintage: int
    project: int = 0
    batch: int = 0

    def __post_init__(self) -> None:
        offset_parts = self.kind == OFFSET and self.project > 0 and self.batch > 0
        allowance_parts = self.kind == ALLOWANCE and self.project == 0 and self.batch == 0
        in_range = 0 < self.vintage < 2**16 and self.project < 2**32 and self.batch < 2**32
        if not (in_range and (offset_parts or allowance_parts)):
            raise UnitMalformed(kind=self.kind, vintage=self.vintage, project=self.project, batch=self.batch)

    @classmethod
    def allowance(cls, vintage: int) -> UnitId:
        """Return the allowance of one period, named by its year."""
        return cls(ALLOWANCE, vintage)

    @classmethod
    def offset(cls, vintage: int, project: int, batch: int) -> UnitId:
        """Return one batch of a project's verified reductions of one year."""
        return cls(OFFSET, vintage, project, batch)

    @classmethod
    def of(cls, value: int) -> UnitId:
        """Read the integer that the chain uses; raises UnitMalformed."""
        if not 0 <= value < 1 << 88:
            raise UnitMalformed(value=value)
        return cls(value >> 80, value >> 64 & 0xFFFF, value >> 32 & 0xFFFFFFFF, value & 0xFFFFFFFF)

    @classmethod
    def parse(cls, text: str) -> UnitId:
        """Read the code that people use; raises UnitMalformed, also for other spellings of a number."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise UnitMalformed(text=text[:80])
        allowance, vintage, project, batch = match.groups()
        unit = (
            cls.allowance(int(allowance)) if allowance else cls.offset(int(vintage), int(project), int(batch))
        )
        if unit.text != text:  # a leading zero: one unit has one name
            raise UnitMalformed(text=text[:80])
        return unit

    @property
    def value(self) -> int:
        """The integer that the chain uses."""
        return self.kind << 80 | self.vintage << 64 | self.project << 32 | self.batch

    @property
    def is_offset(self) -> bool:
        """Whether this is a verified reduction and not an allowance."""
        return self.kind == OFFSET

    @property
    def text(self) -> str:
        """The code that people use."""
        if self.is_offset:
            return f"offset-{self.vintage}-{self.project}-{self.batch}"
        return f"allowance-{self.vintage}"

    def __str__(self) -> str:
        return self.text
