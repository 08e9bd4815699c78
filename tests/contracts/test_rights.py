"""Every act of an office is refused to strangers; no office can make tonnes or take them."""

from __future__ import annotations

import brownie
import pytest
from carat_world import NAMES, ROLES, World, allowance, fresh_id, refusal, refused

VIEWS = ("view", "pure")


def restricted() -> list[tuple[str, str]]:
    return [
        (name, function) for _, rights in ROLES.values() for name, all_ in rights.items() for function in all_
    ]


def contract_of(world: World, name: str):
    fields = ("ledger", "compliance", "verification", "cash", "clearing", "points")
    return getattr(world, dict(zip(NAMES, fields, strict=True))[name])


def blank(kind: dict) -> object:
    """A value of an ABI type, of no meaning: the right is asked for before the arguments are looked at."""
    if kind["type"].endswith("[]"):
        return []
    if kind["type"] == "tuple":
        return tuple(blank(part) for part in kind["components"])
    if kind["type"] == "address":
        return "0x" + "00" * 20
    return {"bool": False, "bytes32": bytes(32)}.get(kind["type"], 0)


@pytest.mark.parametrize(("name", "function"), restricted())
def test_an_act_of_an_office_is_refused_to_a_stranger(world: World, name: str, function: str) -> None:
    method = getattr(contract_of(world, name), function)
    args = [blank(part) for part in method.abi["inputs"]]
    got = refusal(method, *args, by=world.stranger)
    assert got == refused("AccessManagedUnauthorized", caller=world.stranger)


OPEN_TO_ALL = {
    "CarbonLedger": {"cancel", "safeBatchTransferFrom", "safeTransferFrom", "setApprovalForAll"},
    "Compliance": {"assess", "surrender"},
    "Verification": {"acceptEmissionStatements", "acceptReductionStatement", "fileReport"},
    "SettlementCash": {
        "approve", "approveAndCall", "redeem",
        "transfer", "transferAndCall", "transferFrom", "transferFromAndCall",
    },
    "Clearing": {"exit", "onERC1155Received", "onTransferReceived", "requestExit", "unwindAbandoned"},
    "MicroCarat": {"approve", "claim", "redeem", "transfer", "transferFrom"},
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_act_is_either_an_offices_or_meant_for_all(world: World, name: str) -> None:
    abi = contract_of(world, name).abi
    acts = {
        part["name"] for part in abi if part["type"] == "function" and part["stateMutability"] not in VIEWS
    }
    offices = {function for owner, function in restricted() if owner == name}
    assert acts == offices | OPEN_TO_ALL[name] | {"setAuthority"}


def test_only_the_authority_hands_a_contract_to_another_authority(world: World) -> None:
    for name in NAMES:
        contract = contract_of(world, name)
        got = refusal(contract.setAuthority, world.stranger, by=world.admin)
        assert got == refused("AccessManagedUnauthorized", caller=world.admin)


def test_a_role_may_wait_before_it_acts(world: World) -> None:
    """A delayed office schedules in the open and acts after the delay."""
    world.manager.grantRole(3, world.stranger, 100, world.office)
    mint = ([(world.firm, 1)], fresh_id())
    data = world.cash.mint.encode_input(*mint)
    name, _ = refusal(world.cash.mint, *mint, by=world.stranger)
    assert name == "AccessManagerNotScheduled"
    world.manager.schedule(world.cash, data, 0, {"from": world.stranger})
    name, _ = refusal(world.cash.mint, *mint, by=world.stranger)
    assert name == "AccessManagerNotReady"
    brownie.chain.sleep(101)
    world.cash.mint(*mint, {"from": world.stranger})
    assert world.cash.balanceOf(world.firm) == 1


def test_the_regulator_alone_cannot_make_tonnes(world: World) -> None:
    world.manager.revokeRole(10, world.admin, world.office)
    world.manager.revokeRole(11, world.admin, world.office)
    unauthorized = refused("AccessManagedUnauthorized", caller=world.admin)
    issue = (allowance(), [(world.firm, 1)], fresh_id())
    assert refusal(world.ledger.issue, *issue, by=world.admin) == unauthorized
    retire = (world.firm, allowance(), 1, fresh_id())
    assert refusal(world.ledger.retire, *retire, by=world.admin) == unauthorized
