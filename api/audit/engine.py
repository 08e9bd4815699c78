"""The exchange's journal against the chain: chained without a break, and giving what Clearing holds.

The journal is replayed by the engine's own pure rules. Three answers to what Clearing holds for each account
must be one: what came in, went out and was settled by the journal; what the engine's balances come to, less
what is not settled yet; and what the chain's events say, up to the block that the journal has taken in. Every
settled epoch's tape root must be the one on chain.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sqlmodel import Session, select

from api.audit.report import AuditReport
from chain.abi import to_checksum_cached
from chain.units import UnitId
from exchange.commands import CASH
from exchange.journal import verify
from exchange.netting import net
from exchange.recompute import expected_in_clearing, rebuild
from exchange.refusals import JournalCorrupt
from exchange.state import State
from registry.projection import tables
from registry.projection.store import Projection

Balances = Counter[tuple[str, str]]


def read_journal(report: AuditReport, projection: Projection, journal: Path) -> State | None:
    """Check the journal's chain of hashes and replay it; None where that is not possible, and reported."""
    if not journal.exists():
        with projection.session() as session:
            epochs = len(session.exec(select(tables.Epoch)).all())
        report.require(epochs == 0, "journal", f"{journal.name} is missing, but {epochs} epochs are settled")
        return None
    try:
        summary = verify(journal)
        state = rebuild(journal)
    except JournalCorrupt as refusal:
        report.require(False, "journal", str(refusal))
        return None
    except AssertionError as fault:
        report.require(False, "engine", str(fault))
        return None
    report.count("journal frames", summary.frames)
    report.count("journal commands", summary.commands)
    report.count("trades", len(state.trades))
    return state


def check_engine(report: AuditReport, session: Session, state: State, block: int) -> None:
    """Compare the journal's state with the chain's events.

    Parameters
    ----------
    session :
        Reads events applied up to `block` at least, and up to `state.chain_block`.
    block :
        Every epoch that was settled up to it was in the journal before: the journal was read later.
    """
    _check_epochs(report, session, state, block)
    for taken in state.exits.values():
        asset = _key(taken.account, taken.asset)
        report.require(
            taken.missing == 0,
            "engine",
            f"{asset[0]} {asset[1]}: left with {taken.missing} that its unsettled trades had used",
        )
    moved = Counter({_key(*key): amount for key, amount in expected_in_clearing(state).items()})
    _compare(report, "the balances come to", _balances(state), moved)
    _compare(report, "Clearing holds", _chain_side(session, state.chain_block), moved)


def _check_epochs(report: AuditReport, session: Session, state: State, block: int) -> None:
    settled = {row.epoch: row for row in session.exec(select(tables.Epoch))}
    report.count("epochs", len(settled))
    for number, row in sorted(settled.items()):
        known = state.epochs[number - 1] if number <= len(state.epochs) else None
        found = None if known is None else "0x" + known.tape_root.hex()
        report.require(
            found == row.tape_root or (known is None and row.block > block),
            "epochs",
            f"epoch {number}: the chain has {row.tape_root}, the journal gives {found}",
        )
    for epoch in state.epochs:
        report.require(
            not epoch.settled or epoch.number in settled,
            "epochs",
            f"epoch {epoch.number}: settled in the journal, not on chain",
        )


def _balances(state: State) -> Balances:
    """Return what the engine's balances come to in Clearing: without what is not settled or paid out yet."""
    balances: Balances = Counter()
    for account, assets in state.ledger.accounts.items():
        for asset, balance in assets.items():
            balances[_key(account, asset)] += balance.available + balance.reserved
    for withdrawal in state.withdrawals.values():
        if not withdrawal.released:
            balances[_key(withdrawal.account, withdrawal.asset)] += withdrawal.amount
    for taken in state.exits.values():
        balances[_key(taken.account, taken.asset)] -= taken.missing
    for delta in net(trade for trade in state.trades if trade.epoch > state.settled_epoch):
        balances[_key(delta.account, delta.unit)] -= delta.quantity_t
        balances[_key(delta.account, CASH)] -= delta.cash_fen
    return balances


def _chain_side(session: Session, last_block: int) -> Balances:
    """Return what Clearing held for each account after a block, by its events."""
    balances: Balances = Counter()
    for deposit in session.exec(select(tables.Deposit).where(tables.Deposit.block <= last_block)):
        balances[deposit.account, deposit.asset] += deposit.amount
    for withdrawal in session.exec(select(tables.Withdrawal).where(tables.Withdrawal.block <= last_block)):
        balances[withdrawal.account, withdrawal.asset] -= withdrawal.amount
    settled = set(session.exec(select(tables.Epoch.epoch).where(tables.Epoch.block <= last_block)))
    for settlement in session.exec(select(tables.Settlement)):
        if settlement.epoch in settled:
            balances[settlement.account, settlement.unit] += settlement.quantity_t
            balances[settlement.account, tables.CASH] += settlement.cash_fen
    return balances


def _compare(report: AuditReport, who: str, found: Balances, moved: Balances) -> None:
    for account, asset in sorted(found.keys() | moved.keys()):
        here, there = found[account, asset], moved[account, asset]
        report.count("trading balances")
        report.require(
            here == there, "engine", f"{account} {asset}: {who} {here}, the journal's movements give {there}"
        )


def _key(account: bytes, asset: int) -> tuple[str, str]:
    return to_checksum_cached("0x" + account.hex()), tables.CASH if asset == CASH else UnitId.of(asset).text
