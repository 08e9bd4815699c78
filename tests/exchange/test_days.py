"""Days end at midnight in Shanghai, once each, also those that ended while the exchange was away."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.core import records
from exchange.core.codes import Reject, ReportKind, Side, Status, TimeInForce
from exchange.core.records import reports_of
from exchange.days import DAY_US, end_day, midnight_us
from tests.exchange.conftest import Exchange, Running
from tests.exchange.world import ANNA, BERT, order_id

SHANGHAI = timezone(timedelta(hours=8))


def at_us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()) * 1_000_000


def test_midnight_is_shanghais() -> None:
    assert midnight_us(at_us("2027-03-02T09:30:00")) == at_us("2027-03-02T00:00:00")
    assert midnight_us(at_us("2027-03-02T00:00:00")) == at_us("2027-03-02T00:00:00")
    assert midnight_us(at_us("2027-03-01T23:59:59")) == at_us("2027-03-01T00:00:00")


@given(st.integers(0, 2**62))
def test_midnight_is_never_ahead_and_never_a_day_behind(now_us: int) -> None:
    assert 0 <= now_us - midnight_us(now_us) < DAY_US


async def at(running: Running, now_us: int) -> int:
    """Let it be so late and end the day if it is over; return the day's number."""
    running.sequencer._clock = lambda: now_us
    await end_day(running.sequencer)
    return running.venue.engine.counters()["day"]


async def test_a_day_ends_once_and_one_that_was_slept_through_at_the_next_start(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        first = await at(running, at_us("2027-03-02T09:00:00"))
        assert await at(running, at_us("2027-03-02T23:59:59")) == first
        assert await at(running, at_us("2027-03-03T00:00:00")) == first + 1
        assert await at(running, at_us("2027-03-03T00:00:30")) == first + 1
    async with exchange.running() as restarted:
        assert await at(restarted, at_us("2027-03-03T12:00:00")) == first + 1
        assert await at(restarted, at_us("2027-03-09T08:00:00")) == first + 2


async def test_an_order_for_the_day_goes_with_it(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await at(running, at_us("2027-03-02T09:00:00"))
        await running.do(
            records.new_order(
                order_id(1), running.venue.participant(ANNA), 1, Side.SELL, 5, 100, tif=TimeInForce.DAY
            )
        )
        await at(running, at_us("2027-03-03T00:00:01"))
        row = running.venue.history.order(order_id(1))
        assert row is not None
        assert row.status == Status.EXPIRED


@pytest.mark.parametrize(("midnight_passed", "expected"), [(False, Reject.INSUFFICIENT_UNITS), (True, None)])
async def test_what_was_bought_today_is_sold_tomorrow(
    exchange: Exchange, midnight_passed: bool, expected: Reject | None
) -> None:
    async with exchange.funded() as running:
        await at(running, at_us("2027-03-02T09:00:00"))
        await running.do(records.set_rules(1, no_same_day_resale=True))
        await running.trade(10, ANNA, BERT)
        if midnight_passed:
            await at(running, at_us("2027-03-03T00:00:01"))
        run = records.new_order(order_id(9), running.venue.participant(BERT), 1, Side.SELL, 1_001, 100)
        first = next(reports_of(await running.sequencer.submit(run)))
        assert (first.code if first.kind == ReportKind.REJECTED else None) == expected
