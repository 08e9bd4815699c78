"""A scenario runs through the real system, and the chain's answer is the book's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.carat import carat

ROOT = Path(__file__).parents[2]

OTHER = """\
name: two years with offsets
years: [2031, 2032]
price_fen_per_t: 6236
penalty_multiple: 7
offset_cap_ppm: 50000
firms:
  - {name: 华能, baseline_t: 5000, required_cut_t: 250, own_cut_t: 0, trades: true, offsets_t: 200}
  - {name: Kiln, baseline_t: 900, required_cut_t: 0, own_cut_t: 100, trades: false}
  - {name: Mill, baseline_t: 100, required_cut_t: 100, own_cut_t: 40, trades: false, offsets_t: 3}
others: {name: Rest, buys_and_sells: true}
"""


def run(file: Path, *more: str) -> dict[str, Any]:
    answer = carat("scenario", "run", file, "--json", *more)
    assert answer.code == 0, answer.stderr
    return answer.json


def test_the_worked_example_gives_the_numbers_of_the_book() -> None:
    result = run(ROOT / "scenarios" / "abc.yaml")
    firms = result["firms"]
    assert firms["A"] == {
        "allocated_t": 485_000, "verified_t": 460_000, "sold_t": 25_000, "bought_t": 0,
        "trade_cash_fen": 200_000_000, "surrendered_t": 460_000, "shortfall_t": 0, "penalty_fen": 0,
    }  # fmt: skip
    assert firms["B"] == {
        "allocated_t": 485_000, "verified_t": 495_000, "sold_t": 0, "bought_t": 10_000,
        "trade_cash_fen": -80_000_000, "surrendered_t": 495_000, "shortfall_t": 0, "penalty_fen": 0,
    }  # fmt: skip
    assert firms["C"] == {
        "allocated_t": 485_000, "verified_t": 495_000, "sold_t": 0, "bought_t": 0,
        "trade_cash_fen": 0, "surrendered_t": 485_000, "shortfall_t": 10_000, "penalty_fen": 400_000_000,
    }  # fmt: skip
    assert (result["others"]["M"]["bought_t"], result["epochs_settled"]) == (15_000, 5)
    assert result["audit"]["ok"]
    assert result["audit"]["findings"] == []
    assert result["audit"]["looked_at"]["units"] == 5


def test_other_names_numbers_and_offsets_run_as_well(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(OTHER, encoding="utf-8")
    result = run(tmp_path / "other.yaml")
    firms = result["firms"]
    # 5,000 t due, 4,750 t given, 200 t of offsets: 50 t a year are bought from the reserve.
    assert firms["华能"] == {
        "allocated_t": 9_500, "verified_t": 10_000, "sold_t": 0, "bought_t": 100,
        "trade_cash_fen": -100 * 6_236, "surrendered_t": 10_000, "shortfall_t": 0, "penalty_fen": 0,
    }  # fmt: skip
    assert (firms["Kiln"]["surrendered_t"], firms["Kiln"]["shortfall_t"], firms["Kiln"]["sold_t"]) == (
        1_600,
        0,
        0,
    )
    assert (firms["Mill"]["surrendered_t"], firms["Mill"]["shortfall_t"]) == (6, 114)
    assert firms["Mill"]["penalty_fen"] == 114 * 7 * 6_236
    assert (result["others"]["Rest"]["sold_t"], result["others"]["Rest"]["allocated_t"]) == (100, 100)
    assert result["audit"]["ok"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: Kiln", "nome: Kiln", "line=8"),
        ("baseline_t: 900", "baseline_t: -900", "line=8"),
        ("baseline_t: 900", "baseline_t: 900.5", "line=8"),
        ("offsets_t: 200", "offsets_t: 251", "line=7"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_nothing_is_started(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    (tmp_path / "wrong.yaml").write_text(OTHER.replace(old, new, 1), encoding="utf-8")
    answer = carat("scenario", "run", tmp_path / "wrong.yaml", "--data-dir", tmp_path / "state")
    assert answer.code == 2
    assert answer.stderr.startswith("error: ScenarioMalformed:")
    assert said in answer.stderr
    assert not (tmp_path / "state").exists()


def test_a_directory_that_holds_something_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    answer = carat("scenario", "run", ROOT / "scenarios" / "abc.yaml", "--data-dir", tmp_path)
    assert answer.code == 2
    assert "DataDirectoryNotFresh" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
