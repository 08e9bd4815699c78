"""What each kind of order does, one sentence a test, for both implementations."""

from __future__ import annotations

import pytest

from exchange.core import records
from exchange.core.codes import OrderType, Reason, Reject, Status, TimeInForce
from tests.exchange.core.market import ANNA, BASKET, BERT, CARL, Market, kinds, rejection, trades
from tests.exchange.core.streams import order_id

IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


def test_a_limit_order_that_meets_nobody_rests_and_sets_its_cash_aside(market: Market) -> None:
    assert kinds(market.buy(1, ANNA, 10, 100)) == ["accepted", "rested"]
    assert market.book() == ([(100, 10)], [])
    assert market.cash(ANNA) == (999_000, 1_000)


def test_a_trade_happens_at_the_resting_price_and_what_was_saved_is_available(market: Market) -> None:
    market.sell(1, ANNA, 10, 90)
    assert trades(market.buy(2, BERT, 10, 100)) == [(1, 90, 10)]
    assert market.cash(BERT) == (999_100, 0)
    assert market.cash(ANNA) == (1_000_900, 0)
    assert (market.tonnes(ANNA), market.tonnes(BERT)) == ((990, 0), (1_010, 0))


def test_the_better_price_trades_first_then_the_earlier_order(market: Market) -> None:
    market.sell(1, ANNA, 5, 101)
    market.sell(2, CARL, 5, 100)
    market.sell(3, ANNA, 5, 100)
    market.sell(4, CARL, 5, 102)
    reports = market.buy(5, BERT, 18, 102)
    assert trades(reports) == [(2, 100, 5), (3, 100, 5), (1, 101, 5), (4, 102, 3)]
    assert reports[-1].quantity == 18


def test_a_partly_filled_order_keeps_its_place(market: Market) -> None:
    market.sell(1, ANNA, 10, 100)
    market.sell(2, CARL, 10, 100)
    market.buy(3, BERT, 4, 100)
    assert trades(market.buy(4, BERT, 10, 100)) == [(1, 100, 6), (2, 100, 4)]


def test_immediate_or_cancel_takes_what_is_there_and_cancels_the_rest(market: Market) -> None:
    market.sell(1, ANNA, 4, 100)
    reports = market.buy(2, BERT, 10, 100, tif=IOC)
    assert kinds(reports) == ["accepted", "trade", "cancelled"]
    assert (reports[-1].code, reports[-1].left) == (Reason.UNFILLED, 6)
    assert market.cash(BERT) == (999_600, 0)


def test_fill_or_kill_takes_all_or_leaves_no_trace(market: Market) -> None:
    market.sell(1, ANNA, 4, 100)
    before = market.engine.cash(BERT)
    assert rejection(market.buy(2, BERT, 5, 100, tif=FOK)) == (Reject.FOK_UNFILLABLE, 4, 5)
    assert market.engine.cash(BERT) == before
    assert kinds(market.buy(2, BERT, 4, 100, tif=FOK)) == ["accepted", "trade", "filled"]


def test_fill_or_kill_counts_what_icebergs_hide(market: Market) -> None:
    market.sell(1, ANNA, 20, 100, display=5)
    assert sum(each[2] for each in trades(market.buy(2, BERT, 20, 100, tif=FOK))) == 20


def test_a_market_sale_takes_any_price_and_a_protected_one_stops(market: Market) -> None:
    market.buy(1, ANNA, 5, 100)
    market.buy(2, CARL, 5, 50)
    reports = market.sell(3, BERT, 10, 60, type_=OrderType.MARKET)
    assert trades(reports) == [(1, 100, 5)]
    assert reports[-1].code == Reason.UNFILLED
    assert trades(market.sell(4, BERT, 10, 0, type_=OrderType.MARKET)) == [(2, 50, 5)]


def test_a_market_order_without_protection_stops_at_the_edge_of_the_band(market: Market) -> None:
    market.sell(1, ANNA, 5, 109)
    market.sell(2, ANNA, 5, 112)
    market.send(records.set_rules(1, band_ppm=100_000), records.set_reference(1, 100))
    assert trades(market.buy(3, BERT, 10, 0, type_=OrderType.MARKET)) == [(1, 109, 5)]


def test_a_market_buy_pays_as_far_as_its_cash_goes_in_whole_lots(market: Market) -> None:
    market.give(ANNA, tonnes=10_000, instrument=BASKET)
    market.sell(1, ANNA, 9_000, 500, instrument=BASKET)
    reports = market.buy(2, BERT, 9_000, 0, instrument=BASKET, type_=OrderType.MARKET)
    assert trades(reports) == [(1, 500, 2_000)]
    assert reports[-1].code == Reason.CASH_EXHAUSTED
    assert market.cash(BERT) == (0, 0)


