"""What holds after whatever happens: tonnes and fen are neither made nor lost."""

from __future__ import annotations

from typing import Any

from brownie.test import strategy
from carat_world import PERIOD, World, allowance, fresh_id, offset, root_of
from eth_abi import encode

UNITS = (allowance(), offset())
REFERENCE_CAP_T = 2_000


class AnyoneDoesAnything:
    """Random acts of three firms, the authority, the bank and the exchange; the refused ones change nothing."""

    who = strategy("uint8", max_value=2)
    whom = strategy("uint8", max_value=2)
    unit = strategy("uint8", max_value=1)
    quantity = strategy("uint16", max_value=600)
    price = strategy("uint8", min_value=1)

    def __init__(cls, world: World) -> None:  # noqa: N805 - brownie calls it so, on the class
        cls.world = world
        cls.firms = (world.firm, world.other_firm, world.third_firm)

    def setup(self) -> None:
        self.minted_fen = self.redeemed_fen = 0
        self.epoch = 0

    def attempt(self, function: Any, *args: Any, by: Any) -> bool:
        """Do it if the chain would take it; a refusal is asked for first, so that a real failure is seen."""
        try:
            function.call(*args, {"from": by})
        except Exception as error:  # noqa: BLE001 - brownie wraps whatever the node says
            assert getattr(error, "revert_msg", None), error
            return False
        function(*args, {"from": by})
        return True

    def rule_allocate(self, who: int, quantity: int) -> None:
        given = [(self.firms[who], quantity)]
        self.attempt(self.world.compliance.allocate, PERIOD, given, fresh_id(), by=self.world.admin)

    def rule_issue_offsets(self, who: int, quantity: int) -> None:
        given = [(self.firms[who], quantity)]
        self.attempt(self.world.ledger.issue, offset(), given, fresh_id(), by=self.world.admin)

    def rule_transfer(self, who: int, whom: int, unit: int, quantity: int) -> None:
        act = (self.firms[who], self.firms[whom], UNITS[unit], quantity, b"")
        self.attempt(self.world.ledger.safeTransferFrom, *act, by=self.firms[who])

    def rule_cancel(self, who: int, unit: int, quantity: int) -> None:
        self.attempt(self.world.ledger.cancel, UNITS[unit], quantity, "", fresh_id(), by=self.firms[who])

    def rule_surrender(self, who: int, unit: int, quantity: int) -> None:
        act = (PERIOD, UNITS[unit], quantity, fresh_id())
        self.attempt(self.world.compliance.surrender, *act, by=self.firms[who])

    def rule_mint(self, who: int, quantity: int, price: int) -> None:
        given = [(self.firms[who], quantity * price)]
        if self.attempt(self.world.cash.mint, given, fresh_id(), by=self.world.admin):
            self.minted_fen += quantity * price

    def rule_redeem(self, who: int, quantity: int) -> None:
        if self.attempt(self.world.cash.redeem, quantity, fresh_id(), by=self.firms[who]):
            self.redeemed_fen += quantity

    def rule_deposit_units(self, who: int, unit: int, quantity: int) -> None:
        data = encode(["bytes32"], [fresh_id()])
        act = (self.firms[who], self.world.clearing, UNITS[unit], quantity, data)
        self.attempt(self.world.ledger.safeTransferFrom, *act, by=self.firms[who])

    def rule_deposit_cash(self, who: int, quantity: int) -> None:
        act = (self.world.clearing, quantity, encode(["bytes32"], [fresh_id()]))
        self.attempt(self.world.cash.transferAndCall["address,uint256,bytes"], *act, by=self.firms[who])

    def rule_trade(self, who: int, whom: int, unit: int, quantity: int, price: int) -> None:
        fen = quantity * price
        deltas = [
            (self.firms[who], UNITS[unit], quantity, -fen),
            (self.firms[whom], UNITS[unit], -quantity, fen),
        ]
        act = (self.epoch + 1, 0, 1, root_of("tape"), deltas)
        if self.attempt(self.world.clearing.settle, *act, by=self.world.admin):
            self.epoch += 1

    def rule_release(self, who: int, unit: int, quantity: int) -> None:
        for asset in (UNITS[unit], 0):
            asked = [(self.firms[who], asset, quantity, fresh_id())]
            self.attempt(self.world.clearing.release, asked, by=self.world.admin)

    def invariant_issued_is_held_and_surrendered_and_cancelled(self) -> None:
        for unit in UNITS:
            issued_t, surrendered_t, cancelled_t = self.world.supply(unit)
            held_t = self.world.held_t(unit, [*self.firms, self.world.clearing])
            assert issued_t == held_t + surrendered_t + cancelled_t

    def invariant_trading_accounts_are_backed_tonne_by_tonne_and_fen_by_fen(self) -> None:
        world = self.world
        for unit in UNITS:
            trading_t = sum(world.clearing.unitsOf(firm, unit) for firm in self.firms)
            assert trading_t == world.ledger.balanceOf(world.clearing, unit)
        trading_fen = sum(world.clearing.cashOf(firm) for firm in self.firms)
        assert trading_fen == world.cash.balanceOf(world.clearing)

    def invariant_cash_is_what_the_bank_minted_less_what_was_redeemed(self) -> None:
        assert self.world.cash.totalSupply() == self.minted_fen - self.redeemed_fen

    def invariant_allocated_never_passes_the_cap(self) -> None:
        assert self.world.compliance.allocatedT(PERIOD) <= REFERENCE_CAP_T

    def invariant_surrendered_never_passes_due_nor_offsets_their_cap(self) -> None:
        for firm in self.firms:
            obligation = self.world.obligation(firm)
            assert obligation["surrenderedT"] <= obligation["dueT"]
            assert obligation["offsetsT"] <= obligation["dueT"] * 50_000 // 1_000_000


def test_whatever_happens_nothing_is_made_or_lost(world: World, state_machine: Any) -> None:
    world.publish(capT=REFERENCE_CAP_T)
    for firm, verified_t in ((world.firm, 500), (world.other_firm, 40), (world.third_firm, 0)):
        world.verify(firm, verified_t)
        world.allocate(firm, 300)
        world.give_units(firm, 300, offset())
    state_machine(AnyoneDoesAnything, world, settings={"max_examples": 8, "stateful_step_count": 20})
