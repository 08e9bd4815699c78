"""The registry's books: every tonne and every fen, from the chain's events and by asking the contracts.

For every unit: issued == held + trading + surrendered + cancelled. For cash: all that was minted is held, and
what Clearing holds is what the trading accounts have.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sqlmodel import Session, select

from api.audit.report import AuditReport
from chain.abi import Call
from chain.transactor import Transactor
from chain.units import UnitId
from registry.projection.tables import CASH, CashHolding, Holding, TradingBalance, Unit


@dataclass(slots=True)
class _Tonnes:
    """Tonnes by unit: in registry accounts, in trading accounts, and at Clearing for the latter."""

    held: Counter[str] = field(default_factory=Counter)
    trading: Counter[str] = field(default_factory=Counter)
    at_clearing: Counter[str] = field(default_factory=Counter)


def check_books(report: AuditReport, session: Session, transactor: Transactor, block: int) -> None:
    """Check the supply of every unit and of cash at a block; `session` reads events applied up to it."""
    clearing = transactor.deployment.addresses["Clearing"]
    tonnes = _Tonnes()
    for holding in session.exec(select(Holding)):
        side = tonnes.at_clearing if holding.account == clearing else tonnes.held
        side[holding.unit] += holding.quantity_t
        below = f"{holding.account} {holding.unit}: {holding.quantity_t} t"
        report.require(holding.quantity_t >= 0, "supply", below)
    trading_fen = 0
    for balance in session.exec(select(TradingBalance)):
        report.require(balance.amount >= 0, "trading", f"{balance.account} {balance.asset}: {balance.amount}")
        if balance.asset == CASH:
            trading_fen += balance.amount
        else:
            tonnes.trading[balance.asset] += balance.amount
    _check_units(report, session, transactor, block, tonnes)
    _check_cash(report, session, transactor, block, trading_fen)


def _check_units(
    report: AuditReport, session: Session, transactor: Transactor, block: int, tonnes: _Tonnes
) -> None:
    units = list(session.exec(select(Unit)))
    report.count("units", len(units))
    on_chain = transactor.read_all(
        [Call("CarbonLedger", "supplyOf", (UnitId.parse(unit.unit).value,)) for unit in units], block
    )
    for unit, supply in zip(units, on_chain, strict=True):
        told = (unit.issued_t, unit.surrendered_t, unit.cancelled_t)
        asked = (supply["issuedT"], supply["surrenderedT"], supply["cancelledT"])
        report.require(told == asked, "supply", f"{unit.unit}: events say {told}, the contract says {asked}")
        held_t, trading_t = tonnes.held[unit.unit], tonnes.trading[unit.unit]
        parts_t = held_t + trading_t + unit.surrendered_t + unit.cancelled_t
        report.require(
            unit.issued_t == parts_t,
            "supply",
            f"{unit.unit}: issued {unit.issued_t} t, but held {held_t} + trading {trading_t}"
            f" + surrendered {unit.surrendered_t} + cancelled {unit.cancelled_t} = {parts_t} t",
        )
        clearing_t = tonnes.at_clearing[unit.unit]
        report.require(
            clearing_t == trading_t,
            "trading",
            f"{unit.unit}: Clearing holds {clearing_t} t for {trading_t} t of trading accounts",
        )


def _check_cash(
    report: AuditReport, session: Session, transactor: Transactor, block: int, trading_fen: int
) -> None:
    clearing = transactor.deployment.addresses["Clearing"]
    holdings = {row.account: row.amount_fen for row in session.exec(select(CashHolding))}
    report.count("cash accounts", len(holdings))
    total_fen, clearing_fen = transactor.read_all(
        [Call("SettlementCash", "totalSupply"), Call("SettlementCash", "balanceOf", (clearing,))], block
    )
    held_fen = sum(holdings.values())
    report.require(held_fen == total_fen, "cash", f"{total_fen} fen minted, {held_fen} fen held")
    told_fen = holdings.get(clearing, 0)
    # More than the trading accounts have would be nobody's there: no fault of theirs, and counted.
    report.count("surplus fen", max(0, clearing_fen - trading_fen))
    report.require(
        told_fen == clearing_fen >= trading_fen,
        "cash",
        f"Clearing holds {clearing_fen} fen (events: {told_fen}) for {trading_fen} fen of trading accounts",
    )
