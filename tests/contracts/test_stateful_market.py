"""Cash, epochs, exits, points: whatever anybody does, the node does what the model says.

The invariants hold after each act.
"""

from __future__ import annotations

from typing import Any

import pytest
from carat_world import allowance, root_of
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from twin import BESIDE, CHOSEN, DAY_S, FIRM, NAME, PERIOD, QUANTITY, UNIT, WHO, Story

from tests.support.contract_fuzz.trial import Trial
from tests.support.contract_model.points import leaf, parent

EXIT_TIMEOUT_S = 7 * DAY_S


class Market(Story):
    """Cash, deposits, epochs in chunks, and the ways out."""

    chunks: list[tuple[Any, ...]]  # of the open epoch, as applied

    def begin(self) -> None:
        rows = [(self.people[who], 400) for who in ("firm", "rival")]
        self.do("regulator", "Compliance", "allocate", PERIOD, rows, root_of("gift"))
        self.do("bank", "SettlementCash", "mint", [(self.people["rival"], 50_000)], root_of("money"))
        self.do(
            "firm",
            "CarbonLedger",
            "safeTransferFrom",
            *self.deposit("firm", allowance(), 300, root_of("first")),
        )
        clearing = self.stage.parts["Clearing"]
        self.do("rival", "SettlementCash", "transferAndCall", clearing, 30_000, root_of("first"))

    def remembered(self) -> dict[str, Any]:
        return {"chunks": []}

    def deposit(self, who: str, unit: int, quantity: int, name: bytes) -> tuple[Any, ...]:
        return self.people[who], self.stage.parts["Clearing"], unit, quantity, name

    @rule(who=st.sampled_from(("bank", "bank", "exchange")), whom=WHO, amount=QUANTITY, name=NAME)
    def mint(self, who: str, whom: str, amount: int, name: bytes) -> None:
        self.do(who, "SettlementCash", "mint", [(self.people[whom], amount)], name)

    @rule(who=FIRM, amount=QUANTITY, name=NAME)
    def redeem(self, who: str, amount: int, name: bytes) -> None:
        self.do(who, "SettlementCash", "redeem", amount, name)

    @rule(who=FIRM, to=st.sampled_from(("firm", "Clearing")), amount=QUANTITY)
    def send_cash(self, who: str, to: str, amount: int) -> None:
        self.do(who, "SettlementCash", "transfer", (self.people | self.stage.parts)[to], amount)

    @rule(who=FIRM, unit=UNIT, quantity=QUANTITY, name=NAME)
    def deposit_units(self, who: str, unit: int, quantity: int, name: bytes) -> None:
        self.do(who, "CarbonLedger", "safeTransferFrom", *self.deposit(who, unit, quantity, name))

    @rule(who=FIRM, amount=QUANTITY, name=NAME)
    def deposit_cash(self, who: str, amount: int, name: bytes) -> None:
        self.do(who, "SettlementCash", "transferAndCall", self.stage.parts["Clearing"], amount, name)

    @rule(
        who=st.sampled_from(("exchange", "exchange", "exchange", "firm")),
        quantity=st.integers(0, 320),
        price=st.integers(0, 200),
        chunks=st.sampled_from((1, 1, 2, 3)),
        wrong=st.sampled_from(("", "", "", "tonnes", "fen", "epoch", "root")),
    )
    def settle(self, who: str, quantity: int, price: int, chunks: int, wrong: str) -> None:
        """A trade at once, or its two legs in two chunks."""
        progress = self.stage.clearing.progress[0]
        chunks = progress.chunks or chunks
        fen = quantity * price
        seller = (self.people["firm"], allowance(), -quantity, fen)
        buyer = (self.people["rival"], allowance(), quantity + (wrong == "tonnes"), -fen + (wrong == "fen"))
        at = progress.chunks_applied
        if self.chunks and at == len(self.chunks):
            open_t, open_fen = self.open()
            buyer = (self.people["rival"], allowance(), -open_t + (wrong == "tonnes"), -open_fen)
        legs = [seller, buyer] if chunks == 1 else [seller] if at + 1 < chunks else [buyer]
        root = root_of("other" if wrong == "root" else f"tape {progress.settled_epoch}")
        act = (progress.settled_epoch + 1 + (wrong == "epoch"), at, chunks, root, legs)
        if self.do(who, "Clearing", "settle", *act) == "done":
            self.chunks = [*self.chunks[:at], act] if at + 1 < chunks else []

    def open(self) -> tuple[int, int]:
        deltas = [delta for chunk in self.chunks for delta in chunk[4]]
        return sum(delta[2] for delta in deltas), sum(delta[3] for delta in deltas)

    @rule(who=st.sampled_from(("exchange", "stranger")), what=st.sampled_from(("unwind", "unwindAbandoned")))
    def take_back(self, who: str, what: str) -> None:
        act = self.chunks[-1] if self.chunks else (1, 0, 1, root_of("none"), [])
        if self.do(who, "Clearing", what, *act) == "done":
            self.chunks.pop()

    @rule(
        who=st.sampled_from(("exchange", "exchange", "rival")),
        whom=FIRM,
        unit=st.sampled_from((0, allowance())),
        amount=QUANTITY,
        name=NAME,
    )
    def release(self, who: str, whom: str, unit: int, amount: int, name: bytes) -> None:
        self.do(who, "Clearing", "release", [(self.people[whom], unit, amount, name)])

    @rule(who=FIRM)
    def request_exit(self, who: str) -> None:
        self.do(who, "Clearing", "requestExit")

    @rule(who=FIRM)
    def leave(self, who: str) -> None:
        self.do(who, "Clearing", "exit", [allowance()])

    @rule(who=FIRM, beside=BESIDE)
    def come_to_the_exit(self, who: str, beside: int) -> None:
        (due_at,) = self.look("Clearing", "exitDueAt", self.people[who])
        self.wait_until(max(due_at, self.stage.clearing.progress[0].last_act_at + EXIT_TIMEOUT_S) + beside)

    @invariant()
    def the_trading_accounts_are_backed_between_epochs_and_nobody_is_below_zero(self) -> None:
        clearing = self.stage.parts["Clearing"]
        if self.look("Clearing", "chunksApplied") != (0,):
            return
        firms = [self.people[who] for who in ("firm", "rival")]
        trading_t = sum(self.look("Clearing", "unitsOf", firm, allowance())[0] for firm in firms)
        assert (trading_t,) == self.look("CarbonLedger", "balanceOf", clearing, allowance())
        trading_fen = sum(self.look("Clearing", "cashOf", firm)[0] for firm in firms)
        assert (trading_fen,) == self.look("SettlementCash", "balanceOf", clearing)


