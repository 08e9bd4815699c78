"""Unlocked accounts of a test chain: keys that everybody can compute, so never for anything real."""

from __future__ import annotations

from coincurve import PrivateKey

from chain.node.hashing import keccak
from chain.node.transactions import Transaction, sign

TEST_BALANCE_WEI = 10_000 * 10**18
_MESSAGE = b"\x19Ethereum Signed Message:\n"


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

    def sign(self, transaction: Transaction) -> bytes:
        """The raw form of an unsigned transaction of one of these accounts."""
        return sign(transaction, self._keys[transaction.sender])

    def sign_message(self, address: bytes, message: bytes) -> bytes:
        """The 65 bytes r, s, v (27 or 28) of an EIP-191 personal message."""
        signed = keccak(_MESSAGE + str(len(message)).encode() + message)
        signature = PrivateKey(self._keys[address]).sign_recoverable(signed, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))
