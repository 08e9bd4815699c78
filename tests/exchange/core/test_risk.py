"""What orders set aside, what trades move, and the rules that bound them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange.core import records
from exchange.core.api import NO_RULES
from exchange.core.codes import AMOUNT_MAX, INT63_MAX, PPM, OrderType, Phase, Reject
from exchange.core.reference.risk import cash_for, fee, paid
from exchange.core.reference.state import Fees
from tests.exchange.core.market import ANNA, BERT, CARL, DORA, SPOT, Market, kinds, rejection
from tests.exchange.core.streams import order_id, transfer_id


def test_fees_are_floored_and_collected(market: Market) -> None:
    market.send(records.set_rules(SPOT, maker_ppm=1_000, taker_ppm=3_000, fee_participant=DORA))
    market.sell(1, ANNA, 7, 101)
    assert kinds(market.buy(2, BERT, 7, 101))[-1] == "filled"
    assert market.cash(BERT) == (1_000_000 - 707 - 2, 0)
    assert market.cash(ANNA) == (1_000_000 + 707 - 0, 0)
    assert market.cash(DORA) == (1_000_002, 0)


def test_a_buy_provides_for_the_larger_fee_and_gets_back_what_it_did_not_pay(market: Market) -> None:
    market.send(records.set_rules(SPOT, maker_ppm=10_000, taker_ppm=50_000, fee_participant=DORA))
    market.buy(1, BERT, 10, 100)
    assert market.cash(BERT) == (1_000_000 - 1_050, 1_050)
    market.sell(2, ANNA, 10, 100)
    assert market.cash(BERT) == (1_000_000 - 1_010, 0)


def test_an_order_keeps_the_fees_of_its_entry(market: Market) -> None:
    market.send(records.set_rules(SPOT, maker_ppm=10_000, fee_participant=DORA))
    market.buy(1, BERT, 10, 100)
    market.send(records.set_rules(SPOT, maker_ppm=900_000, taker_ppm=0, fee_participant=CARL))
    (trade,) = [each for each in market.sell(2, ANNA, 10, 100) if each.kind == 3]
    assert (trade.a, trade.b) == (0, 10)
    assert market.cash(DORA) == (1_000_010, 0)


def test_rules_say_who_collects_and_can_be_asked_for(market: Market) -> None:
    (report,) = market.send(
        records.set_rules(
            SPOT,
            maker_ppm=1_000,
            taker_ppm=3_000,
            fee_participant=DORA,
            band_ppm=100_000,
            position_limit=5_000,
            no_same_day_resale=True,
        )
    )
    assert (report.instrument, report.participant, report.a, report.b) == (SPOT, DORA, 1_000, 3_000)
    assert market.engine.rules(SPOT) == (1_000, 3_000, DORA, 100_000, 5_000, True, 0, Phase.CONTINUOUS, 0)
    market.send(records.set_reference(SPOT, 100))
    market.sell(1, ANNA, 1, 105)
    market.buy(2, BERT, 1, 105)
    market.send(records.set_phase(SPOT, Phase.HALTED))
    assert market.engine.rules(SPOT)[-3:] == (100, Phase.HALTED, 105)


def test_an_unknown_instrument_has_no_rules_and_an_unknown_participant_is_not_killed(market: Market) -> None:
    for number in (-1, 0, 3, 2**40):
        assert market.engine.rules(number) == NO_RULES
    for number in (-1, 0, 5, 2**40):
        assert market.engine.is_killed(number) is False


def test_the_kill_switch_can_be_asked_for(market: Market) -> None:
    market.send(records.kill(BERT, on=True))
    assert [market.engine.is_killed(who) for who in (ANNA, BERT)] == [False, True]
    market.send(records.kill(BERT, on=False))
    assert market.engine.is_killed(BERT) is False


def test_more_than_is_available_is_rejected_with_both_numbers(market: Market) -> None:
    assert rejection(market.sell(1, ANNA, 1_001, 100)) == (Reject.INSUFFICIENT_UNITS, 1_000, 1_001)
    assert rejection(market.buy(1, ANNA, 10_001, 100)) == (Reject.INSUFFICIENT_CASH, 1_000_000, 1_000_100)


def test_a_rejected_order_leaves_its_id_free(market: Market) -> None:
    rejection(market.sell(1, ANNA, 1_001, 100))
    market.give(ANNA, tonnes=1)
    assert kinds(market.sell(1, ANNA, 1_001, 100)) == ["accepted", "rested"]


def test_what_was_bought_today_is_sold_and_withdrawn_tomorrow(market: Market) -> None:
    market.send(records.set_rules(SPOT, no_same_day_resale=True))
    market.sell(1, ANNA, 10, 100)
    market.buy(2, BERT, 10, 100)
    assert market.engine.tonnes(BERT, SPOT).tradable == 1_000
    assert rejection(market.sell(3, BERT, 1_001, 100)) == (Reject.INSUFFICIENT_UNITS, 1_000, 1_001)
    refused = rejection(market.send(records.debit(BERT, SPOT, 1_001, transfer_id(1))))
    assert refused == (Reject.INSUFFICIENT_UNITS, 1_000, 1_001)
    market.send(records.day_end(1))
    assert kinds(market.sell(3, BERT, 1_010, 100)) == ["accepted", "rested"]


def test_where_resale_is_allowed_it_is_sold_at_once(market: Market) -> None:
    market.sell(1, ANNA, 10, 100)
    market.buy(2, BERT, 10, 100)
    assert kinds(market.sell(3, BERT, 1_010, 100)) == ["accepted", "rested"]


def test_a_position_limit_counts_what_is_held_and_what_open_buys_may_bring(market: Market) -> None:
    market.send(records.set_rules(SPOT, position_limit=1_010))
    market.sell(1, ANNA, 5, 200)
    market.buy(2, ANNA, 6, 100)
    assert rejection(market.buy(3, ANNA, 5, 100)) == (Reject.POSITION_LIMIT, 1_011, 1_010)
    market.send(records.cancel(order_id(2), ANNA))
    assert kinds(market.buy(3, ANNA, 10, 100)) == ["accepted", "rested"]
    refused = rejection(market.send(records.amend(order_id(3), ANNA, 11)))
    assert refused == (Reject.POSITION_LIMIT, 1_011, 1_010)


def test_a_price_outside_the_band_is_rejected_with_its_edges(market: Market) -> None:
    market.send(records.set_rules(SPOT, band_ppm=100_000), records.set_reference(SPOT, 105))
    assert rejection(market.buy(1, ANNA, 1, 116)) == (Reject.PRICE_BAND, 95, 115)
    assert rejection(market.sell(1, ANNA, 1, 94)) == (Reject.PRICE_BAND, 95, 115)
    assert kinds(market.buy(1, ANNA, 1, 115)) == ["accepted", "rested"]
    market.send(records.set_reference(SPOT, 0))
    assert kinds(market.buy(2, ANNA, 1, 900)) == ["accepted", "rested"]


def test_the_kill_switch_cancels_everything_and_takes_nothing_more(market: Market) -> None:
    market.buy(1, ANNA, 1, 100)
    market.buy(2, ANNA, 1, 100, type_=OrderType.STOP_LIMIT, stop=110)
    reports = market.send(records.kill(ANNA, on=True))
    assert kinds(reports) == ["cancelled", "cancelled", "kill_set"]
    assert rejection(market.buy(3, ANNA, 1, 100)) == (Reject.PARTICIPANT_KILLED, ANNA, 0)
    assert kinds(market.buy(4, BERT, 1, 100)) == ["accepted", "rested"]
    market.send(records.kill(ANNA, on=False))
    assert kinds(market.buy(3, ANNA, 1, 100)) == ["accepted", "rested"]


def test_a_debit_takes_what_is_available_and_the_chain_has_the_last_word(market: Market) -> None:
    market.buy(1, ANNA, 10, 100)
    refused = rejection(market.send(records.debit(ANNA, 0, 1_000_000, transfer_id(1))))
    assert refused == (Reject.INSUFFICIENT_CASH, 999_000, 1_000_000)
    (done,) = market.send(records.debit(ANNA, 0, 1_000_000, transfer_id(1), up_to=True))
    assert (done.a, done.b) == (999_000, 1_000_000)
    assert market.cash(ANNA) == (0, 1_000)


def test_an_asset_never_exceeds_what_numbers_hold(market: Market) -> None:
    market.send(records.credit(ANNA, 0, AMOUNT_MAX - 4_000_000, transfer_id(1)))
    refused = rejection(market.send(records.credit(BERT, 0, 1, transfer_id(2))))
    assert refused == (Reject.AMOUNT_OUT_OF_RANGE, AMOUNT_MAX, 1)


def test_the_largest_order_at_the_largest_price_is_paid_with_the_largest_fee(market: Market) -> None:
    market.send(records.list_instrument(1003, 1, 1, INT63_MAX))
    market.send(records.set_rules(3, maker_ppm=PPM, taker_ppm=PPM, fee_participant=DORA))
    most = INT63_MAX * INT63_MAX
    market.send(records.credit(BERT, 0, 2 * most - 1_000_000, transfer_id(1)))
    market.send(records.credit(ANNA, 3, INT63_MAX, transfer_id(2)))
    market.sell(1, ANNA, INT63_MAX, INT63_MAX, instrument=3)
    reports = market.buy(2, BERT, INT63_MAX, INT63_MAX, instrument=3)
    assert kinds(reports) == ["accepted", "trade", "filled"]
    assert (reports[1].a, reports[1].b) == (most, most)
    assert market.cash(BERT) == (0, 0)
    assert market.cash(DORA) == (1_000_000 + 2 * most, 0)


@given(
    parts=st.lists(st.integers(1, INT63_MAX), min_size=1, max_size=5),
    price=st.integers(1, INT63_MAX),
    maker_ppm=st.integers(0, PPM),
    taker_ppm=st.integers(0, PPM),
)
def test_what_is_set_aside_is_enough_however_an_order_is_filled(
    parts: list[int], price: int, maker_ppm: int, taker_ppm: int
) -> None:
    fees = Fees(maker_ppm, taker_ppm, 1)
    whole = cash_for(sum(parts), price, fees)
    assert sum(paid(part, price, max(maker_ppm, taker_ppm)) for part in parts) <= whole
    assert fee(price, maker_ppm) <= price
