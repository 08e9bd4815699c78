"""Two recorders, one behaviour: the same rows, answers, roots and deltas, whatever the core reports."""

from __future__ import annotations

from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.core.codes import ReportKind, Status
from exchange.core.records import REPORT_BYTES, Report
from exchange.history.history import History
from exchange.history.recorder import ORDERS, TAPE, TRADES, Recorder
from exchange.history.reference import ReferenceRecorder
from exchange.history.stores import RowMemory
from exchange.netting import net
from exchange.tape import tape_root
from tests.exchange.history.conftest import CompiledRecorder, needs_compiled
from tests.exchange.history.reports import batches_of, rows_of

pytestmark = needs_compiled


def history_of(recorder: type[Recorder]) -> tuple[History, RowMemory, RowMemory]:
    orders, trades = RowMemory(), RowMemory()
    return History(stores=(orders, trades), recorder=recorder), orders, trades


def cut_anywhere(rng: Random, batches: list[bytes]) -> list[bytes]:
    """Return the same reports in other batches, which end within commands, too."""
    whole, cut = b"".join(batches), []
    while whole:
        end = rng.choice((1, 3, 20, 500)) * REPORT_BYTES
        cut.append(whole[:end])
        whole = whole[end:]
    return cut


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**64 - 1), wild=st.sampled_from([0.0, 0.02, 0.2]), commands=st.integers(0, 400))
def test_both_keep_the_same_rows_of_a_random_stream(seed: int, wild: float, commands: int) -> None:
    rng = Random(seed)
    batches = batches_of(seed, commands, wild=wild)
    reference, reference_orders, reference_trades = history_of(ReferenceRecorder)
    compiled, compiled_orders, compiled_trades = history_of(CompiledRecorder)
    reference.watching = compiled.watching = True
    for batch in batches:
        reference.take(batch)
        if rng.random() < 0.3:
            reference.take_changes()
    for batch in cut_anywhere(rng, batches):
        compiled.take(batch)
    assert reference.mark() == compiled.mark()
    orders, trades = reference.orders, reference.trades
    assert rows_of(reference_orders, orders) == rows_of(compiled_orders, orders)
    assert rows_of(reference_trades, trades) == rows_of(compiled_trades, trades)
    compare_answers(rng, reference, compiled)
    mark = {"orders": rng.randint(0, orders), "trades": rng.randint(0, trades), "epochs": 0, "committed": 0}
    reference.rewind(mark)
    compiled.rewind(mark)
    compare_answers(rng, reference, compiled)


def compare_answers(rng: Random, reference: History, compiled: History) -> None:
    first, second = reference._recorder, compiled._recorder
    for kind in (ORDERS, TRADES, TAPE):
        for key in (-1, *range(10), 10**9):
            after, limit = rng.randint(0, 1 + reference.orders), rng.choice((0, 1, 63, 64, 65, 10**9))
            assert first.numbers(kind, key, after, limit) == second.numbers(kind, key, after, limit)
            assert first.last_trade(key) == second.last_trade(key)
            assert first.open_orders(key) == second.open_orders(key)
        for who in range(8):
            assert first.numbers(ORDERS, who, 0, 50, only_open=True) == second.numbers(
                ORDERS, who, 0, 50, only_open=True
            )
    for number in range(420):
        order_id = number.to_bytes(16, "little")
        assert first.find(order_id) == second.find(order_id)
    if reference.trades:
        begin = rng.randint(1, reference.trades)
        span = begin, rng.randint(0, reference.trades + 1 - begin)
        tape = compiled.tape(*span, epoch=7)
        assert tape == reference.tape(*span, epoch=7)
        assert compiled.root(*span, epoch=7) == reference.root(*span, epoch=7) == tape_root(tape)
        assert compiled.net(*span) == reference.net(*span) == net(tape)


@pytest.mark.parametrize("seed", range(10))
def test_both_name_the_same_changes(seed: int) -> None:
    reference, *_ = history_of(ReferenceRecorder)
    compiled, *_ = history_of(CompiledRecorder)
    reference.watching = compiled.watching = True
    changes = 0
    for batch in batches_of(seed, 600, at_once=25):
        reference.take(batch)
        compiled.take(batch)
        changed = reference.take_changes()
        assert compiled.take_changes() == changed
        changes += len(changed)
    assert changes > 20


def test_a_table_of_many_ids_is_split_and_finds_each() -> None:
    """Enough for three bits of directory; ids that count, and ids that are random."""
    rng = Random(5)
    names = [number.to_bytes(16, "little") for number in range(1, 15_001)]
    names += [rng.randbytes(16) for _ in range(15_000)]
    history = History(recorder=CompiledRecorder)
    accepted = [
        Report(
            ReportKind.ACCEPTED,
            code=Status.OPEN,
            sequence=number,
            instrument=1,
            side=1,
            participant=1 + number % 3,
            id=name,
        )
        for number, name in enumerate(names, start=1)
    ]
    history.take(b"".join(report.pack() for report in accepted))
    find = history._recorder.find
    assert [find(name) for name in names] == list(range(1, 30_001))
    assert not any(find(rng.randbytes(16)) for _ in range(1_000))
    history.rewind({"orders": 20_000, "trades": 0, "epochs": 0, "committed": 0})
    assert [find(name) for name in names] == [*range(1, 20_001), *[0] * 10_000]


@pytest.mark.parametrize("fast", [False, True])
def test_our_sha_256_is_hashlib_s(fast: bool) -> None:
    native = pytest.importorskip("exchange.history._native")
    if fast and not native.sha256_is_fast():
        pytest.skip("this processor has no instructions for SHA-256")
    rng = Random(9)
    for length in (*range(300), 1_000, 4_095, 4_096, 100_000):
        message = rng.randbytes(length)
        assert native.sha256_padded(message, fast) == sha256(message).digest()
