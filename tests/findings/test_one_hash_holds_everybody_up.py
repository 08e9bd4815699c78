"""Found: one call of the BLAKE2 precompile with many rounds kept the node from everybody for minutes.

Rounds cost one gas each and py-evm's are pure Python, twelve microseconds each, which nothing interrupts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.node.evm.precompiles import MAX_BLAKE_ROUNDS
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import hexed, signed

BLAKE2F = "0x" + "00" * 19 + "09"
# the call data on to the precompile; what it answers back
FORWARDER = bytes.fromhex("365f5f3760405f365f5f60095af15060405ff3")
TOO_SLOW = (-32005, "execution takes longer than 5 s")


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[LocalRpc]:
    local = LocalRpc(tmp_path / "chain")
    yield local
    local.close()


def rounds(count: int) -> bytes:
    return count.to_bytes(4, "big") + bytes(208) + b"\x01"


def test_too_many_rounds_are_given_up_before_they_begin(rpc: LocalRpc) -> None:
    forwarder, elsewhere = rpc.deploy(FORWARDER), "0x" + "77" * 20
    call = {"data": hexed(rounds(MAX_BLAKE_ROUNDS + 1)), "gas": hex(10_000_000)}
    moved: dict[str, Any] = {BLAKE2F: {"movePrecompileToAddress": elsewhere}}
    assert rpc.refusal("eth_call", {"to": BLAKE2F, **call}) == TOO_SLOW
    assert rpc.refusal("eth_call", {"to": forwarder, **call}) == TOO_SLOW
    assert rpc.refusal("eth_call", {"to": elsewhere, **call}, "latest", moved) == TOO_SLOW


def test_what_asks_for_too_many_is_never_mined(rpc: LocalRpc) -> None:
    raw = signed(0, 0, BLAKE2F, rounds(MAX_BLAKE_ROUNDS + 1), gas=1_000_000)
    code, message = rpc.refusal("eth_sendRawTransaction", hexed(raw))
    assert (code, message[:25]) == (-32005, "execution takes longer th")
    assert rpc.call("eth_getBlockByNumber", "latest", False)["transactions"] == []


def test_a_few_are_answered(rpc: LocalRpc) -> None:
    answer = rpc.call("eth_call", {"to": BLAKE2F, "data": hexed(rounds(12))})
    assert len(answer) == 2 + 2 * 64
