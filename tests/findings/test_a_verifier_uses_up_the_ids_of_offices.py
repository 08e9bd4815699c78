"""A verifier about to be revoked could sign a statement under the id of the revocation, and bring it first.

Statements and the acts of offices had their ids together, in Verification and in the ledger. The revocation,
or a freeze, or an allocation was refused then (RequestIdReused), as often as the verifier had more to sign.
"""

from __future__ import annotations

import pytest
from eth_utils import keccak

from tests.support.contract_fuzz.evm import Evm
from tests.support.contract_fuzz.stage import BEGIN, first_acts, make_stage
from tests.support.contract_fuzz.trial import Trial
from tests.support.contract_model.verification import domain, reduction_hash

TAKEN = keccak(text="the id of what the office is about to do")


@pytest.fixture
def trial() -> Trial:
    """The verifier has signed for a project under the office's id, and somebody has brought it."""
    trial = Trial(make_stage(Evm(BEGIN)))
    stage = trial.stage
    acts = first_acts(stage)
    project = (7, stage.people["developer"], keccak(text="design"), keccak(text="register"))
    acts.append(stage.act("registrar", "Verification", "registerProject", *project))
    for act in acts:
        assert trial.perform(act) == "done"
    evidence = keccak(text="evidence")
    about = (TAKEN, 7, 2026, 1, evidence, 100, 10, 0, evidence, stage.people["verifier"])
    separator = domain(stage.model.chain_id, stage.verification.address)
    signature = stage.sign("verifier", keccak(b"\x19\x01" + separator + reduction_hash(about)))
    bring = stage.act("stranger", "Verification", "acceptReductionStatement", about, signature)
    assert trial.perform(bring) == "done"
    assert trial.perform(bring) == "done"  # a retry: it issues nothing
    assert stage.ledger.supplies[2 << 80 | 2026 << 64 | 7 << 32 | 1].issued_t == 90
    return trial


def test_a_revocation_cannot_be_forestalled(trial: Trial) -> None:
    people = trial.stage.people
    assert (
        trial.perform(trial.stage.act("regulator", "Verification", "revoke", people["verifier"], TAKEN))
        == "done"
    )


def test_a_freeze_cannot_be_forestalled(trial: Trial) -> None:
    people = trial.stage.people
    freeze = (people["developer"], True, TAKEN)
    assert trial.perform(trial.stage.act("regulator", "CarbonLedger", "setFrozen", *freeze)) == "done"


def test_an_allocation_cannot_be_forestalled(trial: Trial) -> None:
    gift = (2026, [(trial.stage.people["firm"], 5)], TAKEN)
    assert trial.perform(trial.stage.act("regulator", "Compliance", "allocate", *gift)) == "done"
