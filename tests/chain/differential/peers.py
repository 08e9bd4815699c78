"""The two nodes that are compared, as processes of their own, with the same genesis and the same fork."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import orjson

from chain.node.accounts import TEST_BALANCE_WEI
from chain.node.node import DEFAULT_CHAIN_ID
from tests.chain.differential.sending import ADDRESSES, SENDERS
from tests.chain.differential.stream import BLOCK_GAS_LIMIT, GENESIS_UTC
from tests.support.processes import running

_ROOT = Path(__file__).parents[3]
_START_SECONDS = 30


class Peer:
    """A node's JSON-RPC, spoken in batches."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        self._client = httpx.Client(timeout=300, trust_env=False, verify=False)  # noqa: S501  (plain http)

    def close(self) -> None:
        self._client.close()

    def ask_all(self, calls: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
        """The whole answers to a batch, in its order."""
        if not calls:
            return []
        body = [
            {"jsonrpc": "2.0", "id": place, "method": method, "params": params}
            for place, (method, params) in enumerate(calls)
        ]
        response = self._client.post(
            self.url, content=orjson.dumps(body), headers={"content-type": "application/json"}
        )
        answers: list[dict[str, Any]] = orjson.loads(response.content)
        return sorted(answers, key=lambda answer: answer["id"])

    def get_all(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """The results of a batch in which nothing may fail."""
        answers = self.ask_all(calls)
        for call, answer in zip(calls, answers, strict=True):
            if "error" in answer:
                raise RuntimeError(f"{self.name}: {call[0]}: {answer['error']}")
        return [answer["result"] for answer in answers]

    def get(self, method: str, *params: Any) -> Any:
        """The result of one request, which may not fail."""
        return self.get_all([(method, list(params))])[0]

    def send(self, raws: Sequence[bytes]) -> list[dict[str, Any]]:
        """Send raw transactions; they are in a block when this returns, or refused."""
        return self.ask_all([("eth_sendRawTransaction", ["0x" + raw.hex()]) for raw in raws])


class OnDemand(Peer):
    """A node that mines when it is told to, so that a block holds what was sent together.

    It runs the requests of a batch side by side, so that their order is lost: transactions go one by one.
    """

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name, f"http://127.0.0.1:{port}")
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def close(self) -> None:
        super().close()
        self._connection.close()

    def send(self, raws: Sequence[bytes]) -> list[dict[str, Any]]:
        """Send, then mine if anything waits."""
        answers = [self._send_one(raw) for raw in raws]
        if any("result" in answer for answer in answers):
            self.get("evm_mine")
        return answers

    def _send_one(self, raw: bytes) -> dict[str, Any]:
        request = {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "eth_sendRawTransaction",
            "params": ["0x" + raw.hex()],
        }
        headers = {"content-type": "application/json"}
        self._connection.request("POST", "/", orjson.dumps(request), headers)
        answer: dict[str, Any] = orjson.loads(self._connection.getresponse().read())
        return answer


@contextmanager
def running_ours(directory: Path, *more: object) -> Iterator[Peer]:
    """This node, in all the time that it needs; `more` are further arguments of it."""
    arguments = [
        "tests.chain.differential.unhurried", "--data", directory / "ours", "--port", 0, "--test-methods",
        "--no-fsync", "--unlocked", SENDERS, "--genesis-time", GENESIS_UTC, *more,
    ]  # fmt: skip
    with running([str(part) for part in arguments], {"PYTHONPATH": str(_ROOT)}) as node:
        peer = Peer("carat", node.url)
        try:
            yield peer
        finally:
            peer.close()


@contextmanager
def running_anvil(
    program: Path, directory: Path, *, automine: bool = False, steps: bool = False
) -> Iterator[Peer]:
    """Anvil at Cancun, without fees, the same accounts funded; with `steps` it can trace each opcode."""
    genesis = directory / "genesis.json"
    genesis.write_text(json.dumps(_genesis()), encoding="ascii")
    port = _free_port()
    command = [
        program, "--init", genesis, "--hardfork", "cancun", "--chain-id", DEFAULT_CHAIN_ID, "--port", port,
        "--accounts", 0, "--order", "fifo", "--gas-limit", BLOCK_GAS_LIMIT,
        "--timestamp", GENESIS_UTC,
        "--block-base-fee-per-gas", 0, "--gas-price", 0, "--disable-min-priority-fee",
        "--disable-default-create2-deployer", "--no-request-size-limit",
    ]  # fmt: skip
    command += [*([] if automine else ["--no-mining"]), *(["--steps-tracing"] if steps else [])]
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as process:
        try:
            _wait_until_it_listens(process)
            peer = Peer("anvil", f"http://127.0.0.1:{port}") if automine else OnDemand("anvil", port)
            peer.get("anvil_setCoinbase", "0x" + "00" * 20)
            try:
                yield peer
            finally:
                peer.close()
        finally:
            process.kill()


def _wait_until_it_listens(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    watchdog = threading.Timer(_START_SECONDS, process.kill)
    watchdog.start()
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Listening on"):
            break
    else:
        raise RuntimeError(f"anvil did not start: {''.join(said)[-500:]}")
    watchdog.cancel()
    # It goes on telling of every request; a thread drains the pipe so that it cannot fill.
    threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()


def _drain(lines: Any) -> None:
    try:
        for _ in lines:
            pass
    except ValueError:
        return  # closed with the process


def _genesis() -> dict[str, Any]:
    return {
        "config": {"chainId": DEFAULT_CHAIN_ID}, "nonce": "0x0", "timestamp": hex(GENESIS_UTC),
        "extraData": "0x", "gasLimit": hex(BLOCK_GAS_LIMIT), "difficulty": "0x0", "mixHash": "0x" + "00" * 32,
        "coinbase": "0x" + "00" * 20, "baseFeePerGas": "0x0",
        "alloc": {"0x" + address.hex(): {"balance": hex(TEST_BALANCE_WEI)} for address in ADDRESSES},
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
