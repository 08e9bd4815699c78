"""What a history says of orders and trades: in sentences, and against the engine over random streams."""

from __future__ import annotations

import random
from itertools import groupby

import pytest

from exchange.core import Engine, records
from exchange.core.codes import OrderType, Phase, Reason, ReportKind, SelfTrade, Side, Status, TimeInForce
from exchange.core.records import reports_of
from exchange.history.history import History
from exchange.history.recorder import Recorder
from exchange.history.rows import OrderRow
from tests.exchange.core.market import ANNA, BERT, CARL, DORA, SPOT
from tests.exchange.core.streams import Stream, opening, order_id, transfer_id
from tests.exchange.history.reports import batches_of, told, with_collectors


class Floor:
    """An engine with four participants and one instrument whose history is kept."""

    def __init__(self, recorder: type[Recorder], *, fees: bool = False) -> None:
        self.engine, self.history = Engine(), History(recorder=recorder)
        run = [records.register(bytes([who]) * 20) for who in (ANNA, BERT, CARL, DORA)]
        run.append(records.list_instrument(1001, tick=1, lot=1, quantity_max=10**6))
        if fees:
            run.append(records.set_rules(SPOT, maker_ppm=1_000, taker_ppm=10_000, fee_participant=DORA))
        for who in (ANNA, BERT, CARL):
            run += [records.credit(who, asset, 10**6, transfer_id(who * 10 + asset)) for asset in (0, SPOT)]
        self.send(*run)

    def send(self, *commands: bytes) -> None:
        (reports,) = with_collectors(self.engine, b"".join(commands))
        self.history.take(reports)

    def order(self, number: int, who: int, side: Side, quantity: int, price: int, **more: object) -> OrderRow:
        self.send(records.new_order(order_id(number), who, SPOT, side, quantity, price, **more))  # type: ignore[arg-type]
        return self.row(number)

    def row(self, number: int) -> OrderRow:
        row = self.history.order(order_id(number))
        assert row is not None
        return row


def test_an_order_that_takes_and_rests_shows_what_came_of_it(recorder: type[Recorder]) -> None:
    floor = Floor(recorder, fees=True)
    floor.order(1, ANNA, Side.SELL, 30, 100)
    row = floor.order(2, BERT, Side.BUY, 50, 101, at_us=7)
    assert row == OrderRow(
        number=2,
        order_id=order_id(2),
        participant=BERT,
        instrument=SPOT,
        side=Side.BUY,
        type=OrderType.LIMIT,
        tif=TimeInForce.GTC,
        quantity_t=50,
        price_fen=101,
        at_us=7,
        status=Status.OPEN,
        reason=Reason.NONE,
        left_t=20,
        filled_t=30,
        filled_fen=3_000,
        fees_fen=30,
        entry_status=Status.OPEN,
        entry_reason=Reason.NONE,
        entry_trade=1,
        entry_trades=1,
        entry_filled_t=30,
        collector=DORA,
    )
    (trade,) = floor.history.trades_after(0, 10)
    assert (trade.taker, trade.maker, trade.price_fen, trade.quantity_t) == (BERT, ANNA, 100, 30)
    assert (trade.taker_fee_fen, trade.maker_fee_fen, trade.taker_collector) == (30, 3, DORA)
    assert floor.row(1).status == Status.FILLED
    assert floor.row(1).fees_fen == 3
    assert floor.history.last_price(SPOT) == 100


def test_a_stop_that_triggers_as_it_comes_has_waited_at_its_entry(recorder: type[Recorder]) -> None:
    floor = Floor(recorder)
    floor.order(1, ANNA, Side.SELL, 10, 100)
    floor.order(2, BERT, Side.BUY, 5, 100)
    row = floor.order(3, BERT, Side.BUY, 5, 0, type_=OrderType.STOP, stop=100)
    assert (row.status, row.filled_t) == (Status.FILLED, 5)
    assert (row.entry_status, row.entry_trades, row.entry_filled_t) == (Status.PARKED, 0, 0)


