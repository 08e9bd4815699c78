"""Found: py-evm answers otherwise than the specification, and with it every other node."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import hexed

MODEXP = "0x" + "00" * 19 + "05"
LONGEST = 49_152


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[LocalRpc]:
    local = LocalRpc(tmp_path / "chain")
    yield local
    local.close()


@pytest.mark.parametrize("create", ["f0", "f5"])
def test_too_long_init_code_fails_its_creator_even_where_it_could_not_pay(rpc: LocalRpc, create: str) -> None:
    """EIP-3860: the frame ends exceptionally. py-evm went on with zero if the value could not be paid."""

    def creator(size: int) -> str:
        # salt 0, size, offset 0, value 1 that it does not have; the answer is returned
        return hexed(bytes.fromhex(f"5f62{size:06x}5f6001{create}5f5260205ff3"))

    assert int(rpc.call("eth_call", {"data": creator(LONGEST)}), 16) == 0
    refusal = rpc.refusal("eth_call", {"data": creator(LONGEST + 1)})
    assert refusal == (-32000, "out of gas")


@pytest.mark.parametrize(
    ("exponent", "modulus", "answer"),
    [(b"", 32_000, 1), (b"\x00", 7, 1), (b"\x00", 1, 0), (b"\x02", 7, 0), (b"", 0, 0)],
)
def test_nothing_to_the_power_of_nothing_is_one(
    rpc: LocalRpc, exponent: bytes, modulus: int, answer: int
) -> None:
    """EIP-198, where the base has no bytes and so is zero. py-evm answered zero."""
    sizes = b"".join(size.to_bytes(32, "big") for size in (0, len(exponent), 2))
    data = hexed(sizes + exponent + modulus.to_bytes(2, "big"))
    assert rpc.call("eth_call", {"to": MODEXP, "data": data}) == hexed(answer.to_bytes(2, "big"))


def test_no_modulus_no_answer(rpc: LocalRpc) -> None:
    assert rpc.call("eth_call", {"to": MODEXP, "data": hexed(bytes(96))}) == "0x"


def test_a_point_is_evaluated_in_milliseconds(rpc: LocalRpc) -> None:
    """EIP-4844. py-evm read the trusted setup for each call: two seconds for 50,000 gas."""
    infinity = b"\xc0" + bytes(47)
    versioned = b"\x01" + sha256(infinity).digest()[1:]
    call = {"to": "0x" + "00" * 19 + "0a", "data": hexed(versioned + bytes(64) + infinity * 2)}
    answer = rpc.call("eth_call", call)
    assert (int(answer[2:66], 16), answer[66:70]) == (4_096, "73ed")
    with patch("chain.node.evm.precompiles.load_trusted_setup") as load:
        assert rpc.call("eth_call", call) == answer
    assert not load.called
    for spoilt in (b"", versioned + bytes(63) + b"\x01" + infinity * 2, bytes(192), b"\xff" * 192):
        assert rpc.refusal("eth_call", call | {"data": hexed(spoilt)})[0] == -32000
