"""Everything that the engine knows, and how it says what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from exchange.core.codes import CASH, OrderType, Phase, ReportKind, Side, Status
from exchange.core.records import NO_ID, Report
from exchange.core.reference.book import Book


class Rejected(Exception):
    """A command cannot be done; nothing has changed. `a` and `b` are the numbers of its report."""

    def __init__(self, code: int, a: int = 0, b: int = 0) -> None:
        super().__init__(code, a, b)
        self.code, self.a, self.b = code, a, b


@dataclass(slots=True)
class Participant:
    """Who trades, and the cash of it, in fen."""

    number: int
    address: bytes
    killed: bool = False
    available: int = 0
    reserved: int = 0


@dataclass(slots=True)
class Position:
    """A participant's tonnes of one instrument.

    `bought` of them came by trades since the last day end; `open_buys` its open orders may still bring.
    """

    available: int = 0
    reserved: int = 0
    bought: int = 0
    open_buys: int = 0

    def is_empty(self) -> bool:
        """Whether it is as good as none."""
        return not (self.available or self.reserved or self.bought or self.open_buys)


@dataclass(frozen=True, slots=True)
class Fees:
    """What a trade costs, parts per million of its value, and which participant gets it."""

    maker_ppm: int = 0
    taker_ppm: int = 0
    collector: int = 0

    @property
    def larger_ppm(self) -> int:
        """The larger rate, which an order has to provide for."""
        return max(self.maker_ppm, self.taker_ppm)


@dataclass(slots=True)
class Instrument:
    """What is traded, on which terms, and where it stands. `fees` is an index into `State.fees`."""

    number: int
    unit: bytes
    tick: int
    lot: int
    quantity_max: int
    fees: int = 0
    band_ppm: int = 0
    position_limit: int = 0
    bars_resale: bool = False
    reference: int = 0
    phase: int = Phase.CONTINUOUS
    last: int = 0
    """Price of the last trade; 0 before the first."""
    total: int = 0
    """Tonnes of all participants."""
    book: Book = field(default_factory=Book)
    parked: dict[bytes, Order] = field(default_factory=dict)
    """Stops that wait, as they were accepted."""

    def is_idle(self) -> bool:
        """Whether it has no open order."""
        return not (self.book.bids.levels or self.book.asks.levels or self.parked)


@dataclass(slots=True)
class Order:
    """An accepted order. `arrival` counts acceptances; `shown` is what the book shows of what is left."""

    id: bytes
    digest: int
    arrival: int
    participant: int
    instrument: int
    side: int
    type: int
    tif: int
    flags: int
    stp: int
    quantity: int
    price: int
    fees: int
    display: int = 0
    stop: int = 0
    expiry_us: int = 0
    filled: int = 0
    shown: int = 0
    status: int = Status.OPEN
    reason: int = 0
    entry_status: int = 0
    entry_reason: int = 0
    entry_filled: int = 0
    closed_day: int = 0

    @property
    def left(self) -> int:
        """Tonnes not filled."""
        return self.quantity - self.filled

    @property
    def is_priced(self) -> bool:
        """Whether it has a limit: then a buy sets cash aside."""
        return self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.side == Side.BUY


@dataclass(frozen=True, slots=True)
class Transfer:
    """A credit or a debit that was done."""

    id: bytes
    participant: int
    instrument: int
    kind: int
    flags: int
    asked: int
    moved: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """A closed epoch's trades."""

    first: int
    trades: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What a TERMS command says of the order that comes next."""

    id: bytes = NO_ID
    display: int = 0
    stop: int = 0
    expiry_us: int = 0


@dataclass(slots=True)
class State:
    """The engine at one moment. `reports` holds what the batch under way has said so far."""

    sequence: int = 0
    now_us: int = 0
    day: int = 1
    trades: int = 0
    accepted: int = 0
    cash_total: int = 0
    participants: list[Participant] = field(default_factory=list)
    addresses: dict[bytes, int] = field(default_factory=dict)
    instruments: list[Instrument] = field(default_factory=list)
    units: dict[bytes, int] = field(default_factory=dict)
    fees: list[Fees] = field(default_factory=lambda: [Fees()])
    positions: dict[tuple[int, int], Position] = field(default_factory=dict)
    """By (participant, instrument)."""
    transfers: dict[tuple[int, bytes], Transfer] = field(default_factory=dict)
    """By (participant, id), as they came."""
    epochs: list[Epoch] = field(default_factory=list)
    orders: dict[bytes, Order] = field(default_factory=dict)
    """Every order whose id is remembered, as they were accepted."""
    open: dict[bytes, Order] = field(default_factory=dict)
    """Those in a book or parked, as they were accepted."""
    dated: dict[bytes, Order] = field(default_factory=dict)
    """Those of `open` that expire at a time."""
    staged: Terms | None = None
    reports: list[bytes] = field(default_factory=list)

    @property
    def open_epoch(self) -> int:
        """Number of the epoch that trades are in now."""
        return len(self.epochs) + 1

    @property
    def committed(self) -> int:
        """Number of the last trade of a closed epoch."""
        return self.epochs[-1].first + self.epochs[-1].trades - 1 if self.epochs else 0

    def instrument_of(self, order: Order) -> Instrument:
        """Return what the order is for."""
        return self.instruments[order.instrument - 1]

    def participant_of(self, order: Order) -> Participant:
        """Return whose the order is."""
        return self.participants[order.participant - 1]

    def position(self, participant: int, instrument: int) -> Position:
        """Return a position to change, an empty one where there was none."""
        key = participant, instrument
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = Position()
        return position

    def held(self, instrument: int) -> int:
        """Return how much of an asset all participants have together."""
        return self.cash_total if instrument == CASH else self.instruments[instrument - 1].total

    def tell(self, kind: ReportKind, **facts: Any) -> None:
        """Say that something happened."""
        report = Report(kind, sequence=self.sequence, at_us=self.now_us, **facts)
        self.reports.append(report.pack())

    def tell_of(self, order: Order, kind: ReportKind, **facts: Any) -> None:
        """Say that something happened to an order."""
        self.tell(
            kind,
            id=order.id,
            participant=order.participant,
            instrument=order.instrument,
            side=order.side,
            **facts,
        )
