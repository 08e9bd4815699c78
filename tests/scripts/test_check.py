"""What `make test` says at its end."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loader = SourceFileLoader("check", str(ROOT / "scripts" / "check"))
    spec = spec_from_loader("check", loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "check", module)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return module


def run(check: ModuleType, monkeypatch: pytest.MonkeyPatch, *steps: object) -> int:
    monkeypatch.setattr(check, "steps", lambda: list(steps))
    monkeypatch.setattr(sys, "argv", ["check"])
    code: int = check.main()
    return code


def shell(check: ModuleType, name: str, script: str, results: Path | None = None) -> object:
    return check.Step(name, ["/bin/sh", "-c", script], results)


def results(tests: int, failures: int = 0, errors: int = 0, skipped: int = 0) -> str:
    numbers = f'tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    return f"<testsuites><testsuite {numbers}/></testsuites>"


def test_the_last_line_sums_the_tests_of_all_steps(
    check: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two = tmp_path / "one.xml", tmp_path / "two.xml"
    first = shell(check, "first", f"echo '{results(10, skipped=2)}' > {one}", one)
    second = shell(check, "second", f"echo '{results(5)}' > {two}", two)
    assert run(check, monkeypatch, first, second) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "13 passed, 0 failed, 2 skipped"


def test_all_steps_run_and_the_failed_ones_are_named(
    check: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    xml = tmp_path / "tests.xml"
    types = shell(check, "types", "exit 1")
    tests = shell(check, "tests", f"echo '{results(4, failures=1, errors=1)}' > {xml}; exit 1", xml)
    assert run(check, monkeypatch, types, tests) == 1
    closing = capsys.readouterr().out.splitlines()[-2:]
    assert closing[0].endswith("failed: types, tests")
    assert closing[1] == "2 passed, 3 failed, 0 skipped"


def test_results_of_an_earlier_run_do_not_count(
    check: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    xml = tmp_path / "tests.xml"
    xml.write_text(results(100))
    assert run(check, monkeypatch, shell(check, "tests", "exit 3", xml)) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"
