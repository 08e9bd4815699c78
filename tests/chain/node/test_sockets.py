"""JSON-RPC over WebSocket: the same answers, and news of heads and logs."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from web3 import AsyncWeb3, WebSocketProvider

from chain.node import NodeProcess, start_node
from chain.node.commit import Committer
from chain.node.errors import LimitExceeded
from chain.node.node import Node, Settings
from chain.node.rpc.dispatch import Dispatcher
from chain.node.sockets import Sockets
from chain.node.subscriptions import MAX_SUBSCRIPTIONS, Subscriptions
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, hash_of, hexed, init_code, signed


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with start_node(tmp_path_factory.mktemp("sockets")) as running:
        yield running


class Client:
    """One connection; answers and notifications apart."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.news: list[Any] = []
        self._ids = itertools.count()

    async def ask(self, method: str, *params: Any) -> Any:
        request_id = next(self._ids)
        body = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": list(params)}
        await self.socket.send(json.dumps(body))
        while (message := json.loads(await self.socket.recv())).get("id") != request_id:
            self.news.append(message["params"])
        return message.get("result", message.get("error"))

    async def next_news(self) -> Any:
        if not self.news:
            self.news.append(json.loads(await asyncio.wait_for(self.socket.recv(), 20))["params"])
        return self.news.pop(0)


@pytest.fixture
async def client(node: NodeProcess) -> AsyncIterator[Client]:
    async with websockets.connect(node.url.replace("http", "ws"), proxy=None) as socket:
        yield Client(socket)


async def nonce(client: Client, key: int) -> int:
    return int(await client.ask("eth_getTransactionCount", ADDRESSES[key], "pending"), 16)


async def test_heads_and_logs_are_told_until_unsubscribed(client: Client) -> None:
    deployed = signed(0, await nonce(client, 0), data=init_code(COUNTER))
    await client.ask("eth_sendRawTransaction", hexed(deployed))
    counter = (await client.ask("eth_getTransactionReceipt", hash_of(deployed)))["contractAddress"]
    heads = await client.ask("eth_subscribe", "newHeads")
    logs = await client.ask("eth_subscribe", "logs", {"address": counter, "topics": [hexed(b"\x05" * 32)]})
    await client.ask(
        "eth_sendRawTransaction", hexed(signed(1, await nonce(client, 1), counter, b"\x06" * 32))
    )
    raw = signed(1, await nonce(client, 1), counter, b"\x05" * 32)
    assert await client.ask("eth_sendRawTransaction", hexed(raw)) == hash_of(raw)
    told = [await client.next_news() for _ in range(3)]
    assert [each["subscription"] for each in told] == [heads, heads, logs]
    head = await client.ask("eth_getBlockByNumber", "latest", False)
    assert told[1]["result"] == {name: head[name] for name in told[1]["result"]}
    assert told[1]["result"]["hash"] == head["hash"]
    assert [told[2]["result"]] == await client.ask("eth_getLogs", {"blockHash": head["hash"]})
    assert await client.ask("eth_unsubscribe", heads) is True
    assert await client.ask("eth_unsubscribe", heads) is False
    assert await client.ask("eth_unsubscribe", logs) is True
    await client.ask("evm_mine")
    assert client.news == []


async def test_web3_py_follows_heads_and_logs(node: NodeProcess) -> None:
    async with AsyncWeb3(WebSocketProvider(node.url.replace("http", "ws"))) as w3:
        assert await w3.eth.chain_id == 7_327
        name = await w3.eth.subscribe("newHeads")
        sent = await w3.eth.send_transaction({"from": ADDRESSES[2], "to": ADDRESSES[3], "value": 1})
        async for message in w3.socket.process_subscriptions():
            assert message["subscription"] == name
            assert message["result"]["number"] == (await w3.eth.get_transaction_receipt(sent))["blockNumber"]
            break
        assert await w3.eth.unsubscribe(name) is True


async def test_transactions_are_told_when_they_enter_the_pool(client: Client) -> None:
    hashes = await client.ask("eth_subscribe", "newPendingTransactions")
    whole = await client.ask("eth_subscribe", "newPendingTransactions", True)
    raw = signed(2, await nonce(client, 2), ADDRESSES[0])
    await client.ask("eth_sendRawTransaction", hexed(raw))
    told = [await client.next_news() for _ in range(2)]
    assert [each["subscription"] for each in told] == [hashes, whole]
    assert [told[0]["result"], told[1]["result"]["hash"]] == [hash_of(raw)] * 2
    assert told[1]["result"]["blockHash"] is None


