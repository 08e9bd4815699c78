"""viem as it is published, run by Node: accounts, contracts, events, watching, time; the same on anvil."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.chain.clients.tools import ROOT, tool
from tests.chain.differential.sending import KEYS

SCRIPT = Path(__file__).parent / "viem_client.mjs"
DEADLINE_S = 120


def report_of(url: str, fees: str) -> dict[str, Any]:
    """What the script tells, addresses in small letters (anvil answers without EIP-55)."""
    keys = [f"0x{key.hex()}" for key in KEYS[:2]]
    command = [tool("node"), SCRIPT, url, *keys, ROOT / "chain" / "artifacts", fees]
    assert (tool("modules") / "viem").is_dir()
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    report: dict[str, Any] = json.loads(done.stdout.lower())
    return report


def test_everything_that_viem_does_works_and_its_fees_are_zero(node_url: str) -> None:
    report = report_of(node_url, "asked")
    me, other = (each.lower() for each in (report["deployed"][0]["from"], report["transfers"][0][0]["to"]))
    assert report["fees"] == {"gasprice": "0"}
    assert [kind for _, kind, *_ in report["transfers"]] == ["legacy", "eip2930", "eip1559"]
    assert [receipt["gasused"] for receipt, *_ in report["transfers"]] == ["21000", "25300", "21000"]
    assert report["otherbalance"] == str(10_003 * 10**18)
    assert report["unauthorized"] == {"name": "accessmanagedunauthorized", "facts": [other]}
    assert report["refused"] == {"name": "erc20insufficientbalance", "facts": [me, "380", "10000"]}
    assert (report["mined"]["status"], report["retry"]["logs"]) == ("reverted", 0)
    assert (report["held"], report["supply"]) == (["380", "120"], "500")
    minted, moved = report["events"]
    nobody = "0x" + "00" * 20
    assert minted[:2] == ["transfer", {"from": nobody, "to": me, "value": "500"}]
    assert moved[:2] == ["transfer", {"from": me, "to": other, "value": "120"}]
    assert report["filtered"] == [moved]
    assert report["watched"] == {"socket": [minted, moved], "polled": [minted, moved], "heads": True}
    assert report["overridden"] == {"data": f"0x{42:064x}"}
    assert (report["signature"], report["reverted"], report["time"]) == (True, True, ["1", "1000"])


def test_viem_is_told_the_same_by_this_node_and_by_anvil(node_url: str, anvil_url: str) -> None:
    assert report_of(node_url, "given") == report_of(anvil_url, "given")
