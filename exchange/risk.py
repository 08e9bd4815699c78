"""What every account has: available, or reserved for its open orders.

Reserved at entry, released at cancel, moved at match; where a buyer trades below its limit the difference
becomes available again. Nothing here goes below zero: whoever calls has looked, and an assertion holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from exchange.commands import CASH, Side
from exchange.refusals import InsufficientCash, InsufficientUnits


@dataclass(slots=True)
class Balance:
    """Of one asset: fen of cash, or tonnes of a unit."""

    available: int = 0
    reserved: int = 0


@dataclass(slots=True)
class Ledger:
    """All trading accounts. An account without an asset has zero of it."""

    accounts: dict[bytes, dict[int, Balance]] = field(default_factory=dict)

    def balance(self, account: bytes, asset: int) -> Balance:
        """Return the balance to change, made when it is the first of its kind."""
        assets = self.accounts.get(account)
        if assets is None:
            assets = self.accounts[account] = {}
        balance = assets.get(asset)
        if balance is None:
            balance = assets[asset] = Balance()
        return balance

    def available(self, account: bytes, asset: int) -> int:
        """Return what may be reserved or withdrawn, changing nothing."""
        balance = self.accounts.get(account, {}).get(asset)
        return 0 if balance is None else balance.available

    def require(self, account: bytes, asset: int, amount: int) -> None:
        """Refuse unless that much is available; raises InsufficientCash or InsufficientUnits."""
        available = self.available(account, asset)
        if available >= amount:
            return
        if asset == CASH:
            raise InsufficientCash(available_fen=available, needed_fen=amount)
        raise InsufficientUnits(available_t=available, needed_t=amount)

    def credit(self, account: bytes, asset: int, amount: int) -> None:
        """Add to what is available."""
        self.balance(account, asset).available += amount

    def debit(self, account: bytes, asset: int, amount: int) -> None:
        """Take from what is available."""
        balance = self.balance(account, asset)
        assert balance.available >= amount, "debited without looking"
        balance.available -= amount

    def reserve(self, account: bytes, asset: int, amount: int) -> None:
        """Set aside for an order."""
        balance = self.balance(account, asset)
        assert balance.available >= amount, "reserved without looking"
        balance.available -= amount
        balance.reserved += amount

    def release(self, account: bytes, asset: int, amount: int) -> None:
        """Give back what an order no longer needs."""
        balance = self.balance(account, asset)
        assert balance.reserved >= amount, "released more than was reserved"
        balance.reserved -= amount
        balance.available += amount

    def spend(self, account: bytes, asset: int, reserved: int, spent: int) -> None:
        """Use up a reservation of which only `spent` was needed; the difference is price improvement."""
        balance = self.balance(account, asset)
        assert balance.reserved >= reserved >= spent, "spent more than was reserved"
        balance.reserved -= reserved
        balance.available += reserved - spent


def needed(side: Side, unit: int, quantity_t: int, price_fen: int) -> tuple[int, int]:
    """Return which asset, and how much of it, an order of this size has to set aside."""
    return (CASH, quantity_t * price_fen) if side is Side.BUY else (unit, quantity_t)
