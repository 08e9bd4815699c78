"""The least 128-bit number has no opposite: a chunk with it was taken, and could never be taken back.

The epoch then stayed open for good: no release, no forced exit, for nobody.
"""

from __future__ import annotations

import pytest

from tests.support.contract_fuzz.evm import Evm
from tests.support.contract_fuzz.stage import BEGIN, first_acts, make_stage
from tests.support.contract_fuzz.trial import Trial

LEAST = -(2**127)


@pytest.mark.parametrize("leg", [2, 3], ids=["tonnes", "fen"])
def test_a_delta_without_an_opposite_is_refused(leg: int) -> None:
    trial = Trial(make_stage(Evm(BEGIN)))
    for act in first_acts(trial.stage):
        trial.perform(act)
    seller, buyer = trial.stage.people["firm"], trial.stage.people["rival"]
    unit = 1 << 80 | 2026 << 64
    deltas = [[seller, unit, 0, 0], [buyer, unit, 0, 0], [buyer, unit, 0, 0]]
    for delta, value in zip(deltas, (LEAST, 2**127 - 1, 1), strict=True):
        delta[leg] = value
    settle = trial.stage.act("exchange", "Clearing", "settle", 1, 0, 2, bytes(32), [tuple(d) for d in deltas])
    assert trial.perform(settle) == "ClearingDeltaImpossible"
    assert trial.stage.clearing.progress[0].chunks_applied == 0


def test_tonnes_of_cash_are_refused() -> None:
    trial = Trial(make_stage(Evm(BEGIN)))
    for act in first_acts(trial.stage):
        trial.perform(act)
    seller, buyer = trial.stage.people["firm"], trial.stage.people["rival"]
    deltas = [(seller, 0, -5, 0), (buyer, 0, 5, 0)]
    settle = trial.stage.act("exchange", "Clearing", "settle", 1, 0, 2, bytes(32), deltas)
    assert trial.perform(settle) == "ClearingDeltaImpossible"
