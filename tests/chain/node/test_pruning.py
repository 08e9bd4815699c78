"""Old states go, a bit with each block; the kept ones stay whole, and the chain can still be verified."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chain.node import pruning
from chain.node.compaction import compact
from chain.node.reachable import StateMissing, Walk
from chain.node.reader import StoreMissing
from chain.node.store import StoreInUse
from chain.node.verify import verify
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, signed

AS_THEY_ARE = {
    name: getattr(pruning, name)
    for name in ("_MARKED_A_WRITE", "_MARKED_AT_LEAST", "_SWEPT_A_WRITE", "_SWEPT_AT_LEAST")
}
# slot[calldata word 0] = calldata word 1
SETTER = bytes.fromhex("602035600035550000")
# slot[calldata word 0]: from nothing to one at the first call; then to two and back to one, as a guard does
TOUCHER = bytes.fromhex("60025f355560015f355500")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds begin early and take many blocks."""
    monkeypatch.setattr(pruning, "MIN_RECORDS", 0)
    for name, records in (
        ("_MARKED_A_WRITE", 0), ("_MARKED_AT_LEAST", 7), ("_SWEPT_A_WRITE", 0), ("_SWEPT_AT_LEAST", 9),
    ):  # fmt: skip
        monkeypatch.setattr(pruning, name, records)


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[LocalRpc]:
    local = LocalRpc(tmp_path / "chain", keep_states=5)
    yield local
    local.close()


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def write(rpc: LocalRpc, setter: str, slot: int, value: int) -> None:
    nonce = int(rpc.call("eth_getTransactionCount", ADDRESSES[1], "pending"), 16)
    assert rpc.send(signed(1, nonce, setter, word(slot) + word(value)))["status"] == "0x1"


def touch(rpc: LocalRpc, toucher: str, slot: int) -> None:
    nonce = int(rpc.call("eth_getTransactionCount", ADDRESSES[2], "pending"), 16)
    assert rpc.send(signed(2, nonce, toucher, word(slot)))["status"] == "0x1"


def whole_states(rpc: LocalRpc) -> int:
    """Of how many blocks the states are readable; raises StateMissing if one is not whole."""
    node = rpc.node
    first = node.first_kept
    walk = Walk(lambda key: node.store.get(b"state", key), node.history.state_roots(first, node.head.number))
    walk.run()
    return node.head.number + 1 - first


def grow(rpc: LocalRpc, blocks: int) -> str:
    setter = rpc.deploy(SETTER)
    for number in range(blocks):
        write(rpc, setter, number % 40, number)
    return setter


