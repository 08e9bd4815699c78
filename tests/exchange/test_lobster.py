"""LOBSTER days through the engine: ours, random ones at every depth, and a real one where it is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.lobster import LobsterMalformed, read
from exchange.lobster_replay import Replay
from exchange.lobster_report import replay_files
from tests.exchange.lobster_day import random_day, written
from tests.support.carat import carat, real_data

SMALL = Path(__file__).parent / "data" / "lobster"
MESSAGES, BOOK = SMALL / "small_message_2.csv", SMALL / "small_orderbook_2.csv"


def replayed(folder: Path, messages: list[str], books: list[str] | None = None) -> dict[str, Any]:
    message_file, book_file = written(folder, messages, books or ())
    return replay_files(message_file, None if books is None else book_file)


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
    replay = Replay()
    for message, published in read(MESSAGES, BOOK):
        replay.take(message, published)
    trades = [(trade.taker_side.name, trade.price_fen, trade.quantity_t) for trade in replay.state.trades]
    assert trades == [("BUY", 10_000, 10), ("BUY", 10_000, 15), ("SELL", 9_900, 50), ("BUY", 10_100, 40)]


def test_without_a_book_everything_is_replayed_and_nothing_compared() -> None:
    found = replay_files(MESSAGES, None)
    assert (found["trades"], found["mismatches"], found["compared"]["bests"]) == (4, 0, 0)
    assert found["executions"]["of_orders_not_shown"] == 2


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), depth=st.sampled_from([1, 2, 3, 5, 30]))
def test_every_level_in_view_is_as_published_and_every_execution_is_one_trade(
    tmp_path: Path, seed: int, depth: int
) -> None:
    day = random_day(seed, depth)
    found = replayed(tmp_path, day.messages, day.books)
    assert (found["first_mismatches"], found["first_deeper_mismatches"]) == ([], [])
    assert found["trades"] == day.executions
    assert found["executions"]["out_of_turn"] == 0
    # Before the first row nothing is known of an order that the first message may cancel.
    assert found["changed_out_of_view"]["messages_without_effect"] <= 1


def test_a_deep_file_knows_everything_from_its_first_row_on(tmp_path: Path) -> None:
    day = random_day(5, 60)
    found = replayed(tmp_path, day.messages, day.books)
    assert found["compared"]["bests_taken_from_the_book"] == 2
    assert found["changed_out_of_view"]["orders_gone"] <= 1
    assert found["unknown_out_of_view"] == 0


@pytest.mark.parametrize("depth", [1, 3])
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
