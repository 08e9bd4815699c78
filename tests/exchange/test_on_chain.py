"""The exchange process on a real chain: deposits, epochs, withdrawals, crashes."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from chain.abi import Call
from exchange.client import place_order, request_withdrawal
from exchange.recompute import expected_in_clearing, rebuild, recompute_tape
from tests.exchange.market import UNIT, UNIT_ID, Market


@pytest.fixture
def market(tmp_path: Path, node_url: str) -> Market:
    return Market(tmp_path, node_url)


def test_a_sale_from_deposit_to_withdrawal(market: Market) -> None:
    seller, buyer = market.traders(["seller", "buyer"], quantity_t=500, cash_fen=5_000_000)
    with market.open_exchange() as (exchange, _):
        exchange.await_deposits(seller.address, market.deposit(seller, quantity_t=300), timeout_s=20)
        exchange.await_deposits(buyer.address, market.deposit(buyer, cash_fen=4_000_000), timeout_s=20)
        exchange.do(place_order(uuid4(), seller.address, UNIT, "sell", 200, 8_000))
        exchange.do(place_order(uuid4(), buyer.address, UNIT, "buy", 150, 8_100))
        assert {trade["state"] for trade in exchange.all_trades()} == {"executed"}
        out, paid = uuid4(), uuid4()
        exchange.do(request_withdrawal(out, buyer.address, UNIT, 150))
        exchange.do(request_withdrawal(paid, seller.address, "cash", 1_200_000))
        done = exchange.close_epoch(timeout_s=30)
        assert (done["epoch"], done["settled_epoch"], done["unreleased"]) == (1, 1, 0)
        assert {trade["state"] for trade in exchange.all_trades()} == {"settled"}
        assert exchange.withdrawal(out)["released"]
        assert market.tonnes_of(buyer.address) == 500 + 150
        assert market.cash_of(seller.address) == 5_000_000 + 1_200_000
        assert market.in_clearing(seller.address) == (150, 0)
        assert market.in_clearing(buyer.address) == (0, 4_000_000 - 1_200_000)
        health = exchange.health()
        assert (health["status"], health["unsettled_trades"]) == ("ok", 0)
        root = market.transactor.read(Call("Clearing", "tapeRootOf", (1,)))
        assert exchange.epoch(1)["tape_root"] == root
    assert {number: "0x" + each.hex() for number, each in recompute_tape(market.journal).items()} == {1: root}
    state = rebuild(market.journal)
    for account in (seller, buyer):
        name = bytes.fromhex(account.address[2:])
        held = {asset: each for (owner, asset), each in expected_in_clearing(state).items() if owner == name}
        assert (held.get(UNIT_ID.value, 0), held.get(0, 0)) == market.in_clearing(account.address)
