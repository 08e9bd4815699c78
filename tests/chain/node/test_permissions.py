"""Deploying is for whoever the chain's rules name; the rules are sealed, and part of each block."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.node import start_node
from chain.node.authority import Authority
from chain.node.blocks import decode_header
from chain.node.history import number_key
from chain.node.node import Deployers
from chain.node.rules import Rules, RulesMalformed, in_force, read
from chain.node.verify import verify
from tests.chain.node.local import LocalRpc, RemoteRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, hexed, init_code, signed

# create(0, 0, 12) of its own call data's first 12 bytes of init code: a factory
FACTORY = bytes.fromhex("3660006000373660006000f060005260206000f3")


def address(key: int) -> bytes:
    return bytes.fromhex(ADDRESSES[key][2:])


def listed(*keys: int) -> Deployers:
    return Deployers(frozenset(map(address, keys)))


def test_only_a_deployer_deploys_and_everybody_sends(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, deployers=listed(0))
    counter = rpc.deploy(COUNTER, key=0)
    code, message = rpc.refusal("eth_sendRawTransaction", hexed(signed(1, 0, data=init_code(COUNTER))))
    assert code == -32003
    assert message == (
        f"contract creation not permitted: {ADDRESSES[1]} is not among the deployers in force since block 0"
    )
    assert rpc.send(signed(1, 0, counter, b"\x01" * 32))["status"] == "0x1"
    assert rpc.height == 2
    rpc.close()


def test_who_may_not_deploy_may_still_ask_what_it_would_do(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, deployers=listed(0))
    creation = {"from": ADDRESSES[1], "data": hexed(init_code(COUNTER))}
    assert rpc.call("eth_call", creation, "latest") == hexed(COUNTER)
    assert int(rpc.call("eth_estimateGas", creation), 16) > 53_000
    rpc.close()


def test_what_a_permitted_factory_creates_is_permitted_to_everybody(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, deployers=listed(0))
    factory = rpc.deploy(FACTORY, key=0)
    raw = signed(1, 0, factory, init_code(COUNTER))
    created = rpc.call("eth_call", {"from": ADDRESSES[1], "to": factory, "data": hexed(init_code(COUNTER))})
    assert rpc.send(raw)["status"] == "0x1"
    assert rpc.call("eth_getCode", "0x" + created[-40:], "latest") == hexed(COUNTER)
    rpc.close()


def test_without_rules_everybody_deploys_and_headers_carry_none(rpc: LocalRpc) -> None:
    rpc.deploy(COUNTER, key=3)
    assert rpc.call("carat_getRules") is None
    assert rpc.call("eth_getBlockByNumber", "latest", False)["extraData"] == "0x"


def test_every_block_carries_the_hash_of_the_rules_it_was_made_by(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, deployers=listed(0))
    rpc.call("evm_mine")
    rpc.close()
    rpc = LocalRpc(tmp_path, deployers=listed(0, 1))  # changed
    rpc.deploy(COUNTER, key=1)
    rpc.close()
    rpc = LocalRpc(tmp_path)  # left as they are
    rpc.deploy(COUNTER, key=1)
    rpc.close()
    rpc = LocalRpc(tmp_path, deployers=Deployers(None))  # lifted
    rpc.deploy(COUNTER, key=3)
    seen = [rpc.call("carat_getRules", hex(number)) for number in range(rpc.height + 1)]
    blocks = [rpc.call("eth_getBlockByNumber", hex(number), False) for number in range(rpc.height + 1)]
    assert [rules["hash"] for rules in seen] == [block["extraData"] for block in blocks]
    assert [int(rules["since"], 16) for rules in seen] == [0, 0, 2, 2, 4]
    assert [rules["deployers"] and len(rules["deployers"]) for rules in seen] == [1, 1, 2, 2, None]
    rpc.close()
    assert verify(tmp_path).fault is None


def test_the_same_rules_again_make_no_new_record(tmp_path: Path) -> None:
    for _ in range(3):
        rpc = LocalRpc(tmp_path, deployers=listed(0))
        assert rpc.node.store.count(b"rules") == 1
        rpc.close()


def test_going_back_to_a_snapshot_brings_its_rules_back(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, deployers=listed(0))
    rpc.call("evm_mine")
    rpc.call("evm_mine")
    snapshot = rpc.call("evm_snapshot")
    rpc.call("evm_mine")
    rpc.close()
    rpc = LocalRpc(tmp_path, deployers=listed(1))
    rpc.deploy(COUNTER, key=1)
    assert rpc.call("evm_revert", snapshot)
    assert rpc.refusal("eth_sendRawTransaction", hexed(signed(1, 0, data=init_code(COUNTER))))[0] == -32003
    rpc.deploy(COUNTER, key=0)
    rpc.close()
    assert verify(tmp_path).fault is None


def test_a_creation_that_the_authority_let_pass_against_its_own_rules_is_found(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, deployers=listed(0))
    rpc.deploy(COUNTER, key=0)
    rpc.node.pool.add(_transaction(rpc, signed(1, 0, data=init_code(COUNTER))))  # past the admission
    rpc.node.mine_ready()
    rpc.close()
    fault = verify(tmp_path).fault
    assert fault is not None
    assert (fault.block, fault.record) == (2, "bodies")
    assert "contract creation not permitted" in fault.why


def test_rules_that_somebody_else_sealed_are_found(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, deployers=listed(0))
    chain_id = rpc.node.settings.chain_id
    rpc.close()
    forged = Rules(chain_id, 1, frozenset({address(1)})).record(Authority(b"\x07" * 32))
    with lmdb.open(str(tmp_path / "chain.lmdb"), max_dbs=16) as env:
        table = env.open_db(b"rules")
        with env.begin(write=True, db=table) as txn:
            txn.put(number_key(1), forged)
    fault = verify(tmp_path).fault
    assert fault is not None
    assert (fault.block, fault.record) == (1, "rules")
    assert "sealed by" in fault.why


deployer_sets = st.none() | st.frozensets(st.binary(min_size=20, max_size=20), max_size=5)


@given(st.integers(1, 2**64), st.integers(0, 2**63), deployer_sets)
def test_rules_read_back_as_they_were_written(
    chain_id: int, since: int, deployers: frozenset[bytes] | None
) -> None:
    authority = Authority(b"\x01" * 32)
    rules = Rules(chain_id, since, deployers)
    sealed = read(rules.record(authority))
    assert (sealed.rules, sealed.sealer) == (rules, authority.address)


@given(st.binary(max_size=80))
def test_no_bytes_but_a_record_are_read_as_one(data: bytes) -> None:
    with pytest.raises(RulesMalformed):
        read(data)


@given(st.lists(st.integers(0, 50), unique=True).map(sorted), st.integers(0, 60))
def test_the_last_rules_that_began_are_in_force(begins: list[int], number: int) -> None:
    rules = [Rules(1, since, None) for since in begins]
    found = in_force(rules, number)
    earlier = [since for since in begins if since <= number]
    assert (None if found is None else found.since) == (max(earlier) if earlier else None)


def test_the_command_names_deployers_and_the_header_commits_to_them(tmp_path: Path) -> None:
    with start_node(tmp_path, more=["--deployers", ADDRESSES[0]]) as node:
        remote = RemoteRpc(node.url)
        (rules,) = remote.ask_all("carat_getRules", ["latest"])
        assert rules["deployers"] == [ADDRESSES[0]]
        remote.close()
    with lmdb.open(str(tmp_path / "chain.lmdb"), max_dbs=16) as env:
        headers = env.open_db(b"headers")
        with env.begin(db=headers) as txn:
            genesis = decode_header(txn.get(number_key(0)))
    assert "0x" + genesis.extra_data.hex() == rules["hash"]


@pytest.mark.parametrize(
    "option",
    [
        ("--deployers", "0x12"),
        ("--operators", "me"),
        ("--quota", "0"),
        ("--quota", "lots"),
        ("--keep-state", "0"),
        ("--mine", "interval:0.001"),
        ("--mine", "sometimes"),
        ("--mine", "manual"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_status_two(
    tmp_path: Path, option: tuple[str, str]
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "chain.node", "--data", str(tmp_path / "new"), *option],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ,
    )  # fmt: skip
    assert result.returncode == 2
    assert "error: " in result.stderr
    assert not (tmp_path / "new").exists()


def _transaction(rpc: LocalRpc, raw: bytes):  # type: ignore[no-untyped-def]
    from chain.node.transactions import decode  # noqa: PLC0415

    return decode(raw, rpc.node.settings.chain_id)
