"""The exchange's journal against the chain: chained without a break, and giving what Clearing holds.

The journal is replayed by the engine's own pure rules. Three answers to what Clearing holds for each account
must be one: what came in, went out and was settled by the journal; what the engine's balances come to, less
what is not settled yet; and what the chain's events say, up to the block that the journal has taken in. Every
settled epoch's tape root must be the one on chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlmodel import Session, select

from api.audit.report import AuditReport
from chain.abi import to_checksum_cached
from chain.units import UnitId
from exchange.core.codes import CASH
from exchange.custody import Custody
from exchange.journal import Position
from exchange.recompute import expected_in_clearing, rebuild
from exchange.refusals import InvariantBroken, JournalCorrupt
from exchange.venue import Venue
from registry.projection import tables
from registry.projection.store import Projection

Balances = Counter[tuple[str, str]]


def read_journal(
    report: AuditReport,
    projection: Projection,
    journal: Path,
    on_frame: Callable[[Position], None] = lambda _at: None,
) -> Venue | None:
    """Check the journal's chain of hashes and replay it; None where that is not possible, and reported."""
    if not journal.exists():
        with projection.session() as session:
            epochs = len(session.exec(select(tables.Epoch)).all())
        report.require(epochs == 0, "journal", f"{journal.name} is missing, but {epochs} epochs are settled")
        return None
    end: list[Position] = []

    def follow(at: Position) -> None:
        end[:] = [at]
        on_frame(at)

    try:
        venue = rebuild(journal, follow)
    except JournalCorrupt as refusal:
        report.require(False, "journal", str(refusal))
        return None
    except InvariantBroken as refusal:
        report.require(False, "engine", str(refusal))
        return None
    report.count("journal frames", end[0].frames if end else 0)
    report.count("journal commands", end[0].records if end else 0)
    report.count("trades", venue.history.trades)
    return venue


def check_engine(report: AuditReport, session: Session, venue: Venue, block: int) -> None:
    """Compare the journal's state with the chain's events.

    Parameters
    ----------
    session :
        Reads events applied up to `block` at least, and up to `custody.chain_block`.
    block :
        Every epoch that was settled up to it was in the journal before: the journal was read later.
    """
    custody = venue.custody
    _check_epochs(report, session, custody, block)
    for taken in custody.exits.values():
        asset = _key(taken.account, taken.asset)
        report.require(
            taken.missing == 0,
            "engine",
            f"{asset[0]} {asset[1]}: left with {taken.missing} that its unsettled trades had used",
        )
    moved = Counter({_key(*key): amount for key, amount in expected_in_clearing(venue).items()})
    _compare(report, "the balances come to", _balances(venue), moved)
    _compare(report, "Clearing holds", _chain_side(session, custody.chain_block), moved)


def _check_epochs(report: AuditReport, session: Session, custody: Custody, block: int) -> None:
    settled = {row.epoch: row for row in session.exec(select(tables.Epoch))}
    report.count("epochs", len(settled))
    for number, row in sorted(settled.items()):
        known = custody.epochs[number - 1] if number <= len(custody.epochs) else None
        found = None if known is None else "0x" + known.tape_root.hex()
        report.require(
            found == row.tape_root or (known is None and row.block > block),
            "epochs",
            f"epoch {number}: the chain has {row.tape_root}, the journal gives {found}",
        )
    for epoch in custody.epochs:
        report.require(
            not epoch.settled or epoch.number in settled,
            "epochs",
            f"epoch {epoch.number}: settled in the journal, not on chain",
        )


def _balances(venue: Venue) -> Balances:
    """Return what the engine's balances come to in Clearing: without what is not settled or paid out yet."""
    custody = venue.custody
    balances: Balances = Counter()
    for balance in venue.balances():
        balances[_key(balance.account, balance.asset)] += balance.available + balance.reserved
    for withdrawal in custody.unreleased.values():
        balances[_key(withdrawal.account, withdrawal.asset)] += withdrawal.amount
    for taken in custody.exits.values():
        balances[_key(taken.account, taken.asset)] -= taken.missing
    settled = custody.epochs[custody.settled_epoch - 1] if custody.settled_epoch else None
    first = settled.first_trade + settled.trades if settled else 1
    for delta in venue.history.net(first, venue.history.trades - first + 1):
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
