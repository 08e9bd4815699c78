"""Once: what comes again is answered from the first time."""

from __future__ import annotations

from exchange.core import records
from exchange.core.codes import Reason, Reject, ReportFlag, Status, TimeInForce
from tests.exchange.core.market import ANNA, BERT, SPOT, Market, kinds, rejection
from tests.exchange.core.streams import order_id, transfer_id


def test_an_order_sent_again_changes_nothing_and_is_told_what_the_first_did(market: Market) -> None:
    market.sell(1, ANNA, 4, 100)
    market.buy(2, BERT, 10, 100)
    market.sell(3, ANNA, 1, 100)
    before = market.engine.depth(SPOT, 1, 9), market.engine.cash(BERT)
    (again,) = market.buy(2, BERT, 10, 100, at_us=99)
    assert kinds([again]) == ["duplicate"]
    assert (again.type, again.tif, again.quantity, again.left) == (Status.OPEN, Status.OPEN, 10, 5)
    assert (again.a, again.b) == (4, 5)
    assert (market.engine.depth(SPOT, 1, 9), market.engine.cash(BERT)) == before


def test_an_order_sent_again_after_its_end_is_told_that_too(market: Market) -> None:
    market.buy(1, BERT, 10, 100, tif=TimeInForce.IOC)
    (again,) = market.buy(1, BERT, 10, 100, tif=TimeInForce.IOC)
    assert (again.type, again.tif, again.code) == (Status.CANCELLED, Status.CANCELLED, Reason.UNFILLED)


def test_an_order_with_terms_sent_again_is_a_duplicate(market: Market) -> None:
    market.buy(1, BERT, 10, 100, display=5)
    assert kinds(market.buy(1, BERT, 10, 100, display=5)) == ["terms_staged", "duplicate"]
    assert rejection(market.buy(1, BERT, 10, 100, display=2)) == (Reject.ID_REUSED, Status.OPEN, 0)


def test_the_same_id_for_another_order_is_rejected(market: Market) -> None:
    market.buy(1, BERT, 10, 100)
    for other in (
        lambda: market.buy(1, BERT, 11, 100),
        lambda: market.buy(1, BERT, 10, 101),
        lambda: market.buy(1, ANNA, 10, 100),
        lambda: market.sell(1, BERT, 10, 100),
        lambda: market.buy(1, BERT, 10, 100, instrument=2),
        lambda: market.buy(1, BERT, 10, 100, tif=TimeInForce.DAY),
    ):
        assert rejection(other()) == (Reject.ID_REUSED, Status.OPEN, 0)


def test_a_retry_is_answered_whatever_happened_to_the_market(market: Market) -> None:
    market.buy(1, BERT, 10, 100)
    market.send(records.kill(BERT, on=True), records.set_phase(SPOT, 4))
    assert kinds(market.buy(1, BERT, 10, 100)) == ["duplicate"]


def test_a_second_cancel_says_so_again_and_a_cancel_of_what_is_filled_is_rejected(market: Market) -> None:
    market.buy(1, BERT, 10, 100)
    market.sell(2, ANNA, 4, 100)
    (first,) = market.send(records.cancel(order_id(1), BERT))
    (second,) = market.send(records.cancel(order_id(1), BERT))
    assert (first.left, first.flags) == (6, 0)
    assert (second.left, second.flags) == (6, ReportFlag.REPEATED)
    assert rejection(market.send(records.cancel(order_id(2), ANNA))) == (
        Reject.ORDER_NOT_OPEN,
        Status.FILLED,
        4,
    )


def test_nobody_cancels_or_amends_what_is_not_theirs(market: Market) -> None:
    market.buy(1, BERT, 10, 100)
    assert rejection(market.send(records.cancel(order_id(1), ANNA)))[0] == Reject.ORDER_UNKNOWN
    assert rejection(market.send(records.amend(order_id(1), ANNA, 5)))[0] == Reject.ORDER_UNKNOWN
    assert rejection(market.send(records.cancel(order_id(9), BERT)))[0] == Reject.ORDER_UNKNOWN


def test_a_transfer_counts_once_an_account(market: Market) -> None:
    credit = records.credit(ANNA, 0, 5, transfer_id(1))
    assert market.send(credit)[0].flags == 0
    assert market.send(credit)[0].flags == ReportFlag.REPEATED
    assert market.cash(ANNA) == (1_000_005, 0)
    assert rejection(market.send(records.credit(ANNA, 0, 6, transfer_id(1))))[0] == Reject.ID_REUSED
    assert rejection(market.send(records.debit(ANNA, 0, 5, transfer_id(1))))[0] == Reject.ID_REUSED
    assert market.send(records.credit(BERT, 0, 5, transfer_id(1)))[0].flags == 0


def test_listing_and_registering_again_say_the_number_again(market: Market) -> None:
    (report,) = market.send(records.list_instrument(1002, 5, 10, 10**6))
    assert (report.instrument, report.flags) == (2, ReportFlag.REPEATED)
    assert rejection(market.send(records.list_instrument(1002, 5, 10, 10**5))) == (
        Reject.INSTRUMENT_DIFFERS,
        2,
        0,
    )
    (report,) = market.send(records.register(bytes([2]) * 20))
    assert (report.participant, report.flags) == (2, ReportFlag.REPEATED)
    assert (market.engine.participant(bytes([2]) * 20), market.engine.instrument(1002)) == (2, 2)


def test_an_epoch_closes_once_and_only_with_trades(market: Market) -> None:
    assert rejection(market.send(records.close_epoch(1))) == (Reject.EPOCH_EMPTY, 1, 0)
    market.sell(1, ANNA, 4, 100)
    market.buy(2, BERT, 4, 100)
    (closed,) = market.send(records.close_epoch(1))
    assert (closed.number, closed.left, closed.quantity, closed.flags) == (1, 1, 1, 0)
    assert market.send(records.close_epoch(1))[0].flags == ReportFlag.REPEATED
    assert rejection(market.send(records.close_epoch(3))) == (Reject.EPOCH_OUT_OF_ORDER, 3, 2)


def test_ids_of_what_is_done_are_forgotten_at_the_second_day_end_and_open_ones_never(market: Market) -> None:
    market.buy(1, BERT, 10, 100)
    market.buy(2, BERT, 10, 100, tif=TimeInForce.IOC)
    market.send(records.day_end(1))
    assert kinds(market.buy(2, BERT, 10, 100, tif=TimeInForce.IOC)) == ["duplicate"]
    market.send(records.day_end(2))
    assert market.engine.counters()["orders"] == 1
    assert kinds(market.buy(1, BERT, 10, 100)) == ["duplicate"]
    assert kinds(market.buy(2, BERT, 10, 100, tif=TimeInForce.IOC)) == ["accepted", "cancelled"]
    assert kinds(market.send(records.cancel(order_id(1), BERT))) == ["cancelled"]
