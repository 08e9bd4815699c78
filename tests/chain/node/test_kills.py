"""`kill -9` at any moment, 200 times under load: nothing that was answered is lost, and every start succeeds.

A kill ends the process, not the machine: what was answered was written with fdatasync, but only a power cut
could show it.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chain.node import accounts, log_index
from chain.node.formats import checksum
from chain.node.node import DEFAULT_CHAIN_ID
from chain.node.store import COMPACTED
from chain.node.transactions import DYNAMIC_FEE, Transaction, sign
from chain.node.verify import verify
from tests.chain.node.forking import SEGMENT_BLOCKS, Forks
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import hash_of, hexed, init_code

KILLS = 200
CLIENTS = 3
KEEP_STATES = 8
# balance[caller] -= word 1, balance[word 0] += word 1, log Moved(caller, word 0, word 1)
TOKEN = bytes.fromhex(
    "3354602035900333555f3554602035015f3555"
    "6020355f525f35337f" + "77" * 32 + "60205fa300"
)  # fmt: skip


class Connection:
    """JSON-RPC over one kept connection, cheap enough not to be the load itself."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._http = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)

    def batch(self, method: str, params: list[list[Any]]) -> list[Any]:
        body = [
            {"jsonrpc": "2.0", "id": n, "method": method, "params": each} for n, each in enumerate(params)
        ]
        self._http.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        answers = json.loads(self._http.getresponse().read())
        return [answer["result"] for answer in answers]

    def close(self) -> None:
        self._http.close()


class Client:
    """One sender. What it was answered for must be on the chain; of the rest it is not sure, and asks."""

    def __init__(self, index: int) -> None:
        self._key = accounts.test_key(index)
        self.address = accounts.address_of(self._key)
        self._dice = random.Random(index)
        self._raws: list[bytes] = []  # by nonce: what is sent again is the same
        self.answered = 0

    def transaction(self, nonce: int, to: bytes, data: bytes) -> bytes:
        transaction = Transaction(
            type_id=DYNAMIC_FEE, chain_id=DEFAULT_CHAIN_ID, nonce=nonce, max_priority_fee_per_gas=0,
            max_fee_per_gas=0, gas=300_000, to=to, value=0, data=data, access_list=(), v=0, r=0, s=0,
            sender=self.address,
        )  # fmt: skip
        return sign(transaction, self._key)

    def check(self, connection: Connection) -> None:
        """After a start: everything that was answered has its receipt, and nonces go on behind it."""
        ((mined,), (pending,)) = (
            connection.batch("eth_getTransactionCount", [[checksum(self.address), tag]])
            for tag in ("latest", "pending")
        )
        assert mined == pending
        assert self.answered <= int(mined, 16) <= len(self._raws)
        some = [hash_of(raw) for raw in self._raws[max(0, self.answered - 40) : int(mined, 16)]]
        receipts = connection.batch("eth_getTransactionReceipt", [[each] for each in some]) if some else []
        assert all(receipt is not None and receipt["status"] == "0x1" for receipt in receipts)
        self.answered = int(mined, 16)

    def send(self, connection: Connection, token: bytes) -> None:
        """Send several at once, and count them when they are answered."""
        count = self._dice.randrange(1, 7)
        for nonce in range(self.answered, self.answered + count):
            if nonce == len(self._raws):
                to = self._dice.randrange(1, 200).to_bytes(32, "big")
                self._raws.append(self.transaction(nonce, token, to + (1).to_bytes(32, "big")))
        some = self._raws[self.answered : self.answered + count]
        hashes = connection.batch("eth_sendRawTransaction", [[hexed(raw)] for raw in some])
        assert hashes == [hash_of(raw) for raw in some]
        self.answered += count

    def load(self, url: str, token: bytes) -> None:
        """Send until the node is gone."""
        connection = Connection(url)
        try:
            while True:
                self.send(connection, token)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forks]:
    monkeypatch.setattr(log_index, "SEGMENT_BLOCKS", SEGMENT_BLOCKS)  # as the parent has it
    parent = Forks(records=300)
    yield parent
    parent.close()


def test_two_hundred_kills_lose_nothing_and_every_start_succeeds(tmp_path: Path, forks: Forks) -> None:
    dice = random.Random(7)
    arguments = ["--data", str(tmp_path), "--keep-state", str(KEEP_STATES), "--quota", "off"]
    clients = [Client(index) for index in range(CLIENTS)]
    deployer = Client(99)
    creation = deployer.transaction(0, b"", init_code(TOKEN))
    token = b""
    before_ready = 0
    for number in range(KILLS):
        forks.start(arguments)
        if number < 5 or dice.random() < 0.2:
            time.sleep(dice.random() * 0.06)
            forks.kill()
            before_ready += 1
            continue
        url = forks.ready()
        connection = Connection(url)
        if not token:
            (sent,) = connection.batch("eth_sendRawTransaction", [[hexed(creation)]])
            (receipt,) = connection.batch("eth_getTransactionReceipt", [[sent]])
            token = bytes.fromhex(receipt["contractAddress"][2:])
        for client in clients:
            client.check(connection)
        connection.close()
        threads = [threading.Thread(target=client.load, args=(url, token)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(dice.random() * 0.12)
        forks.kill()
        for thread in threads:
            thread.join()

    forks.start(arguments)
    connection = Connection(forks.ready())
    for client in clients:
        client.check(connection)
        hashes = [[hash_of(raw)] for raw in client._raws[: client.answered]]
        receipts = connection.batch("eth_getTransactionReceipt", hashes)
        assert all(receipt is not None and receipt["status"] == "0x1" for receipt in receipts)
    connection.close()
    assert forks.terminate() == 0

    report = verify(tmp_path)
    assert report.fault is None
    assert report.transactions == 1 + sum(client.answered for client in clients)
    assert report.transactions > KILLS
    assert 5 <= before_ready <= KILLS // 2
    assert _first_kept(tmp_path) > 0, "states were pruned meanwhile"


def _first_kept(directory: Path) -> int:
    rpc = LocalRpc(directory, test_methods=False)
    try:
        return rpc.node.first_kept
    finally:
        rpc.close()


def test_a_compaction_that_is_killed_leaves_the_old_store_or_the_new(tmp_path: Path, forks: Forks) -> None:
    rpc = LocalRpc(tmp_path)
    client = Client(0)
    created = rpc.send(Client(99).transaction(0, b"", init_code(TOKEN)))
    token = bytes.fromhex(created["contractAddress"][2:])
    for nonce in range(150):
        rpc.send(client.transaction(nonce, token, nonce.to_bytes(32, "big") + (1).to_bytes(32, "big")))
    head = rpc.call("eth_getBlockByNumber", "latest", False)["hash"]
    rpc.close()
    dice = random.Random(5)
    for number in range(20):
        forks.compact(tmp_path, 100 - number)
        time.sleep(dice.random() * 0.03)
        forks.kill()
        rpc = LocalRpc(tmp_path, test_methods=False)
        assert rpc.call("eth_getBlockByNumber", "latest", False)["hash"] == head
        assert not (tmp_path / "chain.lmdb" / COMPACTED).exists()
        rpc.close()
    forks.compact(tmp_path, 10)
    assert forks.exited() == 0
    assert verify(tmp_path).fault is None
    assert _first_kept(tmp_path) == 142
