"""What a row says about its target and its peers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.bench.report import AT_LEAST, AT_MOST, Peer, Report, Row, Target, machine_facts

values = st.floats(0.001, 1e6)


def row(value: float | None, target: Target, *peers: Peer) -> Row:
    return Row("speed", "how fast", "a second", target, value, "counted", peers)


def test_a_row_passes_by_its_target_and_by_its_ratio_to_a_peer() -> None:
    asked = Peer("slow", 100.0, ratio_min=3.0)
    assert row(300, Target(250), asked).passed
    assert not row(299, Target(250), asked).passed
    assert not row(300, Target(301), asked).passed
    assert row(300, Target(250), Peer("fast", 1e6)).passed, "a peer without a ratio only informs"


def test_less_is_better_where_at_most_is_asked() -> None:
    late = row(10, Target(20, sense=AT_MOST), Peer("later", 40.0, ratio_min=4.0))
    assert late.passed
    assert late.ratio_to(late.peers[0]) == 4.0
    assert not row(21, Target(20, sense=AT_MOST)).passed


def test_what_was_not_measured_has_not_passed_and_a_missing_peer_is_not_judged() -> None:
    assert not row(None, Target(1)).passed
    missing = Peer("absent", None, ratio_min=9.0, note="not here")
    assert row(2, Target(1), missing).passed
    assert row(2, Target(1), missing).ratio_to(missing) is None


@given(values, values, st.sampled_from([AT_LEAST, AT_MOST]))
def test_a_ratio_above_one_is_the_better_value(value: float, peer: float, sense: str) -> None:
    better = value > peer if sense == AT_LEAST else value < peer
    assert (Target(1, sense=sense).ratio(value, peer) > 1) == better


def test_a_report_passes_when_every_row_does_and_is_json_all_through() -> None:
    rows = [row(2, Target(1)), row(3, Target(1), Peer("p", 1.0, 2.0, "why"))]
    report = Report("chain", datetime(2026, 1, 2, tzinfo=UTC), 1.23, {"cores": 2}, rows)
    shown = report.as_json()
    assert report.passed
    assert shown["passed"] is True
    assert shown["began_utc"] == "2026-01-02T00:00:00+00:00"
    assert shown["rows"][1]["peers"] == [
        {"name": "p", "value": 1.0, "ratio": 3.0, "ratio_min": 2.0, "note": "why"}
    ]
    assert not Report("chain", datetime.now(UTC), 1, {}, [*rows, row(0, Target(1))]).passed


def test_the_machine_is_described(tmp_path: Path) -> None:
    facts = machine_facts(tmp_path)
    assert facts["cores"] >= 1
    assert facts["memory_gib"] > 0
    assert facts["python"].startswith("CPython 3.")
    assert facts["file_system"] not in ("", "unknown")


@pytest.mark.parametrize("value", [0.12345, 12.345, 1234.56])
def test_figures_are_rounded_for_reading(value: float) -> None:
    shown = row(value, Target(0)).as_json()["value"]
    assert abs(shown - value) <= (0.0001 if value < 10 else 0.05)
