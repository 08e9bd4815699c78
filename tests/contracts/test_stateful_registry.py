"""Tonnes, obligations, statements: whatever anybody does, the node does what the model says.

The invariants hold after each act.
"""

from __future__ import annotations

from typing import Any

import pytest
from carat_world import allowance, offset, root_of
from eth_utils import keccak
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from twin import BESIDE, CHOSEN, DAY_S, FIRM, NAME, PERIOD, QUANTITY, SIGNERS, UNIT, WHO, Story

from tests.support.contract_fuzz.trial import Trial
from tests.support.contract_model.verification import domain, emission_hash, reduction_hash


class Filing(Story):
    """Reports and statements, as every story with obligations needs them."""

    filed: dict[str, bytes]
    evidence = root_of("evidence")

    def begin(self) -> None:
        self.filed = {}

    def remembered(self) -> dict[str, Any]:
        return {"filed": self.filed}

    def file(self, who: str, period: int, name: bytes) -> None:
        if self.do(who, "Verification", "fileReport", name, period, self.evidence, name, 100) == "done":
            self.filed[who] = name

    def state(
        self, who: str, period: int, verified_t: int, name: bytes, signer: str = "verifier", salt: bytes = b""
    ) -> str:
        """Bring a statement about the last report; `salt` spoils what is signed."""
        verifier = self.people["verifier"]
        report = self.filed.get(who, root_of("none"))
        about = (name, report, self.people[who], period, self.evidence, verified_t, name, verifier)
        signature = self.signed(signer, emission_hash(about) + salt)
        return self.do("stranger", "Verification", "acceptEmissionStatements", [about], [signature])

    def signed(self, signer: str, struct_hash: bytes) -> bytes:
        separator = domain(self.stage.model.chain_id, self.stage.parts["Verification"])
        return self.stage.sign(signer, keccak(b"\x19\x01" + separator + struct_hash))


class Registry(Filing):
    """The ledger and the obligations."""

    def begin(self) -> None:
        super().begin()
        rules = (2027, self.now + 30 * DAY_S, 10_000, 1_000_000, 10, True)
        self.do("regulator", "Compliance", "publishPeriod", rules)
        for at, (who, due_t) in enumerate((("firm", 300), ("rival", 500))):
            self.do(
                "regulator",
                "Compliance",
                "allocate",
                PERIOD,
                [(self.people[who], 400)],
                root_of(f"gift {at}"),
            )
            self.file(who, PERIOD, root_of(f"report {at}"))
            self.state(who, PERIOD, due_t, root_of(f"statement {at}"))

    @rule(who=WHO, whom=WHO, kind=st.integers(0, 10), profile=st.integers(0, 1))
    def open_account(self, who: str, whom: str, kind: int, profile: int) -> None:
        opening = (self.people[whom], kind, root_of(f"profile {profile}"))
        self.do(who, "CarbonLedger", "openAccounts", [opening])

    @rule(who=st.sampled_from(("regulator", "regulator", "firm")), whom=WHO, frozen=st.booleans(), name=NAME)
    def freeze(self, who: str, whom: str, frozen: bool, name: bytes) -> None:
        self.do(who, "CarbonLedger", "setFrozen", self.people[whom], frozen, name)

    @rule(who=st.sampled_from(("regulator", "regulator", "bank")), whom=WHO, quantity=QUANTITY, name=NAME)
    def allocate(self, who: str, whom: str, quantity: int, name: bytes) -> None:
        self.do(who, "Compliance", "allocate", PERIOD, [(self.people[whom], quantity)], name)

    @rule(who=WHO, owner=FIRM, to=WHO, unit=UNIT, quantity=QUANTITY)
    def transfer(self, who: str, owner: str, to: str, unit: int, quantity: int) -> None:
        act = (self.people[owner], self.people[to], unit, quantity, b"")
        self.do(who, "CarbonLedger", "safeTransferFrom", *act)

    @rule(owner=FIRM, operator=WHO, approved=st.booleans())
    def approve(self, owner: str, operator: str, approved: bool) -> None:
        self.do(owner, "CarbonLedger", "setApprovalForAll", self.people[operator], approved)

    @rule(who=FIRM, unit=UNIT, quantity=QUANTITY, name=NAME)
    def cancel(self, who: str, unit: int, quantity: int, name: bytes) -> None:
        self.do(who, "CarbonLedger", "cancel", unit, quantity, "neutrality", name)

    @rule(who=FIRM, period=st.sampled_from((PERIOD, PERIOD, 2027)), unit=UNIT, quantity=QUANTITY, name=NAME)
    def surrender(self, who: str, period: int, unit: int, quantity: int, name: bytes) -> None:
        self.do(who, "Compliance", "surrender", period, unit, quantity, name)

    @rule(who=st.sampled_from(("regulator", "stranger")), price=st.integers(0, 9_000), name=NAME)
    def publish_price(self, who: str, price: int, name: bytes) -> None:
        self.do(who, "Compliance", "publishReferencePrice", PERIOD, price, name)

    @rule(who=WHO, whom=WHO, period=st.sampled_from((PERIOD, 2027, 2028)))
    def assess(self, who: str, whom: str, period: int) -> None:
        self.do(who, "Compliance", "assess", period, [self.people[whom]])

    @rule(beside=BESIDE, period=st.sampled_from((PERIOD, 2027)))
    def come_to_the_deadline(self, beside: int, period: int) -> None:
        self.wait_until(self.stage.compliance.rules[period].deadline + beside)

    @invariant()
    def issued_is_held_and_surrendered_and_cancelled(self) -> None:
        holders, unit = list(self.people.values()), allowance()
        issued_t, surrendered_t, cancelled_t = self.look("CarbonLedger", "supplyOf", unit)
        (held_t,) = self.look("CarbonLedger", "balanceOfBatch", holders, [unit] * len(holders))
        assert issued_t == sum(held_t) + surrendered_t + cancelled_t


