"""A history without rows: the roots and deltas of one with rows, or a refusal."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.bench.flows import flow
from exchange.bench.market import Size, commands, opening
from exchange.core import Engine, records
from exchange.core.codes import ReportKind
from exchange.core.records import REPORT_BYTES, reports_of
from exchange.history.history import History
from exchange.history.recorder import Recorder
from exchange.history.refusals import CollectorChanged, RowsNotKept
from exchange.history.tally import KINDS, CompiledTally, ReferenceTally, Tally, TallyRecorder
from exchange.tape import EMPTY_ROOT

SIZE = Size(participants=7, instruments=3)
TALLIES = [ReferenceTally, CompiledTally]


def only(reports: bytes) -> bytes:
    """Leave out what a tally does not need."""
    pieces = (reports[at : at + REPORT_BYTES] for at in range(0, len(reports), REPORT_BYTES))
    return b"".join(each for each in pieces if each[0] in KINDS)


def reports_with_epochs(seed: int, epochs: list[int]) -> bytes:
    """Return the reports of a stream that closes an epoch after so many commands each."""
    engine, found = Engine(), b""
    found += engine.apply(opening(SIZE))
    run = commands(flow("normal", sum(epochs) + 100, seed), SIZE, seed)
    for number in [*epochs, 100]:
        found += engine.apply(run[: 64 * number])
        run = run[64 * number :]
        if run:
            found += engine.apply(records.close_epoch(engine.counters()["open_epoch"], 0))
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), epochs=st.lists(st.integers(0, 2_500), max_size=4))
def test_roots_and_deltas_are_those_of_the_rows(seed: int, epochs: list[int]) -> None:
    reports, draw = reports_with_epochs(seed, epochs), Random(seed)
    rows = History()
    rows.take(reports)
    closed = [each for each in reports_of(reports) if each.kind == ReportKind.EPOCH_CLOSED]
    light, kept = History(recorder=TallyRecorder), only(reports)
    tallies: list[Tally] = [ReferenceTally(), CompiledTally()]
    found: list[list[tuple[object, ...]]] = [[], []]
    while kept:
        end = draw.choice((1, 7, 300)) * REPORT_BYTES
        light.take(kept[:end])
        for number, tally in enumerate(tallies):
            found[number] += tally.take(kept[:end])
        kept = kept[end:]
    assert found[0] == found[1]
    assert light.trades == rows.trades == tallies[0].trades == tallies[1].trades
    for each in closed:
        assert light.root(each.left, each.quantity) == rows.root(each.left, each.quantity)
        assert light.net(each.left, each.quantity) == rows.net(each.left, each.quantity)
    first = closed[-1].left + closed[-1].quantity if closed else 1
    left = rows.trades + 1 - first
    assert light.root(first, left) == rows.root(first, left) == tallies[0].root() == tallies[1].root()
    assert light.net(1, rows.trades) == rows.net(1, rows.trades)


@pytest.mark.parametrize("fast", [True, False])
def test_the_processors_own_instructions_change_nothing(fast: bool) -> None:
    if not CompiledTally.is_compiled:
        pytest.skip("the compiled tally was not built: no C compiler")
    reports = only(reports_with_epochs(5, [2_000]))
    tally = CompiledTally(fast)
    assert tally.take(reports) == ReferenceTally().take(reports)


@pytest.mark.parametrize("make", TALLIES)
def test_before_the_first_trade_the_root_is_that_of_no_leaves(make: type[Tally]) -> None:
    assert make().root() == EMPTY_ROOT
    assert make().net() == []


@pytest.mark.parametrize("make", TALLIES)
def test_another_collector_is_refused_and_none_or_the_same_is_not(make: type[Tally]) -> None:
    engine, tally = Engine(), make()
    run = [opening(SIZE)]
    run.append(records.set_rules(1))
    run.append(records.set_rules(1, maker_ppm=1, taker_ppm=2, fee_participant=8))
    for each in run:
        tally.take(only(engine.apply(each)))
    other = engine.apply(records.set_rules(1, maker_ppm=1, taker_ppm=2, fee_participant=3))
    with pytest.raises(CollectorChanged):
        tally.take(other)


def test_rows_and_parts_of_epochs_are_refused() -> None:
    history = History(recorder=TallyRecorder)
    history.take(only(reports_with_epochs(3, [1_000])))
    for ask in (
        lambda: history.trade(1),
        lambda: history.order(bytes(16)),
        lambda: history.trades_after(0, 3, participant=1),
        lambda: history.orders_of(1, 0, 3),
        lambda: history.open_orders(1),
        lambda: history.last_price(1),
        lambda: history.net(2, 3),
        lambda: history.root(1, 3),
        lambda: history.seed([], [], []),
    ):
        with pytest.raises(RowsNotKept):
            ask()


def test_it_is_a_recorder() -> None:
    kept: type[Recorder] = TallyRecorder
    assert History(recorder=kept).trades == 0
