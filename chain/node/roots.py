"""Roots and blooms of a block: what its header commits to.

The tries of transactions and receipts are built once, from the whole ordered list, and only their root
is kept: nobody asks for their nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from eth.constants import BLANK_ROOT_HASH

from chain.node.codec import encode
from chain.node.hashing import keccak

_Nibbles = tuple[int, ...]


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Root of the Merkle-Patricia trie that maps rlp(index) to value (yellow paper, appendix D)."""
    if not values:
        return BLANK_ROOT_HASH
    pairs = sorted((_nibbles(encode(index)), value) for index, value in enumerate(values))
    encoded = encode(_node(pairs, 0))
    return keccak(encoded)


def bloom_of(items: Iterable[bytes]) -> int:
    """The 2048-bit bloom of addresses and topics."""
    bloom = 0
    for item in items:
        bloom |= _bloom_bits(item)
    return bloom


@lru_cache(maxsize=65_536)
def _bloom_bits(item: bytes) -> int:
    digest = keccak(item)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (((digest[at] << 8) | digest[at + 1]) & 2047)
    return bits


def _nibbles(key: bytes) -> _Nibbles:
    return tuple(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _hex_prefix(path: _Nibbles, leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    nibbles = (flag + 1, *path) if len(path) % 2 else (flag, 0, *path)
    return bytes(nibbles[i] << 4 | nibbles[i + 1] for i in range(0, len(nibbles), 2))


def _node(pairs: Sequence[tuple[_Nibbles, bytes]], depth: int) -> list[object]:
    first = pairs[0][0]
    if len(pairs) == 1:
        return [_hex_prefix(first[depth:], leaf=True), pairs[0][1]]
    last = pairs[-1][0]
    end = depth
    # rlp(index) is prefix-free, so two different keys differ before either ends.
    while first[end] == last[end]:
        end += 1
    if end > depth:
        return [_hex_prefix(first[depth:end], leaf=False), _reference(_node(pairs, end))]
    branch: list[object] = [b""] * 17
    start = 0
    for index in range(1, len(pairs) + 1):
        if index == len(pairs) or pairs[index][0][depth] != pairs[start][0][depth]:
            branch[pairs[start][0][depth]] = _reference(_node(pairs[start:index], depth + 1))
            start = index
    return branch


def _reference(node: list[object]) -> object:
    encoded = encode(node)
    return node if len(encoded) < 32 else keccak(encoded)
