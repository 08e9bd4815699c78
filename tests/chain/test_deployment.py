"""The contracts stand, and every right is where the table says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chain.abi import BUSINESS_CONTRACTS, Call, abi_of, encode_call
from chain.deployment import ADMIN_DELAY_S, Deployment, DeploymentMissing
from chain.keys import Keyring
from chain.refusals import ChainMismatch, ContractRefusal
from chain.roles import HELD_BY_CONTRACTS, HELD_BY_KEYS, RESTRICTED, Role
from chain.rpc import ChainRpc
from chain.transactor import Transactor


def _zero(part: dict[str, Any]) -> Any:
    kind: str = part["type"]
    if kind.endswith("]"):
        return []
    if kind == "tuple":
        return tuple(_zero(field) for field in part["components"])
    if kind == "address":
        return "0x" + "00" * 20
    if kind == "bool":
        return False
    if kind == "string":
        return ""
    return b"\0" * int(kind[5:] or 0) if kind.startswith("bytes") else 0


def _acts(contract: str) -> list[Call]:
    return [
        Call(contract, entry["name"], tuple(_zero(part) for part in entry["inputs"]))
        for entry in abi_of(contract)._entries
        if entry["type"] == "function"
        and entry["stateMutability"] == "nonpayable"
        and len(abi_of(contract).functions[entry["name"]]) == 1
    ]


def _refused_for_lack_of_a_role(transactor: Transactor, stranger: str, call: Call) -> bool:
    try:
        request = {"from": stranger, "to": transactor.deployment.addresses[call.contract]}
        transactor._call_as(request["from"], request["to"], encode_call(call), 5_000_000)
    except ContractRefusal as refusal:
        return refusal.code == "AccessManagedUnauthorized"
    return False


@pytest.mark.parametrize("contract", BUSINESS_CONTRACTS)
def test_what_needs_a_role_is_exactly_what_the_table_says(
    contract: str, transactor: Transactor, keyring: Keyring
) -> None:
    stranger = keyring.signer("stranger").address
    refused = {
        call.function for call in _acts(contract) if _refused_for_lack_of_a_role(transactor, stranger, call)
    }
    # The manager alone may put another manager in its place.
    refused.discard("setAuthority")
    assert refused == {name for names in RESTRICTED[contract].values() for name in names}


def test_every_role_is_held_by_whom_it_was_given_to_and_nobody_waits(
    transactor: Transactor, deployment: Deployment, keyring: Keyring
) -> None:
    holders = [(role, deployment.addresses[name]) for role, name in HELD_BY_CONTRACTS]
    holders += [(role, keyring.signer(label).address) for role, label in HELD_BY_KEYS]
    for role, holder in holders:
        held = transactor.read(Call("AccessManager", "hasRole", (int(role), holder)))
        assert held == {"isMember": True, "executionDelay": 0}


def test_a_change_of_rights_waits_in_the_open(transactor: Transactor, keyring: Keyring) -> None:
    admin = keyring.signer("admin")
    held = transactor.read(Call("AccessManager", "hasRole", (int(Role.ADMIN), admin.address)))
    assert held == {"isMember": True, "executionDelay": ADMIN_DELAY_S}
    grab = Call("AccessManager", "grantRole", (int(Role.BANK), admin.address, 0))
    with pytest.raises(ContractRefusal) as refusal:
        transactor.send(admin, grab)
    assert refusal.value.code == "AccessManagerNotScheduled"


def test_a_deployment_reads_back_as_written(deployment: Deployment, tmp_path: Path) -> None:
    deployment.save(tmp_path / "deployment.json")
    assert Deployment.load(tmp_path / "deployment.json") == deployment


def test_a_missing_or_broken_deployment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeploymentMissing):
        Deployment.load(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"chain_id": 1', encoding="ascii")
    with pytest.raises(DeploymentMissing):
        Deployment.load(tmp_path / "half.json")


def test_another_chain_is_not_taken_for_ours(deployment: Deployment, node_url: str) -> None:
    rpc = ChainRpc(node_url)
    deployment.require_chain(rpc)
    with pytest.raises(ChainMismatch):
        Deployment(deployment.chain_id + 1, 1, deployment.addresses).require_chain(rpc)
    nowhere = {**deployment.addresses, "CarbonLedger": "0x" + "11" * 20}
    with pytest.raises(ChainMismatch):
        Deployment(deployment.chain_id, 1, nowhere).require_chain(rpc)
