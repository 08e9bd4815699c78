"""LOBSTER days through the engine: ours, random ones at every depth, and a real one where it is at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.core import Engine, ReferenceEngine
from exchange.core.api import LevelView
from exchange.core.codes import ReportKind, Side
from exchange.core.records import Report, new_order, reports_of
from exchange.lobster.file import LobsterMalformed, read
from exchange.lobster.market import INSTRUMENT, Market
from exchange.lobster.replay import Replay
from exchange.lobster.report import replay_files, summary
from tests.exchange.lobster_day import HEADINGS, Day, random_day, written
from tests.support.carat import carat, real_data

SMALL = Path(__file__).parent / "data" / "lobster"
MESSAGES, BOOK = SMALL / "small_message_2.csv", SMALL / "small_orderbook_2.csv"
DEPTHS = (1, 2, 3, 5, 10, 30, 50)

random_days = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Listening(Engine):
    """The engine, with its trades written down."""

    def __init__(self) -> None:
        super().__init__()
        self.trades: list[Report] = []

    def apply(self, commands: bytes | bytearray | memoryview) -> bytes:
        reports = super().apply(commands)
        self.trades += [each for each in reports_of(reports) if each.kind == ReportKind.TRADE]
        return reports


def replayed(folder: Path, messages: list[str], books: list[str] | None = None) -> dict[str, Any]:
    message_file, book_file = written(folder, messages, books or ())
    return replay_files(message_file, None if books is None else book_file)


def taken(replay: Replay, messages: Path, books: Path | None) -> Iterator[int]:
    """Take message by message; give each one's line."""
    for message, published in read(messages, books):
        replay.take(message, published)
        yield message.line


def test_a_small_day_is_replayed_as_it_was() -> None:
    found = replay_files(MESSAGES, BOOK)
    assert found["messages"] == 14
    assert (found["orders"], found["trades"]) == (5, 4)
    assert (found["mismatches"], found["deeper_mismatches"]) == (0, 0)
    assert found["by_type"] == {
        "submission": 5, "reduction": 1, "deletion": 1, "execution": 4,
        "hidden_execution": 1, "cross": 1, "halt": 1,
    }  # fmt: skip
    assert found["standing_at_start"] == [
        {"side": "buy", "price": 9_900, "size": 50},
        {"side": "buy", "price": 9_800, "size": 70},
        {"side": "sell", "price": 10_100, "size": 40},
        {"side": "sell", "price": 10_200, "size": 60},
    ]
    assert found["unknown_before_orders"] == [7, 8]
    assert found["executions"]["in_turn"] == 2
    assert found["executions"]["out_of_turn"] == 0


def test_executions_become_trades_of_the_other_side_at_the_named_order() -> None:
    engine = Listening()
    for _ in taken(Replay(Market(engine)), MESSAGES, BOOK):
        pass
    trades = [(Side(trade.side).name, trade.price, trade.quantity) for trade in engine.trades]
    assert trades == [("BUY", 10_000, 10), ("BUY", 10_000, 15), ("SELL", 9_900, 50), ("BUY", 10_100, 40)]


def test_without_a_book_everything_is_replayed_and_nothing_compared() -> None:
    found = replay_files(MESSAGES, None)
    assert (found["trades"], found["mismatches"], found["compared"]["bests"]) == (4, 0, 0)
    assert found["executions"]["of_orders_not_shown"] == 2


@random_days
@given(
    seed=st.integers(0, 10**6),
    depth=st.sampled_from(DEPTHS),
    reach=st.sampled_from([3, 9, 60]),
    price=st.sampled_from([1_000, 2_234_567, 6_000_000_001]),
)
def test_every_level_in_view_is_as_published_and_every_execution_is_one_trade(
    tmp_path: Path, seed: int, depth: int, reach: int, price: int
) -> None:
    day = random_day(seed, depth, reach=reach, price=price)
    engine = Listening()
    replay = Replay(Market(engine))
    for _ in taken(replay, *written(tmp_path, day.messages, day.books)):
        replay.check()
    found = summary(replay)
    assert (found["messages"], found["trades"]) == (len(day.messages), len(day.trades))
    assert (found["first_mismatches"], found["first_deeper_mismatches"]) == ([], [])
    trades = [(Side(trade.side).name.lower(), trade.price, trade.quantity) for trade in engine.trades]
    assert trades == day.trades
    assert found["executions"]["out_of_turn"] == 0
    # Before the first row nothing is known of an order that the first message may cancel.
    assert found["changed_out_of_view"]["messages_without_effect"] <= 1


