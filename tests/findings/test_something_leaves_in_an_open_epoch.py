"""A payout's receiver, called amid a release, could open an epoch: the rest of the release still left.

It takes a receiver with the exchange's right; the rule is that nothing leaves then, whoever opened it.
"""

from __future__ import annotations

from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.evm import Evm
from tests.support.contract_fuzz.stage import BEGIN, first_acts, make_stage
from tests.support.contract_fuzz.trial import Trial

UNIT = 1 << 80 | 2026 << 64


def test_a_release_ends_where_an_epoch_opens() -> None:
    trial = Trial(make_stage(Evm(BEGIN)))
    stage = trial.stage
    people = stage.people

    def done(act: Act) -> None:
        assert trial.perform(act) == "done"

    for act in first_acts(stage):
        done(act)
    done(stage.act("admin", "AccessManager", "grantRole", 4, people["wallet"], 0))
    rows = [(people["wallet"], 100), (people["firm"], 100)]
    done(stage.act("regulator", "Compliance", "allocate", 2026, rows, b"\x01" * 32))
    give = stage.act(
        "firm",
        "CarbonLedger",
        "safeTransferFrom",
        people["firm"],
        stage.clearing.address,
        UNIT,
        50,
        b"\x02" * 32,
    )
    done(give)
    send = stage.act(
        "wallet",
        "CarbonLedger",
        "safeTransferFrom",
        people["wallet"],
        stage.clearing.address,
        UNIT,
        50,
        b"\x03" * 32,
    )
    puppet = stage.model.contracts[people["wallet"]]
    perform = puppet.interface.function("perform")
    steps = [(send.to, send.data, True)]
    done(Act(stage.model.now, people["firm"], puppet.address, perform, (steps,)))
    # At the arrival of its tonnes the wallet opens an epoch and leaves it open.
    deltas = [(people["firm"], UNIT, 7, 0)]
    settle = stage.act("exchange", "Clearing", "settle", 1, 0, 2, bytes(32), deltas)
    arm = puppet.interface.function("arm")
    done(Act(stage.model.now, people["firm"], puppet.address, arm, (0, [(settle.to, settle.data, True)])))
    withdrawals = [(people["wallet"], UNIT, 10, b"\x04" * 32), (people["firm"], UNIT, 10, b"\x05" * 32)]
    assert trial.perform(stage.act("exchange", "Clearing", "release", withdrawals)) == "ClearingEpochOpen"
