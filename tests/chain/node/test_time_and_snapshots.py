"""Time travel and snapshots."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chain.node.clock import Clock
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, hash_of, hexed, signed


def time_of(rpc: LocalRpc, block: str = "latest") -> int:
    return int(rpc.call("eth_getBlockByNumber", block, False)["timestamp"], 16)


def test_a_revert_brings_back_state_blocks_lookups_and_clock(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    height, now = rpc.height, time_of(rpc)
    snapshot = rpc.call("evm_snapshot")
    rpc.call("evm_increaseTime", 10**6)
    raw = signed(1, 0, counter, b"\x11" * 32)
    gone = rpc.send(raw)
    rpc.call("eth_sendRawTransaction", hexed(signed(1, 5, counter)))

    assert rpc.call("evm_revert", snapshot) is True

    assert rpc.height == height
    assert int(rpc.call("eth_getStorageAt", counter, "0x0", "latest"), 16) == 0
    assert rpc.call("eth_getTransactionByHash", hash_of(raw)) is None
    assert rpc.call("eth_getTransactionReceipt", hash_of(raw)) is None
    assert rpc.call("eth_getBlockByHash", gone["blockHash"], False) is None
    assert rpc.call("eth_getLogs", {"fromBlock": "0x0"}) == []
    assert rpc.call("eth_getTransactionCount", ADDRESSES[1], "pending") == "0x0"
    assert rpc.send(raw)["status"] == "0x1"
    assert now <= time_of(rpc) <= now + 60


def test_a_snapshot_works_once_and_takes_the_later_ones_with_it(rpc: LocalRpc) -> None:
    first, second = rpc.call("evm_snapshot"), rpc.call("evm_snapshot")
    assert rpc.call("evm_revert", first) is True
    assert [rpc.call("evm_revert", each) for each in (first, second, "0x77")] == [False] * 3
    assert rpc.call("evm_snapshot") not in (first, second)


def test_snapshots_and_the_clock_survive_a_restart(tmp_path: Path) -> None:
    first = LocalRpc(tmp_path)
    counter = first.deploy(COUNTER)
    snapshot = first.call("evm_snapshot")
    first.call("evm_increaseTime", 10**7)
    first.send(signed(1, 0, counter))
    ahead = time_of(first)
    first.close()
    second = LocalRpc(tmp_path)
    second.call("evm_mine")
    assert ahead <= time_of(second) <= ahead + 60
    assert second.call("evm_revert", snapshot) is True
    assert int(second.call("eth_getStorageAt", counter, "0x0", "latest"), 16) == 0
    assert second.call("evm_snapshot") != snapshot
    second.close()


def test_a_new_chain_starts_at_the_time_it_is_told(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, genesis_utc=1_230_768_000)
    rpc.call("evm_mine")
    assert time_of(rpc, "0x0") == 1_230_768_000
    assert 1_230_768_000 <= time_of(rpc) <= 1_230_768_060
    rpc.close()


def test_time_can_be_set_for_the_next_block_and_runs_on_from_there(rpc: LocalRpc) -> None:
    future = int(time.time()) + 5_000_000
    rpc.call("evm_setNextBlockTimestamp", future)
    rpc.call("evm_mine")
    assert time_of(rpc) == future
    rpc.call("evm_mine")
    assert future <= time_of(rpc) <= future + 60
    rpc.call("evm_mine", future + 1000)
    assert time_of(rpc) == future + 1000
    assert rpc.refusal("evm_setNextBlockTimestamp", future)[0] == -32602


def test_many_blocks_do_not_run_ahead_of_the_clock(rpc: LocalRpc) -> None:
    rpc.call("evm_mine", {"blocks": 50})
    assert rpc.height == 50
    assert time_of(rpc) <= time.time() + 1


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("wall"), st.integers(-100, 100)),
            st.tuples(st.just("increase"), st.integers(0, 10**9)),
            st.tuples(st.just("next"), st.integers(0, 10**6)),
            st.tuples(st.just("block"), st.just(0)),
        )
    )
)
def test_block_times_never_fall_whatever_the_wall_clock_does(acts: list[tuple[str, int]]) -> None:
    wall = 1_000_000
    clock = Clock(wall=lambda: wall)
    parent = clock.now_utc()
    for act, amount in acts:
        if act == "wall":
            wall = max(0, wall + amount)
        elif act == "increase":
            clock.increase(amount, parent)
            assert clock.peek(parent) >= parent + amount
        elif act == "next":
            clock.set_next(parent + amount, parent)
            assert clock.peek(parent) == parent + amount
        else:
            taken = clock.take(parent)
            assert taken >= parent
            parent = taken
