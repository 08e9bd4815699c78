"""The contracts for chains that stop at London are the same contracts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from consortium_tools import london
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrevm import EVM

from chain.abi import BUSINESS_CONTRACTS
from chain.forks import Fork, bytecode
from tests.support.contract_fuzz.run import run
from tests.support.contract_model.interface import interface

ROOT = Path(__file__).parents[2]
CALLER = "0x" + "11" * 20
# Takes three words (to, from, length) and a piece of memory, copies within it, and returns it.
PROGRAM = """
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;
contract Copies {
    fallback() external {
        assembly {
            let size := sub(calldatasize(), 96)
            calldatacopy(0x80, 96, size)
            mcopy(add(0x80, calldataload(0)), add(0x80, calldataload(32)), calldataload(64))
            return(0x80, size)
        }
    }
}
"""


def test_the_committed_code_is_what_the_sources_give() -> None:
    command = [sys.executable, ROOT / "scripts" / "compile_for_london", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_use_of_mcopy_in_the_sources_is_replaced() -> None:
    patched = london.patched_sources()
    assert "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol" in patched
    assert not any("mcopy(" in text for text in patched.values())


def compiled(source: str, fork: str) -> bytes:
    tool = london.compiler()
    given = {
        "language": "Solidity",
        "sources": {"Copies.sol": {"content": source}},
        "settings": {
            "evmVersion": fork,
            "optimizer": {"enabled": True, "runs": 200},
            "outputSelection": {"*": {"*": ["evm.bytecode.object"]}},
        },
    }
    output = tool.run_solc(given)
    return bytes.fromhex(output["contracts"]["Copies.sol"]["Copies"]["evm"]["bytecode"]["object"])


@pytest.fixture(scope="module")
def copies() -> Callable[[str, bytes], bytes]:
    """Return what the program makes of memory, compiled for a fork and run by it."""
    machines = {}
    for fork, source in {"cancun": PROGRAM, "london": london.without_mcopy(PROGRAM)}.items():
        evm = EVM(spec_id=fork.title())
        machines[fork] = (evm, evm.deploy(CALLER, compiled(source, fork)))

    def run(fork: str, data: bytes) -> bytes:
        evm, address = machines[fork]
        return bytes(evm.message_call(CALLER, address, calldata=data, is_static=True))

    return run


@settings(max_examples=300, deadline=None)
@given(memory=st.binary(min_size=1, max_size=300), data=st.data())
def test_the_loop_leaves_the_memory_that_mcopy_leaves(
    copies: Callable[[str, bytes], bytes], memory: bytes, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, len(memory)))
    to, source = (data.draw(st.integers(0, len(memory) - length)) for _ in range(2))
    expected = bytearray(memory)
    expected[to : to + length] = memory[source : source + length]
    call = b"".join(each.to_bytes(32, "big") for each in (to, source, length)) + memory
    assert copies("london", call) == bytes(expected)
    assert copies("cancun", call) == bytes(expected)


def test_random_calls_end_as_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*BUSINESS_CONTRACTS, "AccessManager"):
        monkeypatch.setattr(interface(name), "bytecode", bytecode(name, Fork.LONDON))
    result = run(5_000, seed=13)
    assert result.failure is None, result.failure.shown()
    assert result.calls == 5_000


def test_an_mcopy_with_other_arguments_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="2 arguments"):
        london.without_mcopy("mcopy(a, f(b, c))")
