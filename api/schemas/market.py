"""The exchange's side: books, orders, trades, trading accounts, withdrawals.

Shapes as `exchange.messages`; what is public carries nobody's name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from api.fields import INT63_MAX, Fen, Schema, Tonnes, UnitCode, example
from api.schemas.acts import Asset
from chain.refusals import Refusal
from exchange.messages import TradeMessage


def _fit(amount: object) -> object:
    # A JSON reader gives whole numbers of more than 64 bits as floats; none of them gets further than this.
    return min(amount, INT63_MAX) if isinstance(amount, int | float) else amount


Amount = Annotated[int, BeforeValidator(_fit)]
"""A sum that the exchange tells: a larger one is shown as 2^63 - 1, as in the registry's tables."""
OrderKind = Literal["limit", "market", "ioc", "fok"]
Side = Literal["buy", "sell"]
TradeState = Literal["executed", "committed", "settled"]


class PriceMissing(Refusal):
    """Every order but a market order has a price, and a market order has none."""


class Lenient(Schema):
    """An answer of the exchange: fields that a newer exchange adds are passed over."""

    model_config = ConfigDict(extra="ignore")


class Instrument(Lenient):
    """What can be traded, on which terms."""

    unit: str
    tick_fen: int
    lot_t: int
    quantity_max_t: int
    last_price_fen: int | None


class InstrumentTerms(Schema):
    """The terms on which a unit is listed."""

    model_config = example({"tick_fen": 1, "lot_t": 1, "quantity_max_t": 100_000})

    tick_fen: Fen
    lot_t: Tonnes
    quantity_max_t: Tonnes


class Level(Lenient):
    """One price of a book's side."""

    price_fen: int
    quantity_t: Amount
    orders: int


class Book(Lenient):
    """A book at one moment; `sequence` counts its changes on the stream."""

    unit: str
    sequence: int
    bids: list[Level]
    asks: list[Level]
    last_price_fen: int | None


class TapeTrade(Lenient):
    """A trade as the public sees it. `names_hash` stands for the names in the tape's root on chain."""

    number: int
    epoch: int
    unit: str
    price_fen: int
    quantity_t: int
    at_us: int
    taker_side: Side
    state: TradeState
    names_hash: str


class OwnTrade(Schema):
    """A trade as one of its two sides sees it; the other side has no name."""

    number: int
    epoch: int
    unit: str
    side: Side
    order_id: str
    price_fen: int
    quantity_t: int
    at_us: int
    state: TradeState

    @classmethod
    def seen_by(cls, trade: TradeMessage, account: str) -> OwnTrade:
        """Return the account's side of a trade; of one with itself, the taker's."""
        taker = trade["buyer"] if trade["taker_side"] == "buy" else trade["seller"]
        is_taker = taker == account
        other: Side = "sell" if trade["taker_side"] == "buy" else "buy"
        return cls(
            number=trade["number"],
            epoch=trade["epoch"],
            unit=trade["unit"],
            side=trade["taker_side"] if is_taker else other,
            order_id=trade["taker_order"] if is_taker else trade["maker_order"],
            price_fen=trade["price_fen"],
            quantity_t=trade["quantity_t"],
            at_us=trade["at_us"],
            state=trade["state"],
        )


class FullTrade(TapeTrade):
    """A trade with both names, for the regulator."""

    buyer: str
    seller: str
    maker_order: str
    taker_order: str


class OrderBody(Schema):
    """An order: limit rests, market takes any price, ioc takes what is there, fok takes all or nothing."""

    model_config = example(
        {"unit": "allowance-2026", "side": "buy", "kind": "limit", "quantity_t": 1_000, "price_fen": 8_000}
    )

    unit: UnitCode
    side: Side
    kind: OrderKind = "limit"
    quantity_t: Tonnes
    price_fen: Annotated[int, Field(strict=True, ge=1, le=INT63_MAX)] | None = None
    """Fen per tonne; null for a market order."""

    @model_validator(mode="after")
    def _price_fits_kind(self) -> OrderBody:
        if (self.price_fen is None) != (self.kind == "market"):
            raise PriceMissing(kind=self.kind, price_fen=self.price_fen)
        return self


class Order(Lenient):
    """Where an order stands."""

    order_id: str
    unit: str
    side: Side
    kind: OrderKind
    quantity_t: int
    price_fen: int | None
    at_us: int
    status: Literal["open", "filled", "cancelled"]
    cancelled: str | None
    """Why, when it was."""
    remaining_t: int
    filled_t: int
    filled_fen: Amount


class AssetBalance(Lenient):
    """Fen of cash, or tonnes of a unit."""

    available: Amount
    reserved: Amount


class Withdrawal(Lenient):
    """An amount on its way out of the trading account, or paid out on chain."""

    withdrawal_id: str
    account: str
    asset: str
    amount: Amount
    at_us: int
    after_epoch: int
    released: bool
    block: int | None
    tx_hash: str | None


class WithdrawalBody(Schema):
    """Move tonnes or cash from the trading account back to the registry account."""

    model_config = example({"asset": "cash", "amount": 200_000_000})

    asset: Asset
    amount: Tonnes
    """Tonnes of the unit; fen when the asset is `cash`."""


class TradingAccount(Lenient):
    """A trading account as the exchange has it now; by asset: `cash` in fen, a unit's code in tonnes."""

    account: str
    balances: dict[str, AssetBalance]
    open_orders: int
    unreleased: list[Withdrawal]


class EpochState(Lenient):
    """How far the close of an epoch is."""

    epoch: int
    settled_epoch: int
    done: bool


class StreamMessage(Lenient):
    """A message of the stream: a snapshot with whole sides, then changes; a gap in `sequence` is a loss."""

    type: Literal["snapshot", "change"]
    unit: str
    sequence: int
    bids: list[tuple[int, Amount]]
    asks: list[tuple[int, Amount]]
    trades: list[TapeTrade]
