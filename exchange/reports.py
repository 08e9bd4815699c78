"""What the engine answers: past-tense facts, in the order in which they happened.

A repeated command gets the very reports that its first sending got.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from exchange.commands import OrderKind, Side


class CancelReason(IntEnum):
    """Why what was left of an order left the market."""

    NONE = 0
    CLIENT = 1
    """Its owner cancelled it."""
    UNFILLED = 2
    """A market or immediate-or-cancel order found no more within its limit."""
    CASH_EXHAUSTED = 3
    """A market buy had no cash left for the next tonne."""
    SELF_TRADE = 4
    """Next in the book stood an order of the same account."""
    EXIT = 5
    """Its account took its balances out of Clearing itself."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill. Numbers run from 1 over the whole exchange; `epoch` is the one that it was executed in."""

    number: int
    epoch: int
    unit: int
    price_fen: int
    quantity_t: int
    at_us: int
    taker_side: Side
    maker_order: bytes
    taker_order: bytes
    buyer: bytes
    seller: bytes


@dataclass(frozen=True, slots=True)
class InstrumentListed:
    """A unit can be traded, on these terms."""

    unit: int
    tick_fen: int
    lot_t: int
    quantity_max_t: int


@dataclass(frozen=True, slots=True)
class Credited:
    """A deposit became available for trading."""

    deposit_id: bytes
    account: bytes
    asset: int
    amount: int


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """An order was taken, and what it needs reserved."""

    order_id: bytes
    account: bytes
    unit: int
    side: Side
    kind: OrderKind
    quantity_t: int
    price_fen: int
    at_us: int


@dataclass(frozen=True, slots=True)
class OrderRested:
    """What was left of an order now stands in the book."""

    order_id: bytes
    remaining_t: int


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """The order that came in is filled."""

    order_id: bytes


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """What was left of an order is gone, and its reservation released."""

    order_id: bytes
    remaining_t: int
    reason: CancelReason


@dataclass(frozen=True, slots=True)
class OrderReduced:
    """An order is this large now, what is filled included, and `remaining_t` of it stands where it stood."""

    order_id: bytes
    quantity_t: int
    remaining_t: int


@dataclass(frozen=True, slots=True)
class WithdrawalRequested:
    """An amount left trading; it is released once the chain has settled the epochs up to `after_epoch`."""

    withdrawal_id: bytes
    account: bytes
    asset: int
    amount: int
    after_epoch: int


@dataclass(frozen=True, slots=True)
class EpochClosed:
    """The trades of an epoch are committed, under one root."""

    epoch: int
    trades: int
    tape_root: bytes
    at_us: int


@dataclass(frozen=True, slots=True)
class EpochConfirmed:
    """The chain has settled an epoch."""

    epoch: int
    block: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class WithdrawalConfirmed:
    """The chain has paid a withdrawal out."""

    withdrawal_id: bytes
    block: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class ExitTaken:
    """A forced exit was taken over; `missing` of it the account did not have here: its trades had used it."""

    account: bytes
    asset: int
    amount: int
    missing: int


@dataclass(frozen=True, slots=True)
class CursorMoved:
    """The chain has been read up to this block."""

    block: int


Report = (
    Trade
    | InstrumentListed
    | Credited
    | OrderAccepted
    | OrderRested
    | OrderFilled
    | OrderCancelled
    | OrderReduced
    | WithdrawalRequested
    | EpochClosed
    | EpochConfirmed
    | WithdrawalConfirmed
    | ExitTaken
    | CursorMoved
)