def test_what_a_collector_earns_by_its_own_market_buy_does_not_prolong_it(market: Market) -> None:
    market.send(records.set_rules(1, maker_ppm=1_000_000, fee_participant=BERT))
    market.give(ANNA, tonnes=10**6)
    market.sell(1, ANNA, 10**6, 100)
    reports = market.buy(2, BERT, 10**6, 0, type_=OrderType.MARKET)
    assert trades(reports) == [(1, 100, 10_000)]
    assert market.cash(BERT) == (1_000_000, 0)


def test_a_post_only_order_rests_or_is_rejected(market: Market) -> None:
    market.sell(1, ANNA, 5, 100)
    refused = rejection(market.buy(2, BERT, 5, 100, post_only=True))
    assert refused == (Reject.POST_ONLY_WOULD_TRADE, 100, 0)
    assert kinds(market.buy(2, BERT, 5, 99, post_only=True)) == ["accepted", "rested"]


def test_an_iceberg_shows_a_part_and_each_next_part_goes_to_the_end(market: Market) -> None:
    market.sell(1, ANNA, 25, 100, display=10)
    market.sell(2, CARL, 10, 100)
    assert market.book()[1] == [(100, 20)]
    reports = market.buy(3, BERT, 12, 100)
    assert trades(reports) == [(1, 100, 10), (2, 100, 2)]
    assert kinds(reports) == ["accepted", "trade", "replenished", "trade", "filled"]
    assert trades(market.buy(4, BERT, 23, 100)) == [(2, 100, 8), (1, 100, 10), (1, 100, 5)]
    assert market.book() == ([], [])


def test_an_iceberg_of_too_many_parts_is_rejected(market: Market) -> None:
    refused = rejection(market.buy(1, ANNA, 3_001, 1, display=3))
    assert refused == (Reject.DISPLAY_OUT_OF_RANGE, 3, 3_001)
    market.buy(1, ANNA, 3_000, 1, display=3)
    assert rejection(market.send(records.amend(order_id(1), ANNA, 3_001)))[0] == Reject.DISPLAY_OUT_OF_RANGE


def test_a_stop_waits_until_a_trade_reaches_its_price(market: Market) -> None:
    reports = market.buy(1, BERT, 5, 0, type_=OrderType.STOP, stop=105)
    assert kinds(reports) == ["terms_staged", "accepted"]
    assert reports[1].code == Status.PARKED
    market.sell(2, ANNA, 1, 104)
    market.buy(3, CARL, 1, 104)
    market.sell(4, ANNA, 1, 105)
    market.sell(5, ANNA, 9, 107)
    reports = market.buy(6, CARL, 1, 105)
    assert kinds(reports) == ["accepted", "trade", "filled", "triggered", "trade", "filled"]
    assert trades(reports)[-1] == (5, 107, 5)


def test_a_stop_limit_rests_at_its_limit_once_triggered(market: Market) -> None:
    market.sell(1, ANNA, 5, 95, type_=OrderType.STOP_LIMIT, stop=98)
    assert market.tonnes(ANNA) == (995, 5)
    market.buy(2, CARL, 1, 97)
    reports = market.sell(3, BERT, 1, 97)
    assert kinds(reports)[-2:] == ["triggered", "rested"]
    assert market.book() == ([], [(95, 5)])


def test_a_stop_whose_price_is_reached_already_is_triggered_at_once(market: Market) -> None:
    market.sell(1, ANNA, 5, 100)
    market.buy(2, CARL, 1, 100)
    reports = market.buy(3, BERT, 2, 0, type_=OrderType.STOP, stop=100)
    assert kinds(reports) == ["terms_staged", "accepted", "triggered", "trade", "filled"]


def test_stops_set_each_other_off_buys_first_by_price_then_by_time(market: Market) -> None:
    for number, price in ((1, 101), (2, 103), (3, 105)):
        market.sell(number, ANNA, 1, price)
    market.buy(4, BERT, 1, 0, type_=OrderType.STOP, stop=103)
    market.buy(5, BERT, 1, 0, type_=OrderType.STOP, stop=101)
    market.sell(6, CARL, 1, 1, type_=OrderType.STOP_LIMIT, stop=200)  # 101 is below: it waits for nothing
    reports = market.buy(7, CARL, 1, 101)
    triggered = [int.from_bytes(each.id, "little") for each in reports if each.kind == 8]
    assert triggered == [5, 4, 6]


