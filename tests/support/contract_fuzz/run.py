"""The run: many episodes, each on a fresh stage, each repeatable by the run's seed and its own number."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.coverage import Coverage
from tests.support.contract_fuzz.draw import Dice
from tests.support.contract_fuzz.evm import Evm
from tests.support.contract_fuzz.scene import Scene
from tests.support.contract_fuzz.shrink import shrunk
from tests.support.contract_fuzz.stage import BEGIN, first_acts, make_stage
from tests.support.contract_fuzz.trial import Mismatch, Trial

EPISODE_CALLS = 2_500


@dataclass
class Failure:
    """Where it failed, why, and the fewest acts that still fail."""

    seed: int
    episode: int
    reason: str
    acts: list[Act]
    names: dict[str, str]

    def shown(self) -> str:
        lines = [
            f"seed {self.seed}, episode {self.episode}: {self.reason}",
            f"{len(self.acts)} acts lead to it:",
        ]
        return "\n".join(lines + [f"  {act.shown(self.names)}" for act in self.acts])


@dataclass
class Result:
    """What a run did."""

    seed: int
    calls: int
    episodes: int
    rows_compared: int
    coverage: Coverage
    failure: Failure | None = None


def run(
    calls: int,
    seed: int,
    on_progress: Callable[[int], None] = lambda _calls: None,
    change: Callable[[Trial], None] = lambda _trial: None,
    first_episode: int = 0,
) -> Result:
    """Make so many random calls; stops at the first failure, with the fewest acts that show it.

    Parameters
    ----------
    on_progress :
        Hears after each episode how many calls are made.
    change :
        May spoil each new trial: the tests of the fuzzer itself plant a fault by it.
    first_episode :
        Where to begin; an episode is the same whichever came before it.
    """
    result = Result(seed, 0, 0, 0, Coverage())
    while result.calls < calls:
        acts: list[Act] = []
        trial = begin(result.coverage, change)
        rng = random.Random(f"{seed} {first_episode + result.episodes}")
        scene = Scene(trial.stage, rng)
        dice = Dice(scene, result.coverage)
        try:
            for act in first_acts(trial.stage):
                _make(trial, scene, act, acts)
            while trial.done < EPISODE_CALLS and result.calls + trial.done < calls:
                _make(trial, scene, dice.act(), acts)
            trial.look_at_all()
        except Mismatch as mismatch:
            fewest, reason = shrunk(acts, lambda: begin(Coverage(), change), str(mismatch))
            result.failure = Failure(seed, first_episode + result.episodes, reason, fewest, trial.stage.names)
        result.calls += trial.done
        result.rows_compared += trial.rows_compared
        result.episodes += 1
        on_progress(result.calls)
        if result.failure is not None:
            break
    return result


def begin(coverage: Coverage, change: Callable[[Trial], None]) -> Trial:
    """A fresh stage, and who listens."""
    stage = make_stage(Evm(BEGIN))
    stage.model.heard = coverage.listener(stage.names)
    trial = Trial(stage)
    change(trial)
    return trial


def _make(trial: Trial, scene: Scene, act: Act, acts: list[Act]) -> None:
    acts.append(act)
    scene.heard(act, trial.perform(act))
