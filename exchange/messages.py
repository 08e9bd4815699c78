"""The shapes of the gateway's JSON, shared by those who write them and those who read them.

Accounts are EIP-55 text, ids UUID text, units their codes, `asset` a unit's code or "cash"; hashes are `0x`
text.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

SideText = Literal["buy", "sell"]
KindText = Literal["limit", "market", "ioc", "fok", "stop", "stop_limit"]
RestingText = Literal["gtc", "day", "gtd"]
SelfTradeText = Literal["cancel_taker", "cancel_maker", "cancel_both", "decrement"]
PhaseText = Literal["continuous", "halted", "auction", "closed"]
StatusText = Literal["open", "parked", "filled", "cancelled", "expired"]
TradeState = Literal["executed", "committed", "settled"]
ReportMessage = dict[str, Any]
"""`{"report": "OrderAccepted", ...its fields}`: docs/spec/04-exchange.md has them all."""


class InstrumentMessage(TypedDict):
    """What can be traded, on which terms and by which rules.

    Fees and band are in parts per million; a reference price, a position limit, a fee account may be None.
    """

    unit: str
    tick_fen: int
    lot_t: int
    quantity_max_t: int
    last_price_fen: int | None
    phase: str
    maker_ppm: int
    taker_ppm: int
    fee_account: str | None
    band_ppm: int
    reference_fen: int | None
    position_limit_t: int | None
    no_same_day_resale: bool


class LevelMessage(TypedDict):
    """One price of a book's side."""

    price_fen: int
    quantity_t: int
    orders: int


class BookMessage(TypedDict):
    """A book at one moment; `sequence` is the last change on the stream that it holds."""

    unit: str
    sequence: int
    bids: list[LevelMessage]
    asks: list[LevelMessage]
    last_price_fen: int | None


class BalanceMessage(TypedDict):
    """Of one asset: fen of cash, or tonnes. `tradable` of the available may be sold or withdrawn today."""

    available: int
    reserved: int
    tradable: int


class WithdrawalMessage(TypedDict):
    """An amount on its way out, or paid out."""

    withdrawal_id: str
    account: str
    asset: str
    amount: int
    at_us: int
    after_epoch: int
    released: bool
    block: int | None
    tx_hash: str | None
    refusal: NotRequired[dict[str, Any]]


class AccountMessage(TypedDict):
    """A trading account. `balances` by asset: "cash" in fen, a unit's code in tonnes, where there are any."""

    account: str
    balances: dict[str, BalanceMessage]
    open_orders: int
    unreleased: list[WithdrawalMessage]


class OrderMessage(TypedDict):
    """Where an order stands."""

    order_id: str
    account: str
    unit: str
    side: SideText
    kind: KindText
    quantity_t: int
    price_fen: int | None
    at_us: int
    status: StatusText
    cancelled: str | None
    """Why it was cancelled or expired."""
    remaining_t: int
    filled_t: int
    filled_fen: int
    time_in_force: Literal["gtc", "day", "gtd", "ioc", "fok"]
    fees_fen: int


class TradeMessage(TypedDict):
    """One fill, and how far its settlement is. `names_hash` stands for the names on the public tape."""

    number: int
    epoch: int
    unit: str
    price_fen: int
    quantity_t: int
    at_us: int
    taker_side: SideText
    maker_order: str
    taker_order: str
    buyer: str
    seller: str
    taker_fee_fen: int
    maker_fee_fen: int
    state: TradeState
    names_hash: str


class OrderPage(TypedDict):
    """Orders, oldest first; `next` is the cursor of the next page, or None."""

    orders: list[OrderMessage]
    next: int | None


class TradePage(TypedDict):
    """Trades, oldest first; `next` is the cursor of the next page, or None."""

    trades: list[TradeMessage]
    next: int | None


class EpochMessage(TypedDict):
    """A closed epoch."""

    epoch: int
    state: Literal["committed", "settled"]
    first_trade: int
    trades: int
    tape_root: str
    at_us: int
    block: int | None
    tx_hash: str | None


class DeltaMessage(TypedDict):
    """What an epoch moved for one account and unit."""

    account: str
    unit: str
    quantity_t: int
    cash_fen: int


class EpochDetail(EpochMessage):
    """A closed epoch with its net deltas."""

    deltas: list[DeltaMessage]


class AlarmMessage(TypedDict):
    """Something that a person should look at."""

    code: str
    title: str
    facts: dict[str, Any]
    since_us: int
    attempts: int


class HealthMessage(TypedDict):
    """How the exchange is."""

    status: Literal["ok", "alarm"]
    open_epoch: int
    settled_epoch: int
    executed_trades: int
    unsettled_trades: int
    unreleased_withdrawals: int
    chain_block: int
    accounts: int
    orders: int
    trades: int
    commands: int
    frames: int
    journal_hash: str
    alarms: list[AlarmMessage]


class CloseMessage(TypedDict):
    """How far a close is. `epoch` is the one waited for, 0 when there was never a trade."""

    epoch: int
    settled_epoch: int
    unreleased: int
    stuck: list[WithdrawalMessage]
    done: bool
    alarms: list[AlarmMessage]


class DepositsMessage(TypedDict):
    """Which of the awaited deposits are credited."""

    credited: list[str]
    missing: list[str]


class ChangeMessage(TypedDict):
    """A message of the stream: first a snapshot of the best levels of both sides, then changes.

    Levels are (fen, tonnes); in a change 0 tonnes says that the price is no more among the best.
    """

    type: Literal["snapshot", "change"]
    unit: str
    sequence: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    trades: list[TradeMessage]