@random_days
@given(seed=st.integers(0, 10**6), depth=st.sampled_from(DEPTHS))
def test_the_orders_held_stand_in_the_engine_s_turn(tmp_path: Path, seed: int, depth: int) -> None:
    day = random_day(seed, depth)
    engine = Listening()
    replay = Replay(Market(engine))
    for _ in taken(replay, *written(tmp_path, day.messages, day.books)):
        pass
    for side, taker, limit in ((Side.SELL, Side.BUY, 10**9), (Side.BUY, Side.SELL, 1)):
        levels = replay.market.depth(side, 1_000)
        held = [order.id for level in levels for order in replay.market.queue(side, level.price)]
        everything = sum(level.shown for level in levels)
        engine.trades.clear()
        if everything:
            engine.apply(new_order(bytes([taker]) * 16, 3, INSTRUMENT, taker, everything, limit))
        assert [trade.other_id for trade in engine.trades] == held


@pytest.mark.parametrize("depth", [1, 5])
def test_the_reference_engine_finds_the_same(tmp_path: Path, depth: int) -> None:
    day = random_day(17, depth)
    files = written(tmp_path, day.messages, day.books)
    replay = Replay(Market(ReferenceEngine()))
    for _ in taken(replay, *files):
        pass
    assert summary(replay) == replay_files(*files)


def test_headings_and_line_ends_of_another_system_change_nothing(tmp_path: Path) -> None:
    day = random_day(23, 5)
    found = replayed(tmp_path, day.messages, day.books)
    messages, books = (
        [heading, *rows] for heading, rows in zip(HEADINGS, (day.messages, day.books), strict=True)
    )
    assert replay_files(*written(tmp_path, messages, books, end="\r\n")) == found


def test_a_side_that_is_emptied_and_filled_again_is_compared_throughout(tmp_path: Path) -> None:
    day = Day(5)
    day.submit("buy", 100, 10)
    day.submit("sell", 102, 10)
    day.begin()
    day.cross(500, 101)
    day.take("sell", 10)
    day.halt()
    day.submit("sell", 103, 7)
    day.take("buy", 10)
    found = replayed(tmp_path, day.messages, day.books)
    assert found["by_type"] | {"cross": 1, "halt": 3, "execution": 2} == found["by_type"]
    assert (found["mismatches"], found["compared"]["bests"]) == (0, 2 * len(day.messages) - 2)


def test_a_deep_file_knows_everything_from_its_first_row_on(tmp_path: Path) -> None:
    day = random_day(5, 60)
    found = replayed(tmp_path, day.messages, day.books)
    assert found["compared"]["bests_taken_from_the_book"] == 2
    assert found["changed_out_of_view"]["orders_gone"] <= 1
    assert found["unknown_out_of_view"] == 0


@pytest.mark.parametrize("depth", [1, 3, 50])
def test_a_size_that_was_tampered_with_is_one_mismatch_where_it_begins_and_one_where_it_ends(
    tmp_path: Path, depth: int
) -> None:
    day = random_day(11, depth)
    day.submit("sell", 1_005, 10)
    for _ in range(2):
        day.say("", 5, 0, 1, 1_000, "sell")  # hidden: the book stays as it is
    row = len(day.books) - 2
    ask, size, *rest = day.books[row].split(",")
    day.books[row] = ",".join([ask, str(int(size) + 1), *rest])
    found = replayed(tmp_path, day.messages, day.books)
    lines = [each["line"] for each in found["first_mismatches"]]
    assert (found["mismatches"], lines) == (2, [row + 1, row + 2])
    assert found["first_mismatches"][0] == {
        "line": row + 1, "side": "sell", "level": 1,
        "published": {"price": int(ask), "size": int(size) + 1},
        "engine": {"price": int(ask), "size": int(size)},
    }  # fmt: skip