def test_the_state_table_stays_near_what_is_needed(rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, records in AS_THEY_ARE.items():
        monkeypatch.setattr(pruning, name, records)
    setter = grow(rpc, 40)
    most = 0.0
    for number in range(400):
        write(rpc, setter, number % 40, 1_000 + number)
        first, head = rpc.node.first_kept, rpc.node.head.number
        if number > 100 and number % 10 == 0:
            roots = rpc.node.history.state_roots(max(first, head - 4), head)
            walk = Walk(lambda key: rpc.node.store.get(b"state", key), roots)
            walk.run()
            most = max(most, rpc.node.store.count(b"state") / len(walk.seen))
    assert rpc.node.first_kept > 300
    assert most < 3.5


def test_a_pruned_state_is_refused_in_geth_s_words_and_a_kept_one_is_read(rpc: LocalRpc) -> None:
    setter = grow(rpc, 150)
    head = rpc.height
    assert rpc.node.first_kept > 1
    for method, params in (
        ("eth_call", [{"to": setter}, "0x1"]),
        ("eth_getBalance", [setter, "0x1"]),
        ("eth_getCode", [setter, "0x1"]),
        ("eth_getStorageAt", [setter, "0x0", "0x1"]),
        ("eth_getTransactionCount", [ADDRESSES[1], "0x1"]),
        ("eth_getProof", [setter, [], "0x1"]),
        ("debug_traceTransaction", [rpc.call("eth_getBlockByNumber", "0x2", False)["transactions"][0]]),
    ):
        code, message = rpc.refusal(method, *params)
        assert code == -32000, method
        assert message.startswith("missing trie node 0x"), method
        assert f"is not available: states before block {rpc.node.first_kept} are pruned" in message
    for number in range(head - 4, head + 1):
        slot = (number - 2) % 40
        assert int(rpc.call("eth_getStorageAt", setter, hex(slot), hex(number)), 16) == number - 2
    # Blocks, receipts and logs are all there.
    assert rpc.call("eth_getBlockReceipts", "0x1")[0]["contractAddress"] == setter


def test_what_was_pruned_and_is_needed_again_is_written_again(rpc: LocalRpc) -> None:
    setter = rpc.deploy(SETTER)
    for number in range(120):
        write(rpc, setter, 0, 7)  # this state goes
        for slot in range(1, 4):
            write(rpc, setter, slot, number)
        for slot in range(4):
            write(rpc, setter, slot, 0)  # and everything is empty again, as it was
        whole_states(rpc)
        if rpc.node.first_kept > 60:
            break
    assert rpc.node.first_kept > 60


def test_a_pruned_chain_verifies_to_the_same_head(rpc: LocalRpc, tmp_path: Path) -> None:
    grow(rpc, 120)
    block_hash = rpc.call("eth_getBlockByNumber", "latest", False)["hash"]
    rpc.close()
    assert rpc.node.first_kept > 1
    report = verify(tmp_path / "chain")
    assert (report.fault, report.head) == (None, block_hash)


def test_what_is_written_again_unchanged_keeps_what_is_below_it(rpc: LocalRpc) -> None:
    toucher = rpc.deploy(TOUCHER)
    for slot in range(40):
        touch(rpc, toucher, slot)
    for number in range(200):
        touch(rpc, toucher, number % 3)
        whole_states(rpc)
    assert rpc.node.first_kept > 40
    assert int(rpc.call("eth_getStorageAt", toucher, hex(39), "latest"), 16) == 1


def test_snapshots_keep_their_states(rpc: LocalRpc) -> None:
    setter = grow(rpc, 30)
    snapshot = rpc.call("evm_snapshot")
    at = rpc.height
    kept = rpc.call("eth_getStorageAt", setter, "0x3", "latest")
    for number in range(300):
        write(rpc, setter, 3, 5_000 + number)
    assert rpc.node.first_kept > at
    assert rpc.call("eth_getStorageAt", setter, "0x3", hex(at)) == kept
    assert rpc.call("evm_revert", snapshot)
    assert (rpc.height, rpc.node.first_kept) == (at, at)
    assert rpc.call("eth_getStorageAt", setter, "0x3", "latest") == kept
    for number in range(60):
        write(rpc, setter, 3, 9_000 + number)
        whole_states(rpc)


def test_after_a_restart_the_same_states_are_kept(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, keep_states=5)
    setter = grow(rpc, 60)
    first, head = rpc.node.first_kept, rpc.height
    rpc.close()
    assert first > 0
    rpc = LocalRpc(tmp_path)  # an archive from now on
    for number in range(20):
        write(rpc, setter, 1, number + 1)
    assert rpc.node.first_kept == first
    assert rpc.refusal("eth_getBalance", setter, hex(first - 1))[1].startswith("missing trie node")
    assert int(rpc.call("eth_getStorageAt", setter, "0x1", hex(head + 1)), 16) == 1
    rpc.close()
    assert verify(tmp_path).fault is None


acts = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 12), st.integers(0, 2)),
        st.tuples(st.just("touch"), st.integers(0, 12), st.just(0)),
        st.tuples(st.just("empty"), st.just(0), st.just(0)),
        st.tuples(st.just("snapshot"), st.just(0), st.just(0)),
        st.tuples(st.just("revert"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    min_size=10,
    max_size=60,
)


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(script=acts, keep=st.integers(1, 4), seed=st.integers(0, 9))
def test_whatever_happens_every_kept_state_is_whole(
    tmp_path_factory: pytest.TempPathFactory, script: list[Any], keep: int, seed: int
) -> None:
    directory = tmp_path_factory.mktemp("law") / "chain"
    rpc = LocalRpc(directory, keep_states=keep)
    setter, toucher = rpc.deploy(SETTER), rpc.deploy(TOUCHER)
    words: dict[int, int] = {}
    snapshots: dict[str, dict[int, int]] = {}
    dice = random.Random(seed)
    went_back = False  # the states right below a snapshot may be gone
    for act, first, second in script:
        if act == "write":
            for _ in range(dice.randrange(1, 4)):
                write(rpc, setter, first, second)
            words[first] = second
        elif act == "touch":
            touch(rpc, toucher, first)
        elif act == "empty":
            rpc.call("evm_mine")
        elif act == "snapshot":
            snapshots[rpc.call("evm_snapshot")] = dict(words)
        elif act == "revert":
            name = hex(first)
            if rpc.call("evm_revert", name):
                words, went_back = snapshots[name], True
        else:
            rpc.close()
            rpc = LocalRpc(directory, keep_states=keep)
        assert whole_states(rpc) >= (1 if went_back else min(keep, rpc.height + 1))
        for slot, value in words.items():
            assert int(rpc.call("eth_getStorageAt", setter, hex(slot), "latest"), 16) == value
    rpc.close()
    assert verify(directory).fault is None


def test_a_changed_or_missing_record_of_a_kept_state_is_named_with_a_block(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, keep_states=3)
    setter = grow(rpc, 80)
    rpc.deploy(COUNTER)
    first, head = rpc.node.first_kept, rpc.height
    assert 1 < first < head
    get = rpc.node.store.get
    walk = Walk(lambda key: get(b"state", key), rpc.node.history.state_roots(first, head))
    walk.run()
    needed = {key: get(b"state", key) for key in walk.seen}
    rpc.close()
    assert setter
    dice = random.Random(3)
    for key in dice.sample(sorted(needed), 12):
        value = needed[key]
        assert value is not None
        at = dice.randrange(len(value))
        changed = value[:at] + bytes((value[at] ^ 0x10,)) + value[at + 1 :]
        for put, why in ((changed, "its hash is not its key"), (None, "missing")):
            _put(tmp_path, key, put)
            fault = verify(tmp_path).fault
            _put(tmp_path, key, value)
            assert fault is not None
            assert (fault.record, fault.key, fault.why) == ("state", "0x" + key.hex(), why)
            assert fault.block is not None
            assert first <= fault.block <= head
    assert verify(tmp_path).fault is None


def _put(directory: Path, key: bytes, value: bytes | None) -> None:
    with lmdb.open(str(directory / "chain.lmdb"), max_dbs=16) as env:
        table = env.open_db(b"state")
        with env.begin(write=True, db=table) as txn:
            if value is None:
                txn.delete(key)
            else:
                txn.put(key, value)


# Compacting


def test_a_compacted_store_is_the_same_chain_in_less_room(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path)
    setter = grow(rpc, 300)
    before = [rpc.call("eth_getBlockByNumber", hex(number), True) for number in range(rpc.height + 1)]
    logs = rpc.call("eth_getLogs", {"fromBlock": "0x0"})
    rpc.close()
    report = compact(tmp_path, 10)
    assert report.after_bytes < report.before_bytes / 2
    assert report.first_kept == 292
    assert report.after_bytes == (tmp_path / "chain.lmdb" / "data.mdb").stat().st_size
    assert verify(tmp_path).fault is None
    rpc = LocalRpc(tmp_path, keep_states=10)
    assert [rpc.call("eth_getBlockByNumber", hex(n), True) for n in range(rpc.height + 1)] == before
    assert rpc.call("eth_getLogs", {"fromBlock": "0x0"}) == logs
    assert rpc.refusal("eth_getBalance", setter, hex(291))[1].startswith("missing trie node")
    rpc.call("eth_getBalance", setter, hex(292))
    for number in range(50):
        write(rpc, setter, number % 7, number)
        whole_states(rpc)
    rpc.close()
    assert verify(tmp_path).fault is None


def test_without_a_number_every_state_that_is_there_stays(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path)
    setter = grow(rpc, 60)
    rpc.close()
    assert compact(tmp_path, None).first_kept == 0
    rpc = LocalRpc(tmp_path)
    for number in (1, 20, 61):
        rpc.call("eth_getStorageAt", setter, "0x1", hex(number))
    assert whole_states(rpc) == 62
    rpc.close()


def test_compacting_keeps_the_states_of_snapshots(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path)
    setter = grow(rpc, 10)
    snapshot = rpc.call("evm_snapshot")
    for number in range(30):
        write(rpc, setter, 1, 100 + number)
    rpc.close()
    compact(tmp_path, 2)
    rpc = LocalRpc(tmp_path)
    assert rpc.call("evm_revert", snapshot)
    assert int(rpc.call("eth_getStorageAt", setter, "0x1", "latest"), 16) == 1
    rpc.close()


def test_a_store_in_use_is_not_compacted_nor_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        compact(tmp_path / "nothing", None)
    rpc = LocalRpc(tmp_path)
    with pytest.raises(StoreInUse):
        compact(tmp_path, 5)
    rpc.close()


def test_a_state_that_is_not_whole_is_not_compacted_away(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path)
    grow(rpc, 5)
    root = rpc.node.head.header.state_root
    rpc.close()
    _put(tmp_path, root, None)
    with pytest.raises(StateMissing) as refusal:
        compact(tmp_path, 1)
    assert refusal.value.facts == {"record": "0x" + root.hex()}
    fault = verify(tmp_path).fault
    assert fault is not None
    assert fault.key == "0x" + root.hex()


def test_the_carat_command_compacts_and_says_how_much(tmp_path: Path) -> None:
    from typer.testing import CliRunner  # noqa: PLC0415

    from api.cli.app import app  # noqa: PLC0415

    rpc = LocalRpc(tmp_path / "chain")
    grow(rpc, 100)
    rpc.close()
    arguments = ["chain", "compact", "--data-dir", str(tmp_path), "--keep-state", "5", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["after_bytes"] < report["before_bytes"]
    assert report["first_kept"] == 97
