"""JSON-RPC over a Unix socket: web3.py's providers, raw streams, and whose socket it is."""

from __future__ import annotations

import json
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from web3 import AsyncIPCProvider, AsyncWeb3, IPCProvider, Web3

from chain.node import NodeProcess, start_node
from tests.chain.node.programs import ADDRESSES, COUNTER, hash_of, hexed, init_code, signed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "node.ipc"


@contextmanager
def short_directory() -> Iterator[Path]:
    """pytest's own directories may be too deep for a socket's name."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def web3_over(path: Path) -> Iterator[Web3]:
    provider = IPCProvider(path)
    yield Web3(provider)
    provider._socket.sock.close()


@pytest.fixture(scope="module")
def node(path: Path) -> Iterator[NodeProcess]:
    with start_node(path.parent / "chain", more=["--ipc", str(path)]) as running:
        yield running


@pytest.fixture
def stream(path: Path, node: NodeProcess) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(20)
        client.connect(str(path))
        yield client


def lines(stream: socket.socket, count: int) -> list[Any]:
    received = b""
    while received.count(b"\n") < count:
        piece = stream.recv(65_536)
        assert piece, f"closed after {received!r}"
        received += piece
    return [json.loads(line) for line in received.splitlines()]


def request(number: int, method: str, *params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()


def test_web3_py_works_over_it(path: Path, node: NodeProcess) -> None:
    with web3_over(path) as w3:
        use(w3)


def use(w3: Web3) -> None:
    assert w3.is_connected()
    assert w3.eth.chain_id == 7_327
    sent = w3.eth.send_transaction({"from": ADDRESSES[0], "data": hexed(init_code(COUNTER)), "gas": 200_000})
    receipt = w3.eth.wait_for_transaction_receipt(sent)
    assert w3.eth.get_code(receipt["contractAddress"]) == COUNTER
    with w3.batch_requests() as batch:
        for number in range(2):
            batch.add(w3.eth.get_block(number))
        assert [block["number"] for block in batch.execute()] == [0, 1]


async def test_web3_py_follows_heads_over_it(path: Path, node: NodeProcess) -> None:
    async with AsyncWeb3(AsyncIPCProvider(path)) as w3:
        name = await w3.eth.subscribe("newHeads")
        sent = await w3.eth.send_transaction({"from": ADDRESSES[1], "to": ADDRESSES[3], "value": 1})
        async for message in w3.socket.process_subscriptions():
            assert message["subscription"] == name
            assert message["result"]["number"] == (await w3.eth.get_transaction_receipt(sent))["blockNumber"]
            break


def test_requests_need_nothing_between_them(stream: socket.socket) -> None:
    one, two = request(1, "eth_chainId"), request(2, "net_version")
    stream.sendall(one + two + b"\n\n" + b"[" + request(3, "eth_chainId") + b"]" + one[:20])
    stream.sendall(one[20:])
    answers = lines(stream, 4)
    found = {
        each["id"]: each["result"]
        for answer in answers
        for each in (answer if isinstance(answer, list) else [answer])
    }
    assert found == {1: "0x1c9f", 2: "7327", 3: "0x1c9f"}


def test_who_ends_its_side_is_still_answered(stream: socket.socket) -> None:
    raw = signed(3, 0, ADDRESSES[0])
    stream.sendall(request(7, "eth_sendRawTransaction", hexed(raw)))
    stream.shutdown(socket.SHUT_WR)
    assert lines(stream, 1) == [{"jsonrpc": "2.0", "id": 7, "result": hash_of(raw)}]
    assert stream.recv(1) == b""


def test_a_large_request_and_a_large_answer_pass(stream: socket.socket) -> None:
    stream.sendall(request(1, "web3_sha3", "0x" + "00" * 5_000_000))
    assert len(lines(stream, 1)[0]["result"]) == 66
    body = b"[" + b",".join(request(n, "eth_getBlockByNumber", "0x0", True) for n in range(2_000)) + b"]"
    stream.sendall(body)
    assert len(lines(stream, 1)[0]) == 2_000


@pytest.mark.parametrize(
    ("sent", "code"), [(b"hello", -32700), (b"7 {}", -32700), (b'{"a" 1}', -32700), (b"[]", -32600)]
)
def test_what_is_no_request_is_refused(stream: socket.socket, sent: bytes, code: int) -> None:
    stream.sendall(sent)
    (answer,) = lines(stream, 1)
    assert (answer["id"], answer["error"]["code"]) == (None, code)


def test_a_stream_whose_messages_are_lost_ends(stream: socket.socket) -> None:
    stream.sendall(request(1, "eth_chainId") + b"garbage" + request(2, "eth_chainId"))
    answers = lines(stream, 2)
    assert sorted(str(each["id"]) for each in answers) == ["1", "None"]
    assert stream.recv(1) == b""


def test_the_socket_is_for_the_node_s_user_alone(path: Path, node: NodeProcess) -> None:
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_a_socket_that_is_served_is_not_taken_over(path: Path, node: NodeProcess, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="status 2"), start_node(tmp_path, more=["--ipc", str(path)]):
        pass
    with web3_over(path) as w3:
        assert w3.eth.chain_id == 7_327


def test_a_dead_node_s_socket_is_taken_over_and_a_stopped_one_leaves_none(tmp_path: Path) -> None:
    with short_directory() as directory:
        take_over(directory / "node.ipc", tmp_path)


def take_over(path: Path, tmp_path: Path) -> None:
    with start_node(tmp_path / "chain", more=["--ipc", str(path)]) as running:
        running.kill()
    assert path.exists()
    with start_node(tmp_path / "chain", more=["--ipc", str(path)]) as running:
        with web3_over(path) as w3:
            assert w3.eth.chain_id == 7_327
        assert running.stop() == 0
    assert not path.exists()


@pytest.mark.parametrize("what", ["a file", "too long"])
def test_a_path_that_will_not_do_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / ("n" * 200 if what == "too long" else "file")
    if what == "a file":
        path.write_text("precious")
    with pytest.raises(RuntimeError, match="status 2"), start_node(tmp_path / "c", more=["--ipc", str(path)]):
        pass
    assert what == "too long" or path.read_text() == "precious"


def test_a_node_with_open_sockets_stops_when_it_is_told_to(tmp_path: Path) -> None:
    with short_directory() as directory:
        path = directory / "node.ipc"
        with (
            start_node(tmp_path / "chain", more=["--ipc", str(path)]) as running,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client,
        ):
            client.connect(str(path))
            client.settimeout(20)
            assert running.stop() == 0
            assert client.recv(1) == b""
        assert not path.exists()
