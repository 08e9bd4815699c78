"""What an engine can be asked: the same of the reference and of the compiled core."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol, Self


class CashBalance(NamedTuple):
    """Fen."""

    available: int
    reserved: int


class TonnesBalance(NamedTuple):
    """Tonnes of one instrument. `tradable` may be sold or withdrawn now; `open_buys` may still come."""

    available: int
    reserved: int
    tradable: int
    open_buys: int


class OrderView(NamedTuple):
    """Where a remembered order stands. `price` and `shown` are 0 once it is done."""

    participant: int
    instrument: int
    side: int
    status: int
    reason: int
    quantity: int
    filled: int
    price: int
    shown: int


class LevelView(NamedTuple):
    """What stands at a price."""

    price: int
    shown: int
    orders: int


class RulesView(NamedTuple):
    """The rules of an instrument, its phase (`Phase`; 0: no such instrument) and its prices, in fen a tonne.

    `collector` is the participant that gets the fees, `position_limit` in tonnes, `reference` what the band
    lies around, `last` the last trade's; each 0 where there is none.
    """

    maker_ppm: int
    taker_ppm: int
    collector: int
    band_ppm: int
    position_limit: int
    bars_resale: bool
    reference: int
    phase: int
    last: int


NO_RULES: Final = RulesView(0, 0, 0, 0, 0, False, 0, 0, 0)
"""Those of an unknown instrument."""


class Engine(Protocol):
    """The engine core."""

    is_compiled: bool

    def __init__(self) -> None: ...

    def apply(self, commands: bytes | bytearray | memoryview) -> bytes:
        """Do a run of commands and return the run of their reports; ValueError on a broken length."""

    def apply_only(self, commands: bytes | bytearray | memoryview, kinds: int) -> bytes:
        """Do the same and return only the reports of some kinds: bit n of `kinds` is kind n."""

    def snapshot(self) -> bytes:
        """Return the canonical bytes of the state."""

    @classmethod
    def load(cls, snapshot: bytes) -> Self:
        """Return the engine that gave this snapshot; ValueError when it is none."""

    def state_hash(self) -> bytes:
        """Return the BLAKE2b-256 of the snapshot."""

    def check(self) -> None:
        """Assert every invariant; AssertionError names the broken one."""

    def counters(self) -> dict[str, int]:
        """Return how far it is and how much there is.

        Keys: sequence, now_us, day, trades, open_epoch, participants, instruments, orders, open_orders.
        """

    def participant(self, address: bytes) -> int:
        """Return an address's number, 0 if it has none."""

    def instrument(self, unit: int) -> int:
        """Return a unit's number, 0 if it has none."""

    def cash(self, participant: int) -> CashBalance:
        """Return a participant's cash; zeros for an unknown one."""

    def tonnes(self, participant: int, instrument: int) -> TonnesBalance:
        """Return a participant's tonnes; zeros for an unknown one."""

    def rules(self, instrument: int) -> RulesView:
        """Return an instrument's rules, phase and prices; `NO_RULES` for an unknown one."""

    def is_killed(self, participant: int) -> bool:
        """Return whether a participant's kill switch is on; False for an unknown one."""

    def order(self, order_id: bytes) -> OrderView | None:
        """Return a remembered order."""

    def depth(self, instrument: int, side: int, levels: int) -> list[LevelView]:
        """Return the best levels of a side, best first."""
