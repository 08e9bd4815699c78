"""Keccak-256, straight from safe-pysha3: the node hashes more than anything else."""

from __future__ import annotations

from sha3 import keccak_256  # type: ignore[import-not-found, import-untyped, unused-ignore]


def keccak(data: bytes | bytearray) -> bytes:
    """Keccak-256 as Ethereum uses it."""
    digest: bytes = keccak_256(data).digest()
    return digest
