"""The Merkle-sum tree of `IMicroCarat`, written a second time, plainly."""

from __future__ import annotations

from eth_abi import encode
from eth_utils import keccak

Node = tuple[bytes, int]
EMPTY: Node = (bytes(32), 0)


def leaf(epoch: int, index: int, person: str, grams: int) -> Node:
    inner = keccak(encode(["uint64", "uint256", "address", "uint256"], [epoch, index, person, grams]))
    return keccak(inner), grams


def parent(left: Node, right: Node) -> Node:
    hashed = keccak(encode(["bytes32", "uint256", "bytes32", "uint256"], [*left, *right]))
    return hashed, left[1] + right[1]


def levels(leaves: list[Node]) -> list[list[Node]]:
    """From the leaves, padded to a power of two, to the root."""
    width = 1
    while width < len(leaves):
        width *= 2
    rows = [leaves + [EMPTY] * (width - len(leaves))]
    while len(rows[-1]) > 1:
        row = rows[-1]
        rows.append([parent(row[at], row[at + 1]) for at in range(0, len(row), 2)])
    return rows


def proof(rows: list[list[Node]], index: int) -> list[Node]:
    """The node beside the path, at each height."""
    return [row[(index >> height) ^ 1] for height, row in enumerate(rows[:-1])]
