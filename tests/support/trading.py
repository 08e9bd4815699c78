"""A unit of its own for tests that set rules or look at whole books, with a seller, a buyer and a house."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.actors import Actor, fresh
from tests.support.market import DEADLINE_UTC
from tests.support.stack import Stack

TONNES = 10_000
CASH_FEN = 1_000_000_000


def eventually(true: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait until something holds."""
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)


def tradable(actor: Actor, asset: str) -> int:
    """Return what an account may sell or withdraw."""
    balances = actor.get("/my/trading-account")["balances"]
    return int(balances[asset]["tradable"]) if asset in balances else 0


@dataclass(frozen=True)
class Room:
    """A listed unit; the seller has tonnes of it, the buyer cash, the house may collect fees."""

    market: Stack
    unit: str
    seller: Actor
    buyer: Actor
    house: Actor

    @classmethod
    def open(cls, market: Stack, period: int) -> Room:
        """Publish a period, allocate, pay in, and list its unit with ticks and lots of 1."""
        regulator, unit = market.actor("regulator"), f"allowance-{period}"
        seller = market.open_account(f"firm:seller-{period}", "firm")
        buyer = market.open_account(f"trader:buyer-{period}", "trader")
        house = market.open_account(f"trader:house-{period}", "trader")
        rules = {"deadline_utc": DEADLINE_UTC, "cap_t": TONNES, "offset_cap_ppm": 0, "penalty_multiple": 5}
        regulator.done(f"/periods/{period}", rules)
        given = [{"entity": seller.address, "quantity_t": TONNES}]
        regulator.done(fresh("allocations"), {"period": period, "allocations": given})
        paid = [{"account": buyer.address, "amount_fen": CASH_FEN}]
        market.actor("bank").done(fresh("mints"), {"credits": paid})
        terms = {"tick_fen": 1, "lot_t": 1, "quantity_max_t": TONNES}
        assert market.actor("exchange").put(f"/instruments/{unit}", terms).status_code == 200
        seller.done(fresh("deposits"), {"asset": unit, "amount": TONNES})
        buyer.done(fresh("deposits"), {"asset": "cash", "amount": CASH_FEN})
        eventually(lambda: tradable(seller, unit) == TONNES and tradable(buyer, "cash") == CASH_FEN)
        return cls(market, unit, seller, buyer, house)

    def order(self, actor: Actor, path: str, side: str, quantity_t: int, **more: Any) -> httpx.Response:
        """Send an order."""
        return actor.put(path, {"unit": self.unit, "side": side, "quantity_t": quantity_t, **more})

    def sell(self, quantity_t: int, price_fen: int | None = None, **more: Any) -> dict[str, Any]:
        """Place a sale; it must be taken."""
        return self._placed(self.seller, "sell", quantity_t, price_fen=price_fen, **more)

    def buy(self, quantity_t: int, price_fen: int | None = None, **more: Any) -> dict[str, Any]:
        """Place a purchase; it must be taken."""
        return self._placed(self.buyer, "buy", quantity_t, price_fen=price_fen, **more)

    def _placed(self, actor: Actor, side: str, quantity_t: int, **more: Any) -> dict[str, Any]:
        response = self.order(actor, fresh("orders"), side, quantity_t, **more)
        assert response.status_code == 201, response.text
        placed: dict[str, Any] = response.json()
        return placed

    def book(self) -> dict[str, Any]:
        """Return the book."""
        found: dict[str, Any] = self.market.http.get(f"/books/{self.unit}").raise_for_status().json()
        return found

    def set(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Set something of the instrument, as the exchange; it must be taken."""
        response = self.market.actor("exchange").put(f"/instruments/{self.unit}/{what}", body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def clear(self) -> None:
        """Open trading by no rules, with an empty book."""
        for actor in (self.seller, self.buyer):
            assert actor.request("DELETE", "/orders").status_code == 200
        self.set("rules", NO_RULES)
        self.set("reference-price", {"price_fen": None})
        self.set("phase", {"phase": "continuous"})


NO_RULES: dict[str, Any] = {
    "maker_ppm": 0,
    "taker_ppm": 0,
    "band_ppm": 0,
    "position_limit_t": 0,
    "no_same_day_resale": False,
}
