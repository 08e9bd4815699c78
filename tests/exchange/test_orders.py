"""What each kind of order does, one sentence a test."""

from __future__ import annotations

import pytest

from exchange.book import OrderStatus
from exchange.commands import CASH, OrderKind
from exchange.reports import (
    CancelReason,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRested,
    Trade,
)
from exchange.state import state_hash
from tests.exchange.world import ANNA, BERT, CARL, DORA, UNIT, World, fills, order_id


@pytest.fixture
def world() -> World:
    """Anna sells, Bert and Carl buy and sell; enough of everything."""
    world = World()
    for account in (ANNA, BERT, CARL):
        world.give(account, cash_fen=10_000_000, quantity_t=1_000)
    return world


def test_a_limit_order_that_meets_nobody_rests_and_reserves(world: World) -> None:
    reports = world.buy(ANNA, 10, 8_000, name=1)
    assert [type(report) for report in reports] == [OrderAccepted, OrderRested]
    assert world.cash(ANNA) == (10_000_000 - 80_000, 80_000)
    world.sell(BERT, 20, 9_000, name=2)
    assert world.holding(BERT) == (980, 20)


def test_a_trade_happens_at_the_resting_price_and_the_improvement_is_returned(world: World) -> None:
    world.sell(ANNA, 10, 8_000)
    reports = world.buy(BERT, 10, 8_500)
    assert fills(reports) == [(8_000, 10)]
    assert isinstance(reports[-1], OrderFilled)
    assert world.cash(BERT) == (10_000_000 - 80_000, 0)
    assert world.cash(ANNA) == (10_000_000 + 80_000, 0)
    assert world.holding(BERT) == (1_010, 0)
    assert world.holding(ANNA) == (990, 0)


def test_a_seller_gets_the_buyers_resting_price(world: World) -> None:
    world.buy(ANNA, 10, 8_500)
    assert fills(world.sell(BERT, 4, 8_000)) == [(8_500, 4)]
    assert world.cash(ANNA) == (10_000_000 - 85_000, 51_000)


def test_the_better_price_trades_first_then_the_earlier_order(world: World) -> None:
    world.sell(ANNA, 5, 8_100, name=1)
    world.sell(BERT, 5, 8_000, name=2)
    world.sell(ANNA, 5, 8_000, name=3)
    trades = [report for report in world.buy(CARL, 12, 8_100) if isinstance(report, Trade)]
    assert [(trade.maker_order, trade.price_fen, trade.quantity_t) for trade in trades] == [
        (order_id(2), 8_000, 5),
        (order_id(3), 8_000, 5),
        (order_id(1), 8_100, 2),
    ]


def test_a_partly_filled_order_keeps_its_place(world: World) -> None:
    world.sell(ANNA, 10, 8_000, name=1)
    world.sell(BERT, 10, 8_000, name=2)
    world.buy(CARL, 4, 8_000)
    (trade,) = (report for report in world.buy(CARL, 6, 8_000) if isinstance(report, Trade))
    assert trade.maker_order == order_id(1)


def test_immediate_or_cancel_takes_what_is_there_within_its_limit(world: World) -> None:
    world.sell(ANNA, 5, 8_000)
    world.sell(ANNA, 5, 8_200)
    reports = world.buy(BERT, 20, 8_100, kind=OrderKind.IOC, name=9)
    assert fills(reports) == [(8_000, 5)]
    assert reports[-1] == OrderCancelled(order_id(9), 15, CancelReason.UNFILLED)
    assert world.cash(BERT) == (10_000_000 - 40_000, 0)


def test_fill_or_kill_takes_all_at_once_over_many_levels(world: World) -> None:
    world.sell(ANNA, 5, 8_000)
    world.sell(BERT, 5, 8_200)
    assert fills(world.buy(CARL, 10, 8_200, kind=OrderKind.FOK)) == [(8_000, 5), (8_200, 5)]


def test_a_market_sale_takes_every_price_and_rests_nothing(world: World) -> None:
    world.buy(ANNA, 5, 8_000)
    world.buy(BERT, 5, 1)
    reports = world.sell(CARL, 20, kind=OrderKind.MARKET, name=9)
    assert fills(reports) == [(8_000, 5), (1, 5)]
    assert reports[-1] == OrderCancelled(order_id(9), 10, CancelReason.UNFILLED)
    assert world.holding(CARL) == (990, 0)


def test_a_market_buy_pays_level_by_level_and_stops_where_the_cash_ends(world: World) -> None:
    world.give(DORA, cash_fen=100_000)
    world.sell(ANNA, 5, 10_000)
    world.sell(BERT, 50, 20_000)
    reports = world.buy(DORA, 30, kind=OrderKind.MARKET, name=9)
    assert fills(reports) == [(10_000, 5), (20_000, 2)]
    assert reports[-1] == OrderCancelled(order_id(9), 23, CancelReason.CASH_EXHAUSTED)
    assert world.cash(DORA) == (10_000, 0)


def test_a_market_buy_pays_in_whole_lots(world: World) -> None:
    world = World(lot_t=10)
    world.give(ANNA, quantity_t=100)
    world.give(DORA, cash_fen=1_990)
    world.sell(ANNA, 50, 100)
    assert fills(world.buy(DORA, 50, kind=OrderKind.MARKET)) == [(100, 10)]


def test_an_order_never_trades_with_its_own_account(world: World) -> None:
    world.sell(BERT, 5, 8_000)
    world.sell(ANNA, 5, 8_000, name=1)
    world.sell(CARL, 5, 8_000)
    reports = world.buy(ANNA, 15, 8_000, name=9)
    assert fills(reports) == [(8_000, 5)]
    assert reports[-1] == OrderCancelled(order_id(9), 10, CancelReason.SELF_TRADE)
    assert world.state.orders[order_id(1)].status is OrderStatus.OPEN
    assert world.cash(ANNA) == (10_000_000 - 40_000, 0)


def test_a_cancelled_order_gives_back_what_was_left_reserved(world: World) -> None:
    world.buy(ANNA, 10, 8_000, name=1)
    world.sell(BERT, 4, 8_000)
    assert world.cancel(ANNA, 1) == [OrderCancelled(order_id(1), 6, CancelReason.CLIENT)]
    assert world.cash(ANNA) == (10_000_000 - 32_000, 0)
    assert world.state.books[UNIT].bids.best() is None


def test_a_repeated_order_is_answered_as_the_first_time(world: World) -> None:
    world.sell(ANNA, 5, 8_000, name=1)
    first = world.buy(BERT, 10, 8_000, name=2)
    world.sell(CARL, 2, 8_000)
    before = state_hash(world.state)
    assert world.buy(BERT, 10, 8_000, name=2) == first
    world.cancel(BERT, 2)
    assert world.buy(BERT, 10, 8_000, name=2) == first
    assert fills(first) == [(8_000, 5)]
    assert before != state_hash(world.state)


def test_a_repeated_cancel_is_answered_as_the_first_time(world: World) -> None:
    world.buy(ANNA, 10, 8_000, name=1)
    first = world.cancel(ANNA, 1)
    before = state_hash(world.state)
    assert world.cancel(ANNA, 1) == first
    assert state_hash(world.state) == before


def test_sale_proceeds_can_be_spent_at_once(world: World) -> None:
    world.give(DORA, quantity_t=10)
    world.buy(ANNA, 10, 8_000)
    world.sell(DORA, 10, 8_000)
    world.sell(BERT, 10, 7_000)
    assert fills(world.buy(DORA, 10, 7_000)) == [(7_000, 10)]
    assert world.holding(DORA, CASH) == (10_000, 0)
