"""The sequencer: durable before it answers, the same after every restart."""

from __future__ import annotations

import asyncio
import errno
import os
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import disk as disk_module
from exchange.core import records
from exchange.core.codes import Reject, ReportKind, Side
from exchange.core.records import reports_of
from exchange.recompute import rebuild
from exchange.refusals import InvariantBroken, JournalUnavailable
from exchange.venue import Venue
from tests.exchange.conftest import Exchange
from tests.exchange.world import ACCOUNTS, ANNA, BERT, order, order_id


def orders(venue: Venue, count: int, first: int = 1) -> list[bytes]:
    return [
        order(
            venue,
            order_id(number),
            ACCOUNTS[number % 4],
            Side(number // 4 % 2 + 1),
            1 + number % 3,
            95 + number % 7,
            number,
        )
        for number in range(first, first + count)
    ]


async def test_a_restart_gives_the_same_state(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await running.do(b"".join(orders(running.venue, 200)))
        before = running.venue.state_hash()
        assert running.venue.history.trades
    async with exchange.running(saved=True) as restarted:
        assert restarted.venue.state_hash() == before
        assert restarted.opened.replayed == restarted.sequencer.commands
    async with exchange.running() as again:
        assert again.venue.state_hash() == before
        assert again.opened.replayed == 0, "the snapshot has it all"
    assert rebuild(exchange.journal).state_hash() == before


async def test_a_retry_after_a_restart_tells_what_the_first_did_and_changes_nothing(
    exchange: Exchange,
) -> None:
    async with exchange.funded() as running:
        sent = orders(running.venue, 60)
        first = [next(reports_of(await running.sequencer.submit(each))) for each in sent]
        assert {report.kind for report in first} == {ReportKind.ACCEPTED}
        before = running.venue.engine.counters()["orders"], list(running.venue.balances())
    async with exchange.running() as restarted:
        again = [next(reports_of(await restarted.sequencer.submit(each))) for each in sent]
        assert {report.kind for report in again} == {ReportKind.DUPLICATE}
        assert [(each.id, each.quantity, each.price) for each in again] == [
            (each.id, each.quantity, each.price) for each in first
        ]
        assert (restarted.venue.engine.counters()["orders"], list(restarted.venue.balances())) == before
        rows, _ = restarted.venue.history.orders_of(restarted.venue.participant(ANNA), 0, 100)
        assert len(rows) == 15


async def test_many_senders_share_one_write(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        frames = running.sequencer.journal.frames
        answers = await asyncio.gather(
            *(running.sequencer.submit(each) for each in orders(running.venue, 50))
        )
        assert all(answers)
        assert running.sequencer.journal.frames - frames <= 2


async def test_a_rejected_command_is_answered_and_the_others_are_done(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        dear = order(running.venue, order_id(9), ANNA, Side.BUY, 1, 1_000_001)
        reports = list(reports_of(await running.sequencer.submit(dear + orders(running.venue, 1, 20)[0])))
        assert (reports[0].code, reports[0].a, reports[0].b) == (
            Reject.INSUFFICIENT_CASH,
            1_000_000,
            1_000_001,
        )
        assert reports[1].kind == ReportKind.ACCEPTED


async def test_nothing_is_acknowledged_or_shown_that_is_not_durable(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exchange.funded() as running:
        before = running.venue.state_hash()
        trades = running.venue.history.trades

        def fail(_descriptor: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(disk_module.os, "fdatasync", fail)
            answers = await asyncio.gather(
                *(running.sequencer.submit(each) for each in orders(running.venue, 50)),
                running.sequencer.read(lambda venue: venue.history.trades),
                return_exceptions=True,
            )
        assert all(isinstance(answer, JournalUnavailable) for answer in answers[:50])
        assert answers[50] == trades, "who looked before the write began saw what was before"
        for ask in (
            running.sequencer.submit(orders(running.venue, 1)[0]),
            running.sequencer.read(lambda venue: venue.history.trades),
        ):
            with pytest.raises(JournalUnavailable):
                await ask
        assert running.venue.history.trades == trades
    # What the disk holds of the write that failed is whole here: a retry would find it done.
    async with exchange.running() as restarted:
        assert restarted.venue.state_hash() != before
        assert restarted.venue.engine.counters()["orders"] == 50


async def test_a_reader_sees_only_what_is_durable(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        durable = running.venue.engine.counters()["orders"]
        writing = asyncio.create_task(running.sequencer.submit(orders(running.venue, 1)[0]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert running.venue.engine.counters()["orders"] == durable + 1, "the engine is ahead of the disk"
        seen = await running.sequencer.read(lambda venue: venue.engine.counters()["orders"])
        assert writing.done()
        assert seen == durable + 1
        with pytest.raises(ZeroDivisionError):
            await running.sequencer.read(lambda _: 1 // 0)


async def test_a_composed_run_sees_all_that_came_before_it(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        sent = orders(running.venue, 30)
        seen: list[int] = []

        def make(venue: Venue) -> bytes:
            seen.append(venue.engine.counters()["orders"])
            return records.advance(1)

        answers = await asyncio.gather(
            running.sequencer.submit(b"".join(sent[:20])),
            running.sequencer.compose(make),
            running.sequencer.submit(b"".join(sent[20:])),
        )
        assert seen == [20]
        assert [next(reports_of(answers[1].reports)).kind] == [ReportKind.ADVANCED]


async def test_an_unknown_account_is_registered_once(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        known = running.venue.participant(BERT)
        new = b"N" * 20
        numbers = await asyncio.gather(*(running.sequencer.participants_of([BERT, new]) for _ in range(5)))
        assert numbers == [[known, len(ACCOUNTS) + 1]] * 5
        assert running.venue.account(len(ACCOUNTS) + 1) == new


@pytest.mark.parametrize("size", [0, 1, 63, 65, 2**20 + 64])
async def test_what_is_no_run_is_not_taken(exchange: Exchange, size: int) -> None:
    async with exchange.funded() as running:
        with pytest.raises(ValueError, match=f"{size} bytes are no run"):
            await running.sequencer.submit(bytes(size))


async def test_a_broken_invariant_stops_everything_and_is_found_again_at_the_next_start(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_venue: Venue) -> None:
        raise AssertionError("a book is crossed")

    async with exchange.funded() as running:
        with monkeypatch.context() as patch:
            patch.setattr(type(running.venue.custody), "take_report", lambda *_: broken(running.venue))
            with pytest.raises(InvariantBroken) as refusal:
                await running.sequencer.submit(records.register(b"N" * 20))
        assert refusal.value.facts == {"reason": "a book is crossed"}
        with pytest.raises(InvariantBroken):
            await running.sequencer.submit(records.register(b"M" * 20))
    monkeypatch.setattr(Venue, "check", broken)
    with pytest.raises(InvariantBroken):
        async with exchange.running():
            raise AssertionError("it started")


async def test_time_never_runs_backwards_over_a_restart(exchange: Exchange) -> None:
    late_us = 5_000_000_000_000_000
    async with exchange.funded() as running:
        await running.do(order(running.venue, order_id(1), ANNA, Side.SELL, 1, 100, late_us))
    async with exchange.running() as restarted:
        assert restarted.sequencer.now_us() >= late_us


async def test_changes_name_what_moved_while_somebody_watches_and_a_retry_changes_nothing(
    exchange: Exchange,
) -> None:
    async with exchange.funded() as running:
        seen = []
        running.sequencer.on_changes = seen.extend
        sell = order(running.venue, order_id(1), ANNA, Side.SELL, 10, 100)
        buy = order(running.venue, order_id(2), BERT, Side.BUY, 4, 101)
        await running.do(order(running.venue, order_id(3), BERT, Side.BUY, 4, 90))
        assert seen == []
        running.venue.history.watching = True
        for run in (sell, buy, buy, records.cancel(order_id(1), running.venue.participant(ANNA))):
            await running.do(run)
        assert [sorted(each.touched) for each in seen if each.touched] == [
            [(Side.SELL, 100)],
            [(Side.SELL, 100)],
            [(Side.SELL, 100)],
        ]
        assert [trade.quantity_t for each in seen for trade in each.trades] == [4]


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 199), max_size=6), save_at=st.integers(0, 7))
def test_however_it_is_cut_and_restarted_the_state_is_that_of_one_run(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], save_at: int
) -> None:
    async def run() -> None:
        exchange = Exchange(tmp_path_factory.mktemp("cut"))
        async with exchange.funded() as running:
            sent = orders(running.venue, 200)
        places = [0, *sorted(set(cuts)), 200]
        for number, (begin, end) in enumerate(pairwise(places)):
            async with exchange.running(saved=number == save_at) as running:
                for each in sent[begin:end]:
                    await running.do(each)
                last = running.venue.state_hash(), _tape(running.venue), _rows(running.venue)
        assert None not in last[2]
        whole = rebuild(exchange.journal, rows=True)
        assert (whole.state_hash(), _tape(whole), _rows(whole)) == last

    asyncio.run(run())


def _tape(venue: Venue) -> list[tuple[bytes, bytes, int, int]]:
    return [
        (each.maker_order, each.taker_order, each.price_fen, each.quantity_t)
        for each in venue.history.trades_after(0, 1_000)
    ]


def _rows(venue: Venue) -> list[object]:
    return [venue.history.order(order_id(number)) for number in range(1, 201)]
