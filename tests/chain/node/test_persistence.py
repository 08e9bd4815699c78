"""What is on disk: a restart shows the same chain, also after a power cut under load."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from chain.node import start_node
from chain.node.process import launch
from chain.node.store import Store, StoreInUse
from tests.chain.node.local import LocalRpc, RemoteRpc
from tests.chain.node.programs import COUNTER, hash_of, hexed, init_code, signed


def everything(rpc: LocalRpc, counter: str) -> list[Any]:
    """All that a client can see of a small chain."""
    seen: list[Any] = [rpc.call("eth_getLogs", {"fromBlock": "0x0"})]
    for number in range(rpc.height + 1):
        seen.append(rpc.call("eth_getBlockByNumber", hex(number), True))
        seen.append(rpc.call("eth_getBlockReceipts", hex(number)))
        seen.append(rpc.call("eth_getStorageAt", counter, "0x0", hex(number)))
    return seen


def test_a_restart_shows_the_same_chain(tmp_path: Path) -> None:
    first = LocalRpc(tmp_path)
    counter = first.deploy(COUNTER)
    for nonce in range(3):
        first.send(signed(1, nonce, counter, bytes((nonce,)) * 32, gasPrice=0))
    before = everything(first, counter)
    first.close()
    second = LocalRpc(tmp_path)
    assert everything(second, counter) == before
    assert second.send(signed(1, 3, counter))["status"] == "0x1"
    second.close()


def test_no_answered_transaction_is_lost_in_a_power_cut(tmp_path: Path) -> None:
    node = launch(tmp_path, test_methods=True, fsync=True)
    remote = RemoteRpc(node.url)
    deployed = signed(0, 0, data=init_code(COUNTER))
    remote.ask_all("eth_sendRawTransaction", [hexed(deployed)])
    counter = remote.ask_all("eth_getTransactionReceipt", [hash_of(deployed)])[0]["contractAddress"]
    raws = [hexed(signed(1, nonce, counter, gas=200_000)) for nonce in range(600)]
    answered: list[str] = []

    def load() -> None:
        for start in range(0, len(raws), 20):
            try:
                answered.extend(remote.ask_all("eth_sendRawTransaction", raws[start : start + 20]))
            except httpx.HTTPError:
                return

    sender = threading.Thread(target=load)
    sender.start()
    while len(answered) < 100 and sender.is_alive():
        time.sleep(0.005)
    node.kill()
    sender.join()
    remote.close()

    with start_node(tmp_path) as again:
        remote = RemoteRpc(again.url)
        receipts = remote.ask_all("eth_getTransactionReceipt", answered)
        assert len(receipts) >= 100
        assert all(receipt is not None and receipt["status"] == "0x1" for receipt in receipts)
        # Whoever is not sure sends again.
        hashes = remote.ask_all("eth_sendRawTransaction", raws)
        assert all(r["status"] == "0x1" for r in remote.ask_all("eth_getTransactionReceipt", hashes))
        (logs,) = remote.ask_all("eth_getLogs", [{"fromBlock": "0x0"}])
        assert [log["transactionHash"] for log in logs] == hashes
        remote.close()


def test_a_directory_serves_one_node_at_a_time(tmp_path: Path) -> None:
    first = Store(tmp_path)
    with pytest.raises(StoreInUse):
        Store(tmp_path)
    first.close()
    Store(tmp_path).close()


def test_a_chain_does_not_change_its_id(tmp_path: Path) -> None:
    LocalRpc(tmp_path).close()
    with pytest.raises(ValueError, match="holds chain 7327, not 5"):
        LocalRpc(tmp_path, chain_id=5)


def test_the_command_refuses_with_status_two_and_stops_with_zero(tmp_path: Path) -> None:
    with start_node(tmp_path) as node:
        second = subprocess.run(
            [sys.executable, "-m", "chain.node", "--data", str(tmp_path)],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert (second.returncode, second.stderr.startswith("error: ")) == (2, True)
        assert node.stop() == 0


def test_the_map_grows_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.node.store._MAP_BYTES", 1 << 17)
    store = Store(tmp_path)
    store.state[b"k" * 32] = b"v" * (1 << 20)
    store.commit({}, {"height": 1})
    assert store.state[b"k" * 32] == b"v" * (1 << 20)
    assert store.meta("height") == 1
    store.close()
