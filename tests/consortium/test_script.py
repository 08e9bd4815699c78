"""`scripts/consortium` as its users run it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from consortium_tools import geth_binary
from consortium_tools.errors import EngineMissing

ROOT = Path(__file__).parents[2]
SCRIPT = [sys.executable, str(ROOT / "scripts" / "consortium")]
EXAMPLE = ROOT / "deploy" / "consortium" / "example"


def consortium(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_an_authority_makes_its_key_at_home_and_shows_the_public_half(tmp_path: Path) -> None:
    done = consortium("key", tmp_path / "etc")
    shown = json.loads(done.stdout)
    secret = (tmp_path / "etc" / "key").read_text("ascii")
    assert set(shown) == {"public_key", "address"}
    assert secret not in done.stdout
    again = consortium("key", tmp_path / "etc")
    assert (again.returncode, again.stdout) == (2, "")
    assert "File exists" in again.stderr
    assert (tmp_path / "etc" / "key").read_text("ascii") == secret


def test_every_member_writes_the_same_files_and_can_compare_them(tmp_path: Path) -> None:
    one, other = (consortium("files", EXAMPLE / "consortium.json", tmp_path / name) for name in "ab")
    assert one.returncode == 0
    assert one.stdout == other.stdout
    names = [line.split()[1] for line in one.stdout.splitlines()]
    assert sorted(names) == sorted(path.name for path in EXAMPLE.iterdir())
    assert all(re.fullmatch(r"[0-9a-f]{64}  \S+", line) for line in one.stdout.splitlines())


def test_a_consortium_that_cannot_run_is_refused_with_the_reason(tmp_path: Path) -> None:
    document = json.loads((EXAMPLE / "consortium.json").read_text("utf-8"))
    document["authorities"].pop()
    (tmp_path / "consortium.json").write_text(json.dumps(document), encoding="utf-8")
    done = consortium("files", tmp_path / "consortium.json", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr == "error: 3 authorities: QBFT bears one fault only from 4 on\n"
    assert not (tmp_path / "out").exists()


def test_admitting_at_a_node_that_is_away_says_so() -> None:
    done = consortium("admit", "--url", "http://127.0.0.1:1", "--account", "0x" + "11" * 20)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ChainUnreachable")


@pytest.mark.timeout(1200)  # the first run on a machine builds geth
def test_a_network_starts_says_where_it_is_and_ends_with_the_script(tmp_path: Path) -> None:
    try:
        geth_binary.find_or_build()
    except EngineMissing as missing:
        pytest.skip(str(missing))
    command = [*SCRIPT, "start", "--folder", str(tmp_path / "network")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(6)]
            urls = re.findall(r"http://[0-9.:]+", said[5])
            heights = [int(call(url, "eth_blockNumber"), 16) for url in urls]
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
    assert said[0].startswith("geth-clique, 4 authorities")
    assert "--confirmations 3" in said[5]
    assert len(heights) == 4
    assert min(heights) >= 2
    assert code == 130
    assert all(is_gone(url) for url in urls)


def call(url: str, method: str, params: Sequence[object] = ()) -> str:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    result: str = httpx.post(url, json=body, trust_env=False, timeout=10).json()["result"]
    return result


def is_gone(url: str) -> bool:
    try:
        call(url, "eth_chainId")
    except httpx.ConnectError:
        return True
    return False