class People(Story):
    """Points: epochs, claims, rewards."""

    epochs: list[list[tuple[str, int]]]  # who earned what

    def remembered(self) -> dict[str, Any]:
        return {"epochs": []}

    @rule(
        who=st.sampled_from(("points", "points", "regulator")),
        earned=st.lists(st.tuples(WHO, st.integers(0, 5_000)), min_size=1, max_size=5),
        more=st.sampled_from((0, 0, 0, 1, 2**128)),
    )
    def publish(self, who: str, earned: list[tuple[str, int]], more: int) -> None:
        epoch = len(self.epochs) + 1
        root, total_g = self.rows(epoch, earned)[-1][0]
        act = (epoch, root, total_g + more, len(earned), root_of("batches"))
        if self.do(who, "MicroCarat", "publishEpoch", *act) == "done":
            self.epochs.append(earned)

    @rule(
        epoch=st.integers(0, 4),
        index=st.integers(0, 5),
        by=st.one_of(st.none(), WHO),
        more=st.integers(-1, 1),
    )
    def claim(self, epoch: int, index: int, by: str | None, more: int) -> None:
        """The right person claims what was earned, or somebody else, or a gram more or less."""
        epoch %= len(self.epochs) + 2
        if not 0 < epoch <= len(self.epochs):
            self.do(by or "person", "MicroCarat", "claim", epoch, index, 1, [])
            return
        earned = self.epochs[epoch - 1]
        index %= len(earned)
        rows = self.rows(epoch, earned)
        proof = [row[(index >> height) ^ 1] for height, row in enumerate(rows[:-1])]
        person, quantity_g = earned[index]
        more = more if by == "stranger" else 0
        self.do(by or person, "MicroCarat", "claim", epoch, index, max(0, quantity_g + more), proof)

    @rule(who=WHO, quantity=QUANTITY, name=NAME)
    def redeem(self, who: str, quantity: int, name: bytes) -> None:
        self.do(who, "MicroCarat", "redeem", quantity, root_of("ticket"), name)

    @rule(who=WHO, to=WHO, quantity=QUANTITY)
    def transfer(self, who: str, to: str, quantity: int) -> None:
        self.do(who, "MicroCarat", "transfer", self.people[to], quantity)

    @rule(who=st.sampled_from(("regulator", "points")), whom=WHO, accredited=st.booleans(), name=NAME)
    def accredit(self, who: str, whom: str, accredited: bool, name: bytes) -> None:
        self.do(who, "MicroCarat", "accreditProvider", self.people[whom], accredited, name)

    def rows(self, epoch: int, earned: list[tuple[str, int]]) -> list[list[tuple[bytes, int]]]:
        row = [(leaf(epoch, at, self.people[who], grams), grams) for at, (who, grams) in enumerate(earned)]
        while len(row) & (len(row) - 1):
            row.append((bytes(32), 0))
        rows = [row]
        while len(row) > 1:
            row = [parent(row[at], row[at + 1]) for at in range(0, len(row), 2)]
            rows.append(row)
        return rows

    @invariant()
    def no_more_is_claimed_than_was_published(self) -> None:
        published_g = sum(self.look("MicroCarat", "epochOf", at + 1)[1] for at in range(len(self.epochs)))
        assert self.look("MicroCarat", "totalSupply")[0] <= published_g


@pytest.mark.parametrize("story", [Market, People])
def test_whatever_anybody_does_the_node_does_what_the_model_says(trial: Trial, story: type[Story]) -> None:
    story.prepare(trial)
    run_state_machine_as_test(story, settings=CHOSEN)


def test_a_difference_between_node_and_model_is_found(trial: Trial) -> None:
    story = Market
    story.prepare(trial)
    # The model forgets to take what is redeemed.
    story.beginning.stage.cash.burn_from = lambda *_facts: None
    with pytest.raises(AssertionError, match="the contracts"):
        run_state_machine_as_test(story, settings=settings(CHOSEN, phases=[Phase.generate]))
