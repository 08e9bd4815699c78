"""Halted, closed, auction: what is taken, and how an auction finds its price."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.core import ReferenceEngine, records
from exchange.core.codes import OrderType, Phase, Reason, Reject, Side, TimeInForce
from tests.exchange.core.market import ANNA, BERT, CARL, DORA, SPOT, Market, kinds, rejection, trades
from tests.exchange.core.streams import order_id


def phase(market: Market, which: Phase) -> list[str]:
    return kinds(market.send(records.set_phase(SPOT, which)))


@pytest.mark.parametrize("which", [Phase.HALTED, Phase.CLOSED])
def test_halted_or_closed_it_takes_cancels_and_reductions_only(market: Market, which: Phase) -> None:
    market.buy(1, ANNA, 10, 100)
    phase(market, which)
    assert rejection(market.buy(2, ANNA, 1, 100)) == (Reject.PHASE_FORBIDS, which, 0)
    assert rejection(market.send(records.amend(order_id(1), ANNA, 11))) == (Reject.PHASE_FORBIDS, which, 0)
    assert kinds(market.send(records.amend(order_id(1), ANNA, 9))) == ["amended"]
    assert kinds(market.send(records.cancel(order_id(1), ANNA))) == ["cancelled"]


def test_in_an_auction_orders_gather_and_the_book_may_be_crossed(market: Market) -> None:
    phase(market, Phase.AUCTION)
    market.sell(1, ANNA, 5, 90)
    assert kinds(market.buy(2, BERT, 5, 110)) == ["accepted", "rested"]
    assert market.book() == ([(110, 5)], [(90, 5)])
    assert rejection(market.send(records.set_phase(SPOT, Phase.CONTINUOUS))) == (Reject.BOOK_CROSSED, 110, 90)


@pytest.mark.parametrize(
    "more",
    [
        {"tif": TimeInForce.IOC},
        {"tif": TimeInForce.FOK},
        {"post_only": True},
        {"type_": OrderType.MARKET},
    ],
)
def test_an_auction_takes_only_what_can_wait(market: Market, more: dict[str, object]) -> None:
    phase(market, Phase.AUCTION)
    assert rejection(market.buy(1, ANNA, 1, 100, **more))[0] == Reject.PHASE_FORBIDS


def test_all_trade_at_one_price_and_buyers_get_back_what_they_save(market: Market) -> None:
    market.send(records.set_reference(SPOT, 120))
    phase(market, Phase.AUCTION)
    market.sell(1, ANNA, 10, 95)
    market.buy(2, BERT, 6, 105)
    market.buy(3, CARL, 6, 102)
    *reports, uncrossed = market.send(records.uncross(SPOT))
    assert [(each.price, each.quantity) for each in reports if each.kind == 3] == [(102, 6), (102, 4)]
    assert (uncrossed.price, uncrossed.a, uncrossed.number) == (102, 10, 2)
    assert market.cash(BERT) == (1_000_000 - 612, 0)
    assert market.cash(ANNA) == (1_001_020, 0)
    assert phase(market, Phase.CONTINUOUS) == ["phase_set"]
    assert market.book() == ([(102, 2)], [])


def test_with_equal_volume_and_imbalance_the_price_nearest_to_the_reference_wins(market: Market) -> None:
    for reference, expected in ((0, 90), (50, 90), (97, 97), (104, 104), (500, 110)):
        engine = Market(type(market.engine))
        engine.send(records.set_reference(SPOT, reference), records.set_phase(SPOT, Phase.AUCTION))
        engine.sell(1, ANNA, 5, 90)
        engine.buy(2, BERT, 5, 110)
        assert engine.send(records.uncross(SPOT))[-1].price == expected


def test_both_sides_of_an_auction_pay_the_makers_fee(market: Market) -> None:
    market.send(records.set_rules(SPOT, maker_ppm=10_000, taker_ppm=500_000, fee_participant=DORA))
    phase(market, Phase.AUCTION)
    market.sell(1, ANNA, 10, 100)
    market.buy(2, BERT, 10, 100)
    trade = market.send(records.uncross(SPOT))[0]
    assert (trade.a, trade.b) == (10, 10)
    assert market.cash(BERT) == (1_000_000 - 1_010, 0)


def test_a_participant_does_not_trade_with_itself_in_an_auction(market: Market) -> None:
    phase(market, Phase.AUCTION)
    market.sell(1, ANNA, 10, 100)
    market.buy(2, ANNA, 10, 100)
    reports = market.send(records.uncross(SPOT))
    assert kinds(reports) == ["cancelled", "uncrossed"]
    assert (reports[0].id, reports[0].code) == (order_id(2), Reason.SELF_TRADE)


def test_an_iceberg_trades_in_an_auction_with_what_it_hides(market: Market) -> None:
    phase(market, Phase.AUCTION)
    market.sell(1, ANNA, 25, 100, display=10)
    market.buy(2, BERT, 25, 100)
    reports = market.send(records.uncross(SPOT))
    assert [each[2] for each in trades(reports)] == [10, 10, 5]
    assert kinds(reports)[-2:] == ["filled", "uncrossed"]


def test_stops_wait_for_continuous_trading(market: Market) -> None:
    phase(market, Phase.AUCTION)
    market.buy(1, CARL, 1, 0, type_=OrderType.STOP, stop=100)
    market.sell(2, ANNA, 10, 100)
    market.buy(3, BERT, 5, 100)
    assert "triggered" not in kinds(market.send(records.uncross(SPOT)))
    assert phase(market, Phase.CONTINUOUS) == ["phase_set", "triggered", "trade", "filled"]


ORDERS = st.lists(
    st.tuples(st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 9), st.integers(1, 25)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(orders=ORDERS, reference=st.integers(0, 30))
def test_no_price_would_trade_more_or_leave_less_over(
    orders: list[tuple[Side, int, int]], reference: int
) -> None:
    """Against every price there is, by brute force."""
    market = Market(ReferenceEngine)
    market.send(records.set_reference(SPOT, reference), records.set_phase(SPOT, Phase.AUCTION))
    for number, (side, quantity, price) in enumerate(orders, start=1):
        market.order(number, BERT if side == Side.BUY else ANNA, side, quantity, price)

    def rank(price: int) -> tuple[int, int, int, int]:
        demand = sum(quantity for side, quantity, limit in orders if side == Side.BUY and limit >= price)
        supply = sum(quantity for side, quantity, limit in orders if side == Side.SELL and limit <= price)
        return -min(demand, supply), abs(demand - supply), abs(price - reference) if reference else 0, price

    uncrossed = market.send(records.uncross(SPOT))[-1]
    volume, _, _, price = min(rank(price) for price in range(1, 31))
    assert uncrossed.a == -volume
    if volume:
        assert uncrossed.price == price


def test_closed_and_without_an_open_order_it_can_be_listed_on_other_terms(market: Market) -> None:
    terms = records.list_instrument(1001, tick=5, lot=10, quantity_max=10**6)
    market.buy(1, ANNA, 10, 100)
    phase(market, Phase.CLOSED)
    assert rejection(market.send(terms)) == (Reject.INSTRUMENT_DIFFERS, SPOT, 0)
    market.send(records.cancel(order_id(1), ANNA))
    (listed,) = market.send(terms)
    assert (listed.price, listed.left, listed.flags) == (5, 10, 0)
    phase(market, Phase.CONTINUOUS)
    assert rejection(market.buy(2, ANNA, 10, 101)) == (Reject.WRONG_TICK, 101, 5)
    assert kinds(market.buy(3, ANNA, 10, 105)) == ["accepted", "rested"]
