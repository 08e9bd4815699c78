"""Compliance statuses: what the chain says of each installation and year, against the published code.

The codes of the transaction log, as far as published numbers can tell them:

    A   cumulative surrendered >= cumulative verified
    B   cumulative surrendered <  cumulative verified
    C   verified emissions were not entered by the deadline
    D, E, X, -, and any starred code rest on decisions that the numbers do not show

Pure: the chain's facts and the published cells come in, the comparison goes out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from api.replay.eu_ets_data import InstallationYear


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """What the chain says after the deadline: the running sums and whether this year's emissions stand."""

    verified: bool
    cumulative_verified_t: int
    cumulative_surrendered_t: int

    @property
    def code(self) -> str:
        """A or B, by the running sums alone."""
        return "A" if self.cumulative_surrendered_t >= self.cumulative_verified_t else "B"


@dataclass(frozen=True, slots=True)
class Compared:
    """One installation and year."""

    account_id: int
    name: str
    year: int
    published: InstallationYear
    derived: ChainStatus


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The published numbers do not give the published code."""

    account_id: int
    name: str
    year: int
    published: str
    derived: str
    cumulative_verified_t: int
    cumulative_surrendered_t: int


def unchecked_reason(published: InstallationYear) -> str | None:
    """Return why a published code cannot be checked against numbers, or None where it can."""
    code, verified = published.code, published.verified
    reasons = (
        (not code, "no code published"),
        ("*" in code, "starred code"),
        (code not in ("A", "B", "C"), f"code {code}: decided by the authority, or not explained"),
        (
            code == "C" and verified.tonnes is not None,
            "code C beside verified emissions: entered late, on a date that the data does not have",
        ),
        (code == "C" and not verified.text, "code C beside a blank: nothing says that emissions were due"),
        (code != "C" and verified.word is not None, f"verified emissions are a word: {verified.word}"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def derived_code(published: InstallationYear, derived: ChainStatus) -> str:
    """Return the status that the chain's facts give.

    Blank verified emissions count as zero, as in the published codes; words mean that none were entered.
    """
    if not derived.verified and published.verified.word is not None:
        return "C"
    return derived.code


def compare(years: Iterable[Compared]) -> dict[str, Any]:
    """Return `agree`, `disagree` with a list, `unchecked` with reasons and counts."""
    agree = 0
    disagree: list[Disagreement] = []
    unchecked: Counter[str] = Counter()
    for each in years:
        reason = unchecked_reason(each.published)
        if reason is not None:
            unchecked[reason] += 1
            continue
        code = derived_code(each.published, each.derived)
        if code == each.published.code:
            agree += 1
        else:
            disagree.append(
                Disagreement(
                    account_id=each.account_id,
                    name=each.name,
                    year=each.year,
                    published=each.published.code,
                    derived=code,
                    cumulative_verified_t=each.derived.cumulative_verified_t,
                    cumulative_surrendered_t=each.derived.cumulative_surrendered_t,
                )
            )
    return {
        "agree": agree,
        "disagree": [asdict(each) for each in disagree],
        "unchecked": dict(sorted(unchecked.items())),
    }
