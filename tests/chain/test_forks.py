"""Which code a chain gets: the newest that its machine runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chain.abi import ARTIFACTS, BUSINESS_CONTRACTS, abi_of
from chain.forks import ChainForkTooOld, Fork, bytecode, creation_code, fork_of
from chain.rpc import ChainRpc, RpcError

CONTRACTS = (*BUSINESS_CONTRACTS, "AccessManager")
LONDON_SET = frozenset({*range(0x0C), *range(0x10, 0x1E), 0x20, *range(0x30, 0x49), *range(0x50, 0x5C),
    *range(0x60, 0xA5), *range(0xF0, 0xF6), 0xFA, 0xFD, 0xFE, 0xFF})  # fmt: skip


class Chain:
    """A chain that knows some instructions, and says so as geth does."""

    url = "http://one"

    def __init__(self, *known: int) -> None:
        self.known = known

    def call(self, method: str, *params: Any) -> str:
        assert method == "eth_call"
        program = bytes.fromhex(params[0]["data"][2:])
        asked = next(opcode for opcode in program if opcode in (0x48, 0x5E))
        if asked not in self.known:
            raise RpcError(method, -32000, f"invalid opcode: opcode 0x{asked:x} not defined")
        return "0x"


def test_the_embedded_chain_takes_the_code_for_cancun(node_url: str) -> None:
    assert fork_of(ChainRpc(node_url)) is Fork.CANCUN


def test_a_chain_without_mcopy_takes_the_code_for_london() -> None:
    assert fork_of(Chain(0x48)) is Fork.LONDON  # type: ignore[arg-type]


def test_a_chain_older_than_london_is_refused() -> None:
    with pytest.raises(ChainForkTooOld) as refusal:
        fork_of(Chain())  # type: ignore[arg-type]
    assert "0x48 not defined" in refusal.value.facts["london"]


def opcodes(code: bytes) -> set[int]:
    """Return the instructions of a program, without the data that they push."""
    found, place = set(), 0
    while place < len(code):
        opcode = code[place]
        found.add(opcode)
        place += 1 + (opcode - 0x5F if 0x60 <= opcode <= 0x7F else 0)
    return found


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_code_for_london_needs_no_later_instruction(contract: str) -> None:
    assert opcodes(bytecode(contract, Fork.LONDON)) <= LONDON_SET
    assert 0x5F in opcodes(bytecode(contract, Fork.CANCUN))  # PUSH0: the test sees later instructions


@pytest.mark.parametrize("contract", CONTRACTS)
def test_both_codes_come_from_the_same_compiler_but_for_the_fork(contract: str) -> None:
    cancun, london = (
        json.loads((folder / f"{contract}.json").read_text("utf-8"))["compiler"]
        for folder in (ARTIFACTS, ARTIFACTS / "london")
    )
    assert london == {**cancun, "evm_version": "london"}


def test_the_constructors_arguments_follow_either_code() -> None:
    args = ["0x" + "11" * 20]
    tail = abi_of("AccessManager").encode_constructor(args)[len(abi_of("AccessManager").bytecode) :]
    assert len(tail) == 32
    for fork in Fork:
        assert creation_code("AccessManager", args, fork) == bytecode("AccessManager", fork) + tail