async def test_requests_sent_together_share_a_block(client: Client) -> None:
    first = await nonce(client, 3)
    raws = [signed(3, first + at, ADDRESSES[0]) for at in range(20)]
    for at, raw in enumerate(raws):
        body = {"jsonrpc": "2.0", "id": f"tx{at}", "method": "eth_sendRawTransaction", "params": [hexed(raw)]}
        await client.socket.send(json.dumps(body))
    answers = [json.loads(await client.socket.recv()) for _ in raws]
    assert {answer["result"] for answer in answers} == {hash_of(raw) for raw in raws}
    receipts = [await client.ask("eth_getTransactionReceipt", hash_of(raw)) for raw in raws]
    assert all(receipt["status"] == "0x1" for receipt in receipts)


async def test_what_makes_no_sense_is_refused(client: Client) -> None:
    assert (await client.ask("eth_subscribe"))["code"] == -32602
    assert (await client.ask("eth_subscribe", 7))["code"] == -32602
    assert (await client.ask("eth_subscribe", "syncing"))["code"] == -32601
    assert (await client.ask("eth_subscribe", "newPendingTransactions", 5))["code"] == -32602
    assert (await client.ask("eth_subscribe", "logs", {"topics": 5}))["code"] == -32602
    for _ in range(MAX_SUBSCRIPTIONS):
        await client.ask("eth_subscribe", "newHeads")
    assert (await client.ask("eth_subscribe", "newHeads"))["code"] == LimitExceeded.code
    await client.socket.send("{")
    assert json.loads(await client.socket.recv())["error"]["code"] == -32700


async def test_pages_strangers_and_giants_are_turned_away(node: NodeProcess) -> None:
    url = node.url.replace("http", "ws")
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(url, proxy=None, origin=websockets.Origin("https://evil.example"))
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(url, proxy=None, additional_headers={"Host": "evil.example"})

    async def send_a_giant() -> None:
        async with websockets.connect(url, proxy=None) as socket:
            await socket.send(" " * (9 << 20))
            await socket.recv()

    with pytest.raises(websockets.ConnectionClosed) as closed:
        await send_a_giant()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_without_a_socket_there_is_nothing_to_subscribe_to(rpc: LocalRpc) -> None:
    assert rpc.refusal("eth_subscribe", "newHeads")[0] == -32601


def test_a_block_is_told_to_who_asked_and_to_nobody_else(rpc: LocalRpc) -> None:
    told: list[bytes] = []
    subscriptions = Subscriptions(told.append)
    rpc.node.on_block.append(subscriptions.on_block)
    rpc.call("evm_mine")
    assert told == []
    name = subscriptions.methods()["eth_subscribe"](rpc.node, ["newHeads"])
    rpc.call("evm_mine")
    (news,) = map(json.loads, told)
    assert (news["params"]["subscription"], news["params"]["result"]["number"]) == (name, "0x2")


@pytest.mark.parametrize(("name", "limit"), [("MAX_OUTBOX", 10), ("MAX_OUTBOX_BYTES", 2_000)])
async def test_who_does_not_read_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    monkeypatch.setattr(f"chain.node.connection.{name}", limit)
    node = Node(tmp_path, Settings(fsync=False))
    sent: list[Any] = []
    writing = asyncio.Event()
    subscribe = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
    came = asyncio.Queue[dict[str, Any]]()
    came.put_nowait({"type": "websocket.connect"})
    came.put_nowait({"type": "websocket.receive", "text": json.dumps(subscribe)})

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "websocket.send":
            writing.set()
            await asyncio.Event().wait()

    sockets = Sockets(node, Dispatcher(node, Committer(node)))
    serving = asyncio.create_task(sockets.serve(came.get, send))
    await writing.wait()
    for _ in range(12):
        node.mine_block()
    await asyncio.wait_for(serving, 10)
    node.close()
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1008)
    assert node.on_block == []


def test_a_node_with_open_sockets_stops_when_it_is_told_to(tmp_path: Path) -> None:
    async def hold_open(url: str, running: NodeProcess) -> int:
        async with websockets.connect(url.replace("http", "ws"), proxy=None):
            return await asyncio.to_thread(running.stop)

    with start_node(tmp_path) as running:
        assert asyncio.run(hold_open(running.url, running)) == 0
