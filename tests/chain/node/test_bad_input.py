"""Whatever arrives, a JSON-RPC answer goes back and the node goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.node import start_node
from chain.node.rpc import carat, debug, eth, evm, net, txpool
from chain.node.rpc.sending import SENDING
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, hexed, init_code, signed

POLLING = [
    "eth_newFilter",
    "eth_newBlockFilter",
    "eth_newPendingTransactionFilter",
    "eth_getFilterChanges",
    "eth_getFilterLogs",
    "eth_uninstallFilter",
]
NAMESPACES = (carat, debug, eth, evm, net, txpool)
METHODS = sorted({*SENDING, *POLLING}.union(*(namespace.METHODS for namespace in NAMESPACES)))

hexes = st.one_of(
    st.integers(0, 2**70).map(hex),
    st.binary(max_size=80).map(hexed),
    st.sampled_from(["latest", "pending", "earliest", "0x", "0x0", ADDRESSES[0], hexed(signed(0, 0))]),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), hexes
)
NAMES = (
    "to from data input gas value gasPrice maxFeePerGas nonce accessList address topics fromBlock toBlock "
    "blockHash blockNumber storageKeys blocks enableMemory"
)
names = st.sampled_from(NAMES.split())
values = st.recursive(
    st.one_of(scalars, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)),
    max_leaves=10,
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "1.0", 2]),
        "id": st.one_of(st.integers(0, 9), values),
        "method": st.one_of(st.sampled_from(METHODS), values),
        "params": st.one_of(st.lists(values, max_size=4), values),
    },
)
quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRpc]:
    rpc = LocalRpc(tmp_path_factory.mktemp("fuzz"))
    rpc.send(signed(0, 0, data=init_code(COUNTER)))
    yield rpc
    rpc.close()


def check(answer: Any) -> None:
    assert answer["jsonrpc"] == "2.0"
    assert ("result" in answer) != ("error" in answer)
    if "error" in answer:
        assert isinstance(answer["error"]["message"], str)
        assert answer["error"]["code"] in (-32700, -32600, -32601, -32602, -32000, -32005, 3), answer


@quick
@given(method=st.sampled_from(METHODS), params=st.lists(values, max_size=4))
def test_no_parameters_make_a_method_fail(shared: LocalRpc, method: str, params: list[Any]) -> None:
    if method.endswith("mine") and params and isinstance(params[0], int | str | dict):
        params = []  # ten thousand blocks are allowed, and slow
    check(shared.ask(method, *params))


@quick
@given(st.one_of(requests, st.lists(st.one_of(requests, values), max_size=4), values))
def test_any_json_gets_a_json_rpc_answer(shared: LocalRpc, body: Any) -> None:
    answer = shared.post(orjson.dumps(body))
    if answer is None:  # notifications only
        return
    for each in answer if isinstance(answer, list) else [answer]:
        check(each)


@quick
@given(st.binary(max_size=100))
def test_any_bytes_get_a_json_rpc_answer(shared: LocalRpc, body: bytes) -> None:
    answer = shared.post(body)
    assert answer is None or answer


def test_bodies_that_are_no_requests_have_their_codes(shared: LocalRpc) -> None:
    for body, code in ((b"{", -32700), (b"[]", -32600), (b"3", -32600), (b'{"method": 5}', -32600)):
        assert shared.post(body)["error"]["code"] == code
    assert shared.post(b"[1, 2]")[1]["error"]["code"] == -32600
    assert shared.post(b'{"jsonrpc":"2.0","method":"eth_chainId"}') is None
    too_many = [{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}] * 10_001
    assert shared.post(orjson.dumps(too_many))["error"]["code"] == -32600


def test_a_bug_of_ours_is_an_error_and_not_the_end(
    rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.CRITICAL), monkeypatch.context() as patch:
        patch.setattr("chain.node.builder.run", broken)
        raw = hexed(signed(0, 0, ADDRESSES[1]))
        assert rpc.refusal("eth_sendRawTransaction", raw)[0] == -32603
    assert rpc.send(signed(0, 0, ADDRESSES[1]))["status"] == "0x1"


def test_http_refuses_what_is_no_local_json_rpc_request(tmp_path: Path) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
    with start_node(tmp_path) as node, httpx.Client() as client:
        assert client.post(node.url, json=body).json()["result"] == "0x1c9f"
        assert client.get(node.url).status_code == 405
        assert client.post(node.url, json=body, headers={"Host": "evil.example"}).status_code == 403
        assert client.post(node.url, json=body, headers={"Origin": "https://evil.example"}).status_code == 403
        assert client.post(node.url, content=b" " * (33 << 20)).status_code == 413
        assert client.post(node.url, content=b"\xff\xfe").json()["error"]["code"] == -32700
        assert client.post(node.url, json=body).json()["result"] == "0x1c9f"
