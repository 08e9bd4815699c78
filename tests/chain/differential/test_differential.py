"""The same 10,000 random transactions through this node and through anvil: nothing differs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.chain.clients.tools import ROOT, tool
from tests.chain.differential.run import described, run

SEED = 20_261_122
TRANSACTIONS = 10_000


@pytest.mark.timeout(900)
def test_ten_thousand_random_transactions_do_the_same_here_and_on_anvil() -> None:
    """Status, gas used, logs, return data; every balance, nonce, code and slot of every account."""
    result = run(tool("anvil"), SEED, TRANSACTIONS, world_every=100)
    shown = "\n".join(str(difference) for difference in result.differences[:10])
    assert not result.differences, f"{shown}\n{described(result.block) if result.block else ''}"
    assert result.transactions == TRANSACTIONS
    assert result.ended["succeeded"] > 5_500
    assert result.ended["failed"] > 2_000
    assert result.ended["refused"] > 100
    assert result.logs > 5_000


def test_the_long_run_says_what_it_did() -> None:
    tool("anvil")
    script = str(ROOT / "scripts" / "differential")
    command = [sys.executable, script, "--transactions", "60", "--seed", "4", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["seed"], told["transactions"], told["differences"]) == (4, 60, [])
    assert sum(told["ended"].values()) == 60
