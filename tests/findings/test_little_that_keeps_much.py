"""Found: a step of a trace kept four kilobytes for a hundred bytes, a filter all that came with its question.

A trace of a million steps took 4 GB of the node's memory, a thousand filters could take 30.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.chain.node.local import LocalRpc

LOOPER = "0x" + "11" * 20
LOOP = {"stateOverrides": {LOOPER: {"code": "0x5b600056"}}}
STEPS, STEP_BYTES_MAX = 6_001, 1_000


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[LocalRpc]:
    local = LocalRpc(tmp_path / "chain")
    yield local
    local.close()


def test_a_step_takes_little_more_than_it_says(rpc: LocalRpc) -> None:
    call = {"to": LOOPER, "gas": hex(21_000 + 12 * 2_000)}
    body = orjson.dumps({"id": 1, "method": "debug_traceCall", "params": [call, "latest", LOOP]})
    rpc.answer(body)
    tracemalloc.start()
    try:
        answer = rpc.answer(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.count(b'"pc"') == STEPS
    assert peak < STEPS * STEP_BYTES_MAX


def test_a_filter_keeps_only_what_it_needs(rpc: LocalRpc) -> None:
    tracemalloc.start()
    try:
        for _ in range(4):
            rpc.call("eth_newFilter", {"fromBlock": "0x0", "comment": "x" * 1_000_000})
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000


@pytest.mark.parametrize("nested", ["[" * 900 + "]" * 900, '[{"to":' + "[" * 600 + "]" * 600 + '},"latest"]'])
def test_a_question_nested_too_deep_is_the_clients_mistake(rpc: LocalRpc, nested: str) -> None:
    answer = rpc.post(f'{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":{nested}}}'.encode())
    assert answer["error"]["code"] == -32602
