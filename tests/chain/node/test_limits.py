"""Whoever asks for too much is told how much is allowed, and the node goes on."""

from __future__ import annotations

import pytest

from chain.node import calls, logs
from chain.node.rpc import dispatch
from chain.node.tracing import budget
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, LOOPER, hash_of, hexed, signed


def test_too_many_requests_in_a_batch(rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MAX_BATCH", 2)
    answer = rpc.post(b'[{"id":1,"method":"eth_chainId"},{"id":2,"method":"eth_chainId"},{}]')
    assert answer["error"] == {"code": -32600, "message": "batch of 3 requests, limit 2"}
    assert rpc.call("eth_chainId")


def test_a_range_with_too_many_logs(rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = rpc.deploy(COUNTER)
    for nonce in range(3):
        rpc.send(signed(1, nonce, counter))
    monkeypatch.setattr(logs, "MAX_LOGS", 2)
    code, message = rpc.refusal("eth_getLogs", {"fromBlock": "0x0"})
    assert (code, message) == (-32005, "query returns more than 2 logs: ask for fewer blocks")
    assert len(rpc.call("eth_getLogs", {"fromBlock": "0x3"})) == 2


@pytest.mark.parametrize(
    ("name", "value", "refusal"),
    [
        ("MAX_SCANNED_BLOCKS", 3, "query without address and topics spans 4 blocks, limit 3"),
        ("MAX_ANSWER_BYTES", 500, "query returns more than 500 bytes: ask for fewer blocks"),
        ("LOG_SECONDS", -1.0, "query takes longer than -1 s: ask for fewer blocks"),
    ],
)
def test_a_range_that_is_too_long_too_large_or_too_slow(
    rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch, name: str, value: float, refusal: str
) -> None:
    counter = rpc.deploy(COUNTER)
    for nonce in range(2):
        rpc.send(signed(1, nonce, counter))
    monkeypatch.setattr(logs, name, value)
    assert rpc.refusal("eth_getLogs", {"fromBlock": "0x0"}) == (-32005, refusal)
    if name == "MAX_SCANNED_BLOCKS":
        assert len(rpc.call("eth_getLogs", {"fromBlock": "0x0", "address": counter})) == 2


def test_a_call_that_takes_too_long(rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch) -> None:
    looper = rpc.deploy(LOOPER)
    monkeypatch.setattr(calls, "CALL_SECONDS", 0.0)
    assert rpc.refusal("eth_call", {"to": looper}, "latest")[0] == -32005
    assert rpc.refusal("eth_estimateGas", {"to": looper})[0] == -32005


@pytest.mark.parametrize(("name", "value"), [("MAX_STEPS", 5), ("MAX_BYTES", 500), ("MAX_SECONDS", 0.0)])
def test_a_trace_that_is_too_long_too_large_or_too_slow(
    rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    raw = signed(1, 0, rpc.deploy(LOOPER), gas=200_000)
    rpc.call("eth_sendRawTransaction", hexed(raw))
    monkeypatch.setattr(budget, name, value)
    code, message = rpc.refusal("debug_traceTransaction", hash_of(raw))
    assert code == -32005
    assert message.startswith("trace ")


def test_a_transaction_that_is_too_large(rpc: LocalRpc) -> None:
    raw = signed(0, 0, ADDRESSES[1], b"\x01" * (256 * 1024), gas=10_000_000)
    assert rpc.refusal("eth_sendRawTransaction", hexed(raw))[1].startswith("oversized data")
