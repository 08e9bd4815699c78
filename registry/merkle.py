"""Merkle trees: one hash that commits to a list, and short proofs that something is in it.

Format (RFC 6962, section 2.1, with SHA-256)
    leaf   SHA-256(0x00 || value), the value being 32 bytes
    node   SHA-256(0x01 || left || right)
    shape  of n > 1 leaves the left subtree takes the largest power of two below n

Leaves and nodes are hashed apart, so that no node can be shown as a leaf; no leaf is doubled, so that two
lists never share a root. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class MerkleProof:
    """The way from one leaf to the root: its place, the list's length, the sisters from the bottom up."""

    index: int
    size: int
    siblings: tuple[bytes, ...]


def root(values: Sequence[bytes]) -> bytes:
    """Return the root over a list of 32-byte values, at least one.

    Raises
    ------
    ValueError :
        The list is empty or a value has not 32 bytes: our own mistake.
    """
    level = _leaves(values)
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def prove(values: Sequence[bytes], index: int) -> MerkleProof:
    """Return the proof that `values[index]` is in the list; raises ValueError like `root`."""
    if not 0 <= index < len(values):
        raise ValueError(f"no leaf {index} of {len(values)}")
    siblings = []
    level, place = _leaves(values), index
    while len(level) > 1:
        sibling = place ^ 1
        if sibling < len(level):
            siblings.append(level[sibling])
        level, place = _next_level(level), place >> 1
    return MerkleProof(index, len(values), tuple(siblings))


def verify(expected_root: bytes, value: bytes, proof: MerkleProof) -> bool:
    """Say whether `value` stands at `proof.index` in the list of `proof.size` values with this root."""
    if not 0 <= proof.index < proof.size or len(value) != 32:
        return False
    node, place, width = _leaf(value), proof.index, proof.size
    rest = list(proof.siblings)
    while width > 1:
        if place ^ 1 < width:
            if not rest:
                return False
            sibling = rest.pop(0)
            node = _node(sibling, node) if place & 1 else _node(node, sibling)
        place, width = place >> 1, (width + 1) >> 1
    return not rest and node == expected_root


def _leaf(value: bytes) -> bytes:
    return sha256(b"\x00" + value).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _leaves(values: Sequence[bytes]) -> list[bytes]:
    if not values:
        raise ValueError("a root commits to something")
    if any(len(value) != 32 for value in values):
        raise ValueError("a leaf has 32 bytes")
    return [_leaf(value) for value in values]


def _next_level(level: list[bytes]) -> list[bytes]:
    # Pairing from the left and lifting an odd last node is the RFC's shape.
    pairs = [_node(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
    return pairs if len(level) % 2 == 0 else [*pairs, level[-1]]
