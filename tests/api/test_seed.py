"""The seeded market: complete, the same however often it is made, and shown by `carat up`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.client import ApiClient
from api.seed import MEMBERS, seed_market
from api.stack.attach import attached
from api.stack.handle import StackHandle
from chain.units import UnitId

CARAT = (sys.executable, "-c", "from api.cli import main; main()")


class BrokenOff(Exception):
    pass


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return {**os.environ, "CARAT_PASSPHRASE": "correct horse"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seed") / "state"


@pytest.fixture(scope="module")
def up(data_dir: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [*CARAT, "up", "--data-dir", str(data_dir), "--port", "0", "--json", "--no-seed"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def serving(up: subprocess.Popen[str]) -> dict[str, Any]:
    assert up.stdout is not None
    facts: dict[str, Any] = json.loads(up.stdout.readline())
    assert facts["event"] == "serving"
    return facts


@pytest.fixture(scope="module")
def stack(serving: dict[str, Any], data_dir: Path) -> Iterator[StackHandle]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARAT_PASSPHRASE", "correct horse")
        with attached(data_dir) as running:
            yield running


def break_off_at(step: str) -> Callable[[str], None]:
    def on_step(said: str) -> None:
        if said == step:
            raise BrokenOff

    return on_step


def facts_of(stack: StackHandle) -> tuple[int, int, int]:
    """How much has happened: on chain, and at the exchange."""
    reader = stack.events()
    with stack.exchange_client() as exchange:
        health = exchange.health()
    return len(list(reader.read(reader.first_block))), health["orders"], health["trades"]


def test_a_seeding_that_was_broken_off_is_completed_and_done_once(stack: StackHandle) -> None:
    for step in ("issuing offsets", "placing orders", "publishing what the people earned"):
        with pytest.raises(BrokenOff):
            seed_market(stack, break_off_at(step))
    seed_market(stack, lambda _step: None)
    done = facts_of(stack)
    stack.data.seed.unlink()
    seed_market(stack, lambda _step: None)
    assert facts_of(stack) == done


def test_every_member_can_sign_in(stack: StackHandle, serving: dict[str, Any]) -> None:
    with ApiClient(serving["api_url"]) as api:
        roles = {seat.label: api.token(stack.keyring.signer(seat.label))["role"] for seat in MEMBERS}
    assert roles == {seat.label: seat.kind.text for seat in MEMBERS}


def test_there_is_something_to_see(stack: StackHandle) -> None:
    with stack.exchange_client() as exchange:
        units = [instrument["unit"] for instrument in exchange.instruments()]
        books = [exchange.book(unit) for unit in units]
        trades = exchange.all_trades()
    assert sorted(UnitId.parse(unit).is_offset for unit in units) == [False, True]
    assert all(book["bids"] and book["asks"] for book in books)
    assert [trade["state"] for trade in trades] == ["settled", "settled"]


def test_the_command_signs_in_as_a_role(
    stack: StackHandle, data_dir: Path, environment: dict[str, str]
) -> None:
    command = [*CARAT, "sign-in", "--role", "verifier", "--data-dir", str(data_dir), "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["role"] == "verifier"


def test_the_projection_can_be_rebuilt_beside_the_running_stack(
    stack: StackHandle, data_dir: Path, environment: dict[str, str]
) -> None:
    command = [*CARAT, "projection", "rebuild", "--data-dir", str(data_dir), "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    rebuilt = json.loads(ended.stdout)
    assert rebuilt["equal"] is True
    assert rebuilt["events"] == facts_of(stack)[0]


def test_a_second_command_on_the_same_directory_is_refused(
    serving: dict[str, Any], data_dir: Path, environment: dict[str, str]
) -> None:
    command = [*CARAT, "up", "--data-dir", str(data_dir), "--port", "0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "error: DataDirectoryInUse:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_ctrl_c_stops_it_cleanly(up: subprocess.Popen[str], serving: dict[str, Any], data_dir: Path) -> None:
    pids = json.loads((data_dir / "stack.json").read_text())["pids"]
    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())
