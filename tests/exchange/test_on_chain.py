"""The exchange process on a real chain: deposits, epochs, withdrawals, crashes."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from chain.abi import Call
from chain.keys import Signer
from chain.refusals import Refusal
from exchange.client import ExchangeClient, place_order, request_withdrawal
from exchange.core.codes import CASH
from exchange.recompute import expected_in_clearing, rebuild, recompute_tape
from tests.exchange.market import UNIT, UNIT_ID, Market
from tests.support.processes import running, running_node


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
    assert_chain_matches_journal(market, [seller, buyer])


def deposited(market: Market, exchange: ExchangeClient, names: list[str]) -> list[Signer]:
    """Traders with 1,000 t and 10,000,000 fen at the exchange."""
    signers = market.traders(names, quantity_t=1_000, cash_fen=10_000_000)
    for signer in signers:
        ids = market.deposit(signer, quantity_t=1_000, cash_fen=10_000_000)
        exchange.await_deposits(signer.address, ids, timeout_s=30)
    return signers


def trade(exchange: ExchangeClient, seller: Signer, buyer: Signer, quantity_t: int = 1) -> None:
    exchange.do(place_order(uuid4(), seller.address, UNIT, "sell", quantity_t, 8_000))
    exchange.do(place_order(uuid4(), buyer.address, UNIT, "buy", quantity_t, 8_000))


def assert_chain_matches_journal(market: Market, signers: list[Signer]) -> None:
    venue = rebuild(market.journal)
    expected = expected_in_clearing(venue)
    assert market.settled_epoch() == len(venue.custody.epochs)
    for signer in signers:
        name = bytes.fromhex(signer.address[2:])
        mine = (expected.get((name, UNIT_ID.value), 0), expected.get((name, CASH), 0))
        assert mine == market.in_clearing(signer.address)


def test_killed_between_settling_and_knowing_it_settles_no_epoch_twice(market: Market) -> None:
    random = Random(3)
    with market.open_exchange() as (exchange, child):
        anna, bert = signers = deposited(market, exchange, ["anna", "bert"])
        trade(exchange, anna, bert)
        exchange.do(request_withdrawal(uuid4(), anna.address, "cash", 5))
        exchange.close_epoch(wait=False)
        time.sleep(random.random() / 10)
        child.kill()
    with market.exchange() as (exchange, _):
        trade(exchange, bert, anna)
        answer = exchange.close_epoch(timeout_s=30)
        assert (answer["epoch"], answer["unreleased"]) == (2, 0)
        assert exchange.health()["status"] == "ok"
    assert_chain_matches_journal(market, signers)


def test_a_node_killed_under_the_exchange_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "market").mkdir()
    with running_node(tmp_path / "node") as node:
        market = Market(tmp_path / "market", node.url)
        port = node.url.rsplit(":", 1)[1]
        with market.open_exchange() as (exchange, _):
            anna, bert = signers = deposited(market, exchange, ["anna", "bert"])
            trade(exchange, anna, bert)
            exchange.close_epoch(wait=False)
            node.kill()
            trade(exchange, anna, bert)
            assert exchange.close_epoch(wait=False)["done"] is False
            arguments = ["chain.node", "--data", str(tmp_path / "node"), "--port", port, "--test-methods"]
            with running(arguments):
                answer = exchange.close_epoch(timeout_s=60)
                assert answer["settled_epoch"] == 2
                assert_chain_matches_journal(market, signers)


def test_an_epoch_of_many_accounts_goes_in_chunks(market: Market) -> None:
    with market.open_exchange() as (exchange, _):
        names = [f"trader {number}" for number in range(260)]
        signers = market.traders(names, quantity_t=10, cash_fen=100_000)
        acts = []
        for place, signer in enumerate(signers):
            side, rest = ("sell", {"quantity_t": 10}) if place % 2 else ("buy", {"cash_fen": 100_000})
            acts.append((signer, side, market.deposit_call(signer, **rest)))
        market.send_all([(signer, call) for signer, _, (_, call) in acts])
        for signer, _, (name, _) in acts:
            exchange.await_deposits(signer.address, [name], timeout_s=30)
        outcomes = exchange.submit(
            place_order(uuid4(), signer.address, UNIT, side, 10, 8_000) for signer, side, _ in acts
        )
        assert not [each for each in outcomes if isinstance(each, Refusal)]
        assert exchange.close_epoch(timeout_s=60)["done"]
        assert len(exchange.epoch(1)["deltas"]) == 260
    assert_chain_matches_journal(market, signers[:4] + signers[-4:])