@random_days
@given(seed=st.integers(0, 10**6), depth=st.sampled_from(DEPTHS), draw=st.data())
def test_a_wrong_level_anywhere_is_found_at_its_line(
    tmp_path: Path, seed: int, depth: int, draw: st.DataObject
) -> None:
    day = random_day(seed, depth)
    # Every level of a row that repeats the one before it is in view.
    rows = [row for row in range(1, len(day.books)) if day.books[row] == day.books[row - 1]]
    row = draw.draw(st.sampled_from(rows or [0]))
    cells = day.books[row].split(",")
    sizes = [place for place in range(1, len(cells), 2) if cells[place] != "0"]
    if not (rows and sizes):
        return
    place = draw.draw(st.sampled_from(sizes))
    right = int(cells[place])
    wrong = draw.draw(
        st.sampled_from([right + 1, right * 3, max(right - 1, 1)]).filter(lambda size: size != right)
    )
    day.books[row] = ",".join([*cells[:place], str(wrong), *cells[place + 1 :]])
    found = replayed(tmp_path, day.messages, day.books)
    level = place // 4 + 1
    first = found["first_mismatches" if level == 1 else "first_deeper_mismatches"][0]
    price = int(cells[place - 1])
    assert first == {
        "line": row + 1,
        "side": "buy" if place % 4 == 3 else "sell",
        "level": level,
        "published": {"price": price, "size": wrong},
        "engine": {"price": price, "size": right},
    }


@pytest.mark.parametrize("levels", [1, 2])
def test_what_is_compared_is_the_engine_s_own_book(tmp_path: Path, levels: int) -> None:
    class Wrong(Engine):
        wrong = False

        def depth(self, instrument: int, side: int, levels: int) -> list[LevelView]:
            found = super().depth(instrument, side, levels)
            if self.wrong and side == Side.BUY and len(found) >= changed:
                found[changed - 1] = found[changed - 1]._replace(shown=1)
            return found

    changed = levels
    day = random_day(31, 5)
    day.submit("buy", 700, 10)
    day.submit("buy", 701, 10)
    engine = Wrong()
    replay = Replay(Market(engine))
    for line in taken(replay, *written(tmp_path, day.messages, day.books)):
        engine.wrong = line == len(day.messages) - 1
    assert [each.line for each in replay.comparison.first_mismatches] == [len(day.messages)] * (levels == 1)
    assert [each.line for each in replay.comparison.first_deeper_mismatches] == [len(day.messages)] * (
        levels == 2
    )
    engine.wrong = True
    with pytest.raises(AssertionError, match="not the book"):
        replay.market.check()


def test_an_execution_that_an_earlier_order_should_have_had_is_named(tmp_path: Path) -> None:
    messages = ["1,1,1,10,100,1", "2,1,2,10,101,1", "3,1,3,10,101,1", "4,4,3,10,101,1"]
    books = ["9999999999,0,100,10", "9999999999,0,101,10", "9999999999,0,101,20", "9999999999,0,101,10"]
    found = replayed(tmp_path, messages, books)
    assert found["mismatches"] == 0
    assert (found["executions"]["out_of_turn"], found["executions"]["first_out_of_turn"]) == (1, [4])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("34200.5,1,1,10,100", "6 cells"),
        ("", "6 cells"),
        ("noon,1,1,10,100,1", "seconds after midnight"),
        ("34200.5,9,1,10,100,1", "type 9"),
        ("34200.5,1,1,ten,100,1", "'ten'"),
        ("34200.5,1,1,1e3,100,1", "'1e3'"),
        ("34200.5,1,1,0,100,1", "size 0"),
        ("34200.5,1,1,10,-100,1", "price -100"),
        ("34200.5,1,1,10,10000000000000,1", "out of range"),
        ("34200.5,1,1,10,100,0", "direction"),
        ("34200.5,1,0,10,100,1", "order id 0"),
        ("34200.5,1,7,10,100,1\x00", "whole number"),
        ("34200.5,1,6,10,100,1", "rests already"),
    ],
)
def test_a_malformed_message_is_refused_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    good = ["34200.1,1,5,10,100,1", "34200.2,1,6,10,100,1"]
    rows = ["9999999999,0,100,10", "9999999999,0,100,20", "9999999999,0,100,30"]
    with pytest.raises(LobsterMalformed) as refusal:
        replayed(tmp_path, [*good, line], rows)
    assert refusal.value.facts["line"] == 3
    assert reason in str(refusal.value.facts["reason"])


