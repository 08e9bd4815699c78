"""Cancun's precompiled contracts: py-evm's, and our own where py-evm is not what the specification says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from typing import Any, Final

from ckzg import load_trusted_setup, verify_kzg_proof  # type: ignore[import-not-found]
from eth.abc import ComputationAPI
from eth.exceptions import VMError
from eth.precompiles.modexp import extract_lengths
from eth.precompiles.point_evaluation import (
    BLS_MODULUS,
    FIELD_ELEMENTS_PER_BLOB,
    POINT_EVALUATION_PRECOMPILE_GAS,
    TRUSTED_SETUP_PATH,
    VERSIONED_HASH_VERSION_KZG,
)
from eth.vm.forks.cancun.computation import CANCUN_PRECOMPILES
from eth_typing import Address

Precompile = Callable[[ComputationAPI], ComputationAPI]

MAX_PAIRINGS: Final = 8
MAX_BLAKE_ROUNDS: Final = 200_000

_MODEXP: Final = Address(b"\x00" * 19 + b"\x05")
_PAIRING: Final = Address(b"\x00" * 19 + b"\x08")
_BLAKE2F: Final = Address(b"\x00" * 19 + b"\x09")
_POINT_EVALUATION: Final = Address(b"\x00" * 19 + b"\x0a")
_POINT_BYTES: Final = 192
_PAIR_BYTES: Final = 192
_BLAKE_BYTES, _ROUNDS_BYTES = 213, 4
_POINT_ANSWER: Final = FIELD_ELEMENTS_PER_BLOB.to_bytes(32, "big") + BLS_MODULUS.to_bytes(32, "big")
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


def point_evaluation(computation: ComputationAPI) -> ComputationAPI:
    """EIP-4844: that a committed polynomial has a value at a point.

    py-evm reads the trusted setup anew for each call, which takes seconds; its price is 50,000 gas.

    Raises
    ------
    VMError :
        If the input or the proof is not as it should be; all gas is gone.
    """
    computation.consume_gas(POINT_EVALUATION_PRECOMPILE_GAS, reason="Point Evaluation Precompile")
    data = computation.msg.data_as_bytes
    if len(data) != _POINT_BYTES:
        raise VMError(f"point evaluation input has {len(data)} bytes, not {_POINT_BYTES}")
    versioned_hash, z, y, commitment, proof = data[:32], data[32:64], data[64:96], data[96:144], data[144:]
    if VERSIONED_HASH_VERSION_KZG + sha256(commitment).digest()[1:] != versioned_hash:
        raise VMError("point evaluation commitment does not match its versioned hash")
    if not _is_proven(commitment, z, y, proof):
        raise VMError("point evaluation proof does not hold")
    computation.output = _POINT_ANSWER
    return computation


def _is_proven(commitment: bytes, z: bytes, y: bytes, proof: bytes) -> bool:
    try:
        return bool(verify_kzg_proof(commitment, z, y, proof, _trusted_setup()))
    except RuntimeError:  # a number beyond the field, or bytes that are no point
        return False


@cache
def _trusted_setup() -> Any:
    return load_trusted_setup(TRUSTED_SETUP_PATH, 0)


PRECOMPILES: Final[dict[Address, Precompile]] = {
    **CANCUN_PRECOMPILES,
    _MODEXP: modexp,
    _POINT_EVALUATION: point_evaluation,
}


def is_too_slow(precompile: Precompile | None, data: bytes) -> bool:
    """Whether py-evm's pure Python, which nothing can interrupt, would take seconds for little gas.

    More than MAX_PAIRINGS pairings, about 0.3 s each, or MAX_BLAKE_ROUNDS rounds of BLAKE2, about 12
    microseconds each.
    """
    if precompile is PRECOMPILES[_PAIRING]:
        return len(data) // _PAIR_BYTES > MAX_PAIRINGS
    if precompile is PRECOMPILES[_BLAKE2F] and len(data) == _BLAKE_BYTES:
        return int.from_bytes(data[:_ROUNDS_BYTES], "big") > MAX_BLAKE_ROUNDS
    return False
