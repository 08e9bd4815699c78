"""What came of it: each firm's totals and statuses, read from the projection of the chain.

Nothing here knows the plan. A scenario's or a replay's result is what the events say, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session, select

from chain.units import UnitId
from registry.projection.tables import (
    Allocation,
    Default,
    Epoch,
    Obligation,
    Settlement,
    Statement,
    Surrender,
)


@dataclass(slots=True)
class FirmTotals:
    """One account's sums over the periods asked for; cash is positive for what it received."""

    allocated_t: int = 0
    verified_t: int = 0
    sold_t: int = 0
    bought_t: int = 0
    trade_cash_fen: int = 0
    surrendered_t: int = 0
    shortfall_t: int = 0
    penalty_fen: int = 0


@dataclass(frozen=True, slots=True)
class PeriodSums:
    """What stands for one account and period."""

    verified: bool
    verified_t: int
    surrendered_t: int


def totals_of(session: Session, periods: Iterable[int]) -> Mapping[str, FirmTotals]:
    """Return every account's sums over these periods; trades count by the vintage traded."""
    wanted = set(periods)
    totals: defaultdict[str, FirmTotals] = defaultdict(FirmTotals)
    for allocation in session.exec(select(Allocation)):
        if allocation.period in wanted:
            totals[allocation.entity].allocated_t += allocation.quantity_t
    for statement in session.exec(select(Statement)):
        if statement.period in wanted:
            totals[statement.entity].verified_t += statement.verified_t
    for settlement in session.exec(select(Settlement)):
        if UnitId.parse(settlement.unit).vintage not in wanted:
            continue
        firm = totals[settlement.account]
        firm.sold_t += max(0, -settlement.quantity_t)
        firm.bought_t += max(0, settlement.quantity_t)
        firm.trade_cash_fen += settlement.cash_fen
    for surrender in session.exec(select(Surrender)):
        if surrender.period in wanted:
            totals[surrender.entity].surrendered_t += surrender.quantity_t
    for default in session.exec(select(Default)):
        if default.period in wanted:
            totals[default.entity].shortfall_t += default.shortfall_t
            totals[default.entity].penalty_fen += default.penalty_fen
    return totals


def sums_by_period(session: Session) -> Mapping[tuple[str, int], PeriodSums]:
    """Return what stands for every account and period that has an obligation."""
    return {
        (row.entity, row.period): PeriodSums(row.verified, row.due_t, row.surrendered_t)
        for row in session.exec(select(Obligation))
    }


def defaulted(session: Session) -> set[tuple[str, int]]:
    """Return the accounts and periods on the public default record."""
    return {(row.entity, row.period) for row in session.exec(select(Default))}


def epochs_settled(session: Session) -> int:
    """Return how many epochs of trades the chain has settled."""
    return session.exec(select(func.count()).select_from(Epoch)).one()
