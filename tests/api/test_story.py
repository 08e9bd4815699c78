"""A whole small year over HTTP: from accounts to surrender and default."""

from __future__ import annotations

from tests.support.stack import Stack


def test_the_market_is_set_up(market: Stack) -> None:
    totals = market.http.get("/totals").json()
    assert totals["units"][0]["issued_t"] == 300_000
    assert totals["cash"]["minted_fen"] == 300_000_000
    health = market.http.get("/health").json()
    assert (health["status"], health["trouble"]) == ("ok", None)
