"""When blocks are built: with each transaction, every so often, or when somebody asks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from chain.node import builder, start_node
from chain.node.mining import keep_mining
from chain.node.modes import Mining
from tests.chain.node.local import LocalRpc, RemoteRpc
from tests.chain.node.programs import ADDRESSES, LOOPER, hash_of, hexed, signed


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("automine", Mining()),
        ("manual", Mining(automine=False)),
        ("interval:2", Mining(automine=False, interval_ms=2_000)),
        ("interval:0.25", Mining(automine=False, interval_ms=250)),
    ],
)
def test_the_modes_as_the_command_line_names_them(text: str, mode: Mining) -> None:
    assert Mining.parse(text) == mode


@pytest.mark.parametrize(
    "text", ["", "interval", "interval:", "interval:-1", "interval:0.001", "interval:1e9"]
)
def test_other_modes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"interval|automine"):
        Mining.parse(text)


def test_on_demand_a_transaction_is_answered_from_the_pool(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, mining=Mining(automine=False))
    sent = rpc.call("eth_sendRawTransaction", hexed(signed(0, 0, ADDRESSES[1])))
    assert rpc.call("eth_getTransactionReceipt", sent) is None
    assert rpc.call("eth_getTransactionByHash", sent)["blockNumber"] is None
    assert rpc.call("eth_getTransactionCount", ADDRESSES[0], "pending") == "0x1"
    assert rpc.call("eth_getTransactionCount", ADDRESSES[0], "latest") == "0x0"
    rpc.call("evm_mine")
    assert rpc.call("eth_getTransactionReceipt", sent)["blockNumber"] == "0x1"
    rpc.close()


def test_a_wallet_cancels_what_waits(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, mining=Mining(automine=False))
    old = rpc.call("eth_sendRawTransaction", hexed(signed(0, 0, ADDRESSES[1], value=5)))
    code, message = rpc.refusal("eth_sendRawTransaction", hexed(signed(0, 0, ADDRESSES[2], value=5)))
    assert (code, message.startswith("replacement transaction underpriced")) == (-32000, True)
    cancelled = rpc.call("eth_sendRawTransaction", hexed(signed(0, 0, ADDRESSES[0], gas=21_000)))
    assert rpc.call("eth_getTransactionByHash", old) is None
    rpc.call("evm_mine")
    assert rpc.call("eth_getTransactionReceipt", cancelled)["status"] == "0x1"
    assert rpc.call("eth_getTransactionReceipt", old) is None
    rpc.close()


def test_a_wallet_speeds_up_what_waits_by_ten_percent(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path, mining=Mining(automine=False))

    def offer(price: int) -> str:
        return hexed(signed(0, 0, ADDRESSES[1], maxFeePerGas=price, maxPriorityFeePerGas=price))

    rpc.call("eth_sendRawTransaction", offer(1_000))
    assert rpc.refusal("eth_sendRawTransaction", offer(1_099))[1].startswith("replacement transaction under")
    faster = rpc.call("eth_sendRawTransaction", offer(1_100))
    rpc.call("evm_mine")
    assert rpc.call("eth_getTransactionReceipt", faster)["effectiveGasPrice"] == hex(1_100)
    rpc.close()


def test_automine_can_be_switched_off_and_on(rpc: LocalRpc) -> None:
    assert rpc.call("hardhat_getAutomine") is True
    rpc.call("evm_setAutomine", False)
    sent = rpc.call("eth_sendRawTransaction", hexed(signed(0, 0, ADDRESSES[1])))
    assert (rpc.height, rpc.call("hardhat_getAutomine")) == (0, False)
    rpc.call("evm_setAutomine", True)
    assert rpc.call("eth_getTransactionReceipt", sent)["blockNumber"] == "0x1"
    assert rpc.refusal("evm_setAutomine", "yes")[0] == -32602
    assert rpc.refusal("evm_setIntervalMining", "0x1")[0] == -32602


def test_at_an_interval_blocks_come_by_themselves(tmp_path: Path) -> None:
    with start_node(tmp_path, more=["--mine", "interval:0.05"]) as node:
        remote = RemoteRpc(node.url)
        raws = [hexed(signed(0, nonce, ADDRESSES[1])) for nonce in range(3)]
        assert remote.ask_all("eth_sendRawTransaction", raws) == [hash_of(bytes.fromhex(r[2:])) for r in raws]
        deadline = time.monotonic() + 20
        receipts = [None]
        while None in receipts and time.monotonic() < deadline:
            time.sleep(0.02)
            receipts = remote.ask_all("eth_getTransactionReceipt", map(hash_of_hex, raws))
        assert all(receipts)
        remote.close()


def hash_of_hex(raw: str) -> str:
    return hash_of(bytes.fromhex(raw[2:]))


async def test_the_interval_can_be_changed_while_it_runs(tmp_path: Path) -> None:
    rpc = LocalRpc(tmp_path)
    mining = asyncio.create_task(keep_mining(rpc.node))
    await asyncio.sleep(0)
    rpc.node.mining.set_interval(10)
    three = asyncio.Event()
    rpc.node.on_block.append(lambda block: three.set() if block.number >= 3 else None)
    await asyncio.wait_for(three.wait(), 20)
    rpc.node.mining.set_interval(0)
    height = rpc.node.head.number
    assert height >= 3
    await asyncio.sleep(0.05)
    assert rpc.node.head.number == height
    mining.cancel()
    rpc.close()


def test_a_block_that_takes_too_long_leaves_the_rest_to_the_next_and_then_by_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "BLOCK_SECONDS", -1.0)  # one transaction a block
    rpc = LocalRpc(tmp_path, mining=Mining(automine=False))
    flood = [signed(0, nonce, ADDRESSES[1]) for nonce in range(4)]
    quiet = signed(1, 0, ADDRESSES[1])
    rpc.batch(*[("eth_sendRawTransaction", [hexed(raw)]) for raw in [*flood, quiet]])
    rpc.node.mine_ready()
    blocks = [rpc.call("eth_getTransactionReceipt", hash_of(raw))["blockNumber"] for raw in [*flood, quiet]]
    # By arrival the quiet sender would be last.
    assert int(blocks[-1], 16) < int(blocks[-2], 16)
    assert rpc.height == 5
    rpc.close()


def test_who_sends_into_a_busy_node_is_answered_when_its_own_blocks_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "BLOCK_SECONDS", -1.0)
    rpc = LocalRpc(tmp_path)
    raws = [signed(0, nonce, ADDRESSES[1]) for nonce in range(5)]
    rpc.batch(*[("eth_sendRawTransaction", [hexed(raw)]) for raw in raws])
    assert rpc.height == 5
    assert all(rpc.call("eth_getTransactionReceipt", hash_of(raw)) for raw in raws)
    rpc.close()


def test_a_heavy_transaction_leaves_room_for_the_others_of_its_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "TRANSACTION_SECONDS", 0.05)
    rpc = LocalRpc(tmp_path, mining=Mining(automine=False))
    rpc.node.mining.automine = True
    looper = rpc.deploy(LOOPER)
    answers = rpc.batch(
        ("eth_sendRawTransaction", [hexed(signed(1, 0, looper, gas=400_000_000))]),
        ("eth_sendRawTransaction", [hexed(signed(2, 0, ADDRESSES[1]))]),
    )
    assert answers[0]["code"] == -32005
    assert rpc.call("eth_getTransactionReceipt", answers[1])["status"] == "0x1"
    rpc.close()
