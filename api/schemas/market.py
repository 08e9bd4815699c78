"""The exchange's side: books, orders, trades, trading accounts, withdrawals.

Shapes as `exchange.messages`; what is public carries nobody's name.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from api.fields import INT63_MAX, Address, Fen, Flag, Schema, Tonnes, TonnesOrNone, UnitCode, example
from api.schemas.acts import Asset
from chain.refusals import Refusal
from exchange.messages import TradeMessage


def _fit(amount: object) -> object:
    # A JSON reader gives whole numbers of more than 64 bits as floats; none of them gets further than this.
    return min(amount, INT63_MAX) if isinstance(amount, int | float) else amount


Amount = Annotated[int, BeforeValidator(_fit)]
"""A sum that the exchange tells: a larger one is shown as 2^63 - 1, as in the registry's tables."""
OrderKind = Literal["limit", "market", "ioc", "fok", "stop", "stop_limit"]
Side = Literal["buy", "sell"]
TradeState = Literal["executed", "committed", "settled"]
Phase = Literal["continuous", "halted", "auction", "closed"]
Ppm = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1, description="Parts per million; 0 for none.")]
UnixMicroseconds = Annotated[
    int, Field(strict=True, ge=1, le=INT63_MAX, description="Microseconds since 1970.")
]

_UNPRICED: Final = ("market", "stop")


class PriceMissing(Refusal):
    """Every order has a price but a market order and a stop, which may have one as their protection."""


class Lenient(Schema):
    """An answer of the exchange: fields that a newer exchange adds are passed over."""

    model_config = ConfigDict(extra="ignore")


class Instrument(Lenient):
    """What can be traded, on which terms and by which rules. Null is none."""

    unit: str
    tick_fen: int
    lot_t: int
    quantity_max_t: int
    last_price_fen: int | None
    phase: Phase
    """`halted` and `closed` take no orders, `auction` gathers them without trading."""
    maker_ppm: int
    """The fee of who stood in the book, in millionths of the value; at an auction both sides pay this one."""
    taker_ppm: int
    band_ppm: int
    """How far a price may lie from the reference price; 0 where it may be any."""
    reference_fen: int | None
    position_limit_t: int | None
    """The most that an account may hold, what its open purchases may bring included."""
    no_same_day_resale: bool


class SupervisedInstrument(Instrument):
    """An instrument with who collects its fees, for the exchange and the regulator."""

    fee_account: str | None


class InstrumentTerms(Schema):
    """The terms on which a unit is listed."""

    model_config = example({"tick_fen": 1, "lot_t": 1, "quantity_max_t": 100_000})

    tick_fen: Fen
    lot_t: Tonnes
    quantity_max_t: Tonnes


class InstrumentRules(Schema):
    """The rules of an instrument, all of them anew. Orders keep the fees of their entry."""

    model_config = example(
        {
            "maker_ppm": 200,
            "taker_ppm": 500,
            "fee_account": "0x00000000000000000000000000000000000000aA",
            "band_ppm": 100_000,
            "position_limit_t": 5_000_000,
            "no_same_day_resale": True,
        }
    )

    maker_ppm: Ppm
    taker_ppm: Ppm
    fee_account: Address | None = None
    """Who collects the fees: said with the first fee, and the same for good."""
    band_ppm: Ppm
    position_limit_t: TonnesOrNone
    no_same_day_resale: Flag


class InstrumentReference(Schema):
    """The price that the band lies around; null takes it away, and with it the band."""

    model_config = example({"price_fen": 8_000})

    price_fen: Fen | None


class InstrumentPhase(Schema):
    """Whether an instrument trades."""

    model_config = example({"phase": "halted"})

    phase: Phase


class Uncrossed(Schema):
    """What an auction came to; without a price nothing crossed."""

    unit: str
    price_fen: int | None
    quantity_t: Amount
    trades: int


