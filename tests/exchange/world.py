"""A small exchange to tell stories in: names instead of bytes, one call an act."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from exchange.commands import (
    CASH,
    CancelOrder,
    CloseEpoch,
    Command,
    Credit,
    ListInstrument,
    OrderKind,
    PlaceOrder,
    RequestWithdrawal,
    Side,
)
from exchange.engine import apply
from exchange.invariants import check
from exchange.reports import Report, Trade
from exchange.state import State

UNIT = 1 << 80 | 2026 << 64
OTHER_UNIT = 1 << 80 | 2027 << 64
START_US = 1_780_000_000_000_000

ANNA, BERT, CARL, DORA = (bytes([letter]) * 20 for letter in b"ABCD")
ACCOUNTS = (ANNA, BERT, CARL, DORA)


def order_id(number: int) -> bytes:
    return UUID(int=number).bytes


def deposit_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


class World:
    """A state with a clock and counters; every act checks every invariant."""

    def __init__(self, tick_fen: int = 1, lot_t: int = 1, quantity_max_t: int = 10**9) -> None:
        self.state = State()
        self.commands: list[Command] = []
        self._count = 0
        self.do(ListInstrument(UNIT, tick_fen, lot_t, quantity_max_t))

    @property
    def now_us(self) -> int:
        return START_US + len(self.commands)

    def do(self, command: Command) -> list[Report]:
        self.commands.append(command)
        try:
            return apply(self.state, command)
        finally:
            check(self.state)

    def give(self, account: bytes, *, cash_fen: int = 0, quantity_t: int = 0, unit: int = UNIT) -> None:
        for asset, amount in ((CASH, cash_fen), (unit, quantity_t)):
            if amount:
                self._count += 1
                self.do(Credit(deposit_id(self._count), account, asset, amount))

    def place(
        self,
        side: Side,
        account: bytes,
        quantity_t: int,
        price_fen: int = 0,
        *,
        kind: OrderKind = OrderKind.LIMIT,
        name: int | None = None,
        unit: int = UNIT,
    ) -> list[Report]:
        self._count += 1
        own_id = order_id(1_000_000 + self._count if name is None else name)
        return self.do(PlaceOrder(own_id, account, unit, side, kind, quantity_t, price_fen, self.now_us))

    def buy(self, account: bytes, quantity_t: int, price_fen: int = 0, **more: object) -> list[Report]:
        return self.place(Side.BUY, account, quantity_t, price_fen, **more)  # type: ignore[arg-type]

    def sell(self, account: bytes, quantity_t: int, price_fen: int = 0, **more: object) -> list[Report]:
        return self.place(Side.SELL, account, quantity_t, price_fen, **more)  # type: ignore[arg-type]

    def cancel(self, account: bytes, name: int) -> list[Report]:
        return self.do(CancelOrder(order_id(name), account, self.now_us))

    def withdraw(self, account: bytes, asset: int, amount: int, name: int) -> list[Report]:
        return self.do(RequestWithdrawal(order_id(name), account, asset, amount, self.now_us))

    def close(self) -> list[Report]:
        return self.do(CloseEpoch(self.state.open_epoch, self.now_us))

    def cash(self, account: bytes) -> tuple[int, int]:
        return self.holding(account, CASH)

    def holding(self, account: bytes, asset: int = UNIT) -> tuple[int, int]:
        """What is available and what is reserved."""
        balance = self.state.ledger.accounts.get(account, {}).get(asset)
        return (0, 0) if balance is None else (balance.available, balance.reserved)


def fills(reports: Iterable[Report]) -> list[tuple[int, int]]:
    """The trades among reports, as (price, tonnes)."""
    return [(trade.price_fen, trade.quantity_t) for trade in reports if isinstance(trade, Trade)]