def test_a_good_till_date_order_goes_when_its_time_has_come(market: Market) -> None:
    market.buy(1, ANNA, 5, 100, tif=TimeInForce.GTD, expiry_us=50, at_us=10)
    market.buy(2, ANNA, 5, 100, tif=TimeInForce.GTD, expiry_us=40, at_us=10)
    assert kinds(market.send(records.advance(39))) == ["advanced"]
    reports = market.sell(3, BERT, 5, 100, at_us=60)
    assert kinds(reports) == ["expired", "expired", "accepted", "rested"]
    assert [int.from_bytes(each.id, "little") for each in reports[:2]] == [2, 1]


def test_a_day_order_goes_with_its_day_and_others_stay(market: Market) -> None:
    market.buy(1, ANNA, 5, 100, tif=TimeInForce.DAY)
    market.buy(2, ANNA, 5, 99)
    reports = market.send(records.day_end(1))
    assert kinds(reports) == ["expired", "day_ended"]
    assert market.book() == ([(99, 5)], [])


@pytest.mark.parametrize("quantity", [1, 7, 10])
def test_made_smaller_an_order_keeps_its_place(market: Market, quantity: int) -> None:
    market.sell(1, ANNA, 10, 100)
    market.sell(2, CARL, 10, 100)
    reports = market.send(records.amend(order_id(1), ANNA, quantity))
    assert kinds(reports) == ["amended"]
    assert market.tonnes(ANNA) == (1_000 - quantity, quantity)
    assert trades(market.buy(3, BERT, 1, 100))[0][0] == 1


@pytest.mark.parametrize(("quantity", "price"), [(11, 0), (11, 100), (10, 99), (10, 101), (3, 99)])
def test_made_larger_or_repriced_it_comes_in_anew(market: Market, quantity: int, price: int) -> None:
    market.sell(1, ANNA, 10, 100)
    market.sell(2, CARL, 10, price or 100)
    reports = market.send(records.amend(order_id(1), ANNA, quantity, price))
    assert kinds(reports) == ["amended", "rested"]
    assert trades(market.buy(3, BERT, 1, 101))[0][0] == (2 if price <= 100 or price == 101 else 1)


def test_an_amend_may_trade_and_pays_as_a_taker(market: Market) -> None:
    market.send(records.set_rules(1, taker_ppm=10_000, fee_participant=4))
    market.sell(1, ANNA, 5, 100)
    market.buy(2, BERT, 5, 90)
    reports = market.send(records.amend(order_id(2), BERT, 8, 100))
    assert kinds(reports) == ["amended", "trade", "rested"]
    assert (reports[1].a, reports[1].b) == (5, 0)


def test_an_amend_below_what_is_filled_is_rejected(market: Market) -> None:
    market.sell(1, ANNA, 10, 100)
    market.buy(2, BERT, 4, 100)
    assert rejection(market.send(records.amend(order_id(1), ANNA, 4))) == (Reject.AMEND_FILLED, 4, 4)
    assert market.send(records.amend(order_id(1), ANNA, 5))[0].left == 1


def test_an_amend_that_cannot_be_paid_changes_nothing(market: Market) -> None:
    market.buy(1, ANNA, 10, 100)
    before = market.engine.state_hash
    refused = rejection(market.send(records.amend(order_id(1), ANNA, 10, 100_001)))
    assert refused == (Reject.INSUFFICIENT_CASH, 1_000_000, 1_000_010)
    assert market.book() == ([(100, 10)], [])
    assert before() == market.engine.state_hash()


def test_a_mass_cancel_takes_out_what_one_participant_has(market: Market) -> None:
    market.give(ANNA, tonnes=100, instrument=BASKET)
    market.buy(1, ANNA, 5, 100)
    market.sell(2, ANNA, 10, 500, instrument=BASKET)
    market.buy(3, BERT, 5, 100)
    market.buy(4, ANNA, 5, 90, type_=OrderType.STOP_LIMIT, stop=120)
    assert kinds(market.send(records.mass_cancel(ANNA, BASKET))) == ["cancelled", "mass_cancelled"]
    reports = market.send(records.mass_cancel(ANNA))
    assert [int.from_bytes(each.id, "little") for each in reports[:-1]] == [1, 4]
    assert reports[-1].number == 2
    assert market.cash(ANNA) == (1_000_000, 0)
    assert market.book() == ([(100, 5)], [])
