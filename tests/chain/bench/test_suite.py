"""`carat bench chain`: its rows, its options, and a quick run that shows that everything works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from api.cli.bench_table import report_table, row_line
from chain.bench.chains import ANVIL, ETH_TESTER, SCRIPTS
from chain.bench.report import Report
from chain.bench.suite import ROWS, BenchRowUnknown, BenchSecondsOutOfRange, Plan, run
from tests.support.carat import carat

OUR_OWN = tuple(name for name in ROWS if name != "contract-tests")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    plan = Plan(seconds=0.2, quick=True, peers=False, directory=tmp_path_factory.mktemp("quick"))
    return run(plan, lambda _step: None, lambda _row: None)


def test_every_row_is_measured_and_says_how(report: Report) -> None:
    assert tuple(row.name for row in report.rows) == OUR_OWN
    for row in report.rows:
        assert row.value is not None
        assert row.value > 0
        assert row.method
        assert row.unit in ("a second", "s", "ms")
    assert report.quick
    assert json.loads(json.dumps(report.as_json()))["machine"]["cores"] >= 1


def test_what_belongs_to_a_row_is_in_its_details(report: Report) -> None:
    details = {row.name: row.details for row in report.rows}
    assert len(details["transfers-single"]["rounds"]["carat"]) == 3
    assert details["settlement"]["transactions"] == 3
    assert details["calls-changing"]["blocks_a_second_meanwhile"] > 0
    assert details["calls-latency"]["p50_ms"] <= details["calls-latency"]["p99_ms"]
    assert details["calls-latency"]["transfers_a_second_meanwhile"] > 0
    assert 10 < details["logs"]["index_bytes_a_log"] < 100


def test_the_table_shows_every_row_with_its_target(report: Report) -> None:
    console = Console(record=True, width=200, file=Path("/dev/null").open("w"))  # noqa: SIM115
    console.print(report_table(report))
    console.file.close()
    text = console.export_text()
    for row in report.rows:
        assert row.title in text
        assert row_line(row).startswith(row.name)
    assert "quick" in text
    assert "ext4" in text or report.machine["file_system"] in text


def test_a_row_that_is_unknown_is_refused() -> None:
    with pytest.raises(BenchRowUnknown) as refusal:
        Plan(rows=("transfers-single", "nonsense"))
    assert refusal.value.facts["row"] == "nonsense"


@pytest.mark.parametrize("seconds", [0.0, -1.0, 61.0, float("nan")])
def test_a_round_of_no_length_or_too_long_is_refused(seconds: float) -> None:
    with pytest.raises(BenchSecondsOutOfRange):
        Plan(seconds=seconds)


def test_the_command_refuses_bad_options_with_exit_code_2() -> None:
    done = carat("bench", "chain", "--rows", "nonsense", "--json")
    assert done.code == 2
    assert json.loads(done.stdout)["error"]["code"] == "BenchRowUnknown"
    assert done.stderr.strip().endswith(f"rows={','.join(ROWS)}")
    assert carat("bench", "chain", "--seconds", "soon").code == 2
    assert carat("bench", "chain", "--directory", "/nowhere").code == 2


def test_the_scripts_that_install_and_run_the_peers_are_there() -> None:
    for name in ("bench_chain_peers", "bench_eth_tester", "bench_contract_tests"):
        assert (SCRIPTS / name).stat().st_mode & 0o111
    text = (SCRIPTS / "bench_chain_peers").read_text(encoding="utf-8")
    assert ETH_TESTER in text
    assert ANVIL in text
