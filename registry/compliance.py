"""Compliance (履约): what is due, what may pay it, what a shortfall costs.

Pure: no clock, no storage. The contract `Compliance` is the same rules on chain;
`tests/scenarios/test_surrender_twins.py` holds the two together.

Words used here
    due          tonnes owed for a period: the verified emissions.
    offset cap   most tonnes of offset that may count, a share of due.
    cumulative   the EU manner: balances run over the periods, a surrender may pass what is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from chain.units import UnitId
from registry.refusals import (
    NegativeObligation,
    OffsetCapExceeded,
    SurrenderDeadlinePassed,
    SurrenderExceedsDue,
    VintageAhead,
)

PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class OffsetRule:
    """The most that offsets may pay: parts per million of the amount due.

    Source: 碳排放权交易管理办法(试行) art. 29: 5 %.
    """

    cap_ppm: int = 50_000


@dataclass(frozen=True, slots=True)
class SurrenderRules:
    """The rules of one period that a surrender must keep; `deadline_utc` is the last second."""

    period: int
    deadline_utc: int
    offsets: OffsetRule
    cumulative: bool = False


@dataclass(frozen=True, slots=True)
class Obligation:
    """What an entity owes for a period and has paid; always 0 <= offsets <= surrendered, whole tonnes."""

    due_t: int
    surrendered_t: int = 0
    offsets_t: int = 0

    def __post_init__(self) -> None:
        if min(self.due_t, self.surrendered_t, self.offsets_t) < 0:
            raise NegativeObligation(
                due_t=self.due_t, surrendered_t=self.surrendered_t, offsets_t=self.offsets_t
            )


def offset_allowance_t(due_t: int, rule: OffsetRule) -> int:
    """Tonnes of offset that may count towards `due_t`.

    Parameters
    ----------
    due_t :
        Verified emissions of the period, whole tonnes CO2e, >= 0.
    rule :
        The cap in force for the period, as parts per million of due.

    Returns
    -------
    Whole tonnes, rounded down.

    Raises
    ------
    NegativeObligation :
        If `due_t` is below zero.

    Source
    ------
    碳排放权交易管理办法(试行) art. 29: at most 5 % of the amount due.
    """
    if due_t < 0:
        raise NegativeObligation(due_t=due_t)
    return due_t * rule.cap_ppm // PPM


def surrender(
    obligation: Obligation, rules: SurrenderRules, unit: UnitId, quantity_t: int, now_utc: int
) -> Obligation:
    """Return the obligation after a surrender.

    Raises
    ------
    SurrenderDeadlinePassed, VintageAhead, SurrenderExceedsDue, OffsetCapExceeded :
        In this order; nothing is changed.

    Source
    ------
    Deadline and borrowing: MARKET_RULES 1. Offsets: Measures art. 29.
    """
    if now_utc > rules.deadline_utc:
        raise SurrenderDeadlinePassed(period=rules.period, deadline_utc=rules.deadline_utc, now_utc=now_utc)
    if unit.vintage > rules.period:
        raise VintageAhead(period=rules.period, vintage=unit.vintage)
    outstanding_t = obligation.due_t - obligation.surrendered_t
    if not rules.cumulative and quantity_t > outstanding_t:
        raise SurrenderExceedsDue(outstanding_t=outstanding_t, requested_t=quantity_t)
    paid = replace(obligation, surrendered_t=obligation.surrendered_t + quantity_t)
    if not unit.is_offset:
        return paid
    allowed_t = offset_allowance_t(obligation.due_t, rules.offsets) - obligation.offsets_t
    if quantity_t > allowed_t:
        raise OffsetCapExceeded(allowed_t=allowed_t, requested_t=quantity_t)
    return replace(paid, offsets_t=obligation.offsets_t + quantity_t)


def shortfall_t(obligation: Obligation) -> int:
    """Return the tonnes still missing, whole, never below zero."""
    return max(0, obligation.due_t - obligation.surrendered_t)


def penalty_fen(short_t: int, reference_price_fen: int, multiple: int) -> int:
    """Return the fine for missing tonnes.

    Parameters
    ----------
    short_t :
        Tonnes short.
    reference_price_fen :
        Average price of the month before the deadline, fen per tonne.
    multiple :
        Times that price; the law says 5 to 10.

    Source
    ------
    碳排放权交易管理暂行条例 (Order 775) art. 21. SOURCES 1: 10,000 t short at 80 CNY, five times, is
    4,000,000 CNY.
    """
    return short_t * reference_price_fen * multiple


@dataclass(frozen=True, slots=True)
class CumulativeYear:
    """One year of a cumulative scheme: what was verified and surrendered in it, whole tonnes."""

    period: int
    verified_t: int
    surrendered_t: int


@dataclass(frozen=True, slots=True)
class CumulativeStatus:
    """Where an entity stands after a year: short in all, and of it since the year before."""

    period: int
    shortfall_t: int
    newly_short_t: int

    @property
    def compliant(self) -> bool:
        """Whether cumulative surrendered >= cumulative verified: code A of the EU."""
        return self.shortfall_t == 0


def cumulative_statuses(years: Iterable[CumulativeYear]) -> Iterator[CumulativeStatus]:
    """Yield the status after each year, in order of the period; a penalty is for newly short tonnes only.

    Source
    ------
    MARKET_RULES 3: code A says cumulative surrendered >= cumulative verified.
    """
    balance_t = 0
    short_t = 0
    for year in sorted(years, key=lambda year: year.period):
        balance_t += year.surrendered_t - year.verified_t
        before_t, short_t = short_t, max(0, -balance_t)
        yield CumulativeStatus(year.period, short_t, max(0, short_t - before_t))
