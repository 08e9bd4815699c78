"""The compiled contracts and the model do the same, whatever anybody calls; a difference would be found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.contract_fuzz.report import report
from tests.support.contract_fuzz.run import Result, run
from tests.support.contract_fuzz.trial import Trial
from tests.support.contract_model import compliance, points
from tests.support.contract_model.machine import Msg

ROOT = Path(__file__).resolve().parents[2]


def test_fifty_thousand_random_calls_end_as_the_model_says_and_keep_the_invariants() -> None:
    result = run(50_000, seed=1)
    found = report(result, 1.0)
    assert result.failure is None, found.text
    assert result.calls == 50_000
    # Every public function was done, refused in words, and called by every role; every error was seen.
    assert found.document["gaps"] == []


def test_the_same_seed_makes_the_same_calls() -> None:
    one, other = run(1_000, seed=5), run(1_000, seed=5)
    assert one.coverage.counts == other.coverage.counts
    assert run(1_000, seed=6).coverage.counts != one.coverage.counts


# Faults of the kind that one writes. The model is changed and the contracts stay: they differ all the same.


def _deadline_a_second_early(trial: Trial) -> None:
    _changed_rules(trial, lambda rules: rules._replace(deadline=rules.deadline - 1))


def _offsets_without_a_cap(trial: Trial) -> None:
    _changed_rules(trial, lambda rules: rules._replace(offset_cap_ppm=compliance.PPM))


def _changed_rules(trial: Trial, change: Callable[[compliance.Rules], compliance.Rules]) -> None:
    """The rules are published as they are, and used as they are not."""
    contract = trial.stage.compliance
    right = contract._published
    contract._published = lambda period: change(right(period))


def _a_frozen_account_sends(trial: Trial) -> None:
    class Never(dict):
        def get(self, *_key: object) -> bool:
            return False

    trial.stage.ledger.frozen.rows = Never()
    trial.stage.ledger.frozen.shown = None


def _a_name_used_twice(trial: Trial) -> None:
    trial.stage.cash.once = lambda *_facts: True


def _points_of_others(trial: Trial) -> None:
    contract = trial.stage.points

    def claim(msg: Msg, epoch: int, index: int, quantity_g: int, proof: list[tuple[bytes, int]]) -> None:
        contract.claimed[epoch, msg.sender] = True
        contract.mint_to(msg.sender, quantity_g)
        contract.emit("PointsClaimed", epoch, msg.sender, quantity_g)

    assert hasattr(points, "proves")
    contract._methods[contract.interface.function("claim").selector] = claim


FAULTS = [
    _deadline_a_second_early, _offsets_without_a_cap, _a_frozen_account_sends,
    _a_name_used_twice, _points_of_others,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_told_with_the_fewest_acts(fault: Callable[[Trial], None]) -> None:
    result = run(50_000, seed=1, change=fault)
    assert result.failure is not None
    # Most of them set the stage: rights, accounts, a period.
    assert len(result.failure.acts) <= 20, result.failure.shown()
    assert f"seed 1, episode {result.failure.episode}" in result.failure.shown()
    assert not report(result, 1.0).ok


def test_a_run_too_short_to_reach_everything_does_not_pass() -> None:
    short = run(300, seed=1)
    found = report(short, 1.0)
    assert short.failure is None
    assert not found.ok
    assert any("was never done" in gap for gap in found.document["gaps"])
    assert any("was never refused in words" in gap for gap in found.document["gaps"])
    assert any("was never called by stranger" in gap for gap in found.document["gaps"])


def test_one_episode_can_be_run_again_by_its_number() -> None:
    def outcomes(result: Result) -> dict[str, dict[str, dict[str, int]]]:
        return result.coverage.table()

    assert outcomes(run(500, seed=9, first_episode=3)) == outcomes(run(500, seed=9, first_episode=3))
    assert outcomes(run(500, seed=9, first_episode=4)) != outcomes(run(500, seed=9, first_episode=3))


def test_the_command_says_its_figures_in_json_and_fails_when_something_is_missing() -> None:
    command = [sys.executable, ROOT / "scripts" / "fuzz_contracts", "--calls", "500", "--seed", "3", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert (document["calls"], document["seed"], document["failure"]) == (500, 3, None)
    assert document["gaps"]
