"""callTracer: the tree of calls, what failed and why, what was logged; prestateTracer: what was before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chain.node.framing import Framer
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, LOGGER, LOOPER, REVERTER, hexed, init_code, signed
from tests.chain.node.rpc.scene import CALLER, LEAVER, MAKER, REASON

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT:DeprecationWarning")

NOBODY = "0x" + "77" * 20
SLOT = "0x" + "00" * 32


def word(number: int) -> str:
    return f"0x{number:064x}"


def push(number: int) -> bytes:
    data = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")
    return bytes((0x5F + len(data),)) + data


def call(kind: str, to: str, *, gas: int = 50_000, value: int = 0, size: int = 4) -> bytes:
    """A call of the given opcode, whose answer is dropped."""
    worth = push(value) if kind in ("f1", "f2") else b""
    target = b"\x73" + bytes.fromhex(to[2:])
    return push(0) + push(0) + push(size) + push(0) + worth + target + push(gas) + bytes.fromhex(kind + "50")


def traced(rpc: LocalRpc, code: bytes, tracer: str = "callTracer", **more: Any) -> Any:
    """What the tracer says of one call of a new contract."""
    contract = rpc.deploy(code)
    nonce = int(rpc.call("eth_getTransactionCount", ADDRESSES[1]), 16)
    receipt = rpc.send(signed(1, nonce, contract, REASON, gas=500_000))
    trace = rpc.call(
        "debug_traceTransaction", receipt["transactionHash"], {"tracer": tracer, "tracerConfig": more}
    )
    if tracer == "callTracer":
        assert (trace["gas"], trace["gasUsed"]) == (hex(500_000), receipt["gasUsed"])
        assert (trace["from"], trace["to"], trace["input"]) == (ADDRESSES[1], contract, hexed(REASON))
    return trace


def test_each_kind_of_call_is_shown_as_what_it_is(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    trace = traced(rpc, b"".join(call(kind, counter) for kind in ("f1", "f2", "f4", "fa")))
    kinds = [(each["type"], each.get("value"), each.get("error")) for each in trace["calls"]]
    assert kinds == [
        ("CALL", "0x0", None),
        ("CALLCODE", "0x0", None),
        ("DELEGATECALL", "0x0", None),
        ("STATICCALL", None, "write protection"),
    ]
    assert {each["from"] for each in trace["calls"]} == {trace["to"]}
    assert [int(each["output"], 16) for each in trace["calls"][:3]] == [1, 1, 2]
    assert "output" not in trace["calls"][3]
    assert trace["calls"][3]["gasUsed"] == hex(50_000)


def test_calls_lie_in_calls(rpc: LocalRpc) -> None:
    counter, caller = rpc.deploy(COUNTER), rpc.deploy(CALLER)
    data = bytes(12) + bytes.fromhex(caller[2:]) + bytes(12) + bytes.fromhex(counter[2:]) + b"\x09" * 32
    sent = rpc.send(signed(1, 0, caller, data))
    trace = rpc.call("debug_traceTransaction", sent["transactionHash"], {"tracer": "callTracer"})
    (inner,) = trace["calls"]
    (innermost,) = inner["calls"]
    assert [trace["to"], inner["to"], innermost["to"]] == [caller, caller, counter]
    assert innermost["input"] == "0x" + "09" * 32
    assert trace["output"] == inner["output"] == innermost["output"] == word(1)
    top = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
    assert rpc.call("debug_traceTransaction", sent["transactionHash"], top) == {
        name: value for name, value in trace.items() if name != "calls"
    }


def test_a_revert_is_decoded_and_other_failures_are_named(rpc: LocalRpc) -> None:
    looper = rpc.deploy(LOOPER)
    sent = rpc.send(signed(1, 0, rpc.deploy(REVERTER), REASON))
    trace = rpc.call("debug_traceTransaction", sent["transactionHash"], {"tracer": "callTracer"})
    assert (trace["error"], trace["revertReason"]) == ("execution reverted", "nope")
    assert trace["output"] == hexed(REASON)
    broken = [
        rpc.deploy(bytes.fromhex(code)) for code in ("fe", "0c", "600056", "01", "60ef60005360016000f3")
    ]
    trace = rpc.call(
        "debug_traceCall",
        {"input": hexed(b"".join(call("f1", each, gas=3_000) for each in (*broken, looper)))},
        "latest",
        {"tracer": "callTracer"},
    )
    assert [each.get("error") for each in trace["calls"]] == [
        "invalid opcode",
        "invalid opcode",
        "invalid jump destination",
        "stack underflow",
        None,
        "out of gas",
    ]
    assert trace["type"] == "CREATE"


def test_a_call_that_its_caller_cannot_pay_is_shown_with_the_gas_it_would_have_had(rpc: LocalRpc) -> None:
    trace = traced(rpc, call("f1", NOBODY, value=5) + push(0) + push(0) + push(5) + bytes.fromhex("f050"))
    paid, created = trace["calls"]
    assert (paid["type"], paid["error"]) == ("CALL", "insufficient balance for transfer")
    assert (paid["gas"], paid["gasUsed"], paid["value"]) == (hex(50_000 + 2_300), "0x0", "0x5")
    assert (created["type"], created["error"]) == ("CREATE", "insufficient balance for transfer")
    assert "to" not in created


def test_contracts_that_are_made_and_that_leave_are_shown(rpc: LocalRpc) -> None:
    maker, leaver = rpc.deploy(MAKER), rpc.deploy(LEAVER)
    made = rpc.send(signed(1, 0, maker, init_code(COUNTER)))
    options = {"tracer": "callTracer"}
    (creation,) = rpc.call("debug_traceTransaction", made["transactionHash"], options)["calls"]
    assert (creation["type"], creation["output"]) == ("CREATE2", hexed(COUNTER))
    assert rpc.call("eth_getCode", creation["to"]) == hexed(COUNTER)
    again = rpc.send(signed(1, 1, maker, init_code(COUNTER), gas=200_000))
    (refused,) = rpc.call("debug_traceTransaction", again["transactionHash"], options)["calls"]
    assert (refused["error"], refused["gasUsed"]) == ("contract address collision", refused["gas"])
    left = rpc.send(signed(1, 2, leaver, bytes(12) + b"\x55" * 20, value=9))
    (leaving,) = rpc.call("debug_traceTransaction", left["transactionHash"], options)["calls"]
    assert leaving == {
        "type": "SELFDESTRUCT",
        "from": leaver,
        "to": "0x" + "55" * 20,
        "value": "0x9",
        "gas": "0x0",
        "gasUsed": "0x0",
        "input": "0x",
    }


def test_logs_are_shown_where_they_were_said_unless_they_were_taken_back(rpc: LocalRpc) -> None:
    logger, static = rpc.deploy(LOGGER), "fa"
    said = bytes.fromhex("60006000a0")
    trace = traced(rpc, said + call("f1", logger) + call(static, logger) + said, withLog=True)
    assert [(log["position"], log["index"]) for log in trace["logs"]] == [("0x0", "0x0"), ("0x2", "0x2")]
    assert [log["index"] for log in trace["calls"][0]["logs"]] == ["0x1"]
    assert trace["calls"][0]["logs"][0]["address"] == logger
    assert "logs" not in trace["calls"][1]
    undone = traced(rpc, said + call("f1", logger) + bytes.fromhex("60006000fd"), withLog=True)
    assert "logs" not in undone
    assert "logs" not in undone["calls"][0]
    assert "logs" not in traced(rpc, said)


def test_calls_may_be_nested_as_deep_as_the_gas_goes(rpc: LocalRpc) -> None:
    # calls itself with all its gas
    itself = rpc.deploy(bytes.fromhex("5f5f5f5f5f305af100"))
    ask: dict[str, Any] = {"to": itself, "gas": hex(50_000_000)}
    body = {"jsonrpc": "2.0", "id": 1, "method": "debug_traceCall"}
    answer = rpc.answer(orjson.dumps(body | {"params": [ask, "latest", {"tracer": "callTracer"}]}))
    assert answer.count(b'"calls":[') > 300  # deeper than many a JSON reader goes
    assert list(Framer(1 << 30).feed(answer)) == [answer]


def test_precompiles_are_calls(rpc: LocalRpc) -> None:
    trace = traced(rpc, call("fa", "0x" + "00" * 19 + "04", size=3))
    (identity,) = trace["calls"]
    assert (identity["input"], identity["output"]) == ("0x000000", "0x000000")


def test_the_state_before_is_what_was_touched_as_it_was(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    rpc.send(signed(1, 0, counter))
    before = traced(rpc, call("f1", counter) + call("f1", NOBODY), "prestateTracer")
    name = counter.lower()
    assert before[name] == {
        "balance": "0x0",
        "nonce": 1,
        "code": hexed(COUNTER),
        "storage": {SLOT: word(1)},
    }
    assert before[NOBODY] == {"balance": "0x0"}
    assert before[ADDRESSES[1].lower()]["nonce"] == 1
    diff = traced(rpc, call("f1", counter) + call("f1", NOBODY), "prestateTracer", diffMode=True)
    assert diff["post"][name] == {"storage": {SLOT: word(3)}}
    assert diff["pre"][name]["storage"] == {SLOT: word(2)}
    assert NOBODY not in diff["pre"]
    assert diff["post"][ADDRESSES[1].lower()] == {"nonce": 3}


def test_a_contract_that_was_made_is_only_in_the_state_after(rpc: LocalRpc) -> None:
    made = rpc.send(signed(1, 0, data=init_code(COUNTER)))
    options = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    diff = rpc.call("debug_traceTransaction", made["transactionHash"], options)
    name = made["contractAddress"].lower()
    assert diff["post"][name] == {"nonce": 1, "code": hexed(COUNTER)}
    assert name not in diff["pre"]


def _many_calls(to: str) -> bytes:
    # for ever: call
    return b"\x5b" + call("f1", to, gas=1_000) + bytes.fromhex("600056")


@pytest.mark.parametrize("tracer", ["callTracer", "prestateTracer", ""])
@pytest.mark.parametrize(("cap", "value"), [("MAX_STEPS", 500), ("MAX_BYTES", 20_000), ("MAX_SECONDS", 0.0)])
def test_every_tracer_has_its_bounds(
    rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch, tracer: str, cap: str, value: float
) -> None:
    logger = rpc.deploy(LOGGER)
    busy = rpc.deploy(_many_calls(logger) if tracer == "callTracer" else _touching())
    monkeypatch.setattr(f"chain.node.tracing.budget.{cap}", value)
    options = {"tracer": tracer}
    code, message = rpc.refusal("debug_traceCall", {"to": busy, "gas": hex(20_000_000)}, "latest", options)
    assert (code, message.startswith("trace ")) == (-32005, True)


def _touching() -> bytes:
    # for ever: read the slot of what gas is left
    return bytes.fromhex("5b5a54506000 56")


@pytest.mark.parametrize("ask", ["debug_traceTransaction", "debug_traceBlockByHash"])
def test_a_client_may_want_less_time(rpc: LocalRpc, ask: str) -> None:
    sent = rpc.send(signed(1, 0, rpc.deploy(LOOPER), gas=400_000))
    what = sent["transactionHash" if ask == "debug_traceTransaction" else "blockHash"]
    code, message = rpc.refusal(ask, what, {"timeout": "1us"})
    assert (code, message) == (-32005, "trace takes longer than 1e-06 s")
    refusal: Callable[..., Any] = rpc.refusal
    assert refusal(ask, what, {"timeout": "1parsec"})[0] == -32602


def test_what_ran_before_is_bounded_too(rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch) -> None:
    looper = rpc.deploy(LOOPER)
    hashes = rpc.batch(*(("eth_sendRawTransaction", [hexed(signed(1, n, looper))]) for n in range(3)))
    monkeypatch.setattr("chain.node.tracing.runs.MAX_REPLAY_SECONDS", 0.0)
    rpc.call("debug_traceTransaction", hashes[0], {"tracer": "callTracer"})
    code, message = rpc.refusal("debug_traceTransaction", hashes[2], {"tracer": "callTracer"})
    assert (code, "ran before it" in message or "before it take" in message) == (-32005, True)
