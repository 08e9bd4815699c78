"""What the engine can be told. A command carries everything that its effect depends on, the time included.

Words used here
    account   20 bytes, the registry account's address.
    asset     0 for cash (fen), else the unit id on chain (tonnes).
    at_us     when the sequencer took the command, microseconds since 1970 UTC.
    order_id  the client's UUID, 16 bytes. Likewise withdrawal_id.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

CASH: Final = 0
"""The asset id of money; every other asset is a unit id."""

INT63_MAX: Final = 2**63 - 1
"""Most that a journal record holds of tonnes or of fen a tonne."""

AMOUNT_MAX: Final = 2**127 - 1
"""Most that Clearing's signed sums hold of one asset."""


class Side(IntEnum):
    """Which side of the book."""

    BUY = 1
    SELL = 2


class OrderKind(IntEnum):
    """How an order meets the book.

    LIMIT rests what it cannot fill. MARKET takes any price and rests nothing. IOC (immediate or cancel) takes
    what is there within its limit. FOK (fill or kill) takes all at once within its limit, or is refused.
    """

    LIMIT = 1
    MARKET = 2
    IOC = 3
    FOK = 4


@dataclass(frozen=True, slots=True)
class ListInstrument:
    """Opens a unit for trading. Listing it again on the same terms does nothing."""

    unit: int
    tick_fen: int
    lot_t: int
    quantity_max_t: int


@dataclass(frozen=True, slots=True)
class Credit:
    """A deposit that was seen on chain; `deposit_id` is its request id there: it counts once an account."""

    deposit_id: bytes
    account: bytes
    asset: int
    amount: int


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Buys or sells. `price_fen` is 0 for a market order."""

    order_id: bytes
    account: bytes
    unit: int
    side: Side
    kind: OrderKind
    quantity_t: int
    price_fen: int
    at_us: int


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Takes what is left of an order out of the book. A second cancel answers what the first did."""

    order_id: bytes
    account: bytes
    at_us: int


@dataclass(frozen=True, slots=True)
class ReduceOrder:
    """Makes an open order smaller; it keeps its place. `quantity_t` is its new whole, filled tonnes included.

    It names the result, not the difference, so a repetition takes nothing more off.
    """

    order_id: bytes
    account: bytes
    quantity_t: int
    at_us: int


@dataclass(frozen=True, slots=True)
class RequestWithdrawal:
    """Takes an amount out of trading, to be released on chain to the account itself."""

    withdrawal_id: bytes
    account: bytes
    asset: int
    amount: int
    at_us: int


@dataclass(frozen=True, slots=True)
class CloseEpoch:
    """Ends the open epoch: its trades become committed. It names the epoch, so a repetition ends nothing."""

    epoch: int
    at_us: int


@dataclass(frozen=True, slots=True)
class EpochSettled:
    """The chain has settled an epoch, under this tape root, in this transaction."""

    epoch: int
    tape_root: bytes
    block: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class WithdrawalReleased:
    """The chain has paid a withdrawal out, in this transaction."""

    withdrawal_id: bytes
    block: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class AccountExited:
    """An account took an asset out of Clearing itself, the exchange having been silent (forced exit).

    `tx_hash` and `log_index` name the event, so it counts once.
    """

    tx_hash: bytes
    log_index: int
    account: bytes
    asset: int
    amount: int


@dataclass(frozen=True, slots=True)
class ChainCursor:
    """Everything on chain up to and including this block has been taken in."""

    block: int


Command = (
    ListInstrument
    | Credit
    | PlaceOrder
    | CancelOrder
    | ReduceOrder
    | RequestWithdrawal
    | CloseEpoch
    | EpochSettled
    | WithdrawalReleased
    | AccountExited
    | ChainCursor
)
