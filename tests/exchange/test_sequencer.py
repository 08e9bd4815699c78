"""The sequencer: durable before it answers, the same after every restart."""

from __future__ import annotations

import asyncio
import errno
import os
from uuid import UUID

import pytest

from chain.refusals import Refusal
from exchange import journal as journal_module
from exchange.commands import CASH, CancelOrder, ChainCursor, Command, OrderKind, PlaceOrder, Side
from exchange.recompute import rebuild
from exchange.records import RecordMalformed
from exchange.refusals import InsufficientCash, JournalUnavailable
from exchange.state import state_hash
from tests.exchange.conftest import Exchange
from tests.exchange.world import ACCOUNTS, ANNA, BERT, UNIT


def orders(count: int, first: int = 1) -> list[Command]:
    return [
        PlaceOrder(
            UUID(int=number).bytes,
            ACCOUNTS[number % 4],
            UNIT,
            Side(number // 4 % 2 + 1),
            OrderKind.LIMIT,
            1 + number % 3,
            95 + number % 7,
            number,
        )
        for number in range(first, first + count)
    ]


async def test_a_restart_gives_the_same_state(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await running.sequencer.submit(orders(200))
        before = state_hash(running.sequencer.state)
        assert running.sequencer.state.trades
    async with exchange.running() as restarted:
        assert state_hash(restarted.sequencer.state) == before
    assert state_hash(rebuild(exchange.path)) == before


async def test_a_retry_after_a_restart_is_answered_as_the_first_time(exchange: Exchange) -> None:
    sent = orders(60)
    async with exchange.funded() as running:
        first = await running.sequencer.submit(sent)
    async with exchange.running() as restarted:
        before = state_hash(restarted.sequencer.state)
        assert await restarted.sequencer.submit(sent) == first
        assert state_hash(restarted.sequencer.state) == before
        assert len(restarted.sequencer.views.orders_of[ANNA]) == 15


async def test_many_senders_share_one_write(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        frames = running.sequencer.journal.frames
        answers = await asyncio.gather(*(running.sequencer.submit([order]) for order in orders(50)))
        assert all(isinstance(outcome, list) for (outcome,) in answers)
        assert running.sequencer.journal.frames - frames <= 2


async def test_a_refused_command_is_answered_and_the_others_are_done(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        dear = PlaceOrder(UUID(int=9).bytes, ANNA, UNIT, Side.BUY, OrderKind.LIMIT, 1, 1_000_001, 1)
        outcomes = await running.sequencer.submit([dear, *orders(1, first=20)])
        assert isinstance(outcomes[0], InsufficientCash)
        assert outcomes[0].facts == {"available_fen": 1_000_000, "needed_fen": 1_000_001}
        assert not isinstance(outcomes[1], Refusal)


async def test_nothing_is_acknowledged_that_is_not_durable(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exchange.funded() as running:
        before = state_hash(running.sequencer.state)

        def fail(_descriptor: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(journal_module.os, "fdatasync", fail)
            answers = await asyncio.gather(
                *(running.sequencer.submit([order]) for order in orders(5)), return_exceptions=True
            )
        assert all(isinstance(answer, JournalUnavailable) for answer in answers)
        with pytest.raises(JournalUnavailable):
            await running.sequencer.submit(orders(1))
        assert state_hash(running.sequencer.state) == before


async def test_a_number_that_fits_no_record_troubles_nobody_else(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        bad = running.sequencer.submit([ChainCursor(-1)])
        good = running.sequencer.submit(orders(1))
        answers = await asyncio.gather(bad, good, return_exceptions=True)
        assert isinstance(answers[0], RecordMalformed)
        assert isinstance(answers[1], list)


async def test_changes_name_the_levels_that_moved_and_a_retry_changes_nothing(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        seen = []
        running.sequencer.on_changes = seen.extend
        sell = PlaceOrder(UUID(int=1).bytes, ANNA, UNIT, Side.SELL, OrderKind.LIMIT, 10, 100, 1)
        buy = PlaceOrder(UUID(int=2).bytes, BERT, UNIT, Side.BUY, OrderKind.LIMIT, 4, 101, 1)
        for command in (sell, buy, buy, CancelOrder(UUID(int=1).bytes, ANNA, 2)):
            await running.sequencer.submit([command])
            await asyncio.sleep(0)
        assert [(each.sequence, each.bids, each.asks) for each in seen] == [
            (1, [], [(100, 10)]),
            (2, [(101, 0)], [(100, 6)]),
            (3, [], [(100, 0)]),
        ]
        assert [trade.quantity_t for each in seen for trade in each.trades] == [4]


async def test_time_never_runs_backwards_over_a_restart(exchange: Exchange) -> None:
    late_us = 5_000_000_000_000_000
    async with exchange.funded() as running:
        order = PlaceOrder(UUID(int=1).bytes, ANNA, UNIT, Side.SELL, OrderKind.LIMIT, 1, 100, late_us)
        await running.do(order)
    async with exchange.running() as restarted:
        assert restarted.sequencer.now_us() >= late_us
        assert restarted.sequencer.state.ledger.available(ANNA, CASH) == 1_000_000
