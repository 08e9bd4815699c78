"""When a part of the stack is away: a typed 503 with the time to try again; the tables still answer."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from api.app import create_app
from api.settings import Settings
from tests.support.actors import fresh
from tests.support.filing import refused
from tests.support.market import UNIT
from tests.support.stack import PASSPHRASE, Stack, serving

NOWHERE = "http://127.0.0.1:9"


def _settings(market: Stack, **changed: str) -> Settings:
    values = {
        "data_dir": market.data,
        "passphrase": PASSPHRASE,
        "public_url": "http://testserver",
        "chain_url": market.rpc.url,
        "exchange_url": market.app.state.services.settings.exchange_url,
        "chain_patience_s": 0.2,
        "indexer_interval_s": 0.05,
        **changed,
    }
    return Settings.model_validate(values)


@pytest.fixture(scope="module")
def without_chain(market: Stack) -> Iterator[httpx.Client]:
    with serving(create_app(_settings(market, chain_url=NOWHERE))) as url, httpx.Client(base_url=url) as http:
        yield http


@pytest.fixture(scope="module")
def without_exchange(market: Stack) -> Iterator[httpx.Client]:
    settings = _settings(market, exchange_url=NOWHERE)
    with serving(create_app(settings)) as url, httpx.Client(base_url=url, timeout=20) as http:
        yield http


def test_without_the_chain_acts_wait_and_tables_answer(market: Stack, without_chain: httpx.Client) -> None:
    firm = market.actor("firm:A")
    path = f"{fresh('surrenders')}/transaction"
    body = {"period": 2026, "unit": UNIT, "quantity_t": 1}
    response = without_chain.post(path, json=body, headers=firm.headers)
    assert refused(response)[:2] == (503, "ChainUnreachable")
    assert response.headers["retry-after"] == "5"
    assert without_chain.get("/totals").json() == market.http.get("/totals").json()
    health = without_chain.get("/health").json()
    assert (health["status"], health["chain_block"], health["trouble"]) == (
        "degraded",
        None,
        "ChainUnreachable",
    )
    assert without_chain.get("/holdings", headers=firm.headers).status_code == 200


def test_without_the_exchange_orders_are_put_off_and_acts_on_chain_go_on(
    market: Stack, without_exchange: httpx.Client
) -> None:
    trader = market.actor("firm:B")
    order = {"unit": UNIT, "side": "buy", "quantity_t": 1, "price_fen": 10}
    response = without_exchange.put(fresh("orders"), json=order, headers=trader.headers)
    assert refused(response)[:2] == (503, "ExchangeUnreachable")
    assert response.headers["retry-after"] == "5"
    assert without_exchange.get("/health").json()["exchange"] is False
    path, body = (
        fresh("cancellations"),
        {"unit": UNIT, "quantity_t": 1, "reason": "while the exchange is away"},
    )
    signed = trader.sign(path, body)
    assert without_exchange.put(path, json=signed, headers=trader.headers).status_code == 201


def test_another_origin_may_not_call_from_a_browser(market: Stack) -> None:
    response = market.http.get("/totals", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in response.headers
