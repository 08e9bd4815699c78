"""The measurement of growth works at small sizes, and the documents say what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from chain.bench import growth
from chain.bench.chains import SCRIPTS

DOCS = SCRIPTS.parent / "docs" / "performance"


def say_nothing(_step: str) -> None:
    pass


def test_costs_by_accounts_are_of_a_chain_with_so_many_holders(tmp_path: Path) -> None:
    small, large = growth.by_accounts(tmp_path / "chain", (200, 2_000), say_nothing)
    assert (small["accounts"], large["accounts"]) == (200, 2_000)
    assert large["state_bytes"] > small["state_bytes"]
    assert min(small["transfer_us"], small["first_call_us"], small["repeated_call_us"]) > 0
    with growth.local_wire(tmp_path / "chain") as wire:
        holders = [growth.keccak(b"holder %d" % number)[12:] for number in (0, 1_999)]
        code = wire.call("eth_getCode", "0x" + holders[0].hex(), "latest")
        assert code == "0x"
        assert wire.node.head.number > 2


def test_costs_by_history_are_of_so_many_blocks(tmp_path: Path) -> None:
    (row,) = growth.by_history(tmp_path, (400,), say_nothing)
    assert row["blocks"] == 400
    assert row["disk_bytes_a_block"] > 1_000
    assert row["start_ms"] > 0


def test_costs_by_logs_are_of_so_many_logs(tmp_path: Path) -> None:
    (row,) = growth.by_logs(tmp_path, (6_000,), say_nothing)
    assert (row["logs"], row["found"]) == (6_000, 6)
    assert 10 < row["index_bytes_a_log"] < 100
    assert row["query_ms"] > 0


def test_the_page_says_what_was_measured() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "write_performance"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((DOCS / "chain.json").read_bytes())["quick"] is False
    found = json.loads((DOCS / "growth.json").read_bytes())
    assert [row["accounts"] for row in found["accounts"]] == list(growth.ACCOUNTS)
    blocks = [row["blocks"] for row in found["history"]]
    assert blocks == list(growth.BLOCKS[: len(blocks)])
    assert len(blocks) > 1
    assert [row["logs"] for row in found["logs"]] == list(growth.LOGS)
    assert "<svg" in (DOCS / "growth.svg").read_text(encoding="utf-8")
