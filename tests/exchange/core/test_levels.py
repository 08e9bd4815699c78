"""Prices near and far: the window moves and grows, and what lies outside it is as right as inside."""

from __future__ import annotations

import random

import pytest

from exchange.core import ReferenceEngine, records
from exchange.core.api import Engine
from exchange.core.codes import INT63_MAX, Side
from exchange.core.records import reports_of
from tests.exchange.core.conftest import CompiledEngine, needs_compiled
from tests.exchange.core.market import ANNA, BERT, Market, trades
from tests.exchange.core.streams import order_id, transfer_id

WIDE = 3


def rich(engine_class: type[Engine]) -> Market:
    market = Market(engine_class)
    market.send(records.list_instrument(1003, 1, 1, INT63_MAX))
    for who in (ANNA, BERT):
        market.send(
            records.credit(who, 0, 2**125, transfer_id(who)),
            records.credit(who, WIDE, 2**100, transfer_id(10 + who)),
        )
    return market


def test_the_ends_of_the_price_range_meet(engine_class: type[Engine]) -> None:
    market = rich(engine_class)
    for number, price in enumerate((1, 2, INT63_MAX // 2, INT63_MAX - 1), start=1):
        market.buy(number, ANNA, 1, price, instrument=WIDE)
    market.sell(5, ANNA, 1, INT63_MAX, instrument=WIDE)
    assert [each.price for each in market.engine.depth(WIDE, Side.BUY, 9)] == [
        INT63_MAX - 1,
        INT63_MAX // 2,
        2,
        1,
    ]
    assert trades(market.buy(6, BERT, 1, INT63_MAX, instrument=WIDE)) == [(5, INT63_MAX, 1)]
    reports = market.sell(7, BERT, 4, 1, instrument=WIDE)
    assert [each[1] for each in trades(reports)] == [INT63_MAX - 1, INT63_MAX // 2, 2, 1]


@needs_compiled
@pytest.mark.parametrize("seed", range(12))
def test_any_spread_of_prices_gives_the_same_book(seed: int) -> None:
    """Prices that cluster, jump, drift and lie everywhere: reports and depth as the reference has them."""
    rng = random.Random(seed)
    spread = (3, 300, 5_000, 200_000, 10**7, 2**61)[seed % 6]
    engines: list[Engine] = [ReferenceEngine(), CompiledEngine()]
    for engine in engines:
        engine.apply(
            records.register(bytes([1]) * 20)
            + records.register(bytes([2]) * 20)
            + records.list_instrument(1, 1, 1, 1000)
            + b"".join(records.credit(who, 0, 2**124, transfer_id(who)) for who in (1, 2))
            + b"".join(records.credit(who, 1, 2**60, transfer_id(10 + who)) for who in (1, 2))
        )
    middle, live = float(2**62), 0
    for _ in range(40):
        run = b""
        for _ in range(60):
            live += 1
            middle += rng.gauss(0, spread / 20)
            side = rng.choice((Side.BUY, Side.SELL))
            away = int(abs(rng.gauss(0, spread)) * rng.choice((0.01, 1, 1)))
            price = (
                int(middle) + (-away if side == Side.BUY else away) + rng.choice((0, 0, 5 * spread // 100))
            )
            price = min(max(1, price), INT63_MAX)
            run += records.new_order(
                order_id(live), rng.choice((1, 2)), 1, side, rng.randint(1, 9), price, stp=1
            )
            if rng.random() < 0.5:
                number = rng.randint(max(1, live - 300), live)
                run += records.cancel(order_id(number), 1) + records.cancel(order_id(number), 2)
            if rng.random() < 0.1:
                run += records.amend(order_id(rng.randint(1, live)), 1, 5, price)
        said = [engine.apply(run) for engine in engines]
        assert said[0] == said[1]
        for engine in engines:
            engine.check()
        for side in (Side.BUY, Side.SELL):
            assert engines[0].depth(1, side, 50) == engines[1].depth(1, side, 50)
    assert engines[0].state_hash() == engines[1].state_hash()
    assert any(report.kind == 3 for report in reports_of(said[0])) or spread > 10**6


@needs_compiled
def test_an_open_order_takes_less_than_200_bytes() -> None:
    engine = CompiledEngine()
    engine.apply(
        records.register(bytes(20))
        + records.list_instrument(1, 1, 1, 10)
        + records.credit(1, 0, 2**100, bytes(32))
    )
    orders = 1 << 17
    rng = random.Random(3)
    for _ in range(orders // 1024):
        engine.apply(
            b"".join(
                records.new_order(rng.randbytes(16), 1, 1, Side.BUY, 1, rng.randint(1, 20_000))
                for _ in range(1024)
            )
        )
    assert engine.counters()["open_orders"] == orders
    assert engine.memory_bytes() / orders < 200
