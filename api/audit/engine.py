"""The exchange's journal against the chain: chained without a break, and giving what Clearing holds.

The journal is replayed by the engine's own pure rules. What it says of every trading account, less what the
chain has not settled yet, must be what the chain's events say; so must every settled epoch's tape root.
The chain may be ahead of the journal by what the exchange has not heard yet: both sides are compared over the
deposits, epochs and withdrawals that the journal knows.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sqlmodel import Session, select

from api.audit.report import AuditReport
from chain.abi import to_checksum_cached
from chain.refusals import Refusal
from chain.units import UnitId
from exchange.commands import CASH
from exchange.engine import apply
from exchange.invariants import check
from exchange.journal import read_commands, verify
from exchange.netting import net
from exchange.refusals import JournalCorrupt
from exchange.state import State
from registry.projection import tables

Balances = Counter[tuple[str, str]]


def check_engine(report: AuditReport, session: Session, journal: Path) -> None:
    """Check the journal's chain of hashes, replay it, and compare it with the chain's events."""
    if not journal.exists():
        epochs = len(session.exec(select(tables.Epoch)).all())
        report.require(epochs == 0, "journal", f"{journal.name} is missing, but {epochs} epochs are settled")
        return
    try:
        summary = verify(journal)
    except JournalCorrupt as refusal:
        report.require(False, "journal", str(refusal))
        return
    report.count("journal frames", summary.frames)
    report.count("journal commands", summary.commands)
    state = _replay(report, journal)
    try:
        check(state)
    except AssertionError as fault:
        report.require(False, "engine", str(fault))
    _check_epochs(report, session, state)
    _compare(report, _engine_side(state), _chain_side(session, state))


def _replay(report: AuditReport, journal: Path) -> State:
    state = State()
    for command in read_commands(journal):
        try:
            apply(state, command)
        except Refusal:
            report.count("refused commands")
    report.count("trades", len(state.trades))
    return state


def _check_epochs(report: AuditReport, session: Session, state: State) -> None:
    settled = {row.epoch: row.tape_root for row in session.exec(select(tables.Epoch))}
    report.count("epochs", len(settled))
    for number, tape_root in sorted(settled.items()):
        known = state.epochs[number - 1] if number <= len(state.epochs) else None
        found = None if known is None else "0x" + known.tape_root.hex()
        report.require(
            found == tape_root,
            "epochs",
            f"epoch {number}: the chain has {tape_root}, the journal gives {found}",
        )
    for epoch in state.epochs:
        if epoch.settled:
            report.require(
                epoch.number in settled,
                "epochs",
                f"epoch {epoch.number}: settled in the journal, not on chain",
            )


def _engine_side(state: State) -> Balances:
    """Return what Clearing should hold for each account, by the journal."""
    balances: Balances = Counter()
    for account, assets in state.ledger.accounts.items():
        for asset, balance in assets.items():
            balances[_key(account, asset)] += balance.available + balance.reserved
    for withdrawal in state.withdrawals.values():
        if not withdrawal.released:
            balances[_key(withdrawal.account, withdrawal.asset)] += withdrawal.amount
    for delta in net(trade for trade in state.trades if trade.epoch > state.settled_epoch):
        balances[_key(delta.account, delta.unit)] -= delta.quantity_t
        balances[_key(delta.account, CASH)] -= delta.cash_fen
    return balances


def _chain_side(session: Session, state: State) -> Balances:
    """Return what Clearing holds for each account, by the events that the journal has taken in."""
    balances: Balances = Counter()
    released = {
        (to_checksum_cached("0x" + each.account.hex()), _id_text(each.withdrawal_id))
        for each in state.withdrawals.values()
        if each.released
    }
    for deposit in session.exec(select(tables.Deposit)):
        if deposit.block <= state.chain_block:
            balances[deposit.account, deposit.asset] += deposit.amount
    for withdrawal in session.exec(select(tables.Withdrawal)):
        if (withdrawal.account, withdrawal.request_id) in released:
            balances[withdrawal.account, withdrawal.asset] -= withdrawal.amount
    for settlement in session.exec(select(tables.Settlement)):
        if settlement.epoch <= state.settled_epoch:
            balances[settlement.account, settlement.unit] += settlement.quantity_t
            balances[settlement.account, tables.CASH] += settlement.cash_fen
    return balances


def _compare(report: AuditReport, engine: Balances, chain: Balances) -> None:
    for account, asset in sorted(engine.keys() | chain.keys()):
        says, holds = engine[account, asset], chain[account, asset]
        report.count("trading balances")
        report.require(
            says == holds, "engine", f"{account} {asset}: the journal says {says}, Clearing holds {holds}"
        )


def _key(account: bytes, asset: int) -> tuple[str, str]:
    return to_checksum_cached("0x" + account.hex()), tables.CASH if asset == CASH else UnitId.of(asset).text


def _id_text(name: bytes) -> str:
    return "0x" + name.rjust(32, b"\0").hex()
