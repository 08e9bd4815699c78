"""The book alone: it does what the whole core does, and a difference is not overlooked."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.bench import book as books
from exchange.bench.book import BenchResultWrong, check_alike, check_reference
from exchange.bench.flows import BUY, CANCEL, CHANGE, NEW, SELL, SHAPES, Message, flow, pack
from exchange.bench.market import TWO_WITHOUT_FEES, Size, commands, opening
from exchange.bench.replay import BenchFrameAltered, JournalLike, write_frames

pytestmark = pytest.mark.skipif(books.Book is None, reason="the compiled book was not built: no C compiler")

REPORT = struct.Struct("<QQQqIBBH")


def reports(book: books.Book) -> list[tuple[int, int, int, int, int]]:
    """Kind, number, maker, price, quantity."""
    return [(row[5], row[1], row[2], row[3], row[4]) for row in REPORT.iter_unpack(book.reports())]


def send(book: books.Book, *messages: Message) -> list[tuple[int, int, int, int, int]]:
    book.apply(pack(iter(messages)))
    return reports(book)


def test_an_order_trades_at_the_resting_price_and_the_rest_stands() -> None:
    book = books.Book(10)
    assert send(book, (NEW, SELL, 1, 101, 5), (NEW, SELL, 2, 100, 5)) == [
        (1, 1, 0, 101, 5),
        (1, 2, 0, 100, 5),
    ]
    assert send(book, (NEW, BUY, 3, 101, 12)) == [(1, 3, 0, 101, 12), (2, 3, 2, 100, 5), (2, 3, 1, 101, 5)]
    assert book.depth(BUY) == [(101, 2, 1)]
    assert book.depth(SELL) == []
    assert (book.trades, book.traded, book.value, book.open_orders) == (2, 10, 1_005, 1)
    assert send(book, (CANCEL, BUY, 3, 0, 0)) == [(3, 3, 0, 101, 2)]
    assert book.open_orders == 0


def test_a_change_down_keeps_its_place_and_any_other_loses_it() -> None:
    book = books.Book(10)
    send(book, (NEW, BUY, 1, 100, 5), (NEW, BUY, 2, 100, 5), (CHANGE, BUY, 1, 100, 3))
    assert send(book, (NEW, SELL, 3, 100, 1))[1] == (2, 3, 1, 100, 1)
    send(book, (CHANGE, BUY, 1, 100, 9))
    assert send(book, (NEW, SELL, 4, 100, 1))[1] == (2, 4, 2, 100, 1)
    assert book.depth(BUY) == [(100, 4 + 8, 2)]


@pytest.mark.parametrize(
    "message",
    [
        (CANCEL, BUY, 7, 0, 0),
        (CHANGE, BUY, 7, 100, 5),
        (NEW, BUY, 0, 100, 5),
        (NEW, BUY, 11, 100, 5),
        (NEW, BUY, 1, 100, 0),
        (NEW, BUY, 2, 100, 2**30),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(message: Message) -> None:
    book = books.Book(10)
    assert [row[0] for row in send(book, message)] == [5]
    assert (book.open_orders, book.trades, book.depth(BUY)) == (0, 0, [])


@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    seed=st.integers(0, 2**32),
    spread=st.sampled_from([1.0, 30.0, 9e4]),
)
def test_the_book_alone_and_the_whole_core_agree(shape: str, seed: int, spread: float) -> None:
    messages = list(flow(shape, 400, seed, spread))
    outcome = check_alike(shape, pack(iter(messages)), commands(messages, TWO_WITHOUT_FEES, seed))
    assert outcome.open_orders == sum(level[2] for level in outcome.bids + outcome.asks)


def test_one_call_a_message_is_the_same_as_batches() -> None:
    packed = pack(flow("normal", 2_000, 3))
    batch, single = books.Book(2_000), books.Book(2_000)
    batch.apply(packed)
    for at in range(0, len(packed), 24):
        single.one(packed[at : at + 24])
    assert books.outcome_of_book(batch) == books.outcome_of_book(single)
    with pytest.raises(ValueError, match="not one message"):
        single.one(packed[:23])


def test_a_difference_from_the_core_is_an_error_and_no_figure() -> None:
    messages = list(flow("normal", 400, 3))
    run = commands(messages, TWO_WITHOUT_FEES, 3)
    with pytest.raises(BenchResultWrong, match="differ"):
        check_alike("normal", pack(iter(messages[:-40])), run)
    with pytest.raises(BenchResultWrong, match="nothing traded"):
        check_alike("normal", b"", b"")


def test_the_start_of_a_stream_is_the_references() -> None:
    size = Size(participants=5)
    check_reference("normal", opening(size), commands(flow("normal", 300, 1), size, 1), 300)


def test_a_frame_that_was_changed_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    write_frames(path, [b"a" * 64, b"b" * 128])
    assert list(JournalLike(path)) == [b"a" * 64, b"b" * 128]
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BenchFrameAltered):
            list(JournalLike(path))
