"""Reading the chain: calls, estimates, logs, blocks, old states."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import (
    ADDRESSES,
    CONTEXT,
    COUNTER,
    LOGGER,
    LOOPER,
    REVERTER,
    hash_of,
    hexed,
    init_code,
    signed,
)

WORD = "0x" + "11" * 32


def test_a_call_changes_nothing(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    for _ in range(2):
        assert int(rpc.call("eth_call", {"to": counter}, "latest"), 16) == 1
    assert rpc.height == 1


def test_old_states_stay_readable(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    for nonce in range(3):
        rpc.send(signed(1, nonce, counter))
    for block, count in ((0, 0), (1, 0), (2, 1), (4, 3)):
        assert int(rpc.call("eth_getStorageAt", counter, "0x0", hex(block)), 16) == count
        assert rpc.call("eth_getTransactionCount", ADDRESSES[1], hex(block)) == hex(count)
    assert rpc.call("eth_getCode", counter, "0x0") == "0x"
    assert int(rpc.call("eth_call", {"to": counter}, "0x2"), 16) == 2


def test_a_call_runs_in_the_next_block(rpc: LocalRpc) -> None:
    context = rpc.deploy(CONTEXT)
    rpc.call("evm_increaseTime", 1000)
    words = bytes.fromhex(rpc.call("eth_call", {"to": context}, "latest")[2:])
    timestamp, number, chain_id, base_fee = (
        int.from_bytes(words[i : i + 32], "big") for i in range(0, 128, 32)
    )
    head = rpc.call("eth_getBlockByNumber", "latest", False)
    assert timestamp >= int(head["timestamp"], 16) + 1000
    assert (number, chain_id, base_fee) == (rpc.height + 1, 7327, 0)


def test_a_revert_gives_its_data_and_its_reason(rpc: LocalRpc) -> None:
    reverter = rpc.deploy(REVERTER)
    reason = keccak(text="Error(string)")[:4] + encode(["string"], ["不行"])
    custom = keccak(text="Mine(uint256)")[:4] + encode(["uint256"], [5])
    for data, message in ((reason, "execution reverted: 不行"), (custom, "execution reverted")):
        for method in ("eth_call", "eth_estimateGas"):
            answer = rpc.ask(method, {"to": reverter, "data": hexed(data)})
            assert answer["error"] == {"code": 3, "message": message, "data": hexed(data)}
    receipt = rpc.send(signed(0, 1, reverter, custom))
    assert (receipt["status"], receipt["logs"]) == ("0x0", [])


def test_an_estimate_is_enough_and_near_what_is_used(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    for nonce, call in enumerate(
        ({"to": counter}, {"to": ADDRESSES[3]}, {"data": hexed(init_code(COUNTER))})
    ):
        gas = int(rpc.call("eth_estimateGas", call), 16)
        to, data = call.get("to", b""), bytes.fromhex(call.get("data", "0x")[2:])
        receipt = rpc.send(signed(1, nonce, to, data, gas=gas))
        assert receipt["status"] == "0x1"
        assert int(receipt["gasUsed"], 16) <= gas <= int(receipt["gasUsed"], 16) * 1.1


def test_a_call_without_enough_gas_is_refused(rpc: LocalRpc) -> None:
    counter, looper = rpc.deploy(COUNTER), rpc.deploy(LOOPER)
    assert rpc.refusal("eth_call", {"to": counter, "gas": "0x5208"}) == (-32000, "out of gas")
    assert rpc.refusal("eth_call", {"to": looper, "gas": hex(100_000)}) == (-32000, "out of gas")
    assert rpc.refusal("eth_call", {"to": counter, "gas": "0x1"})[0] == -32000


def test_a_call_that_runs_too_long_is_refused(rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.node.calls.CALL_SECONDS", 0.05)
    looper = rpc.deploy(LOOPER)
    for method in ("eth_call", "eth_estimateGas"):
        assert rpc.refusal(method, {"to": looper}) == (-32005, "execution takes longer than 0 s")


def test_a_call_cannot_spend_what_nobody_has(rpc: LocalRpc) -> None:
    poor = "0x" + "ab" * 20
    code, message = rpc.refusal("eth_call", {"from": poor, "to": ADDRESSES[0], "value": "0x1"})
    assert (code, message.startswith("insufficient funds")) == (-32000, True)


def test_logs_are_found_by_block_address_and_topic(rpc: LocalRpc) -> None:
    counter, logger = rpc.deploy(COUNTER), rpc.deploy(LOGGER)
    topic = bytes.fromhex("11" * 32)
    raws = [signed(1, 0, counter, topic), signed(1, 1, logger, b"hello"), signed(1, 2, counter, b"\x22" * 32)]
    rpc.batch(*(("eth_sendRawTransaction", [hexed(raw)]) for raw in raws))
    rpc.send(signed(1, 3, counter, topic))

    def found(**query: object) -> list[tuple[str, str]]:
        logs = rpc.call("eth_getLogs", {"fromBlock": "earliest", "toBlock": "latest"} | query)
        return [(log["blockNumber"], log["logIndex"]) for log in logs]

    everything = [("0x3", "0x0"), ("0x3", "0x1"), ("0x3", "0x2"), ("0x4", "0x0")]
    assert found() == found(topics=[]) == found(address=[counter, logger]) == everything
    assert found(address=logger) == everything[1:2]
    assert found(topics=[WORD]) == found(topics=[[WORD, "0x" + "33" * 32]]) == [everything[0], everything[3]]
    assert found(topics=[None]) == [everything[0], *everything[2:]]
    assert found(topics=[None, None]) == []
    assert found(address=counter, topics=[WORD], fromBlock="0x4") == everything[3:]
    assert found(fromBlock="0x5", toBlock="0xff") == []
    block = rpc.call("eth_getBlockByNumber", "0x3", False)
    by_hash = rpc.call("eth_getLogs", {"blockHash": block["hash"], "address": logger})
    assert [log["data"] for log in by_hash] == [hexed(b"hello")]


def test_a_query_for_too_many_logs_is_refused(rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.node.logs.MAX_LOGS", 2)
    counter = rpc.deploy(COUNTER)
    for nonce in range(3):
        rpc.send(signed(1, nonce, counter))
    assert len(rpc.call("eth_getLogs", {"fromBlock": "0x2", "toBlock": "0x3"})) == 2
    assert rpc.refusal("eth_getLogs", {"fromBlock": "0x2"})[0] == -32005


def test_a_query_that_makes_no_sense_is_refused(rpc: LocalRpc) -> None:
    for query in (
        {"fromBlock": "0x2", "toBlock": "0x1"},
        {"blockHash": WORD, "fromBlock": "0x0"},
        {"address": "0x12"},
        {"topics": [WORD] * 5},
        {"topics": [["0x12"]]},
        [],
    ):
        assert rpc.refusal("eth_getLogs", query)[0] == -32602
    assert rpc.refusal("eth_getLogs", {"blockHash": WORD}) == (-32000, "unknown block")


def test_filters_tell_what_is_new_once(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    logs, blocks = rpc.call("eth_newFilter", {"address": counter}), rpc.call("eth_newBlockFilter")
    old = rpc.call("eth_newFilter", {"fromBlock": "0x0", "topics": [WORD]})
    sent = [rpc.send(signed(1, nonce, counter, bytes.fromhex("11" * 32))) for nonce in range(2)]
    for each in (logs, old):
        news = rpc.call("eth_getFilterChanges", each)
        assert [log["transactionHash"] for log in news] == [r["transactionHash"] for r in sent]
        assert rpc.call("eth_getFilterChanges", each) == []
    assert rpc.call("eth_getFilterLogs", old) == news
    assert rpc.call("eth_getFilterChanges", blocks) == [receipt["blockHash"] for receipt in sent]
    assert rpc.call("eth_getFilterChanges", rpc.call("eth_newPendingTransactionFilter")) == []
    assert [rpc.call("eth_uninstallFilter", logs) for _ in range(2)] == [True, False]
    assert rpc.refusal("eth_getFilterChanges", logs) == (-32000, "filter not found")
    assert rpc.refusal("eth_newFilter", {"blockHash": WORD})[0] == -32602


def test_blocks_and_transactions_are_found_in_every_way(rpc: LocalRpc) -> None:
    raws = [signed(0, nonce, ADDRESSES[1], gasPrice=0) for nonce in range(2)]
    rpc.batch(*(("eth_sendRawTransaction", [hexed(raw)]) for raw in raws))
    block = rpc.call("eth_getBlockByNumber", "latest", True)
    assert [shown["hash"] for shown in block["transactions"]] == [hash_of(raw) for raw in raws]
    assert rpc.call("eth_getBlockByHash", block["hash"], True) == block
    assert rpc.call("eth_getBlockByNumber", "0x9", False) is None
    for shown in block["transactions"]:
        assert rpc.call("eth_getTransactionByHash", shown["hash"]) == shown
        at = shown["transactionIndex"]
        assert rpc.call("eth_getTransactionByBlockNumberAndIndex", "0x1", at) == shown
        assert rpc.call("eth_getTransactionByBlockHashAndIndex", block["hash"], at) == shown
    receipts = [rpc.call("eth_getTransactionReceipt", hash_of(raw)) for raw in raws]
    assert rpc.call("eth_getBlockReceipts", "latest") == receipts
    assert [receipt["cumulativeGasUsed"] for receipt in receipts] == [hex(21_000), hex(42_000)]
    assert rpc.call("eth_getBlockTransactionCountByNumber", "0x1") == "0x2"
    assert rpc.call("eth_getTransactionReceipt", WORD) is None


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("eth_nothing", [], -32601),
        ("eth_getBalance", [], -32602),
        ("eth_getBalance", ["0x12", "latest"], -32602),
        ("eth_getBalance", ["0x" + "00" * 20, "newest"], -32602),
        ("eth_getBalance", ["0x" + "00" * 20, "0x99"], -32000),
        ("eth_getBlockByNumber", ["0x1_0", False], -32602),
        ("eth_getBlockByNumber", ["latest", "yes"], -32602),
        ("eth_sendRawTransaction", ["0xzz"], -32602),
        ("eth_sendRawTransaction", ["0x" + "ff" * 8], -32602),
        ("eth_sendTransaction", [{"from": "0x" + "00" * 20}], -32000),
        ("eth_call", ["0x"], -32602),
        ("debug_traceTransaction", ["0x" + "00" * 32], -32000),
    ],
)
def test_refusals_have_the_right_codes(rpc: LocalRpc, method: str, params: list[object], code: int) -> None:
    assert rpc.refusal(method, *params)[0] == code


def test_test_methods_are_only_there_when_asked_for(tmp_path: object, rpc: LocalRpc) -> None:
    from pathlib import Path  # noqa: PLC0415

    strict = LocalRpc(Path(str(tmp_path)) / "strict", test_methods=False)
    try:
        for method in ("evm_snapshot", "evm_increaseTime", "evm_mine", "eth_sendTransaction"):
            assert strict.refusal(method)[0] == -32601
        assert strict.call("eth_accounts") == []
        assert strict.call("eth_getBalance", ADDRESSES[0], "latest") == "0x0"
    finally:
        strict.close()


def test_a_contract_may_call_itself_hundreds_of_times_deep(rpc: LocalRpc) -> None:
    # slot 0 += 1, then call oneself with all the gas
    deep = rpc.deploy(bytes.fromhex("600054600101600055600060006000600060003061ffff505af15000"))
    receipt = rpc.send(signed(1, 0, deep, gas=500_000_000))
    depth = int(rpc.call("eth_getStorageAt", deep, "0x0", "latest"), 16)
    assert (receipt["status"], depth > 500) == ("0x1", True)
    steps = rpc.call("debug_traceTransaction", receipt["transactionHash"])["structLogs"]
    assert max(step["depth"] for step in steps) >= depth


def test_pairings_that_would_take_minutes_are_refused(rpc: LocalRpc) -> None:
    pairing = "0x" + "08".rjust(40, "0")
    assert rpc.refusal("eth_call", {"to": pairing, "data": "0x" + "00" * 192 * 9})[0] == -32005
    assert int(rpc.call("eth_call", {"to": pairing, "data": "0x" + "00" * 192}), 16) == 1