class KillSwitchBody(Schema):
    """On: the account's orders are cancelled and no new ones taken. Off: they are taken again."""

    model_config = example({"on": True})

    on: Flag


class KillSwitch(Schema):
    """How an account's kill switch stands, and how many orders this cancelled."""

    account: str
    on: bool
    cancelled: int


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
    """A trade as one of its two sides sees it; the other side has neither a name nor a fee."""

    number: int
    epoch: int
    unit: str
    side: Side
    order_id: str
    price_fen: int
    quantity_t: int
    at_us: int
    fee_fen: Amount
    """What this side paid."""
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
            fee_fen=trade["taker_fee_fen"] if is_taker else trade["maker_fee_fen"],
            state=trade["state"],
        )


class FullTrade(TapeTrade):
    """A trade with both names and fees, for the regulator."""

    buyer: str
    seller: str
    maker_order: str
    taker_order: str
    maker_fee_fen: Amount
    taker_fee_fen: Amount


class OrderBody(Schema):
    """An order.

    `limit` rests, `ioc` takes what is there, `fok` takes all or nothing, `market` takes any price; `stop` and
    `stop_limit` wait for a trade at `stop_fen` or beyond and are a market or a limit order then.
    """

    model_config = example(
        {"unit": "allowance-2026", "side": "buy", "kind": "limit", "quantity_t": 1_000, "price_fen": 8_000}
    )

    unit: UnitCode
    side: Side
    kind: OrderKind = "limit"
    quantity_t: Tonnes
    price_fen: Fen | None = None
    """Fen a tonne; of a market order and a stop no limit but a protection, and null for none."""
    time_in_force: Literal["gtc", "day", "gtd"] | None = None
    """How long it rests: until it is cancelled (so without this), for the day, or until `expires_us`."""
    expires_us: UnixMicroseconds | None = None
    post_only: Flag = False
    """A limit order that is refused rather than take from the book."""
    display_t: Tonnes | None = None
    """How much of it the book shows at a time; null for all."""
    stop_fen: Fen | None = None
    self_trade: Literal["cancel_taker", "cancel_maker", "cancel_both", "decrement"] | None = None
    """What goes when it meets an own order; its own rest without this."""

    @model_validator(mode="after")
    def _price_fits_kind(self) -> OrderBody:
        if self.price_fen is None and self.kind not in _UNPRICED:
            raise PriceMissing(kind=self.kind, price_fen=None)
        return self


class Amendment(Schema):
    """An order's new whole, what is filled of it included, and its new price; null keeps the price."""

    model_config = example({"quantity_t": 800, "price_fen": 8_000})

    quantity_t: Tonnes
    price_fen: Fen | None = None


class Order(Lenient):
    """Where an order stands; a `parked` one is a stop that waits for its price."""

    order_id: str
    unit: str
    side: Side
    kind: OrderKind
    quantity_t: int
    price_fen: int | None
    at_us: int
    time_in_force: Literal["gtc", "day", "gtd", "ioc", "fok"]
    status: Literal["open", "parked", "filled", "cancelled", "expired"]
    cancelled: str | None
    """Why, when it was cancelled or expired."""
    remaining_t: int
    filled_t: int
    filled_fen: Amount
    fees_fen: Amount
    """Paid so far."""


class OrdersCancelled(Schema):
    """How many orders a mass cancel took out, of one unit or of all (null)."""

    unit: str | None
    cancelled: int


class MemberKey(Schema):
    """Where the binary gateway listens, and what proves there who the account is. Keep the key secret.

    `chain_id` and `clearing` tell the exchange from an impostor: a client holds the gateway to them.
    """

    account: str
    key: str
    """32 bytes, lower-case hex."""
    host: str
    port: int
    chain_id: int
    clearing: str


class AssetBalance(Lenient):
    """Fen of cash, or tonnes of a unit."""

    available: Amount
    reserved: Amount
    tradable: Amount
    """Of what is available: what may be sold or withdrawn today."""


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
