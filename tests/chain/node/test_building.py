"""While a block is built whoever reads sees the chain before it; who changes something has it finished."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from eth.db.atomic import AtomicDB
from eth_typing import Address
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.node import builder
from chain.node.building import Building
from chain.node.commit import Committer
from chain.node.node import Node, Settings
from chain.node.rpc.dispatch import Dispatcher
from chain.node.world import World
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, hexed, signed

A, B = (Address(bytes((number,)) * 20) for number in (1, 2))
addresses, slots = st.sampled_from([A, B]), st.integers(0, 3)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("set_storage"), addresses, slots, st.integers(0, 3)),
        st.tuples(st.just("set_balance"), addresses, st.integers(0, 3)),
        st.tuples(st.just("delete_storage"), addresses),
        st.tuples(st.just("delete_account"), addresses),
        st.tuples(st.just("set_code"), addresses, st.binary(max_size=2)),
    ),
    max_size=10,
)


def everything(world: World) -> Any:
    return [
        (
            world.get_balance(address),
            world.get_code(address),
            world.account_exists(address),
            [world.get_storage(address, slot) for slot in range(4)],
        )
        for address in (A, B)
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(acts, st.booleans()), max_size=5))
def test_a_world_that_follows_another_is_that_other(blocks: Any) -> None:
    db = AtomicDB()
    leader, follower = World(db), World(db)
    for script, reads_first in blocks:
        if reads_first:
            everything(follower)
        for name, *arguments in script:
            leader.lock_changes()
            getattr(leader, name)(*arguments)
        root = leader.make_state_root()
        assert leader.changes is not None
        follower.follow(leader.changes)
        follower.undo_transaction()
        assert follower.state_root == root
        assert everything(follower) == everything(leader) == everything(World(db, root))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every transaction is a turn of its own."""
    monkeypatch.setattr(builder, "TURN_SECONDS", -1.0)


def counted(rpc: LocalRpc, contract: str) -> int:
    return int(rpc.call("eth_getStorageAt", contract, "0x0", "latest"), 16)


@pytest.mark.usefixtures("slow")
def test_a_reader_sees_the_block_before_until_the_new_one_is_written(rpc: LocalRpc) -> None:
    contract = rpc.deploy(COUNTER)
    rpc.send(signed(1, 0, contract, bytes(32)))
    height = rpc.height
    for nonce in (1, 2, 3):
        rpc.node.admit(signed(1, nonce, contract, bytes(32)))
    building = rpc.node.begin_block()
    seen = []
    while not building.done:
        building.advance()
        seen.append((rpc.height, counted(rpc, contract), rpc.call("eth_call", {"to": contract}, "latest")))
    assert len(seen) > 3
    assert set(seen[:-1]) == {(height, 1, f"0x{2:064x}")}
    assert seen[-1] == (height + 1, 4, f"0x{5:064x}")
    assert building.block() is rpc.node.head


@pytest.mark.usefixtures("slow")
def test_whoever_changes_something_has_the_block_finished_first(rpc: LocalRpc) -> None:
    contract = rpc.deploy(COUNTER)
    for method, params in (
        ("eth_sendRawTransaction", [hexed(signed(2, 0, contract, bytes(32)))]),
        ("eth_getTransactionCount", [ADDRESSES[1], "pending"]),
        ("evm_snapshot", []),
        ("evm_increaseTime", ["0x1"]),
        ("evm_mine", []),
    ):
        nonce = int(rpc.call("eth_getTransactionCount", ADDRESSES[1], "pending"), 16)
        for more in range(3):
            rpc.node.admit(signed(1, nonce + more, contract, bytes(32)))
        building = rpc.node.begin_block()
        building.advance()
        assert not building.done, method
        rpc.call(method, *params)
        assert building.done, method
        assert len(building.block().transactions) == 3, method
    assert rpc.call("evm_revert", "0x1") is True


@pytest.mark.usefixtures("slow")
async def test_calls_are_answered_between_the_transactions_of_a_block(tmp_path: Path) -> None:
    node = Node(tmp_path, Settings(test_methods=True, unlocked=4, fsync=False))
    dispatcher = Dispatcher(node, Committer(node))

    async def ask(method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return orjson.loads(await dispatcher.answer(orjson.dumps(body)))["result"]

    raws = [hexed(signed(1, nonce, ADDRESSES[2], value=1)) for nonce in range(20)]
    batch = [{"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]} for raw in raws]
    sending = asyncio.create_task(dispatcher.answer(orjson.dumps(batch)))
    heights = []
    while not sending.done():
        heights.append(await ask("eth_blockNumber"))
        await asyncio.sleep(0)
    assert heights.count("0x0") > 5
    assert await ask("eth_blockNumber") == "0x1", "and yet they share a block"
    node.close()


def test_what_goes_wrong_is_for_whoever_asks_for_the_block() -> None:
    def steps() -> Any:
        yield
        raise OSError("disk full")

    building = Building(steps())
    building.finish()
    assert building.done
    with pytest.raises(OSError, match="disk full"):
        building.block()


@pytest.mark.usefixtures("slow")
def test_a_block_that_is_not_written_leaves_the_chain_as_it_was(
    rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = rpc.deploy(COUNTER)
    rpc.node.admit(signed(1, 0, contract, bytes(32)))
    building = rpc.node.begin_block()
    building.advance()
    assert counted(rpc, contract) == 0
    with monkeypatch.context() as patch:
        patch.setattr(rpc.node.store, "commit", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            building.block()
    assert counted(rpc, contract) == 0
    rpc.call("evm_mine")
    assert counted(rpc, contract) == 1
