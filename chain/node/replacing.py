"""Which transaction may take another's place in the pool, and what a pool says to those it does not keep."""

from __future__ import annotations

from typing import Final

from chain.node.errors import ServerError
from chain.node.transactions import Transaction

PRICE_BUMP: Final = 10


class AccountLimitExceeded(ServerError):
    """One sender's transactions fill what one sender may fill (geth: account limit exceeded)."""


class NonceTooHigh(ServerError):
    """The nonce is too far ahead of the sender's next."""


class PoolFull(ServerError):
    """Nobody holds more than this sender would (geth: txpool is full)."""


class ReplacementUnderpriced(ServerError):
    """Another transaction waits for this nonce, and this one may not replace it."""


class Replaced(ServerError):
    """What a sender whose transaction waited is told when it was replaced."""


class Dropped(ServerError):
    """What a sender whose transaction waited is told when it had to make room."""


def is_cancellation(transaction: Transaction) -> bool:
    """Whether this does nothing but use its nonce, as wallets cancel."""
    return transaction.to == transaction.sender and not transaction.value and not transaction.data


def require_replaceable(old: Transaction, new: Transaction) -> None:
    """Raise ReplacementUnderpriced unless `new`, of the same sender and nonce, may take `old`'s place."""
    if not _may_replace(old, new):
        raise ReplacementUnderpriced(
            f"replacement transaction underpriced: {_offer(new)} against {_offer(old)} for nonce "
            f"{new.nonce}; both must rise by {PRICE_BUMP} %, or the transaction must cancel"
        )


def _may_replace(old: Transaction, new: Transaction) -> bool:
    if not (old.max_fee_per_gas or new.max_fee_per_gas):
        return is_cancellation(new) and not is_cancellation(old)
    return all(
        offered > asked and offered * 100 >= asked * (100 + PRICE_BUMP)
        for offered, asked in (
            (new.max_fee_per_gas, old.max_fee_per_gas),
            (new.max_priority_fee_per_gas, old.max_priority_fee_per_gas),
        )
    )


def _offer(transaction: Transaction) -> str:
    return f"fee {transaction.max_fee_per_gas}, tip {transaction.max_priority_fee_per_gas} wei"
