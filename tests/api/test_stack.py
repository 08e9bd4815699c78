"""The whole stack as real processes over one data directory."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.stack.attach import attached
from api.stack.lock import DataDirectoryInUse
from api.stack.paths import StackMissing, read_json
from api.stack.ports import PortInUse, port_of
from api.stack.stack import Stack
from api.stack.supervisor import ProcessEvent
from chain.abi import Call
from chain.keys import KeyringLocked
from chain.refusals import ChainMismatch


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def events() -> list[ProcessEvent]:
    return []


@pytest.fixture(scope="module")
def stack(data_dir: Path, events: list[ProcessEvent]) -> Iterator[Stack]:
    with Stack.start(data_dir, epoch_seconds=0, binary_port=0, on_event=events.append) as running:
        yield running


def eventually(true: Callable[[], bool], within_s: float = 20.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return true()


def exchange_is_well(stack: Stack) -> bool:
    with stack.exchange_client() as exchange:
        return exchange.health()["status"] == "ok"


def settled_epoch(stack: Stack) -> int:
    epoch = stack.transactor().read(Call("Clearing", "settledEpoch"))
    assert isinstance(epoch, int)
    return epoch


def test_a_started_stack_serves(stack: Stack) -> None:
    assert settled_epoch(stack) == 0
    assert exchange_is_well(stack)
    assert {"node", "exchange", "api"} == set(read_json(stack.data.stack)["pids"])


def test_what_opens_the_keys_is_readable_by_the_owner_alone(stack: Stack) -> None:
    modes = {path.stat().st_mode & 0o777 for path in (stack.data.passphrase, stack.data.keyring)}
    assert modes == {0o600}


def test_the_binary_gateway_listens_where_the_stack_says(stack: Stack, data_dir: Path) -> None:
    note = read_json(data_dir / "exchange" / "binary.json")
    assert note == {"host": "127.0.0.1", "port": stack.binary_port}
    with socket.create_connection((note["host"], note["port"]), timeout=5):
        assert stack.binary_port not in {port_of(url) for url in read_json(stack.data.stack)["urls"].values()}


@pytest.mark.parametrize("name", ["node", "exchange", "api"])
def test_a_killed_process_comes_back_at_the_same_address(
    stack: Stack, events: list[ProcessEvent], name: str
) -> None:
    pid, addresses = stack.pid_of(name), read_json(stack.data.stack)["urls"]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: any(e.process == name and e.what == "serving" for e in events))
    assert stack.pid_of(name) != pid
    assert read_json(stack.data.stack)["urls"] == addresses
    assert settled_epoch(stack) == 0
    assert eventually(lambda: exchange_is_well(stack))
    assert read_json(stack.data.exchange / "binary.json")["port"] == stack.binary_port


def test_a_second_stack_on_the_same_directory_is_refused(stack: Stack, data_dir: Path) -> None:
    with pytest.raises(DataDirectoryInUse) as refusal:
        Stack.start(data_dir)
    assert refusal.value.facts["pid"] == os.getpid()
    assert settled_epoch(stack) == 0


def test_others_work_with_the_stack_that_runs(stack: Stack, data_dir: Path) -> None:
    with attached(data_dir) as other:
        assert (other.node_url, other.exchange_url) == (stack.node_url, stack.exchange_url)
        assert other.keyring.signer("admin").address == stack.keyring.signer("admin").address
    assert settled_epoch(stack) == 0


def test_a_taken_port_is_refused_before_anything_starts(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(PortInUse):
        Stack.start(tmp_path / "new", api_port=port_of(stack.api_url))
    with pytest.raises(PortInUse):
        Stack.start(tmp_path / "new", binary_port=stack.binary_port)
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack that ran once, with a passphrase of its operator's, and does not run now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARAT_PASSPHRASE", "correct horse")
        with Stack.start(tmp_path_factory.mktemp("stopped"), with_api=False, epoch_seconds=0) as stack:
            assert settled_epoch(stack) == 0
    assert read_json(stack.data.stack)["pids"] == {}
    assert not stack.data.passphrase.exists()
    return stack


def test_a_second_start_goes_on_where_the_first_stopped(
    stopped: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARAT_PASSPHRASE", "correct horse")
    with Stack.start(stopped.data.root, with_api=False, epoch_seconds=0) as second:
        assert second.keyring.signer("admin").address == stopped.keyring.signer("admin").address
        assert second.deployment == stopped.deployment
        assert (second.node_url, second.exchange_url) == (stopped.node_url, stopped.exchange_url)
        assert second.binary_port is None
        assert not (second.data.exchange / "binary.json").exists()
        assert settled_epoch(second) == 0


def test_another_passphrase_starts_nothing(stopped: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARAT_PASSPHRASE", "wrong")
    with pytest.raises(KeyringLocked):
        Stack.start(stopped.data.root, only_chain=True)
    assert read_json(stopped.data.stack)["pids"] == {}


def test_another_chain_than_the_contracts_is_refused(
    stopped: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARAT_PASSPHRASE", "correct horse")
    for path in (stopped.data.keyring, stopped.data.deployment):
        shutil.copy(path, tmp_path)
    with pytest.raises(ChainMismatch):
        Stack.start(tmp_path, only_chain=True)
    assert read_json(tmp_path / "stack.json")["pids"] == {}


def test_where_nothing_was_started_there_is_nothing_to_work_with(tmp_path: Path) -> None:
    with pytest.raises(StackMissing), attached(tmp_path):
        pass
