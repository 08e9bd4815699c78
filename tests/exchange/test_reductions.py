"""Making an order smaller: it keeps its place, and gives back what it needs no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.commands import ReduceOrder, Side
from exchange.refusals import OrderNotOpen, OrderUnknown, ReductionOutOfRange, WrongLot
from exchange.reports import OrderReduced
from exchange.state import state_hash
from exchange.views import Views
from tests.exchange.world import ANNA, BERT, CARL, UNIT, World, fills, order_id


def market(lot_t: int = 1) -> World:
    world = World(lot_t=lot_t)
    for account in (ANNA, BERT, CARL):
        world.give(account, cash_fen=10_000, quantity_t=100)
    return world


def reduce(world: World, account: bytes, name: int, quantity_t: int) -> list[object]:
    return list(world.do(ReduceOrder(order_id(name), account, quantity_t, world.now_us)))


def test_a_reduced_order_keeps_its_place() -> None:
    world = market()
    world.sell(ANNA, 10, 50, name=1)
    world.sell(BERT, 10, 50, name=2)
    assert reduce(world, ANNA, 1, 4) == [OrderReduced(order_id(1), 4, 4)]
    world.buy(CARL, 6, 50, name=3)
    trades = world.state.trades
    assert [(trade.maker_order, trade.quantity_t) for trade in trades] == [(order_id(1), 4), (order_id(2), 2)]


def test_a_reduction_gives_back_what_the_order_needs_no_more() -> None:
    world = market()
    world.buy(ANNA, 10, 50, name=1)
    reduce(world, ANNA, 1, 3)
    assert world.cash(ANNA) == (9_850, 150)
    world.sell(BERT, 10, 60, name=2)
    reduce(world, BERT, 2, 1)
    assert world.holding(BERT) == (99, 1)


def test_the_new_whole_has_in_it_what_is_filled() -> None:
    world = market()
    world.sell(ANNA, 10, 50, name=1)
    world.buy(CARL, 4, 50)
    assert reduce(world, ANNA, 1, 7) == [OrderReduced(order_id(1), 7, 3)]
    assert world.state.orders[order_id(1)].filled_t == 4
    assert fills(world.buy(CARL, 5, 50)) == [(50, 3)]


def test_a_repeated_reduction_takes_nothing_more_off() -> None:
    world = market()
    world.sell(ANNA, 10, 50, name=1)
    first, before = reduce(world, ANNA, 1, 4), state_hash(world.state)
    assert (reduce(world, ANNA, 1, 4), state_hash(world.state)) == (first, before)


def test_a_retry_of_the_order_itself_still_answers_what_its_first_sending_did() -> None:
    world = market()
    first = world.sell(ANNA, 10, 50, name=1)
    placed = world.commands[-1]
    reduce(world, ANNA, 1, 4)
    assert world.do(replace(placed)) == first


def test_a_reduction_shows_in_the_stream_of_changes() -> None:
    world, views = market(), Views()
    world.sell(ANNA, 10, 50, name=1)
    command = ReduceOrder(order_id(1), ANNA, 4, world.now_us)
    views.observe(world.state, command, world.do(command))
    (change,) = views.take_changes(world.state)
    assert (change.unit, change.bids, change.asks) == (UNIT, [], [(50, 4)])


@pytest.mark.parametrize("quantity_t", [0, 4, 11])
def test_a_size_that_is_filled_already_or_larger_is_refused(quantity_t: int) -> None:
    world = market()
    world.sell(ANNA, 10, 50, name=1)
    world.buy(CARL, 4, 50)
    with pytest.raises(ReductionOutOfRange) as refusal:
        reduce(world, ANNA, 1, quantity_t)
    assert refusal.value.facts == {"filled_t": 4, "quantity_t": quantity_t, "order_t": 10}


def test_a_size_between_lots_an_order_of_another_and_one_that_is_gone_are_refused() -> None:
    world = market(lot_t=5)
    world.place(Side.SELL, ANNA, 10, 50, name=1)
    with pytest.raises(WrongLot):
        reduce(world, ANNA, 1, 7)
    with pytest.raises(OrderUnknown):
        reduce(world, BERT, 1, 5)
    world.cancel(ANNA, 1)
    with pytest.raises(OrderNotOpen):
        reduce(world, ANNA, 1, 5)
