"""Adding up the projection: every tonne issued is held, trading, surrendered or cancelled; cash is backed.

For the audit, which holds these sums against what the contracts and the exchange say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from registry.projection.tables import (
    CASH,
    CashHolding,
    CashMovement,
    Holding,
    TradingBalance,
    Unit,
)

_HALF: Final = 2**32


@dataclass(frozen=True, slots=True)
class UnitTotal:
    """Whole tonnes of one unit: `held_t` without and `trading_t` in the trading accounts.

    `clearing_t` is what the Clearing contract holds for the trading accounts.
    """

    unit: str
    issued_t: int
    held_t: int
    trading_t: int
    clearing_t: int
    surrendered_t: int
    cancelled_t: int

    @property
    def balanced(self) -> bool:
        """Whether every issued tonne is somewhere, once, and the trading accounts are covered."""
        somewhere_t = self.held_t + self.trading_t + self.surrendered_t + self.cancelled_t
        return self.issued_t == somewhere_t and self.trading_t == self.clearing_t


@dataclass(frozen=True, slots=True)
class CashTotal:
    """Fen: minted less redeemed is held or at Clearing, and the trading accounts are covered.

    Cash sent to Clearing by a plain transfer belongs to nobody: there `clearing_fen` is above `trading_fen`.
    """

    minted_fen: int
    redeemed_fen: int
    held_fen: int
    trading_fen: int
    clearing_fen: int

    @property
    def balanced(self) -> bool:
        """Whether every fen is backed by money that came in and has not gone out."""
        backed = self.minted_fen - self.redeemed_fen == self.held_fen + self.clearing_fen
        return backed and self.trading_fen <= self.clearing_fen


def unit_totals(session: Session, clearing: str) -> list[UnitTotal]:
    """Return the totals of every unit, in order of its name; `clearing` is the contract's address."""
    held = _sums(session, clearing, inside=False)
    in_clearing = _sums(session, clearing, inside=True)
    query = select(TradingBalance.asset, *_sum(TradingBalance.amount)).group_by(TradingBalance.asset)
    trading = {asset: _whole(*halves) for asset, *halves in session.exec(query)}
    return [
        UnitTotal(
            unit=unit.unit,
            issued_t=unit.issued_t,
            held_t=held.get(unit.unit, 0),
            trading_t=trading.get(unit.unit, 0),
            clearing_t=in_clearing.get(unit.unit, 0),
            surrendered_t=unit.surrendered_t,
            cancelled_t=unit.cancelled_t,
        )
        for unit in sorted(session.exec(select(Unit)), key=lambda unit: unit.unit)
    ]


def cash_total(session: Session, clearing: str) -> CashTotal:
    """Return the totals of the cash; `clearing` is the contract's address."""
    movements = select(CashMovement.kind, *_sum(CashMovement.amount_fen)).group_by(CashMovement.kind)
    moved = {kind: _whole(*halves) for kind, *halves in session.exec(movements)}
    holdings = {row.account: row.amount_fen for row in session.exec(select(CashHolding))}
    in_clearing = holdings.pop(clearing, 0)
    balances = select(*_sum(TradingBalance.amount)).where(col(TradingBalance.asset) == CASH)
    return CashTotal(
        minted_fen=moved.get("minted", 0),
        redeemed_fen=moved.get("redeemed", 0),
        held_fen=sum(holdings.values()),
        trading_fen=_whole(*session.exec(balances).one()),
        clearing_fen=in_clearing,
    )


def _sums(session: Session, clearing: str, *, inside: bool) -> dict[str, int]:
    account = col(Holding.account)
    which = account == clearing if inside else account != clearing
    query = select(Holding.unit, *_sum(Holding.quantity_t)).where(which).group_by(Holding.unit)
    return {unit: _whole(*halves) for unit, *halves in session.exec(query)}


def _sum(column: Any) -> tuple[Any, Any]:
    """Return a column's sum in two halves: SQLite refuses a sum of more than 64 bits."""
    return func.sum(column // _HALF), func.sum(column % _HALF)


def _whole(high: int | None, low: int | None) -> int:
    return int(high or 0) * _HALF + int(low or 0)
