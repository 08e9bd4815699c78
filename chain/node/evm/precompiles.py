"""Cancun's precompiled contracts: py-evm's, and our own where py-evm is not what the specification says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eth.abc import ComputationAPI
from eth.precompiles.modexp import extract_lengths
from eth.vm.forks.cancun.computation import CANCUN_PRECOMPILES
from eth_typing import Address

Precompile = Callable[[ComputationAPI], ComputationAPI]

_MODEXP: Final = Address(b"\x00" * 19 + b"\x05")
_HEAD_BYTES: Final = 96
_modexp: Final[Precompile] = CANCUN_PRECOMPILES[_MODEXP]


def modexp(computation: ComputationAPI) -> ComputationAPI:
    """EIP-198. py-evm answers zero wherever the base has no bytes; but zero to the power of zero is one."""
    _modexp(computation)
    data = computation.msg.data_as_bytes
    base_length, exponent_length, modulus_length = extract_lengths(data)
    if base_length == 0 and modulus_length:
        exponent = data[_HEAD_BYTES : _HEAD_BYTES + exponent_length]
        begin = _HEAD_BYTES + exponent_length
        modulus = int.from_bytes(data[begin : begin + modulus_length].ljust(modulus_length, b"\0"), "big")
        answer = 1 % modulus if modulus and not any(exponent) else 0
        computation.output = answer.to_bytes(modulus_length, "big")
    return computation


PRECOMPILES: Final[dict[Address, Precompile]] = {**CANCUN_PRECOMPILES, _MODEXP: modexp}
