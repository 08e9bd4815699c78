"""scripts/compare_packages: its workload, our side of it, its table. The packages themselves are not run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.mark.usefixtures("packages")
def test_half_as_many_orders_are_cancelled_and_each_once() -> None:
    from packages.workload import CANCEL, ENTER, messages  # noqa: PLC0415

    found = messages(2_000)
    assert found == messages(2_000)
    entered = [number for kind, number, *_ in found if kind == ENTER]
    cancelled = [number for kind, number, *_ in found if kind == CANCEL]
    assert entered == list(range(1, 2_001))
    assert 900 < len(cancelled) == len(set(cancelled)) < 1_100


@pytest.mark.usefixtures("packages")
def test_core_and_reference_do_the_same_and_a_difference_is_shown() -> None:
    from packages import compare, ours  # noqa: PLC0415
    from packages.workload import messages  # noqa: PLC0415

    work = messages(600)
    rows = []
    for name, (engine, at_once) in ours.ENGINES.items():
        rows.append(compare._row(name, [ours.run(engine, work, 60.0, at_once)], work))
    assert [row["same"] for row in rows] == [True, True, True]
    assert rows[0]["trades"] > 50
    wrong = compare._row("other", [ours.run(ours.Engine, work, 60.0, 1) | {"trades": 1}], work)
    assert wrong["same"] is False
    found = {
        "orders": 600,
        "messages": len(work),
        "engines": [*rows, wrong],
        "missing": {"gone": "no network"},
    }
    text = compare.table(found | {"machine": {"processor": "p", "cores": 2, "python": "3", "load_before": 0}})
    assert "NO" in text
    assert "gone: not measured: no network" in text


def test_the_script_measures_ours_without_any_package() -> None:
    command = [
        sys.executable,
        str(SCRIPTS / "compare_packages"),
        "--orders",
        "300",
        "--rounds",
        "1",
        "--json",
    ]
    done = subprocess.run([*command, "--only", ""], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {row["name"] for row in found["engines"]} >= {"CARAT reference", "CARAT core, one a call"}
    assert all(row["same"] for row in found["engines"])
    assert found["missing"] == {}


def test_what_is_measured_is_locked_by_hash() -> None:
    locked = (SCRIPTS.parent / "requirements" / "engines.txt").read_text(encoding="utf-8")
    for name in ("order-matching==", "lightmatchingengine==", "pyorderbook==", "nautilus-trader=="):
        assert name in locked
    modules = json.loads((SCRIPTS / "packages" / "package-lock.json").read_bytes())["packages"]
    assert all("integrity" in found for name, found in modules.items() if name)
