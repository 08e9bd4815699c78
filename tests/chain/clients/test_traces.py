"""Traces of random transactions, as this node and as anvil tell them.

Where the two disagree this node does as geth: a creation's step costs what it takes itself, without what it
hands on; a call that failed has no logs; a step that could not be paid has touched nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_hash.auto import keccak

from tests.chain.clients.tools import tool
from tests.chain.differential.peers import Peer, running_anvil, running_ours
from tests.chain.differential.stream import GENESIS_UTC, Stream

SEED, TRANSACTIONS, TRACED_EACH = 5, 260, 6
TRACES: dict[str, dict[str, Any]] = {
    "steps": {"enableMemory": True, "enableReturnData": True},
    "calls": {"tracer": "callTracer"},
    "calls with logs": {"tracer": "callTracer", "tracerConfig": {"withLog": True}},
    "state before": {"tracer": "prestateTracer"},
    "state changed": {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, Peer, list[str]]]:
    """Both nodes after the same transactions, one a block, and the hashes of those to trace."""
    data: Path = tmp_path_factory.mktemp("traces")
    with running_ours(data) as ours, running_anvil(tool("anvil"), data, steps=True) as theirs:
        hashes = []
        for block in Stream(SEED).blocks(TRANSACTIONS):
            for node in (ours, theirs):
                for place, sending in enumerate(block.sendings):
                    node.get("evm_setNextBlockTimestamp", hex(GENESIS_UTC + 1_000 * len(hashes) + place))
                    node.send([sending.signed()])
            hashes += [f"0x{keccak(sending.signed()).hex()}" for sending in block.sendings]
        yield ours, theirs, hashes[::TRACED_EACH]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", TRACES)
def test_a_trace_is_the_same_on_both(nodes: tuple[Peer, Peer, list[str]], kind: str) -> None:
    ours, theirs, hashes = nodes
    if kind in ("calls with logs", "state before"):
        receipts = ours.get_all([("eth_getTransactionReceipt", [each]) for each in hashes])
        hashes = [each["transactionHash"] for each in receipts if each["status"] == "0x1"]
    calls = [("debug_traceTransaction", [each, TRACES[kind]]) for each in hashes]
    compared = 0
    for name, here, there in zip(hashes, ours.get_all(calls), theirs.get_all(calls), strict=True):
        assert plain(here) == plain(there), name
        compared += 1
    assert compared > 25


def plain(trace: Any) -> Any:
    """Without what anvil says in its own way: EIP-55, errors, and a root call without the intrinsic gas."""
    if isinstance(trace, dict) and "structLogs" in trace:
        steps = [_step(step) for step in trace["structLogs"]]
        if len(steps) == 1 and steps[0]["op"] == "STOP":
            steps = []  # of no code at all, anvil tells this
        return lowered(trace | {"structLogs": steps})
    if isinstance(trace, dict) and "gasUsed" in trace:
        trace = {name: value for name, value in trace.items() if name != "gas"}
    return lowered(trace)


def _step(step: dict[str, Any]) -> dict[str, Any]:
    own = {"error"}
    if step["op"] in ("CREATE", "CREATE2") or step["gasCost"] >= step["gas"]:
        own.add("gasCost")
    return {name: value for name, value in step.items() if name not in own}


def lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name.lower(): lowered(each)
            for name, each in value.items()
            if name not in ("error", "revertReason")
        }
    if isinstance(value, list):
        return [lowered(each) for each in value]
    return value.lower() if isinstance(value, str) else value
