"""When an order meets one of its own participant: the incoming one says what happens."""

from __future__ import annotations

from exchange.core.codes import Reason, Reject, SelfTrade, TimeInForce
from tests.exchange.core.market import ANNA, BERT, Market, kinds, rejection, trades


def test_cancel_taker_cancels_what_is_left_of_the_incoming_order(market: Market) -> None:
    market.sell(1, ANNA, 5, 99)
    market.sell(2, BERT, 5, 100)
    reports = market.buy(3, BERT, 10, 100)
    assert kinds(reports) == ["accepted", "trade", "cancelled"]
    assert (reports[-1].code, reports[-1].left) == (Reason.SELF_TRADE, 5)
    assert market.book() == ([], [(100, 5)])


def test_cancel_maker_cancels_the_resting_order_and_goes_on(market: Market) -> None:
    market.sell(1, BERT, 5, 99)
    market.sell(2, ANNA, 5, 100)
    reports = market.buy(3, BERT, 5, 100, stp=SelfTrade.CANCEL_MAKER)
    assert kinds(reports) == ["accepted", "cancelled", "trade", "filled"]
    assert trades(reports) == [(2, 100, 5)]


def test_cancel_both_cancels_both(market: Market) -> None:
    market.sell(1, BERT, 5, 99)
    reports = market.buy(2, BERT, 7, 100, stp=SelfTrade.CANCEL_BOTH)
    assert [(each.code, each.left) for each in reports[1:]] == [
        (Reason.SELF_TRADE, 5),
        (Reason.SELF_TRADE, 7),
    ]
    assert market.book() == ([], [])


def test_decrement_shrinks_the_larger_and_cancels_the_smaller(market: Market) -> None:
    market.sell(1, BERT, 5, 99)
    reports = market.buy(2, BERT, 7, 100, stp=SelfTrade.DECREMENT)
    assert kinds(reports) == ["accepted", "cancelled", "reduced", "rested"]
    assert (reports[2].quantity, reports[2].left) == (2, 2)
    reports = market.sell(3, BERT, 1, 100, stp=SelfTrade.DECREMENT)
    assert kinds(reports) == ["accepted", "reduced", "cancelled"]
    assert market.book() == ([(100, 1)], [])


def test_decrement_of_equals_cancels_both(market: Market) -> None:
    market.sell(1, BERT, 5, 99)
    assert kinds(market.buy(2, BERT, 5, 100, stp=SelfTrade.DECREMENT)) == [
        "accepted",
        "cancelled",
        "cancelled",
    ]


def test_decrement_takes_from_what_an_iceberg_hides_first(market: Market) -> None:
    market.sell(1, BERT, 20, 99, display=5)
    market.buy(2, BERT, 12, 100, stp=SelfTrade.DECREMENT)
    assert market.book()[1] == [(99, 5)]
    market.buy(3, BERT, 5, 100, stp=SelfTrade.DECREMENT)
    assert market.book()[1] == [(99, 3)]


def test_fill_or_kill_does_not_count_beyond_its_own_order(market: Market) -> None:
    market.sell(1, ANNA, 5, 99)
    market.sell(2, BERT, 5, 99)
    market.sell(3, ANNA, 5, 100)
    refused = rejection(market.buy(4, BERT, 10, 100, tif=TimeInForce.FOK))
    assert refused == (Reject.FOK_UNFILLABLE, 5, 10)
    reports = market.buy(4, BERT, 10, 100, tif=TimeInForce.FOK, stp=SelfTrade.CANCEL_MAKER)
    assert trades(reports) == [(1, 99, 5), (3, 100, 5)]


def test_fill_or_kill_counts_hidden_parts_only_where_no_own_order_comes_before(market: Market) -> None:
    market.sell(1, ANNA, 20, 99, display=5)
    market.sell(2, BERT, 5, 99)
    refused = rejection(market.buy(3, BERT, 6, 99, tif=TimeInForce.FOK))
    assert refused == (Reject.FOK_UNFILLABLE, 5, 6)
