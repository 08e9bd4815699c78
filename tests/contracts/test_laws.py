"""What holds after whatever happens: tonnes and fen are neither made nor lost."""

from __future__ import annotations

from typing import Any, ClassVar

from brownie.exceptions import VirtualMachineError
from carat_world import PERIOD, World, allowance, fresh_id, offset, return_to, root_of, take_snapshot
from eth_abi import encode
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

UNITS = (allowance(), offset())
CAP_T = 2_000

FIRM = st.integers(0, 2)
UNIT = st.sampled_from(UNITS)
QUANTITY = st.one_of(st.integers(0, 60), st.integers(0, 600))
PRICE = st.integers(1, 200)


class AnyoneDoesAnything(RuleBasedStateMachine):
    """Random acts of three firms, the authority, the bank and the exchange; many are refused."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = take_snapshot()
        self.firms = (self.world.firm, self.world.other_firm, self.world.third_firm)
        self.minted_fen = self.redeemed_fen = self.epoch = 0
        self.world.publish(capT=CAP_T)
        for firm, verified_t in zip(self.firms, (500, 40, 0), strict=True):
            self.world.verify(firm, verified_t)
            self.world.allocate(firm, 300)
            self.world.give_units(firm, 300, offset())

    def teardown(self) -> None:
        return_to(self.snapshot)

    def attempt(self, function: Any, *args: Any, by: Any) -> bool:
        """Do it if the chain takes it."""
        try:
            function.call(*args, {"from": by})
        except VirtualMachineError:
            return False
        function(*args, {"from": by})
        return True

    @rule(who=FIRM, quantity=QUANTITY)
    def allocate(self, who: int, quantity: int) -> None:
        given = [(self.firms[who], quantity)]
        self.attempt(self.world.compliance.allocate, PERIOD, given, fresh_id(), by=self.world.admin)

    @rule(who=FIRM, quantity=QUANTITY)
    def issue_offsets(self, who: int, quantity: int) -> None:
        given = [(self.firms[who], quantity)]
        self.attempt(self.world.ledger.issue, offset(), given, fresh_id(), by=self.world.admin)

    @rule(who=FIRM, whom=FIRM, unit=UNIT, quantity=QUANTITY)
    def transfer(self, who: int, whom: int, unit: int, quantity: int) -> None:
        act = (self.firms[who], self.firms[whom], unit, quantity, b"")
        self.attempt(self.world.ledger.safeTransferFrom, *act, by=self.firms[who])

    @rule(who=FIRM, unit=UNIT, quantity=QUANTITY)
    def cancel(self, who: int, unit: int, quantity: int) -> None:
        self.attempt(self.world.ledger.cancel, unit, quantity, "", fresh_id(), by=self.firms[who])

    @rule(who=FIRM, unit=UNIT, quantity=QUANTITY)
    def surrender(self, who: int, unit: int, quantity: int) -> None:
        act = (PERIOD, unit, quantity, fresh_id())
        self.attempt(self.world.compliance.surrender, *act, by=self.firms[who])

    @rule(who=FIRM, quantity=QUANTITY, price=PRICE)
    def mint(self, who: int, quantity: int, price: int) -> None:
        given = [(self.firms[who], quantity * price)]
        if self.attempt(self.world.cash.mint, given, fresh_id(), by=self.world.admin):
            self.minted_fen += quantity * price

    @rule(who=FIRM, quantity=QUANTITY)
    def redeem(self, who: int, quantity: int) -> None:
        if self.attempt(self.world.cash.redeem, quantity, fresh_id(), by=self.firms[who]):
            self.redeemed_fen += quantity

    @rule(who=FIRM, unit=UNIT, quantity=QUANTITY)
    def deposit_units(self, who: int, unit: int, quantity: int) -> None:
        data = encode(["bytes32"], [fresh_id()])
        act = (self.firms[who], self.world.clearing, unit, quantity, data)
        self.attempt(self.world.ledger.safeTransferFrom, *act, by=self.firms[who])

    @rule(who=FIRM, quantity=QUANTITY)
    def deposit_cash(self, who: int, quantity: int) -> None:
        act = (self.world.clearing, quantity, encode(["bytes32"], [fresh_id()]))
        self.attempt(self.world.cash.transferAndCall["address,uint256,bytes"], *act, by=self.firms[who])

    @rule(who=FIRM, quantity=QUANTITY)
    def send_cash_without_an_id(self, who: int, quantity: int) -> None:
        self.attempt(self.world.cash.transfer, self.world.clearing, quantity, by=self.firms[who])

    @rule(who=FIRM, whom=FIRM, unit=UNIT, quantity=QUANTITY, price=PRICE)
    def trade(self, who: int, whom: int, unit: int, quantity: int, price: int) -> None:
        fen = quantity * price
        buyer, seller = self.firms[who], self.firms[whom]
        deltas = [(buyer, unit, quantity, -fen), (seller, unit, -quantity, fen)]
        act = (self.epoch + 1, 0, 1, root_of("tape"), deltas)
        if self.attempt(self.world.clearing.settle, *act, by=self.world.admin):
            self.epoch += 1

    @rule(who=FIRM, asset=st.sampled_from((0, *UNITS)), quantity=QUANTITY)
    def release(self, who: int, asset: int, quantity: int) -> None:
        asked = [(self.firms[who], asset, quantity, fresh_id())]
        self.attempt(self.world.clearing.release, asked, by=self.world.admin)

    @invariant()
    def issued_is_held_and_surrendered_and_cancelled(self) -> None:
        for unit in UNITS:
            issued_t, surrendered_t, cancelled_t = self.world.supply(unit)
            held_t = self.world.held_t(unit, [*self.firms, self.world.clearing])
            assert issued_t == held_t + surrendered_t + cancelled_t

    @invariant()
    def trading_accounts_are_backed_tonne_by_tonne_and_fen_by_fen(self) -> None:
        world = self.world
        for unit in UNITS:
            trading_t = sum(world.clearing.unitsOf(firm, unit) for firm in self.firms)
            assert trading_t == world.ledger.balanceOf(world.clearing, unit)
        trading_fen = sum(world.clearing.cashOf(firm) for firm in self.firms)
        assert trading_fen == world.cash.balanceOf(world.clearing)

    @invariant()
    def cash_is_what_was_minted_less_what_was_redeemed(self) -> None:
        assert self.world.cash.totalSupply() == self.minted_fen - self.redeemed_fen

    @invariant()
    def allocated_never_passes_the_cap(self) -> None:
        assert self.world.compliance.allocatedT(PERIOD) <= CAP_T

    @invariant()
    def surrendered_never_passes_due_nor_offsets_their_cap(self) -> None:
        for firm in self.firms:
            obligation = self.world.obligation(firm)
            assert obligation["surrenderedT"] <= obligation["dueT"]
            assert obligation["offsetsT"] <= obligation["dueT"] * 50_000 // 1_000_000


def test_whatever_happens_nothing_is_made_or_lost(world: World) -> None:
    AnyoneDoesAnything.world = world
    chosen = settings(max_examples=5, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(AnyoneDoesAnything, settings=chosen)
