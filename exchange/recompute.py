"""For whoever audits: the whole exchange again, from its journal alone.

Nothing here asks the running exchange. A journal that was altered is refused (JournalCorrupt), one that was
not gives the trades, the roots that the chain must show, and what `Clearing` must hold for every account.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from chain.refusals import Refusal
from exchange.commands import CASH
from exchange.engine import apply
from exchange.invariants import check
from exchange.journal import read_commands
from exchange.netting import net
from exchange.state import State


def rebuild(journal: Path) -> State:
    """Return the state that the journal's commands lead to, every invariant checked.

    Raises
    ------
    JournalCorrupt :
        A byte was altered; names the frame and where it begins.
    AssertionError :
        An invariant does not hold: a bug of the engine.
    """
    state = State()
    for command in read_commands(journal):
        try:
            apply(state, command)
        except Refusal:
            continue  # it was refused then, too
    check(state)
    return state


def recompute_tape(journal: Path) -> dict[int, bytes]:
    """Return the tape root of every closed epoch; raises JournalCorrupt."""
    return {epoch.number: epoch.tape_root for epoch in rebuild(journal).epochs}


def expected_in_clearing(state: State) -> dict[tuple[bytes, int], int]:
    """Return what Clearing must hold, by (account, asset), at the block `state.chain_block`.

    Deposits, less released withdrawals and forced exits, with the deltas of every settled epoch. Zeros are
    left out; asset 0 is cash, in fen.
    """
    held: Counter[tuple[bytes, int]] = Counter()
    for deposit in state.deposits.values():
        held[deposit.account, deposit.asset] += deposit.amount
    for withdrawal in state.withdrawals.values():
        if withdrawal.released:
            held[withdrawal.account, withdrawal.asset] -= withdrawal.amount
    for taken in state.exits.values():
        held[taken.account, taken.asset] -= taken.amount - taken.paid_out
    for epoch in state.epochs:
        if epoch.settled:
            for delta in net(state.trades_of(epoch)):
                held[delta.account, delta.unit] += delta.quantity_t
                held[delta.account, CASH] += delta.cash_fen
    return {key: amount for key, amount in held.items() if amount}