class Statements(Filing):
    """Who may sign what, and what a signature brings."""

    def begin(self) -> None:
        super().begin()
        project = (1, self.people["firm"], root_of("design"), root_of("project"))
        self.do("registrar", "Verification", "registerProject", *project)
        for who in ("firm", "rival"):
            self.file(who, PERIOD, root_of(f"report of {who}"))

    @rule(
        who=st.sampled_from(("regulator", "regulator", "firm")),
        whom=st.sampled_from((*SIGNERS, "firm")),
        days=st.sampled_from((0, 1, 300)),
        name=NAME,
    )
    def accredit(self, who: str, whom: str, days: int, name: bytes) -> None:
        self.do(who, "Verification", "accredit", self.people[whom], self.now + days * DAY_S, name)

    @rule(who=st.sampled_from(("regulator", "bank")), whom=st.sampled_from(SIGNERS), name=NAME)
    def revoke(self, who: str, whom: str, name: bytes) -> None:
        self.do(who, "Verification", "revoke", self.people[whom], name)

    @rule(who=st.sampled_from(("regulator", "rival")), whom=FIRM, name=NAME)
    def declare_conflict(self, who: str, whom: str, name: bytes) -> None:
        self.do(who, "Verification", "declareConflict", self.people["reviewer"], self.people[whom], name)

    @rule(who=st.sampled_from(("registrar", "firm")), project=st.integers(0, 3), whom=WHO, name=NAME)
    def register_project(self, who: str, project: int, whom: str, name: bytes) -> None:
        act = (project, self.people[whom], root_of("design"), name)
        self.do(who, "Verification", "registerProject", *act)

    @rule(
        who=st.sampled_from(("firm", "rival", "person", "stranger")),
        period=st.sampled_from((PERIOD, 2030)),
        name=NAME,
    )
    def file_report(self, who: str, period: int, name: bytes) -> None:
        self.file(who, period, name)

    @rule(
        who=FIRM,
        verified=st.sampled_from((0, 100, 5_000, 2**80)),
        name=NAME,
        signer=st.sampled_from(("verifier", "verifier", "verifier", "reviewer")),
        salt=st.sampled_from((b"", b"", b"\x00")),
    )
    def accept_emissions(self, who: str, verified: int, name: bytes, signer: str, salt: bytes) -> None:
        self.state(who, PERIOD, verified, name, signer, salt)

    @rule(
        project=st.sampled_from((1, 1, 2)),
        batch=st.integers(0, 3),
        sums=st.sampled_from(((1_000, 300, 50), (100, 100, 0), (2**63 + 50, 50, 0), (2**63, 0, 0))),
        name=NAME,
        signer=st.sampled_from(("verifier", "verifier", "reviewer")),
    )
    def accept_reductions(
        self, project: int, batch: int, sums: tuple[int, int, int], name: bytes, signer: str
    ) -> None:
        about = (name, project, PERIOD, batch, self.evidence, *sums, name, self.people["verifier"])
        signature = self.signed(signer, reduction_hash(about))
        self.do("stranger", "Verification", "acceptReductionStatement", about, signature)

    @rule(beside=BESIDE)
    def come_to_the_end_of_the_accreditation(self, beside: int) -> None:
        until = self.stage.verification.accredited_until[self.people["verifier"]]
        if until < self.now + 400 * DAY_S:
            self.wait_until(until + beside)

    @invariant()
    def a_batch_is_issued_once(self) -> None:
        (held,) = self.look("CarbonLedger", "balanceOf", self.people["firm"], offset(project=1))
        assert held in (0, 650, 2**63 - 1)


@pytest.mark.parametrize("story", [Registry, Statements])
def test_whatever_anybody_does_the_node_does_what_the_model_says(trial: Trial, story: type[Story]) -> None:
    story.prepare(trial)
    run_state_machine_as_test(story, settings=CHOSEN)
