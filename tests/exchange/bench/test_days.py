"""Trading days for the benchmark: every one does the same, with other ids and later."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.bench.days import BLOCKS_A_DAY, BLOCKS_MAX, Days
from exchange.bench.durable import _quantile, _schedule
from exchange.core import Engine
from exchange.core.codes import Reject, ReportKind
from exchange.core.records import COMMAND, COMMAND_BYTES, reports_of

DAYS = Days.of(300, 9, 1)


def test_every_day_trades_the_same_and_begins_with_an_empty_book() -> None:
    engine, trades = Engine(), []
    engine.apply(DAYS.opening)
    for day in range(3):
        before = engine.counters()["trades"]
        for block in DAYS.blocks(day):
            engine.apply(block)
        trades.append(engine.counters()["trades"] - before)
        engine.apply(DAYS.end(day))
        assert engine.counters()["open_orders"] == 0
        engine.check()
    assert trades[0] > 10
    assert len(set(trades)) == 1
    assert engine.counters()["open_epoch"] == 4
    assert engine.counters()["day"] == 4


def test_nothing_is_rejected_but_what_names_an_order_that_is_done() -> None:
    engine = Engine()
    codes = {
        report.code
        for run in DAYS.runs(2, 100)
        for report in reports_of(engine.apply(run))
        if report.kind == ReportKind.REJECTED
    }
    assert codes == {Reject.ORDER_NOT_OPEN}


def test_time_goes_on_and_no_id_comes_twice() -> None:
    commands = [each for run in DAYS.runs(3, 50) for each in COMMAND.iter_unpack(run)]
    traded = commands[len(DAYS.opening) // COMMAND_BYTES :]
    times = [fields[12] for fields in traded]
    assert times == sorted(times)
    names = [fields[9] for fields in traded if fields[0] == 13]
    assert len(set(names)) == len(names)
    assert len(traded) == 3 * DAYS.commands_a_day


def test_without_epochs_only_they_are_missing() -> None:
    whole = b"".join(DAYS.runs(2, 64))[len(DAYS.opening) :]
    without = b"".join(DAYS.trading(2, 64))
    assert len(whole) - len(without) == 2 * COMMAND_BYTES


def test_a_day_beyond_the_last_is_refused() -> None:
    with pytest.raises(ValueError, match="is none of"):
        list(DAYS.blocks(BLOCKS_MAX // BLOCKS_A_DAY))


@settings(max_examples=30)
@given(count=st.integers(1, 2_000), seed=st.integers(0, 2**32))
def test_a_schedule_offers_everything_once_and_in_order(count: int, seed: int) -> None:
    schedule = _schedule(count, random.Random(seed))
    assert schedule[0][1] == 0
    assert schedule[-1][2] == count * COMMAND_BYTES
    for before, after in pairwise(schedule):
        assert before[2] == after[1]
        assert before[0] <= after[0]


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [_quantile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 3.0, 5.0, 5.0]
