"""The exchange on a chain that replaces blocks: it acts on what is final, for it can take nothing back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from chain.rpc import ChainRpc
from exchange.client import ExchangeClient, list_instrument, place_order, request_withdrawal
from exchange.core.codes import CASH
from exchange.recompute import expected_in_clearing, rebuild
from exchange.refusals import InsufficientUnits, WaitedTooLong
from tests.exchange.market import UNIT, UNIT_ID, Market
from tests.support.branches import Branches
from tests.support.faulty_proxy import FAULTS, faulty_proxy
from tests.support.processes import running_node

DEPTH = 3


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    (tmp_path / "market").mkdir()
    with running_node(tmp_path / "node") as node:
        yield Market(tmp_path / "market", node.url)


@pytest.fixture
def branches(market: Market) -> Branches:
    return Branches(ChainRpc(market.node_url))


def eventually(true: Callable[[], bool], within_s: float = 30.0) -> bool:
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def followed_to(exchange: ExchangeClient, block: int) -> bool:
    return eventually(lambda: exchange.health()["chain_block"] >= block)


def assert_chain_matches_journal(market: Market, accounts: list[str]) -> None:
    expected = expected_in_clearing(rebuild(market.journal))
    for account in accounts:
        name = bytes.fromhex(account[2:])
        mine = (expected.get((name, UNIT_ID.value), 0), expected.get((name, CASH), 0))
        assert mine == market.in_clearing(account)


def refused_for_lack_of_tonnes(exchange: ExchangeClient, account: str) -> bool:
    (outcome,) = exchange.submit([place_order(uuid4(), account, UNIT, "sell", 1, 8_000)])
    return getattr(outcome, "code", "") == InsufficientUnits.__name__


def test_a_deposit_that_is_reorganised_away_was_never_tradable(market: Market, branches: Branches) -> None:
    (seller,) = market.traders(["seller"], quantity_t=500, cash_fen=1_000)
    with market.open_exchange("--confirmations", str(DEPTH)) as (exchange, _):
        branches.mine(DEPTH)
        branches.fork_here()
        (name,) = market.deposit(seller, quantity_t=300)
        branches.mine(DEPTH - 1)
        with pytest.raises(WaitedTooLong):
            exchange.await_deposits(seller.address, [name], timeout_s=2)
        assert refused_for_lack_of_tonnes(exchange, seller.address)
        assert branches.replace(more=DEPTH + 1) == DEPTH
        assert followed_to(exchange, branches.head - DEPTH)
        with pytest.raises(WaitedTooLong):
            exchange.await_deposits(seller.address, [name], timeout_s=1)
        assert refused_for_lack_of_tonnes(exchange, seller.address)
        market.transactor._forget_nonce(seller.address)
        (again,) = market.deposit(seller, quantity_t=200)
        branches.mine(DEPTH)
        exchange.await_deposits(seller.address, [again], timeout_s=30)
        exchange.do(place_order(uuid4(), seller.address, UNIT, "sell", 200, 8_000))
        assert refused_for_lack_of_tonnes(exchange, seller.address)
        assert exchange.health()["status"] == "ok"
    assert_chain_matches_journal(market, [seller.address])


def test_a_settlement_that_is_reorganised_away_is_sent_again_and_counts_once(
    market: Market, branches: Branches
) -> None:
    seller, buyer = market.traders(["seller", "buyer"], quantity_t=500, cash_fen=5_000_000)
    with market.open_exchange("--confirmations", str(DEPTH)) as (exchange, _):
        names = market.deposit(seller, quantity_t=300), market.deposit(buyer, cash_fen=4_000_000)
        branches.mine(DEPTH)
        exchange.await_deposits(seller.address, names[0], timeout_s=30)
        exchange.await_deposits(buyer.address, names[1], timeout_s=30)
        exchange.do(place_order(uuid4(), seller.address, UNIT, "sell", 200, 8_000))
        exchange.do(place_order(uuid4(), buyer.address, UNIT, "buy", 200, 8_000))
        out = uuid4()
        exchange.do(request_withdrawal(out, buyer.address, UNIT, 150))
        branches.fork_here()
        exchange.close_epoch(wait=False)
        assert eventually(lambda: market.settled_epoch() == 1)
        assert exchange.health()["settled_epoch"] == 0, "mined, and not final yet"
        branches.replace()
        assert eventually(lambda: market.settled_epoch() == 1), "sent again"
        branches.mine(DEPTH)
        assert eventually(lambda: exchange.health()["settled_epoch"] == 1)
        assert eventually(lambda: market.tonnes_of(buyer.address) == 650), "released"
        branches.mine(DEPTH)
        assert eventually(lambda: bool(exchange.withdrawal(out)["released"]))
        assert market.in_clearing(buyer.address) == (50, 4_000_000 - 1_600_000)
        assert eventually(lambda: exchange.health()["status"] == "ok")
    assert_chain_matches_journal(market, [seller.address, buyer.address])


def test_a_block_replaced_that_counted_as_final_raises_an_alarm_that_stays(
    market: Market, branches: Branches
) -> None:
    (seller,) = market.traders(["seller"], quantity_t=500, cash_fen=1_000)

    def rings(exchange: ExchangeClient) -> bool:
        return any(alarm["code"] == "ChainReorganised" for alarm in exchange.health()["alarms"])

    with market.open_exchange("--confirmations", "1") as (exchange, _):
        branches.fork_here()
        (name,) = market.deposit(seller, quantity_t=300)
        branches.mine(2)
        exchange.await_deposits(seller.address, [name], timeout_s=30)
        branches.replace(more=3)
        assert eventually(lambda: rings(exchange))
    with market.exchange("--confirmations", "1") as (exchange, _):
        assert eventually(lambda: rings(exchange)), "a restart does not forget it"


def _trade(exchange: ExchangeClient, seller: str, buyer: str, quantity_t: int) -> None:
    exchange.do(place_order(uuid4(), seller, UNIT, "sell", quantity_t, 8_000))
    exchange.do(place_order(uuid4(), buyer, UNIT, "buy", quantity_t, 8_000))


def test_epochs_settle_once_through_a_rough_wire(market: Market) -> None:
    faults = {name: 0.03 for name in FAULTS if name not in ("time out", "lag")}
    seller, buyer = market.traders(["seller", "buyer"], quantity_t=500, cash_fen=5_000_000)
    with faulty_proxy(market.node_url, seed=4, faults=faults) as proxy:
        quiet = market.node_url
        market.node_url = proxy.url
        with market.open_exchange() as (exchange, _):
            names = market.deposit(seller, quantity_t=300), market.deposit(buyer, cash_fen=4_000_000)
            exchange.await_deposits(seller.address, names[0], timeout_s=60)
            exchange.await_deposits(buyer.address, names[1], timeout_s=60)
            for number in range(1, 6):
                _trade(exchange, seller.address, buyer.address, number)
                exchange.do(request_withdrawal(uuid4(), seller.address, "cash", number))
                done = exchange.close_epoch(timeout_s=120)
                assert (done["epoch"], done["settled_epoch"], done["unreleased"]) == (number, number, 0)
        market.node_url = quiet
        assert sum(proxy.counts[fault] for fault in faults) > 5
    assert market.settled_epoch() == 5
    assert market.in_clearing(seller.address) == (300 - 15, 15 * 8_000 - 15)
    assert_chain_matches_journal(market, [seller.address, buyer.address])


def test_another_node_serves_the_exchange_when_one_is_killed(market: Market) -> None:
    seller, buyer = market.traders(["seller", "buyer"], quantity_t=500, cash_fen=5_000_000)
    with faulty_proxy(market.node_url) as first, faulty_proxy(market.node_url) as second:
        both = f"{first.url},{second.url}"
        with market.exchange(chain_url=both) as (exchange, _):
            exchange.do(list_instrument(UNIT))
            names = market.deposit(seller, quantity_t=300), market.deposit(buyer, cash_fen=4_000_000)
            exchange.await_deposits(seller.address, names[0], timeout_s=30)
            exchange.await_deposits(buyer.address, names[1], timeout_s=30)
            first.faults = {"drop before": 1.0}
            _trade(exchange, seller.address, buyer.address, 10)
            assert exchange.close_epoch(timeout_s=60)["settled_epoch"] == 1
            assert second.counts["requests"] > 0
    assert_chain_matches_journal(market, [seller.address, buyer.address])