def test_an_order_s_entry_does_not_count_the_stops_that_it_triggers(recorder: type[Recorder]) -> None:
    floor = Floor(recorder)
    floor.order(1, ANNA, Side.SELL, 10, 100)
    floor.order(2, CARL, Side.SELL, 20, 0, type_=OrderType.STOP, stop=100)
    row = floor.order(3, BERT, Side.BUY, 15, 100)
    assert (row.entry_trades, row.entry_filled_t, row.entry_status) == (1, 10, Status.OPEN)
    assert (row.filled_t, row.status) == (15, Status.FILLED)
    assert floor.row(2).reason == Reason.UNFILLED


def test_an_amend_and_a_self_trade_change_what_is_left(recorder: type[Recorder]) -> None:
    floor = Floor(recorder)
    floor.order(1, ANNA, Side.SELL, 30, 100)
    floor.send(records.amend(order_id(1), ANNA, 20, 105))
    assert (floor.row(1).quantity_t, floor.row(1).price_fen, floor.row(1).left_t) == (20, 105, 20)
    row = floor.order(2, ANNA, Side.BUY, 8, 105, stp=SelfTrade.DECREMENT)
    assert (row.status, row.reason, row.left_t) == (Status.CANCELLED, Reason.SELF_TRADE, 8)
    assert floor.row(1).left_t == 12


def test_in_an_auction_both_sides_get_their_fill(recorder: type[Recorder]) -> None:
    floor = Floor(recorder)
    floor.send(records.set_phase(SPOT, Phase.AUCTION))
    floor.order(1, ANNA, Side.SELL, 30, 95)
    floor.order(2, BERT, Side.BUY, 50, 105)
    floor.history.watching = True
    floor.send(records.uncross(SPOT))
    (trade,) = floor.history.trades_after(0, 10)
    assert trade.is_auction
    assert (floor.row(1).status, floor.row(2).left_t) == (Status.FILLED, 20)
    assert floor.row(2).entry_trades == 0
    (change,) = floor.history.take_changes()
    assert set(change.touched) == {(Side.SELL, 95), (Side.BUY, 105)}
    assert change.trades == [trade]


def test_an_id_that_was_forgotten_and_used_again_is_the_newer_order(recorder: type[Recorder]) -> None:
    floor = Floor(recorder)
    floor.order(1, ANNA, Side.SELL, 10, 100)
    floor.send(records.cancel(order_id(1), ANNA), *[records.day_end(0)] * 2)
    row = floor.order(1, BERT, Side.BUY, 7, 90)
    assert (row.number, row.participant) == (2, BERT)
    (older,), more = floor.history.orders_of(ANNA, 0, 10)
    assert (older.number, older.status, more) == (1, Status.CANCELLED, None)


def test_changes_name_the_levels_that_were_touched_once_each(recorder: type[Recorder]) -> None:
    floor = Floor(recorder)
    floor.order(1, ANNA, Side.SELL, 30, 100)
    assert floor.history.take_changes() == []
    floor.history.watching = True
    floor.order(2, ANNA, Side.SELL, 30, 101)
    floor.send(records.amend(order_id(1), ANNA, 30, 99))
    floor.order(3, BERT, Side.BUY, 10, 99)
    (change,) = floor.history.take_changes()
    assert change.instrument == SPOT
    assert change.touched == [(Side.SELL, 101), (Side.SELL, 100), (Side.SELL, 99)]
    assert [trade.number for trade in change.trades] == [1]
    assert floor.history.take_changes() == []
    floor.history.watching = False
    floor.send(records.cancel(order_id(2), ANNA))
    floor.history.watching = True
    assert floor.history.take_changes() == []


# --- laws ---


