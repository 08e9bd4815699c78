"""A call that is answered from memory is answered as if it were run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.node import calls
from chain.node.remembered import MAX_ANSWER_CHARS, MAX_ANSWERS, MAX_PARAMS_BYTES, Remembered
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, CONTEXT, COUNTER, REVERTER, signed


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls that the EVM has run."""
    found: list[Any] = []
    run = calls.call

    def counting(node: Any, transaction: Any, *arguments: Any, **more: Any) -> Any:
        found.append(transaction)
        return run(node, transaction, *arguments, **more)

    monkeypatch.setattr(calls, "call", counting)
    return found


def test_the_same_call_in_one_block_runs_once(rpc: LocalRpc, runs: list[Any]) -> None:
    rpc.call("evm_setNextBlockTimestamp", "0xffffff0000")
    contract = rpc.deploy(COUNTER)
    rpc.call("evm_setNextBlockTimestamp", "0xffffff0001")  # until then the next block's time stands still
    answers = {rpc.call("eth_call", {"to": contract}, "latest") for _ in range(5)}
    assert answers == {f"0x{1:064x}"}
    assert len(runs) == 1
    rpc.call("eth_call", {"to": contract, "from": ADDRESSES[1]}, "latest")
    assert len(runs) == 2, "another call is another call"


def test_a_new_block_is_asked_anew(rpc: LocalRpc) -> None:
    contract = rpc.deploy(COUNTER)
    for number in range(4):
        assert int(rpc.call("eth_call", {"to": contract}, "latest"), 16) == number + 1
        rpc.send(signed(1, number, contract, bytes(32)))
    snapshot = rpc.call("evm_snapshot")
    rpc.send(signed(1, 4, contract, bytes(32)))
    assert int(rpc.call("eth_call", {"to": contract}, "latest"), 16) == 6
    rpc.call("evm_revert", snapshot)
    assert int(rpc.call("eth_call", {"to": contract}, "latest"), 16) == 5


def test_another_time_is_another_answer(rpc: LocalRpc) -> None:
    contract = rpc.deploy(CONTEXT)
    for timestamp_utc in (5_000_000_000, 5_000_000_001, 6_000_000_000):
        rpc.call("evm_setNextBlockTimestamp", hex(timestamp_utc))
        assert int(rpc.call("eth_call", {"to": contract}, "latest")[2:66], 16) == timestamp_utc


def test_overrides_are_part_of_the_question(rpc: LocalRpc) -> None:
    contract = rpc.deploy(COUNTER)
    for value in (7, 9, 7):
        override = {contract: {"stateDiff": {f"0x{0:064x}": f"0x{value:064x}"}}}
        assert int(rpc.call("eth_call", {"to": contract}, "latest", override), 16) == value + 1
    assert int(rpc.call("eth_call", {"to": contract}, "latest"), 16) == 1


def test_refusals_are_not_remembered(rpc: LocalRpc, runs: list[Any]) -> None:
    contract = rpc.deploy(REVERTER)
    for _ in range(3):
        assert rpc.refusal("eth_call", {"to": contract, "data": "0x1234"}, "latest")[0] == 3
    assert len(runs) == 3


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3), st.text(max_size=3)), max_size=30
    )
)
def test_what_is_remembered_is_what_was_put_last_under_this_head(script: Any) -> None:
    memory = Remembered()
    model: dict[Any, str] = {}
    head = None
    for block, time, params, answer in script:
        if block != head:
            head = block
            model.clear()
        key = memory.key(bytes([block]), time, [params])
        assert memory.get(key) == model.get((time, params))
        memory.put(key, answer)
        model[time, params] = answer


def test_memory_is_bounded() -> None:
    memory = Remembered()
    for number in range(MAX_ANSWERS + 10):
        memory.put(memory.key(b"head", 0, [number]), "0x")
    assert len(memory) == MAX_ANSWERS
    assert memory.get(memory.key(b"head", 0, [0])) is None
    long = memory.key(b"head", 0, ["long"])
    memory.put(long, "0" * (MAX_ANSWER_CHARS + 1))
    assert memory.get(long) is None
    asked = memory.key(b"head", 0, ["0" * MAX_PARAMS_BYTES])
    memory.put(asked, "0x")
    assert memory.get(asked) is None