@pytest.mark.parametrize(
    "row",
    [
        "101,10,100",
        "101,10,100,x",
        "101,10,100,10,102,10,99,10",
        "101,-1,100,10",
        "0,10,100,10",
        "",
        "a,b,c,d",
    ],
)
def test_a_malformed_row_of_the_book_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    messages = ["1.0,5,0,10,100,1", "1.5,5,0,10,100,1"]
    with pytest.raises(LobsterMalformed) as refusal:
        replayed(tmp_path, messages, ["101,10,100,10", row])
    assert refusal.value.facts["line"] == 2


def test_levels_that_are_not_from_best_to_worst_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LobsterMalformed, match="best to worst"):
        replayed(tmp_path, ["1.0,5,0,10,100,1"], ["101,10,100,10,101,5,99,10"])


@pytest.mark.parametrize(("messages", "rows"), [(1, 2), (2, 1), (0, 1)])
def test_files_of_different_length_are_refused(tmp_path: Path, messages: int, rows: int) -> None:
    with pytest.raises(LobsterMalformed, match="ends here"):
        replayed(tmp_path, ["1.0,5,0,10,100,1"] * messages, ["101,10,100,10"] * rows)


def test_a_file_without_a_message_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LobsterMalformed, match="no message"):
        replayed(tmp_path, [])


def test_the_command_answers_with_json_and_refuses_with_exit_code_2(tmp_path: Path) -> None:
    answer = carat("exchange", "replay-lobster", MESSAGES, "--orderbook", BOOK, "--json")
    assert (answer.code, answer.json["mismatches"], answer.json["trades"]) == (0, 0, 4)
    assert answer.json["seconds"] >= 0
    bad, _ = written(tmp_path, ["34200.5,1,1,10,100,7"])
    answer = carat("exchange", "replay-lobster", bad, "--json")
    assert answer.code == 2
    assert answer.json["error"]["code"] == "LobsterMalformed"
    assert answer.json["error"]["facts"]["line"] == 1
    assert carat("exchange", "replay-lobster", tmp_path / "none.csv").code == 2


def test_the_command_ends_with_exit_code_1_where_the_book_differs(tmp_path: Path) -> None:
    messages, books = written(tmp_path, ["1,5,0,1,100,1"] * 2, ["101,10,99,10", "101,10,99,11"])
    answer = carat("exchange", "replay-lobster", messages, "--orderbook", books)
    assert answer.code == 1
    assert "line 2, buy level 1: published {'price': 99, 'size': 11}, engine" in answer.stdout


def test_a_real_day_is_as_published() -> None:
    folder = real_data("lob")
    (messages,), (books,) = folder.glob("*_message_*.csv"), folder.glob("*_orderbook_*.csv")
    found = replay_files(messages, books)
    assert (found["messages"], found["orders"], found["trades"]) == (57_515, 27_845, 8_974)
    assert (found["mismatches"], found["compared"]["bests"]) == (0, 101_075)
    assert found["unknown_before"] == 102
    # In these four the exchange itself wrote two executions of one moment the later order first.
    assert found["executions"]["first_out_of_turn"] == [1948, 3174, 25612, 38827]
