"""What brownie sees of our own node: reasons of refused transactions by trace, time, undone blocks."""

import brownie
import pytest
from brownie.exceptions import VirtualMachineError
from carat_world import World, allowance, fresh_id


def test_every_contract_test_runs_on_our_own_node() -> None:
    """brownie has one network in a run: this one."""
    assert brownie.network.show_active() == "carat-node"
    assert brownie.web3.client_version.startswith("carat")


def test_a_refused_transaction_is_mined_with_its_typed_reason(world: World) -> None:
    """The reason comes out of `debug_traceTransaction`, through two contracts."""
    world.publish()
    world.allocate(world.firm, 10)
    world.verify(world.firm, 20)
    act = (2026, allowance(), 11, fresh_id())
    with pytest.raises(VirtualMachineError) as caught:
        world.compliance.surrender(*act, {"from": world.firm})
    facts = f"{world.firm.address.lower()}, {allowance()}, 10, 11"
    assert caught.value.revert_msg == f"LedgerInsufficientHolding: {facts}"
    receipt = brownie.chain.get_transaction(caught.value.txid)
    assert receipt.status == 0
    assert world.obligation(world.firm)["surrenderedT"] == 0
    assert [call["function"] for call in receipt.subcalls if call["op"] == "CALL"] == [
        "retire(address,uint256,uint256,bytes32)"
    ]


def test_time_passes_when_it_is_told_to(world: World) -> None:
    before = brownie.chain.time()
    brownie.chain.sleep(1_000)
    brownie.chain.mine()
    assert brownie.chain[-1].timestamp >= before + 1_000


def test_what_came_after_a_snapshot_can_be_undone(world: World) -> None:
    # Not `chain.undo`: brownie takes its snapshots in threads of its own, and under load goes back too far.
    brownie.chain.snapshot()
    world.give_cash(world.firm, 5)
    world.give_cash(world.firm, 7)
    assert world.cash.balanceOf(world.firm) == 12
    brownie.chain.revert()
    assert world.cash.balanceOf(world.firm) == 0
