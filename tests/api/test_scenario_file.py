"""The scenario file is read strictly, and says where it is wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.scenario.file import ScenarioMalformed, parse_scenario, read_scenario
from api.scenario.plans import plans_of

ABC = Path(__file__).parents[2] / "scenarios" / "abc.yaml"
ABC_TEXT = ABC.read_text(encoding="utf-8")


def test_the_worked_example_reads_as_it_stands_in_the_book() -> None:
    scenario = read_scenario(ABC)
    assert (scenario.name, scenario.years, scenario.price_fen_per_t) == (
        "abc",
        tuple(range(2026, 2031)),
        8000,
    )
    assert [(firm.allocated_t, firm.emitted_t) for firm in scenario.firms] == [
        (97_000, 92_000),
        (97_000, 99_000),
        (97_000, 99_000),
    ]


def test_each_year_a_sells_five_thousand_b_buys_two_and_the_others_take_three() -> None:
    for plan in plans_of(read_scenario(ABC)):
        assert [firm.wanted_t for firm in plan.firms] == [-5_000, 2_000, 0]
        assert (plan.left_over_t, plan.reserve_t, plan.cap_t) == (3_000, 0, 291_000)


def test_offsets_lower_what_must_be_bought() -> None:
    text = ABC_TEXT.replace("own_cut_t: 1000, trades: true", "own_cut_t: 1000, trades: true, offsets_t: 1500")
    plan = plans_of(parse_scenario(text))[0]
    assert (plan.firms[1].wanted_t, plan.firms[1].offsets_t, plan.offsets_t) == (500, 1_500, 1_500)


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("name: abc", "name: abc\ncolour: red", 4, "unknown key 'colour'"),
        ("own_cut_t: 8000", "own_cut_t: -1", 9, "-1 is not between 0 and 100000"),
        ("own_cut_t: 8000", "own_cut_t: 0.5", 9, "'0.5' is no whole number"),
        ("own_cut_t: 8000", "own_cut_t: 8_000", 9, "'8_000' is no whole number"),
        ("own_cut_t: 8000", "own_cut_t: '8000'", 9, "'8000' is no whole number"),
        ("own_cut_t: 8000", "own_cut_t: true", 9, "'true' is no whole number"),
        ("own_cut_t: 8000", "own_cut_t: 100001", 9, "100001 is not between 0 and 100000"),
        ("own_cut_t: 8000", "own_cut_t: 1e3", 9, "'1e3' is no whole number"),
        ("name: B", "name: A", 10, "the name A is given twice"),
        ("name: M", "name: C", 12, "the name C is a firm's"),
        ("trades: false", "trades: no", 11, "'no' is neither true nor false"),
        ("trades: false", "trades: false, trades: true", 11, "trades is given twice"),
        (
            "trades: false",
            "trades: false, offsets_t: 4951",
            11,
            "offsets_t 4951 is over the cap, 4950 t a year",
        ),
        (", trades: false", "", 11, "trades is missing"),
        ("2026, 2027", "2027, 2026", 4, "years ascend without gaps"),
        ("price_fen_per_t: 8000", "price_fen_per_t: 0", 5, "0 is not between 1"),
        ("years: [", "years: [[", 4, ""),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(old: str, new: str, line: int, reason: str) -> None:
    with pytest.raises(ScenarioMalformed) as refusal:
        parse_scenario(ABC_TEXT.replace(old, new, 1))
    assert reason in str(refusal.value.facts["reason"])
    if reason:
        assert refusal.value.facts["line"] == line


def test_an_unreadable_or_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioMalformed):
        read_scenario(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ScenarioMalformed):
        read_scenario(tmp_path / "empty.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioMalformed):
        read_scenario(tmp_path / "bytes.yaml")


@given(text=st.text(max_size=200))
def test_any_text_is_a_scenario_or_a_refusal(text: str) -> None:
    with pytest.raises(ScenarioMalformed):
        parse_scenario(text)


@given(cut=st.integers(0, len(ABC_TEXT) - 1))
def test_the_example_cut_short_anywhere_never_crashes(cut: int) -> None:
    with contextlib.suppress(ScenarioMalformed):
        parse_scenario(ABC_TEXT[:cut])
