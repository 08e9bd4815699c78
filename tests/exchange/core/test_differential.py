"""Two implementations, one behaviour: reports, snapshots and hashes are the same bytes, whatever comes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.core import ReferenceEngine, records
from exchange.core.api import Engine
from exchange.core.codes import CARRIED_FIRST, Reject, ReportKind, Side
from exchange.core.records import COMMAND_BYTES, REPORT_BYTES, reports_of
from tests.exchange.core.conftest import CompiledEngine, needs_compiled
from tests.exchange.core.streams import (
    Stream,
    batches,
    command_kinds,
    mutated,
    opening,
    order_id,
    transfer_id,
)

pytestmark = needs_compiled


def compare(rng: random.Random, run: bytes) -> list[bytes]:
    """Feed both; compare everything after every batch; now and then go on from a snapshot."""
    reference: Engine = ReferenceEngine()
    compiled: Engine = CompiledEngine()
    said = []
    for number, batch in enumerate(batches(rng, run, rng.choice((1, 5, 40)))):
        expected, got = reference.apply(batch), compiled.apply(batch)
        if expected != got:
            pairs = zip(reports_of(expected), reports_of(got), strict=False)
            assert next((pair for pair in pairs if pair[0] != pair[1]), "one says more") is None
        said.append(expected)
        reference.check()
        compiled.check()
        snapshot = reference.snapshot()
        assert snapshot == compiled.snapshot()
        assert reference.state_hash() == compiled.state_hash()
        if number % 7 == 0:
            reference, compiled = type(reference).load(snapshot), type(compiled).load(snapshot)
            assert reference.snapshot() == snapshot == compiled.snapshot()
    return said


@pytest.mark.parametrize("seed", range(30))
def test_both_say_the_same_of_a_random_stream(seed: int) -> None:
    rng = random.Random(seed)
    run = opening(rng) + mutated(rng, Stream(rng, wild=0.04 * (seed % 4)).run(300), 0.05 * (seed % 3))
    compare(rng, run)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**64 - 1),
    wild=st.sampled_from([0.0, 0.02, 0.2]),
    rate=st.sampled_from([0.0, 0.1, 0.9]),
    commands=st.integers(0, 150),
)
def test_both_say_the_same_of_what_hypothesis_finds(
    seed: int, wild: float, rate: float, commands: int
) -> None:
    rng = random.Random(seed)
    compare(rng, opening(rng) + mutated(rng, Stream(rng, wild=wild).run(commands), rate))


@given(run=st.lists(st.binary(min_size=64, max_size=64), max_size=20))
def test_both_say_the_same_of_any_bytes(run: list[bytes]) -> None:
    assert ReferenceEngine().apply(b"".join(run)) == CompiledEngine().apply(b"".join(run))


def test_how_a_run_is_cut_changes_nothing() -> None:
    rng = random.Random(77)
    run = opening(rng) + Stream(rng).run(800)
    whole = CompiledEngine()
    one_by_one = CompiledEngine()
    reports = whole.apply(run)
    assert reports == b"".join(one_by_one.apply(run[at : at + 64]) for at in range(0, len(run), 64))
    unreported = CompiledEngine()
    assert unreported.apply_unreported(run) == len(reports) // REPORT_BYTES
    assert whole.state_hash() == one_by_one.state_hash() == unreported.state_hash()


@given(seed=st.integers(0, 2**32), kinds=st.integers(0, 2**27 - 1), cut=st.integers(1, 900))
@settings(max_examples=25, deadline=None)
def test_reports_of_some_kinds_are_those_of_all_without_the_others(seed: int, kinds: int, cut: int) -> None:
    rng = random.Random(seed)
    run = opening(rng) + mutated(rng, Stream(rng, wild=0.04).run(700), 0.03)
    for make in (ReferenceEngine, CompiledEngine):
        whole, only = make(), make()
        found = b""
        for at in range(0, len(run), cut * COMMAND_BYTES):
            found += only.apply_only(run[at : at + cut * COMMAND_BYTES], kinds)
        reports = whole.apply(run)
        pieces = (reports[at : at + REPORT_BYTES] for at in range(0, len(reports), REPORT_BYTES))
        assert found == b"".join(each for each in pieces if kinds >> each[0] & 1)
        assert whole.state_hash() == only.state_hash()


def two_rich() -> bytes:
    return (
        records.register(b"\1" * 20)
        + records.register(b"\2" * 20)
        + records.list_instrument(1, tick=1, lot=1, quantity_max=10**6)
        + b"".join(
            records.credit(who, what, 10**9, transfer_id(2 * who + what)) for who in (1, 2) for what in (0, 1)
        )
    )


@pytest.mark.parametrize("swept", [1, 20, 45, 500])
def test_a_run_that_says_much_more_than_it_was_told_comes_out_whole(swept: int) -> None:
    makers = [records.new_order(order_id(at), 1, 1, Side.SELL, 1, 50) for at in range(1, swept + 1)]
    taker = [records.new_order(order_id(10_000), 2, 1, Side.BUY, swept, 50)]
    after = [records.advance(at) for at in range(1, 20)]
    reference, compiled = ReferenceEngine(), CompiledEngine()
    for run in (two_rich(), b"".join(makers), b"".join(taker + after), b"".join(after)):
        assert reference.apply(run) == compiled.apply(run)


def test_a_mass_cancel_takes_the_open_orders_as_accepted_whatever_left_before() -> None:
    rng = random.Random(3)
    run = [two_rich()]
    living = []
    for at in range(1, 1_200):
        run.append(records.new_order(order_id(at), 1, 1, Side.BUY, 1, 1 + rng.randrange(40)))
        living.append(at)
        while len(living) > 30 * (1 + at // 300):
            run.append(records.cancel(order_id(living.pop(rng.randrange(len(living)))), 1))
        if at in (500, 900):
            run.append(records.day_end(at))
    run.append(records.mass_cancel(1))
    cancelled = [
        report.id
        for report in reports_of(b"".join(compare(rng, b"".join(run))))
        if report.kind == ReportKind.CANCELLED
    ]
    assert cancelled[-len(living) :] == [order_id(at) for at in sorted(living)]


def test_the_random_streams_reach_every_report_and_almost_every_rejection() -> None:
    """So that agreeing on them means something."""
    kinds, codes, engine = set(), set(), CompiledEngine()
    for seed in range(12):
        rng = random.Random(seed)
        engine = CompiledEngine()
        run = opening(rng) + mutated(rng, Stream(rng, wild=0.04).run(3_000), 0.03)
        for report in reports_of(engine.apply(run)):
            kinds.add(report.kind)
            if report.kind == ReportKind.REJECTED:
                codes.add(report.code)
    assert kinds == set(ReportKind)
    assert set(Reject) - codes <= {Reject.INSTRUMENTS_FULL, Reject.PARTICIPANTS_FULL, Reject.AMEND_FILLED}


def test_every_command_is_answered() -> None:
    rng = random.Random(5)
    run = opening(rng) + mutated(rng, Stream(rng, wild=0.1).run(2_000), 0.1)
    answered = {report.sequence for report in reports_of(CompiledEngine().apply(run))}
    expected = {at for at, kind in enumerate(command_kinds(run), start=1) if kind < CARRIED_FIRST}
    assert answered == expected
