"""After a crash: taken back to a mark and replayed, a history is what it would be without the crash.

The disk may have kept any version of each line (64 bytes) of an order between the mark and the crash, and any
of the trades and of the files' growth after the mark.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.history.history import History
from exchange.history.recorder import Recorder
from exchange.history.reference import ReferenceRecorder
from exchange.history.refusals import HistoryFull, HistoryIncomplete, TapeEpochUnknown
from exchange.history.rows import ROW_BYTES
from exchange.history.stores import RowFile, RowMemory
from tests.exchange.history.conftest import CompiledRecorder
from tests.exchange.history.reports import batches_of, rows_of

RECORDERS = [recorder for recorder in (ReferenceRecorder, CompiledRecorder) if recorder is not None]
LINE_BYTES = 64


def left_by_a_crash(rng: Random, versions: list[bytes], certain: int) -> bytes:
    """Return what a disk may hold: of each line a version drawn at random, from the mark's to the last.

    The `certain` first rows were there at the mark; of later ones the file may not even have the room.
    """
    rows = len(versions[-1]) // ROW_BYTES
    kept = bytearray(rng.randint(certain, rows) * ROW_BYTES)
    for at in range(0, len(kept), LINE_BYTES):
        version = rng.choice(versions)
        kept[at : at + LINE_BYTES] = version[at : at + LINE_BYTES].ljust(LINE_BYTES, b"\0")
    return bytes(kept)


def everything(history: History) -> object:
    return (
        history.mark(),
        [history.orders_of(who, 0, 10**6) for who in range(1, 9)],
        [history.orders_of(who, 0, 10**6, only_open=True) for who in range(1, 9)],
        [history.open_orders(who) for who in range(1, 9)],
        history.trades_after(0, 10**6),
        [history.trades_after(0, 10**6, instrument=number) for number in range(1, 5)],
        [history.trades_after(0, 10**6, participant=who) for who in range(1, 9)],
        [history.last_price(number) for number in range(1, 5)],
        [history.order(number.to_bytes(16, "little")) for number in range(300)],
    )


@pytest.mark.parametrize("recorder", RECORDERS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**64 - 1))
def test_a_replay_after_a_crash_makes_every_row_what_it_would_be(recorder: type[Recorder], seed: int) -> None:
    rng = Random(seed)
    commands, marked, crashed = rng.randint(100, 300), rng.random(), rng.random()
    batches = batches_of(seed, commands, at_once=rng.choice((1, 5, 30)))
    mark_at = round(marked * len(batches))
    crash_at = mark_at + round(crashed * (len(batches) - mark_at))
    orders, trades = RowMemory(), RowMemory()
    history = History(stores=(orders, trades), recorder=recorder)
    for batch in batches[:mark_at]:
        history.take(batch)
    mark, seeds = history.mark(), seeds_of(batches[:mark_at])
    versions = [(rows_of(orders, history.orders), rows_of(trades, history.trades))]
    for batch in batches[mark_at:crash_at]:
        history.take(batch)
        versions.append((rows_of(orders, history.orders), rows_of(trades, history.trades)))
    for batch in batches[crash_at:]:
        history.take(batch)

    kept_orders = RowMemory(left_by_a_crash(rng, [each[0] for each in versions], mark["orders"]))
    kept_trades = RowMemory(left_by_a_crash(rng, [each[1] for each in versions], mark["trades"]))
    again = History(stores=(kept_orders, kept_trades), recorder=recorder)
    again.rewind(mark)
    again.seed(*seeds)
    assert (again.orders, again.trades) == (mark["orders"], mark["trades"])
    for batch in batches[mark_at:]:
        again.take(batch)
    assert rows_of(kept_orders, history.orders) == rows_of(orders, history.orders)
    assert rows_of(kept_trades, history.trades) == rows_of(trades, history.trades)
    assert everything(again) == everything(history)
    assert again.net(1, again.trades) == history.net(1, history.trades)


def seeds_of(batches: list[bytes]) -> tuple[list[bytes], list[int], list[int]]:
    """Return what a snapshot after these reports knows of participants and instruments."""
    recorder = ReferenceRecorder(RowMemory(), RowMemory())
    for batch in batches:
        recorder.take(batch)
    return recorder._accounts, recorder._units, recorder._collectors


@pytest.mark.parametrize("seed", range(4))
def test_files_opened_again_at_their_mark_are_what_they_were(
    tmp_path: Path, recorder: type[Recorder], seed: int
) -> None:
    batches = batches_of(seed, 800, at_once=50)
    history = History(tmp_path, recorder=recorder)
    for batch in batches[:-2]:
        history.take(batch)
    history.sync()
    mark, before = history.mark(), everything(history)
    for batch in batches[-2:]:
        history.take(batch)
    after = everything(history)
    history.close()
    for _ in range(2):
        again = History(tmp_path, recorder=recorder)
        again.rewind(mark)
        again.seed(*seeds_of(batches[:-2]))
        assert again.trades == mark["trades"]
        for batch in batches[-2:]:
            again.take(batch)
        assert everything(again) == after
        again.close()
    assert before != after


def test_what_was_cut_off_reads_as_zeros_when_the_file_grows_again(tmp_path: Path) -> None:
    for store in (RowFile(tmp_path / "rows"), RowMemory()):
        store.reserve(10)
        view = store.view()
        view[: 10 * ROW_BYTES] = b"\1" * (10 * ROW_BYTES)
        view.release()
        store.cut(3)
        assert store.rows == 3
        store.reserve(10)
        assert rows_of(store, 10) == b"\1" * (3 * ROW_BYTES) + bytes(7 * ROW_BYTES)
        store.close()


def test_a_history_that_was_never_rewound_begins_anew_over_old_files(
    tmp_path: Path, recorder: type[Recorder]
) -> None:
    batches = batches_of(3, 200)
    whole = b"".join(batches)
    for _ in range(2):
        history = History(tmp_path, recorder=recorder)
        assert (history.orders, history.trades) == (0, 0)
        history.take(whole)
        assert history.orders > 50
        history.close()


@pytest.mark.parametrize("kind", ["orders", "trades"])
def test_rows_that_the_mark_counts_and_the_file_lacks_are_refused(
    tmp_path: Path, recorder: type[Recorder], kind: str
) -> None:
    history = History(tmp_path, recorder=recorder)
    for batch in batches_of(3, 300):
        history.take(batch)
    mark = history.mark()
    history.close()
    with (tmp_path / kind).open("r+b") as file:
        file.truncate(20 * ROW_BYTES)
        file.seek(11 * ROW_BYTES)
        file.write(bytes(ROW_BYTES))
    again = History(tmp_path, recorder=recorder)
    with pytest.raises(HistoryIncomplete) as refusal:
        again.rewind(mark)
    assert refusal.value.facts == {"kind": kind, "found": 11, "needed": mark[kind]}
    again.close()


def test_an_epoch_is_known_by_its_first_trade(recorder: type[Recorder]) -> None:
    batches = batches_of(1, 1_500, wild=0.0)
    history = History(recorder=recorder)
    for batch in batches:
        history.take(batch)
    mark = history.mark()
    assert mark["epochs"] >= 1
    first = history.root(1, 5)
    assert first == history.root(1, 5, epoch=1) != history.root(1, 5, epoch=2)
    following = mark["committed"] + 1
    assert history.tape(following, 1)[0].epoch == mark["epochs"] + 1
    history.rewind(mark)
    assert history.tape(following, 1)[0].epoch == mark["epochs"] + 1
    with pytest.raises(TapeEpochUnknown) as refusal:
        history.root(1, 5)
    assert refusal.value.facts == {"first": 1}
    for first_trade, trades in ((0, 1), (1, mark["trades"] + 1), (2, -1)):
        with pytest.raises(IndexError):
            history.net(first_trade, trades)


def test_more_orders_than_there_are_numbers_are_refused(
    recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = batches_of(1, 100)
    whole = b"".join(batches)
    counted = History(recorder=recorder)
    counted.take(whole)
    history = History(recorder=recorder)
    for module in ("reference", "_native"):
        monkeypatch.setattr(f"exchange.history.{module}.ORDERS_MAX", counted.orders - 1, raising=False)
    with pytest.raises(HistoryFull) as refusal:
        history.take(whole)
    assert refusal.value.facts == {"orders": counted.orders, "trades": counted.trades}
    assert (history.orders, history.trades) == (0, 0)
