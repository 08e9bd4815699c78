"""The contracts on the node and the model of them, side by side: what a stateful test acts on.

After each act `Trial` compares the outcome, the data, the logs and every row that the model wrote, and the
witness checks the invariants on the events (see `contract_fuzz/trial.py`). Here hypothesis makes the acts,
and the machine is the node.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

from brownie import accounts, web3
from carat_world import allowance, offset, return_to, root_of, take_snapshot
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from node_machine import NodeMachine

from tests.support.contract_fuzz.stage import ADDRESSES, OFFICES, first_acts, make_stage
from tests.support.contract_fuzz.trial import Trial

SENDERS = (*OFFICES, "firm", "rival", "person", "stranger")  # the node's unlocked accounts
SIGNERS = ("verifier", "reviewer")  # only sign
DAY_S = 24 * 3600
PERIOD = 2026

WHO = st.sampled_from(SENDERS)
FIRM = st.sampled_from(("firm", "rival"))
UNIT = st.sampled_from((allowance(), offset(project=1), allowance(2027)))
BESIDE = st.sampled_from((-1, 0, 1))  # seconds from where something changes
NAME = st.integers(0, 40).map(lambda number: root_of(f"act {number}") if number else bytes(32))
QUANTITY = st.one_of(st.integers(0, 20), st.integers(0, 600), st.sampled_from((2**63 - 1, 2**256 - 1)))

CHOSEN = settings(
    max_examples=20,  # the first ten are small
    stateful_step_count=20,
    deadline=None,
    derandomize=True,  # the fuzzer makes other acts each time, this one the same
    database=None,
    suppress_health_check=HealthCheck.all(),
)


def prepared() -> Trial:
    """The contracts deployed on the node, with the first acts of every story."""
    machine = NodeMachine()
    people = {label: accounts[at].address.lower() for at, label in enumerate(SENDERS)}
    people |= {label: ADDRESSES[label] for label in (*SIGNERS, "deputy", "developer")}
    begin = machine.now() + 1
    machine.at(begin)
    trial = Trial(make_stage(machine, people, begin, web3.eth.chain_id))
    trial.stage.model.now = machine.now()  # each deployment took a block
    for act in first_acts(trial.stage):
        act.at = trial.stage.model.now + 1
        assert trial.perform(act) == "done"
    return trial


class Story(RuleBasedStateMachine):
    """Acts on a twin that begins anew in every example, where `begin` left it."""

    beginning: ClassVar[Trial]
    known: ClassVar[dict[str, Any]] = {}  # what `begin` remembers for the rules

    @classmethod
    def prepare(cls, trial: Trial) -> None:
        """Make the first acts of this story, once."""
        cls.beginning, cls.known = trial, {}
        first = cls()
        first.begin()
        cls.beginning, cls.known = first.trial, first.remembered()

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = take_snapshot()
        self.trial = deepcopy(self.beginning)
        self.stage = self.trial.stage
        self.people = self.stage.people
        self.wait_s = 1
        self.__dict__.update(deepcopy(self.known))

    def begin(self) -> None:
        """What happens before anything random."""

    def remembered(self) -> dict[str, Any]:
        """What `begin` leaves in the story itself."""
        return {}

    def teardown(self) -> None:
        self.trial.compare_books()
        return_to(self.snapshot)

    @property
    def now(self) -> int:
        """The second at which the next act happens."""
        return self.stage.model.now + self.wait_s

    def do(self, who: str, part: str, function: str, *args: Any) -> str:
        """Act in both worlds; returns "done" or the refusal's name."""
        act = self.stage.act(who, part, function, *args)
        act.at, self.wait_s = self.now, 1
        return self.trial.perform(act)

    def wait_until(self, second: int) -> None:
        """Let the next act happen at this second, or as soon as can be."""
        self.wait_s = max(1, second - self.stage.model.now)

    def look(self, part: str, function: str, *args: Any) -> tuple[Any, ...]:
        """Ask the node, not the model."""
        contract = self.stage.model.contracts[self.stage.parts[part]]
        signature = contract.interface.function(function, len(args))
        answer = self.stage.machine.look(contract.address, signature.calldata(args))
        return signature.read(answer.data)
