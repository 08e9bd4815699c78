"""A unit's number and its code say the same."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.units import UnitId, UnitMalformed

VINTAGES = st.integers(1, 2**16 - 1)
PARTS = st.integers(1, 2**32 - 1)
UNITS = st.one_of(st.builds(UnitId.allowance, VINTAGES), st.builds(UnitId.offset, VINTAGES, PARTS, PARTS))


def test_a_code_says_class_vintage_project_and_batch() -> None:
    unit = UnitId.parse("offset-2026-7-1")
    assert (unit.is_offset, unit.vintage, unit.project, unit.batch) == (True, 2026, 7, 1)
    assert UnitId.allowance(2026).value == (1 << 80) + (2026 << 64)


@given(UNITS)
def test_number_and_code_lead_back_to_the_unit(unit: UnitId) -> None:
    assert UnitId.of(unit.value) == UnitId.parse(unit.text) == unit


@given(st.one_of(st.integers(-1, 2**89), UNITS.map(lambda unit: unit.value)))
def test_a_number_is_one_unit_or_refused(value: int) -> None:
    with contextlib.suppress(UnitMalformed):
        assert UnitId.of(value).value == value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "cash",
            "allowance-",
            "allowance-02026",
            "allowance-0",
            "allowance-65536",
            "allowance-2026-1-1",
        ),
        *(
            "offset-2026-7",
            "offset-2026-0-1",
            "offset-2026-7-4294967296",
            "allowance-٢٠٢٦",
            "allowance-2026\n",
        ),
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(UnitMalformed):
        UnitId.parse(text)
