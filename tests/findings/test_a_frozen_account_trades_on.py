"""Found: the regulator froze an account, and it went on trading and withdrawing at the exchange."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from tests.support.actors import Actor, fresh
from tests.support.filing import refused
from tests.support.market import UNIT
from tests.support.stack import Stack

_BUY = {"unit": UNIT, "side": "buy", "quantity_t": 1, "price_fen": 10}


def _freeze(market: Stack, account: str, frozen: bool) -> Any:
    return market.actor("regulator").done(fresh("freezes"), {"account": account, "frozen": frozen})


def _trader(market: Stack, label: str) -> Actor:
    trader = market.open_account(label, "trader")
    market.actor("bank").done(fresh("mints"), {"credits": [{"account": trader.address, "amount_fen": 1_000}]})
    trader.done(fresh("deposits"), {"asset": "cash", "amount": 1_000})
    until = time.monotonic() + 15
    while not trader.get("/my/trading-account")["balances"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    return trader


def test_a_frozen_account_neither_orders_nor_withdraws_but_cancels(market: Stack) -> None:
    trader = _trader(market, "trader:trades-on")
    order = fresh("orders")
    placed = trader.put(order, _BUY)
    assert placed.status_code == 201, placed.text
    freeze = _freeze(market, trader.address, True)
    facts = {"account": trader.address, "block": freeze["block"], "since_utc": freeze["timestamp_utc"]}
    withdrawal = {"asset": "cash", "amount": 1}
    for path, body in ((fresh("orders"), _BUY), (fresh("withdrawals"), withdrawal)):
        assert refused(trader.put(path, body)) == (409, "AccountFrozen", facts)
    assert trader.put(order, _BUY).status_code == 200, "what was placed before is answered as before"
    assert trader.request("DELETE", order).json()["status"] == "cancelled"

    _freeze(market, trader.address, False)
    assert trader.put(f"/withdrawals/{uuid4()}", withdrawal).status_code == 201
