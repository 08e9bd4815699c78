"""The streams that the benchmark sends: the same from the same seed, and of the shape they say."""

from __future__ import annotations

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.bench.flows import CANCEL, CHANGE, MESSAGE_BYTES, MIDDLE, NEW, SHAPES, flow, pack
from exchange.bench.market import COMPLIANCE_ENTITIES, Size, batches, commands, opening, resting
from exchange.core import Engine
from exchange.core.records import COMMAND_BYTES, reports_of

shapes = st.sampled_from(sorted(SHAPES))


@given(shape=shapes, seed=st.integers(0, 2**32), count=st.integers(1, 300))
def test_a_seed_gives_the_same_messages_and_another_seed_others(shape: str, seed: int, count: int) -> None:
    messages = list(flow(shape, count, seed))
    assert messages == list(flow(shape, count, seed))
    assert len(messages) == count
    assert len(pack(messages)) == count * MESSAGE_BYTES
    if count > 20:
        assert messages != list(flow(shape, count, seed + 1))


@given(shape=shapes, seed=st.integers(0, 2**32))
def test_orders_are_numbered_as_they_come_and_only_known_ones_are_cancelled(shape: str, seed: int) -> None:
    entered, cancelled = 0, set()
    for kind, _, number, price, quantity in flow(shape, 300, seed):
        if kind == NEW:
            entered += 1
            assert number == entered
        assert 1 <= number <= entered
        assert number not in cancelled
        if kind == CANCEL:
            cancelled.add(number)
        else:
            assert kind in (NEW, CHANGE)
            assert price >= 1
            assert 1 <= quantity <= 100


def test_the_middle_moves_as_the_shape_says() -> None:
    def middles(shape: str) -> list[float]:
        prices = [price for kind, _, _, price, _ in flow(shape, 20_000, 1) if kind == NEW]
        return [mean(prices[at : at + 200]) for at in range(0, len(prices) - 200, 200)]

    assert all(abs(middle - MIDDLE) < 50 for middle in middles("static"))
    assert 0.23 < max(middles("swing-25")) / MIDDLE - 1 < 0.27
    assert 0.37 < 1 - min(middles("swing-40")) / MIDDLE < 0.43
    crash = middles("flash-crash")
    assert 0.5 < 1 - min(crash) / MIDDLE < 0.62
    assert abs(crash[-1] / MIDDLE - 1) < 0.02


def test_a_shape_that_is_unknown_is_refused() -> None:
    with pytest.raises(KeyError):
        next(flow("sideways", 1, 1))


def test_everyone_is_registered_and_has_plenty() -> None:
    engine = Engine()
    reports = list(reports_of(engine.apply(opening(Size()))))
    assert engine.counters()["participants"] == COMPLIANCE_ENTITIES + 1
    assert not [report for report in reports if report.kind == 10], "a command of the opening was rejected"


def test_orders_that_should_stay_do_stay() -> None:
    size = Size(participants=7, instruments=3)
    engine = Engine()
    engine.apply(opening(size))
    engine.apply(b"".join(resting(500, size, 1, levels=40)))
    assert engine.counters()["open_orders"] == 500
    assert engine.counters()["trades"] == 0
    engine.check()


def test_batches_are_the_run_in_pieces() -> None:
    run = commands(flow("normal", 100, 1), Size(participants=3), 1)
    pieces = batches(run, at_once=32)
    assert b"".join(pieces) == run
    assert [len(piece) // COMMAND_BYTES for piece in pieces] == [32, 32, 32, 4]
