"""Unit ids: `class << 80 | vintage << 64 | project << 32 | batch`."""

from __future__ import annotations

from tests.support.contract_model.machine import Refused

ALLOWANCE = 1
OFFSET = 2


def allowance(vintage: int) -> int:
    return ALLOWANCE << 80 | vintage << 64


def offset(vintage: int, project: int, batch: int) -> int:
    return OFFSET << 80 | vintage << 64 | project << 32 | batch


def vintage_of(unit_id: int) -> int:
    return unit_id >> 64 & 0xFFFF


def is_offset(unit_id: int) -> bool:
    if unit_id >> 88:
        raise Refused("UnitIdMalformed", unit_id)
    return unit_id >> 80 == OFFSET


def is_well_formed(unit_id: int) -> bool:
    """Is it of a known class, with a vintage; an offset with project and batch, an allowance with neither?"""
    if vintage_of(unit_id) == 0:
        return False
    if unit_id >> 80 == ALLOWANCE:
        return unit_id & (1 << 64) - 1 == 0
    return unit_id >> 80 == OFFSET and unit_id >> 32 & 0xFFFFFFFF != 0 and unit_id & 0xFFFFFFFF != 0
