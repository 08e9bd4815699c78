"""Merkle-sum trees: one root that commits to everyone's grams and to their honest total.

Format (`contracts/interfaces/IMicroCarat.sol`)
    leaf     keccak256(bytes.concat(keccak256(abi.encode(epoch, index, person, grams)))), its sum the grams
    node     keccak256(abi.encode(leftHash, leftSum, rightHash, rightSum)), its sum leftSum + rightSum
    padding  (hash 0, sum 0) up to a power of two
    proof    the sister at each height, from the bottom up; bit i of the index says: right child at height i

Because every sum is hashed in, nobody's grams can be left out of the total or hidden in it. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from eth_hash.auto import keccak

SumNode: TypeAlias = tuple[bytes, int]

_PADDING: Final[SumNode] = (b"\0" * 32, 0)
_GRAMS_MAX: Final = 2**128 - 1


@dataclass(frozen=True, slots=True)
class Balance:
    """What a person (EIP-55 account) earned in an epoch, grams."""

    person: str
    quantity_g: int


class MerkleSumTree:
    """The tree over an epoch's balances, in the order that they are given.

    Raises
    ------
    ValueError :
        No balances, or one outside 0 to 2^128 - 1: our own mistake.
    """

    def __init__(self, epoch: int, balances: Sequence[Balance]) -> None:
        if not balances:
            raise ValueError("a root commits to something")
        leaves = [
            (leaf_hash(epoch, index, balance), balance.quantity_g) for index, balance in enumerate(balances)
        ]
        width = 1 << (len(leaves) - 1).bit_length()
        level = leaves + [_PADDING] * (width - len(leaves))
        self._levels = [level]
        while len(level) > 1:
            level = [_node(level[place], level[place + 1]) for place in range(0, len(level), 2)]
            self._levels.append(level)
        self._size = len(leaves)

    @property
    def root(self) -> bytes:
        """The 32 bytes that go on chain."""
        return self._levels[-1][0][0]

    @property
    def total_g(self) -> int:
        """The sum of all balances, grams."""
        return self._levels[-1][0][1]

    def prove(self, index: int) -> list[SumNode]:
        """Return the sisters of a leaf from the bottom up; raises ValueError for an index that is none."""
        if not 0 <= index < self._size:
            raise ValueError(f"no balance {index} of {self._size}")
        return [level[(index >> height) ^ 1] for height, level in enumerate(self._levels[:-1])]


def verify(
    root: bytes, total_g: int, epoch: int, index: int, balance: Balance, proof: Sequence[SumNode]
) -> bool:
    """Say whether a balance is in the tree of this root and total, as the contract does."""
    if not 0 <= balance.quantity_g <= total_g:
        return False
    node = (leaf_hash(epoch, index, balance), balance.quantity_g)
    place = index
    for sister in proof:
        if not 0 <= sister[1] <= total_g - node[1]:
            return False
        node = _node(sister, node) if place & 1 else _node(node, sister)
        place >>= 1
    return place == 0 and node == (root, total_g)


def leaf_hash(epoch: int, index: int, balance: Balance) -> bytes:
    """Return the leaf's 32 bytes; raises ValueError for grams that no epoch can have."""
    if not 0 <= balance.quantity_g <= _GRAMS_MAX:
        raise ValueError(f"{balance.quantity_g} grams")
    person = bytes.fromhex(balance.person[2:]).rjust(32, b"\0")
    packed = _word(epoch) + _word(index) + person + _word(balance.quantity_g)
    return keccak(keccak(packed))


def _node(left: SumNode, right: SumNode) -> SumNode:
    return keccak(left[0] + _word(left[1]) + right[0] + _word(right[1])), left[1] + right[1]


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")
