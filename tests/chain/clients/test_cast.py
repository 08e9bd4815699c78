"""cast as it is published: reading, sending, deploying, refusals, proofs, replaying; the same on anvil."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chain.abi import abi_of
from tests.chain.clients.tools import tool
from tests.chain.differential.sending import ADDRESSES, KEYS
from tests.chain.differential.stream import GENESIS_UTC

ME, OTHER = (f"0x{address.hex()}" for address in ADDRESSES[:2])
FREE = ("--gas-price", "0", "--priority-gas-price", "0")
MINE = ("--private-key", f"0x{KEYS[0].hex()}", "--json")
REQUEST_ID = "0x" + "11" * 32
DEADLINE_S = 60
# Each node's own: when it made a block, and what follows from that; the last two are anvil's additions.
OWN = {
    "blockHash", "blockTimestamp", "timestamp", "hash", "parentHash", "stateRoot", "mixHash", "accountProof",
    "receiptsRoot", "size", "totalDifficulty", "blobGasUsed", "blobGasPrice", "revertReason",
}  # fmt: skip
# Minutes after the genesis, as events of contracts tell it.
TIME = re.compile(f"{GENESIS_UTC >> 8:x}[0-9a-f]{{2}}")


class Cast:
    """The command with a node's address; all that it said is kept."""

    def __init__(self, url: str, home: Path) -> None:
        self._program = tool("cast")
        # A home of its own: cast keeps caches and settings there.
        self._environ = {**os.environ, "HOME": str(home), "ETH_RPC_URL": url, "NO_COLOR": "1"}
        self.said: list[tuple[str, Any]] = []

    def run(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [self._program, *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    def __call__(self, *arguments: str) -> Any:
        code, text = self.run(*arguments)
        assert code == 0, (arguments, text)
        try:
            answer = json.loads(text)
        except json.JSONDecodeError:
            answer = text
        self.said.append((arguments[0], without_own(answer)))
        return answer

    def send(self, *arguments: str) -> Any:
        return self("send", *MINE, *FREE, *arguments)

    def refusal(self, *arguments: str) -> str:
        code, text = self.run(*arguments)
        assert code == 1, (arguments, text)
        return text


def without_own(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: without_own(value) for name, value in answer.items() if name not in OWN}
    if isinstance(answer, list):
        return [without_own(each) for each in answer]
    return TIME.sub("TIME", answer) if isinstance(answer, str) else answer


def session(cast: Cast) -> dict[str, Any]:
    """What a user of cast does; the answers that a test looks at."""
    seen: dict[str, Any] = {}
    for question in ("chain-id", "block-number", "gas-price", "base-fee"):
        seen[question] = cast(question)
    seen["balance"] = cast("balance", ME)
    cast("send", *MINE, "--legacy", "--gas-price", "0", "--value", "1ether", OTHER)
    cast.send(
        "--access-list", f'[{{"address":"{OTHER}","storageKeys":["{REQUEST_ID}"]}}]', "--value", "5", OTHER
    )
    manager = created(cast, "AccessManager", ME)
    cash = created(cast, "SettlementCash", manager, OTHER)
    mint = "mint((address,uint256)[],bytes32)"
    selector = cast("sig", mint)
    cast.send(manager, "grantRole(uint64,address,uint32)", "3", ME, "0")
    cast.send(manager, "setTargetFunctionRole(address,bytes4[],uint64)", cash, f"[{selector}]", "3")
    seen["minted"] = cast.send(cash, mint, f"[({ME},500)]", REQUEST_ID)
    transfer = "transfer(address,uint256)"
    sent = seen["sent"] = cast.send(cash, transfer, OTHER, "120")
    seen["held"] = cast("call", cash, "balanceOf(address)(uint256)", ME)
    seen["refused"] = cast.refusal("call", cash, transfer, OTHER, "999", "--from", ME)
    seen["refused to send"] = cast.refusal("send", *MINE, *FREE, cash, transfer, OTHER, "999")
    seen["reverted"] = cast.send("--gas-limit", "100000", cash, transfer, OTHER, "999")
    cast("estimate", cash, transfer, OTHER, "1", "--from", ME)
    listed = cast.run("access-list", cash, transfer, OTHER, "1", "--from", ME, "--gas-price", "0")[1]
    cast.said.append(("access-list", sorted(listed.splitlines())))  # anvil's order is another each time
    seen["logs"] = cast(
        "logs", "--from-block", "0", "--address", cash, "Transfer(address,address,uint256)", "--json"
    )
    for question in ("code", "codesize", "codehash", "storage-root"):
        cast(question, cash)
    cast("storage", cash, "0")
    seen["proof"] = cast("proof", cash, "0")
    cast("receipt", sent["transactionHash"], "--json")
    cast("tx", sent["transactionHash"], "--json")
    cast("block", "3", "--json")
    seen["replayed"] = cast("run", sent["transactionHash"])
    raw = cast("mktx", *MINE[:2], *FREE, "--value", "7", OTHER)
    cast("publish", raw)
    seen["again"] = cast.run("publish", raw)[1]
    seen["nonce"] = cast("nonce", ME)
    cast("tx-pool", "status")
    return seen


def created(cast: Cast, name: str, *arguments: str) -> str:
    code = "0x" + abi_of(name).encode_constructor(arguments).hex()
    address: str = cast.send("--create", code)["contractAddress"]
    return address


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_what_cast_asks_and_sends_is_answered(node_url: str, home: Path) -> None:
    seen = session(Cast(node_url, home))
    assert (seen["chain-id"], seen["block-number"], seen["gas-price"], seen["base-fee"]) == (7327, 0, 0, 0)
    assert seen["balance"] == 10_000 * 10**18
    assert (seen["minted"]["status"], seen["sent"]["status"], seen["reverted"]["status"]) == (
        "0x1",
        "0x1",
        "0x0",
    )
    assert (seen["held"], len(seen["logs"])) == (380, 2)
    insufficient = f"0xe450d38c{ME[2:]:0>64}{380:064x}{999:064x}"
    assert insufficient in seen["refused"]
    assert insufficient in seen["refused to send"]
    assert seen["proof"]["nonce"] == "0x1"
    assert "emit Transfer(" in seen["replayed"]
    assert "Gas used: 54278" in seen["replayed"]
    assert seen["nonce"] == 10


def test_cast_is_told_the_same_by_this_node_and_by_anvil(node_url: str, anvil_url: str, home: Path) -> None:
    ours, theirs = Cast(node_url, home), Cast(anvil_url, home)
    session(ours)
    session(theirs)
    assert len(ours.said) > 30
    for here, there in zip(ours.said, theirs.said, strict=True):
        assert here == there


def test_cast_reads_the_node_over_its_websocket(node_url: str, home: Path) -> None:
    cast = Cast(node_url.replace("http", "ws"), home)
    assert cast("chain-id") == 7327
    assert cast.send("--value", "1", OTHER)["status"] == "0x1"
    assert cast("block-number") == 1
