"""Unlocked accounts of a test chain: keys that everybody can compute, so never for anything real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coincurve import PrivateKey
from eth_account import Account
from eth_hash.auto import keccak

TEST_BALANCE_WEI = 10_000 * 10**18


def test_key(index: int) -> bytes:
    """The private key of unlocked account `index`."""
    return keccak(b"carat test account " + str(index).encode())


def address_of(key: bytes) -> bytes:
    """The address of a private key."""
    return keccak(PrivateKey(key).public_key.format(compressed=False)[1:])[12:]


class Unlocked:
    """The keys that `eth_sendTransaction` may sign with."""

    def __init__(self, count: int) -> None:
        self._keys = {address_of(key): key for key in map(test_key, range(count))}

    def addresses(self) -> list[bytes]:
        """In the order of their indices."""
        return list(self._keys)

    def __contains__(self, address: bytes) -> bool:
        return address in self._keys

    def sign(self, address: bytes, fields: Mapping[str, Any]) -> bytes:
        """A raw signed transaction of these fields."""
        return bytes(Account.sign_transaction(dict(fields), self._keys[address]).raw_transaction)
