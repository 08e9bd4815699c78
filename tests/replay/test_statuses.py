"""Derived statuses against published codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.replay.eu_ets_data import Cell, InstallationYear
from api.replay.statuses import ChainStatus, Compared, compare, derived_code, unchecked_reason


def year_of(code: str, verified: str = "100", surrendered: str = "100") -> InstallationYear:
    return InstallationYear(Cell("100"), Cell(verified), Cell(surrendered), code)


def compared(published: InstallationYear, verified_t: int, surrendered_t: int) -> Compared:
    status = ChainStatus(published.verified.tonnes is not None, verified_t, surrendered_t)
    return Compared(7, "Kiln", 2008, published, status)


@given(verified_t=st.integers(0, 10**9), surrendered_t=st.integers(0, 10**9))
def test_a_means_that_what_was_surrendered_covers_what_was_verified(
    verified_t: int, surrendered_t: int
) -> None:
    status = ChainStatus(True, verified_t, surrendered_t)
    assert (status.code == "A") == (surrendered_t >= verified_t)


def test_agreement_disagreement_and_the_unchecked_are_told_apart() -> None:
    found = compare(
        [
            compared(year_of("A"), 100, 100),
            compared(year_of("B"), 100, 99),
            compared(year_of("A"), 100, 99),
            compared(year_of("A*"), 100, 99),
            compared(year_of("C", "Not Reported", ""), 0, 0),
            compared(year_of("", "", ""), 0, 0),
        ]
    )
    assert found["agree"] == 3
    assert found["disagree"] == [
        {
            "account_id": 7, "name": "Kiln", "year": 2008, "published": "A", "derived": "B",
            "cumulative_verified_t": 100, "cumulative_surrendered_t": 99,
        }
    ]  # fmt: skip
    assert found["unchecked"] == {"no code published": 1, "starred code": 1}


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        (year_of("A"), None),
        (year_of("B"), None),
        (year_of("C", "Not Reported"), None),
        (year_of("A", ""), None),  # blanks count as zero
        (year_of("A", "Excluded"), "verified emissions are a word: Excluded"),
        (
            year_of("C", "5"),
            "code C beside verified emissions: entered late, on a date that the data does not have",
        ),
        (year_of("E"), "code E: decided by the authority, or not explained"),
        (year_of("-"), "code -: decided by the authority, or not explained"),
    ],
)
def test_only_codes_that_numbers_can_tell_are_checked(
    published: InstallationYear, reason: str | None
) -> None:
    assert unchecked_reason(published) == reason


def test_words_without_emissions_mean_that_none_were_entered() -> None:
    assert derived_code(year_of("C", "Not Reported"), ChainStatus(False, 0, 50)) == "C"
