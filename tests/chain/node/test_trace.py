"""debug_traceTransaction: the steps, and the caps."""

from __future__ import annotations

import pytest

from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import COUNTER, LOOPER, REVERTER, hexed, signed


def test_a_trace_shows_every_step_of_the_transaction(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    receipts = rpc.batch(*(("eth_sendRawTransaction", [hexed(signed(1, n, counter))]) for n in range(3)))
    trace = rpc.call("debug_traceTransaction", receipts[2], {"enableMemory": True})
    steps = trace["structLogs"]
    assert [step["op"] for step in steps[:6]] == ["PUSH1", "SLOAD", "PUSH1", "ADD", "DUP1", "PUSH1"]
    assert [step["pc"] for step in steps[:4]] == [0, 2, 3, 5]
    assert (steps[0]["stack"], steps[1]["stack"]) == ([], ["0x0"])
    assert steps[2]["stack"] == ["0x2"]  # the two before it have counted
    assert steps[1]["gasCost"] == 2100
    assert {step["depth"] for step in steps} == {1}
    assert (trace["failed"], trace["returnValue"]) == (False, f"0x{3:064x}")
    gas = rpc.call("eth_getTransactionReceipt", receipts[2])["gasUsed"]
    assert trace["gas"] == int(gas, 16)


def test_a_trace_of_a_revert_ends_in_it(rpc: LocalRpc) -> None:
    reverter = rpc.deploy(REVERTER)
    failed = rpc.send(signed(1, 0, reverter, b"\x01\x02\x03"))
    trace = rpc.call("debug_traceTransaction", failed["transactionHash"], {"disableStorage": True})
    assert (trace["failed"], trace["returnValue"]) == (True, "0x010203")
    assert (trace["structLogs"][-1]["op"], trace["structLogs"][-1]["error"]) == (
        "REVERT",
        "execution reverted",
    )


@pytest.mark.parametrize(
    ("cap", "value"), [("MAX_STEPS", 1_000), ("MAX_BYTES", 100_000), ("MAX_SECONDS", 0.0)]
)
def test_a_trace_that_is_too_long_is_refused(
    rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch, cap: str, value: float
) -> None:
    monkeypatch.setattr(f"chain.node.tracing.budget.{cap}", value)
    looper = rpc.deploy(LOOPER)
    failed = rpc.send(signed(1, 0, looper, gas=100_000))
    code, message = rpc.refusal("debug_traceTransaction", failed["transactionHash"])
    assert (code, message.startswith("trace ")) == (-32005, True)
