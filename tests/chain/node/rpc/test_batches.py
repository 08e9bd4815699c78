"""Batches: bounded answers, others in between, ids as they came; and what the pool tells of."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.node.commit import Committer
from chain.node.node import Node, Settings
from chain.node.rpc.dispatch import Dispatcher
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, hash_of, hexed, signed


def test_a_batch_whose_answers_grow_too_large_is_cut_short(
    rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chain.node.rpc.dispatch.MAX_ANSWER_BYTES", 5_000)
    answers = rpc.batch(*[("eth_getBlockByNumber", ["latest", True])] * 10)
    refused = [each for each in answers if "code" in each]
    assert 0 < len(refused) < 10
    assert {each["code"] for each in refused} == {-32005}
    assert answers[:1] == [rpc.call("eth_getBlockByNumber", "latest", True)]


async def test_a_long_batch_lets_others_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.node.rpc.dispatch._TURN_SECONDS", 0.0)
    node = Node(tmp_path, Settings(fsync=False))
    dispatcher = Dispatcher(node, Committer(node))
    one = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
    batch = asyncio.create_task(dispatcher.answer(orjson.dumps([one] * 1_000)))
    await asyncio.sleep(0)
    assert orjson.loads(await dispatcher.answer(orjson.dumps(one)))["result"] == "0x1c9f"
    assert not batch.done()
    assert len(orjson.loads(await batch)) == 1_000
    node.close()


@pytest.mark.parametrize("number", [0, -5, 1.5, "seven", "", None, 2**63])
def test_an_id_comes_back_as_it_went(rpc: LocalRpc, number: Any) -> None:
    answer = rpc.post_one({"jsonrpc": "2.0", "id": number, "method": "eth_chainId"})
    assert answer["id"] == number
    assert type(answer["id"]) is type(number)


@pytest.mark.parametrize("number", [True, [], {}])
def test_what_is_no_id_is_refused(rpc: LocalRpc, number: Any) -> None:
    answer = rpc.post_one({"jsonrpc": "2.0", "id": number, "method": "eth_chainId"})
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)


def test_a_pending_filter_tells_of_each_transaction_once(rpc: LocalRpc) -> None:
    name, other = rpc.call("eth_newPendingTransactionFilter"), rpc.call("eth_newBlockFilter")
    raws = [signed(1, nonce, ADDRESSES[0]) for nonce in (0, 1, 5)]
    for raw in raws:
        rpc.call("eth_sendRawTransaction", hexed(raw))
    assert rpc.call("eth_getFilterChanges", name) == [hash_of(raw) for raw in raws]
    assert rpc.call("eth_getFilterChanges", name) == []
    assert len(rpc.call("eth_getFilterChanges", other)) == 2
    rpc.call("eth_sendRawTransaction", hexed(raws[2]))  # sent again: nothing new
    assert rpc.call("eth_getFilterChanges", name) == []


def test_the_pool_shows_what_waits(rpc: LocalRpc) -> None:
    raws = {nonce: signed(1, nonce, ADDRESSES[0], value=nonce) for nonce in (3, 2, 7)}
    for raw in raws.values():
        rpc.call("eth_sendRawTransaction", hexed(raw))
    content = rpc.call("txpool_content")
    assert content["pending"] == {}
    waiting = content["queued"][ADDRESSES[1]]
    assert list(waiting) == ["2", "3", "7"]
    assert [each["hash"] for each in waiting.values()] == [hash_of(raws[nonce]) for nonce in (2, 3, 7)]
    assert rpc.call("txpool_contentFrom", ADDRESSES[1].lower())["queued"] == waiting
    brief = rpc.call("txpool_inspect")["queued"][ADDRESSES[1]]["7"]
    assert brief == f"{ADDRESSES[0]}: 7 wei + 1000000 gas × 0 wei"
    assert rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x3"}


def test_fees_of_past_blocks_are_what_was_offered(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    raws = [
        signed(1, n, counter, maxFeePerGas=fee, maxPriorityFeePerGas=fee) for n, fee in enumerate((5, 1, 3))
    ]
    rpc.batch(*(("eth_sendRawTransaction", [hexed(raw)]) for raw in raws))
    history = rpc.call("eth_feeHistory", "0x2", "latest", [0, 40, 60, 100])
    used = [int(rpc.call("eth_getTransactionReceipt", hash_of(raw))["gasUsed"], 16) for raw in raws]
    by_tip = sorted(zip((5, 1, 3), used, strict=True))
    total = sum(used)
    expected = []
    for share in (0, 40, 60, 100):
        reached = 0
        for tip, gas in by_tip:
            reached += gas
            if reached * 100 >= share * total:
                expected.append(hex(tip))
                break
    assert history["reward"][1] == expected
    assert history["oldestBlock"] == hex(rpc.height - 1)
    assert history["baseFeePerGas"] == ["0x0"] * 3
    assert history["gasUsedRatio"][1] == total / 500_000_000
