"""`carat bench exchange`: its rows, its options, and a quick run that shows that everything works."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from chain.bench.report import Report
from chain.bench.suite import BenchRowUnknown
from exchange.bench import book as books
from exchange.bench import growth
from exchange.bench.flows import SHAPES
from exchange.bench.suite import FULL_VERIFIED, ROWS, Plan, run
from tests.support.carat import carat


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    plan = Plan(quick=True, directory=tmp_path_factory.mktemp("quick"))
    return run(plan, lambda _step: None, lambda _row: None)


def test_every_row_is_measured_and_says_how(report: Report) -> None:
    assert tuple(row.name for row in report.rows) == ROWS
    for row in report.rows:
        if row.name.startswith("matching") and books.BareBook is None:
            assert row.problem
            continue
        assert row.value is not None
        assert row.value > 0
        assert row.unit in ("a second", "orders a second", "bytes", "ms", "us", "s")
        assert row.method
        assert "{" not in row.method
    assert json.loads(json.dumps(report.as_json()))["machine"]["core"] in ("compiled", "reference")


def test_the_worst_of_the_five_shapes_counts(report: Report) -> None:
    rows = {row.name: row for row in report.rows}
    for name in ("risk", "matching-batches", "matching-single"):
        value = rows[name].value
        if value is None:
            continue
        shapes = rows[name].details["shapes"]
        assert list(shapes) == list(SHAPES)
        assert round(value) == min(shape["cpu"] for shape in shapes.values())
        assert all(shape["trades"] > 0 for shape in shapes.values())


def test_what_is_extrapolated_says_so(report: Report) -> None:
    (row,) = (row for row in report.rows if row.name == "verify")
    assert row.details["is_extrapolated"]
    assert "extrapolated" in row.title
    assert Plan(full=True).effort.verified == FULL_VERIFIED


def test_latencies_are_in_order(report: Report) -> None:
    (row,) = (row for row in report.rows if row.name == "commit")
    found = [row.details[name] for name in ("p50_ms", "p99_ms", "p99.9_ms", "max_ms")]
    assert found == sorted(found)


def test_a_row_that_is_unknown_is_refused() -> None:
    with pytest.raises(BenchRowUnknown) as refusal:
        Plan(rows=("risk", "nonsense"))
    assert refusal.value.facts["row"] == "nonsense"


def test_the_command_runs_a_row_and_refuses_bad_options() -> None:
    done = carat("bench", "exchange", "--rows", "replay", "--quick", "--json")
    assert done.code == 0, done.stderr
    (row,) = done.json["rows"]
    assert (row["name"], done.json["subject"], done.json["quick"]) == ("replay", "exchange", True)
    refused = carat("bench", "exchange", "--rows", "nonsense", "--json")
    assert refused.code == 2
    assert json.loads(refused.stdout)["error"]["code"] == "BenchRowUnknown"


@pytest.mark.parametrize("grown", [{"levels": 10_000}, {"participants": 300}, {"instruments": 7}])
def test_growth_measures_a_market_of_the_size_asked_for(grown: dict[str, int]) -> None:
    crowd = replace(growth.Crowd(orders=300, participants=20), **grown)
    row = growth.measure(crowd, 400)
    assert row["enter_ns"] > 0
    assert row["move_ns"] > 0
    assert 0 < row["open_orders_after"] <= 300


def test_a_part_of_growth_has_a_row_for_every_size() -> None:
    said: list[str] = []
    rows = growth.measure_part("orders", [100, 200], said.append, 100)
    assert said == ["orders: 100", "orders: 200"]
    assert [row["orders"] for row in rows] == [100, 200]


def test_the_documents_figures_are_of_every_part_and_row() -> None:
    folder = Path(__file__).resolve().parents[3] / "docs" / "performance"
    grown = json.loads((folder / "exchange-growth.json").read_bytes())
    for part, (sizes, _) in growth.PARTS.items():
        assert [row[part] for row in grown[part]] == list(sizes)
    table = json.loads((folder / "exchange.json").read_bytes())
    assert [row["name"] for row in table["rows"]] == list(ROWS)
    assert not table["quick"]


def test_the_page_says_what_was_measured() -> None:
    script = Path(__file__).resolve().parents[3] / "scripts" / "write_exchange_performance"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