@pytest.mark.parametrize("seed", range(8))
def test_every_order_is_what_the_engine_says_of_it(recorder: type[Recorder], seed: int) -> None:
    rng = random.Random(seed)
    engine, history = Engine(), History(recorder=recorder)
    run = opening(rng) + Stream(rng).run(600)
    batches = with_collectors(engine, run, 20)
    for batch in batches:
        history.take(batch)
    seen = set()
    for report in reversed(told(batches, ReportKind.ACCEPTED)):
        view, row = engine.order(report.id), history.order(report.id)
        if view is None or report.id in seen:
            continue
        seen.add(report.id)
        assert row is not None
        assert row[2:5] == (view.participant, view.instrument, view.side)
        assert (row.status, row.reason, row.quantity_t) == (view.status, view.reason, view.quantity)
        assert row.filled_t == view.filled
        assert view.price in (0, row.price_fen)
    for number in range(1, engine.counters()["instruments"] + 1):
        last = [trade for trade in told(batches, ReportKind.TRADE) if trade.instrument == number]
        assert history.last_price(number) == (last[-1].price if last else 0)
    assert sum(history.open_orders(who) for who in range(1, 9)) == engine.counters()["open_orders"]


@pytest.mark.parametrize("seed", range(8))
def test_what_duplicate_says_of_an_order_s_entry_is_in_its_row(recorder: type[Recorder], seed: int) -> None:
    batches = batches_of(seed, 1_500)
    history = History(recorder=recorder)
    entries = 0
    for batch in batches:
        history.take(batch)
        for sequence, group in groupby(reports_of(batch), key=lambda report: report.sequence):
            (*_, report) = group
            row = history.order(report.id)
            if report.kind == ReportKind.DUPLICATE and row is not None:
                entries += 1
                assert (row.entry_status, row.entry_reason) == (report.type, report.code), sequence
                assert row.entry_filled_t == report.a
    assert entries > 10


@pytest.mark.parametrize("seed", range(4))
def test_lists_are_the_tape_s_own_rows_in_order_from_any_place(recorder: type[Recorder], seed: int) -> None:
    history = History(recorder=recorder)
    for batch in batches_of(seed, 2_500, at_once=200):
        history.take(batch)
    everything = history.trades_after(0, 10**9)
    assert [trade.number for trade in everything] == list(range(1, history.trades + 1))
    assert history.trades > 130
    rng = random.Random(seed)
    for _ in range(200):
        after, limit = rng.randint(-1, history.trades + 3), rng.choice((0, 1, 7, 64, 65, 1_000))
        who, what = rng.choice((0, 1, 2, 3, 77)), rng.choice((0, 1, 2, 9))
        expected = [
            trade
            for trade in everything
            if trade.number > after and what in (0, trade.instrument) and who in (0, trade.taker, trade.maker)
        ][:limit]
        assert history.trades_after(after, limit, what, who) == expected
    assert history.trade(everything[5].number) == everything[5]


@pytest.mark.parametrize("seed", range(4))
def test_orders_of_a_participant_come_page_by_page(recorder: type[Recorder], seed: int) -> None:
    history = History(recorder=recorder)
    for batch in batches_of(seed, 2_500, at_once=100):
        history.take(batch)
    count = 0
    for who in range(1, 9):
        everything = paged(history, who, only_open=False)
        assert [row.number for row in everything] == sorted({row.number for row in everything})
        assert all(row.participant == who for row in everything)
        count += len(everything)
        standing = [row for row in everything if row.status in (Status.OPEN, Status.PARKED)]
        assert paged(history, who, only_open=True) == standing
        assert len(standing) == history.open_orders(who)
    assert count == history.orders


def paged(history: History, who: int, *, only_open: bool) -> list[OrderRow]:
    """Return all of a participant's orders, 37 at a time."""
    rows: list[OrderRow] = []
    after: int | None = 0
    while after is not None:
        page, after = history.orders_of(who, after, 37, only_open=only_open)
        assert after is None or len(page) == 37
        rows += page
    return rows


# --- refusals ---


def test_there_is_no_trade_of_another_number(recorder: type[Recorder]) -> None:
    history = History(recorder=recorder)
    for number in (0, 1, -1):
        with pytest.raises(IndexError):
            history.trade(number)


def test_nothing_is_found_in_an_empty_history(recorder: type[Recorder]) -> None:
    history = History(recorder=recorder)
    assert history.order(order_id(1)) is None
    assert history.order(b"short") is None
    assert history.trades_after(0, 10) == history.trades_after(0, 10, instrument=1) == []
    assert history.orders_of(1, 0, 10) == ([], None)
    assert (history.open_orders(1), history.last_price(1), history.orders, history.trades) == (0, 0, 0, 0)
