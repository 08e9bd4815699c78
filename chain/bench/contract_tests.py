"""Row 7: our contract tests under brownie, on our node and on anvil; a checkout's script runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

from chain.bench.chains import ANVIL, SCRIPTS
from chain.bench.report import AT_MOST, Peer, Row, Target

_TIMEOUT_S: Final = 400


def row(quick: bool) -> Row:
    """How many times as long as anvil our node takes."""
    found, problem = _run(quick)
    value = None if found is None else float(found["ratio"])
    ours, theirs = (found or {}).get("carat", {}), (found or {}).get(ANVIL, {})
    return Row(
        name="contract-tests",
        title="contract tests under brownie, times as long as on anvil",
        unit="times",
        target=Target(4, sense=AT_MOST),
        value=value,
        method="Contract tests under brownie on our node and then on anvil (scripts/bench_contract_tests). "
        "What counts is the time inside the tests, setup and teardown included; compiling and starting "
        "pytest are left out. All must pass on both. The peer's value is 1: itself.",
        peers=[Peer(ANVIL, None if value is None else 1.0, None, problem)],
        details={
            "tests": ours.get("tests"),
            "carat_s": ours.get("tests_s"),
            "anvil_s": theirs.get("tests_s"),
            "files": (found or {}).get("files", []),
        },
        problem=problem,
    )


def _run(quick: bool) -> tuple[dict[str, Any] | None, str]:
    script = SCRIPTS / "bench_contract_tests"
    if not script.exists():
        return None, "only a checkout has the contract tests"
    command = [sys.executable, str(script), "--json"]
    if quick:
        command.append("tests/contracts/test_settlement_cash.py")
    try:
        done = subprocess.run(  # noqa: S603 - our own script
            command, stdout=subprocess.PIPE, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return None, f"not done after {_TIMEOUT_S} s"
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return None, f"scripts/bench_contract_tests ended with {done.returncode}"
    return found, "" if done.returncode == 0 else "a test failed"
