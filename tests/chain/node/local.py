"""JSON-RPC to a node in this process, through its dispatcher, and to one in another, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import orjson

from chain.node.commit import Committer
from chain.node.node import Node, Settings
from chain.node.rpc.dispatch import Dispatcher
from tests.chain.node.programs import hexed, init_code, signed


class LocalRpc:
    """A node and its dispatcher."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.node = Node(
            directory, Settings(**{"test_methods": True, "unlocked": 4, "fsync": False} | settings)
        )
        self._dispatcher = Dispatcher(self.node, Committer(self.node))

    def close(self) -> None:
        self.node.close()

    @property
    def methods(self) -> frozenset[str]:
        """The names of the methods it serves."""
        return self._dispatcher.methods

    def post(self, body: bytes) -> Any:
        """The decoded answer to a raw body, None where there is none."""
        answer = self.answer(body)
        return orjson.loads(answer) if answer else None

    def answer(self, body: bytes) -> bytes:
        """The answer to a raw body, as it goes over the wire."""
        return asyncio.run(self._dispatcher.answer(body))

    def post_one(self, request: Any) -> Any:
        """The decoded answer to a request that may be none."""
        return self.post(orjson.dumps(request))

    def ask(self, method: str, *params: Any) -> Any:
        """The whole answer to one request."""
        return self.post(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}))

    def call(self, method: str, *params: Any) -> Any:
        """The result of one request, which must not fail."""
        answer = self.ask(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def refusal(self, method: str, *params: Any) -> tuple[int, str]:
        """Code and message of a request that must fail."""
        answer = self.ask(method, *params)
        assert "error" in answer, answer
        return answer["error"]["code"], answer["error"]["message"]

    def batch(self, *calls: tuple[str, list[Any]]) -> list[Any]:
        """Results, or errors, of a batch in its order."""
        body = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": params}
            for index, (method, params) in enumerate(calls)
        ]
        answers = self.post(orjson.dumps(body))
        assert [answer["id"] for answer in answers] == list(range(len(calls)))
        return [answer.get("result", answer.get("error")) for answer in answers]

    def send(self, raw: bytes) -> dict[str, Any]:
        """Send and give the receipt."""
        receipt: dict[str, Any] = self.call(
            "eth_getTransactionReceipt", self.call("eth_sendRawTransaction", hexed(raw))
        )
        return receipt

    def deploy(self, runtime: bytes, key: int = 0) -> str:
        """Put a contract on the chain; its address."""
        nonce = int(self.call("eth_getTransactionCount", self.address(key), "pending"), 16)
        receipt = self.send(signed(key, nonce, data=init_code(runtime)))
        assert receipt["status"] == "0x1"
        address: str = receipt["contractAddress"]
        return address

    def address(self, key: int) -> str:
        addresses: list[str] = self.call("eth_accounts")
        return addresses[key]

    @property
    def height(self) -> int:
        return int(self.call("eth_blockNumber"), 16)


class RemoteRpc:
    """One connection to a served node."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(timeout=20, verify=False, trust_env=False)  # noqa: S501  (plain http)

    def close(self) -> None:
        self._client.close()

    def ask_all(self, method: str, params: Iterable[Any]) -> list[Any]:
        """The results of a batch with one parameter each."""
        body = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": [each]}
            for index, each in enumerate(params)
        ]
        return [answer["result"] for answer in self._client.post(self._url, json=body).json()]
