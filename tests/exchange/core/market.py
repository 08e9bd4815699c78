"""A small market to write tests in sentences: every step is checked, and its snapshot loaded again."""

from __future__ import annotations

from typing import Any

from exchange.core import records
from exchange.core.api import Engine
from exchange.core.codes import OrderType, Reject, ReportKind, Side, TimeInForce
from exchange.core.records import Report, reports_of
from tests.exchange.core.streams import order_id, transfer_id

ANNA, BERT, CARL, DORA = 1, 2, 3, 4
"""Participants; Dora collects the fees."""
SPOT, BASKET = 1, 2
"""Instruments of tick 1 and lot 1, and of tick 5 and lot 10."""
CASH_EACH, TONNES_EACH = 1_000_000, 1_000


class Market:
    """An engine with four participants, two instruments, and plenty for everyone."""

    def __init__(self, engine_class: type[Engine], *, funded: bool = True) -> None:
        self.engine: Engine = engine_class()
        self._transfers = 0
        self.send(*(records.register(bytes([number]) * 20) for number in (ANNA, BERT, CARL, DORA)))
        self.send(
            records.list_instrument(1001, tick=1, lot=1, quantity_max=10**6),
            records.list_instrument(1002, tick=5, lot=10, quantity_max=10**6),
        )
        if funded:
            for who in (ANNA, BERT, CARL, DORA):
                self.give(who, cash=CASH_EACH, tonnes=TONNES_EACH)

    def send(self, *commands: bytes) -> list[Report]:
        """Do commands; check every invariant, and that the snapshot is the state."""
        reports = list(reports_of(self.engine.apply(b"".join(commands))))
        self.engine.check()
        snapshot = self.engine.snapshot()
        again = type(self.engine).load(snapshot)
        again.check()
        assert again.snapshot() == snapshot
        assert again.state_hash() == self.engine.state_hash()
        return reports

    def give(self, who: int, cash: int = 0, tonnes: int = 0, instrument: int = SPOT) -> None:
        """Credit cash and tonnes."""
        for what, amount in ((0, cash), (instrument, tonnes)):
            if amount:
                self._transfers += 1
                self.send(records.credit(who, what, amount, transfer_id(10**6 + self._transfers)))

    def buy(self, number: int, who: int, quantity: int, price: int, **more: Any) -> list[Report]:
        """Send a buy."""
        return self.order(number, who, Side.BUY, quantity, price, **more)

    def sell(self, number: int, who: int, quantity: int, price: int, **more: Any) -> list[Report]:
        """Send a sale."""
        return self.order(number, who, Side.SELL, quantity, price, **more)

    def order(
        self,
        number: int,
        who: int,
        side: Side,
        quantity: int,
        price: int,
        *,
        instrument: int = SPOT,
        **more: Any,
    ) -> list[Report]:
        """Send an order; a market order is immediate unless it says otherwise."""
        if more.get("type_") == OrderType.MARKET:
            more.setdefault("tif", TimeInForce.IOC)
        return self.send(records.new_order(order_id(number), who, instrument, side, quantity, price, **more))

    def cash(self, who: int) -> tuple[int, int]:
        """Return available and set aside."""
        return tuple(self.engine.cash(who))  # type: ignore[return-value]

    def tonnes(self, who: int, instrument: int = SPOT) -> tuple[int, int]:
        """Return available and set aside."""
        return tuple(self.engine.tonnes(who, instrument)[:2])  # type: ignore[return-value]

    def book(self, instrument: int = SPOT) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return price and shown quantity of the bids and of the asks, best first."""
        bids, asks = (self.engine.depth(instrument, side, 100) for side in (Side.BUY, Side.SELL))
        return [each[:2] for each in bids], [each[:2] for each in asks]


def kinds(reports: list[Report]) -> list[str]:
    """Return what happened, by name."""
    return [ReportKind(report.kind).name.lower() for report in reports]


def trades(reports: list[Report]) -> list[tuple[int, int, int]]:
    """Return maker, price and quantity of the trades."""
    return [
        (int.from_bytes(report.other_id, "little"), report.price, report.quantity)
        for report in reports
        if report.kind == ReportKind.TRADE
    ]


def rejection(reports: list[Report]) -> tuple[Reject, int, int]:
    """Return the code and the two numbers of what must be a single rejection."""
    (report,) = [each for each in reports if each.kind != ReportKind.TERMS_STAGED]
    assert report.kind == ReportKind.REJECTED, report
    return Reject(report.code), report.a, report.b
