"""The book alone: it does what the whole core does, and a difference is not overlooked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.bench import book as books
from exchange.bench.book import BenchResultWrong, check_alike, check_reference
from exchange.bench.flows import BUY, CANCEL, CHANGE, NEW, SELL, SHAPES, Message, flow, pack
from exchange.bench.market import Size, commands, opening
from exchange.core.records import COMMAND, COMMAND_BYTES

pytestmark = pytest.mark.skipif(
    books.BareBook is None, reason="the compiled book was not built: no C compiler"
)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    seed=st.integers(0, 2**32),
    spread=st.sampled_from([1.0, 30.0, 9e4]),
)
def test_the_book_alone_and_the_whole_core_agree(shape: str, seed: int, spread: float) -> None:
    messages = list(flow(shape, 400, seed, spread))
    stream = check_alike(shape, messages)
    assert stream.messages == pack(messages)
    assert len(stream.commands) == 400 * COMMAND_BYTES
    assert stream.trades > 0


def test_a_changes_quantity_is_what_is_left_for_the_book_and_the_whole_for_the_core() -> None:
    messages = [
        (NEW, SELL, 1, 100, 9),
        (NEW, BUY, 2, 100, 4),
        (CHANGE, SELL, 1, 101, 3),
        (NEW, BUY, 3, 101, 5),
    ]
    stream = check_alike("by hand", messages)
    last_but_one = COMMAND.unpack_from(stream.commands, 2 * COMMAND_BYTES)
    assert last_but_one[10] == 4 + 3
    assert stream.trades == 2


@pytest.mark.parametrize("altered", [(NEW, BUY, 2, 99, 4), (NEW, BUY, 2, 100, 5), (CANCEL, SELL, 1, 0, 0)])
def test_a_difference_from_the_core_is_an_error_and_no_figure(
    altered: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [(NEW, SELL, 1, 100, 9), (NEW, BUY, 2, 100, 4), (NEW, BUY, 3, 98, 4), (NEW, SELL, 4, 97, 1)]
    check_alike("by hand", messages)
    other = [messages[0], altered, *messages[2:]]
    monkeypatch.setattr(books, "commands", lambda _, size, seed: commands(other, size, seed))
    with pytest.raises(BenchResultWrong, match="differ"):
        check_alike("by hand", messages)


def test_a_stream_that_trades_nothing_gives_no_figure() -> None:
    with pytest.raises(BenchResultWrong, match="nothing was traded"):
        check_alike("by hand", [(NEW, SELL, 1, 100, 9)])


def test_the_start_of_a_stream_is_the_references() -> None:
    size = Size(participants=5)
    check_reference("normal", opening(size), commands(flow("normal", 300, 1), size, 1), 300)
