"""The tape: every trade as a hash, every epoch as one Merkle root, which the chain records.

The tree is the Merkle Tree Hash of RFC 6962, section 2.1, with SHA-256: leaves are hashed with a zero byte
before them, inner nodes with a one byte, and a tree of n leaves splits at the largest power of two below n.
A tree of no leaves hashes to SHA-256 of nothing.

A leaf is made so that the public can check the tape without learning names:

    leaf    = public fields (57 bytes, big-endian) + SHA-256(private fields)
    public  = number u64, epoch u64, unit u128, price_fen u64, quantity_t u64, at_us u64, taker side u8
    private = maker order 16 bytes, taker order 16 bytes, buyer 20 bytes, seller 20 bytes,
              buyer's fee u128, seller's fee u128, who collects the buyer's 20 bytes, the seller's 20 bytes

Where there is no fee, who collects it is zeros. An order pays by the rules of its own entry: so the two may
go to different collectors. Order ids are the clients' random UUIDs: they salt the hash of the names.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

EMPTY_ROOT: Final = sha256().digest()

_PUBLIC: Final = struct.Struct(">QQ16sQQQB")


class TapeTrade(NamedTuple):
    """A trade as the tape has it: accounts of 20 bytes and units in place of the engine's numbers."""

    number: int
    epoch: int
    unit: int
    price_fen: int
    quantity_t: int
    at_us: int
    taker_side: int
    maker_order: bytes
    taker_order: bytes
    buyer: bytes
    seller: bytes
    buyer_fee_fen: int
    seller_fee_fen: int
    buyer_fee_to: bytes
    seller_fee_to: bytes


def names_hash(trade: TapeTrade) -> bytes:
    """Return the hash that stands for who traded: order ids, accounts, fees, who collects them."""
    return sha256(
        trade.maker_order
        + trade.taker_order
        + trade.buyer
        + trade.seller
        + trade.buyer_fee_fen.to_bytes(16, "big")
        + trade.seller_fee_fen.to_bytes(16, "big")
        + trade.buyer_fee_to
        + trade.seller_fee_to
    ).digest()


def leaf(trade: TapeTrade) -> bytes:
    """Return the bytes that the tree hashes for one trade."""
    public = _PUBLIC.pack(
        trade.number,
        trade.epoch,
        trade.unit.to_bytes(16, "big"),
        trade.price_fen,
        trade.quantity_t,
        trade.at_us,
        trade.taker_side,
    )
    return public + names_hash(trade)


def leaf_hash(leaf_bytes: bytes) -> bytes:
    """Hash a leaf so that it can never be taken for an inner node."""
    return sha256(b"\0" + leaf_bytes).digest()


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, in their order.

    Neighbours are paired level by level; an odd last one moves up as it is. That is the tree of RFC 6962.
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        level = _paired(level)
    return level[0]


def _paired(level: list[bytes]) -> list[bytes]:
    pairs = [
        sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    return pairs + level[-1:] if len(level) % 2 else pairs


def tape_root(trades: Sequence[TapeTrade]) -> bytes:
    """Return the root of an epoch's trades, in the order in which they were executed."""
    return merkle_root([leaf_hash(leaf(trade)) for trade in trades])


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf `index`: the neighbours on its way up, lowest first.

    Raises
    ------
    IndexError :
        If there is no such leaf.
    """
    if not 0 <= index < len(hashes):
        raise IndexError(index)
    path: list[bytes] = []
    level = list(hashes)
    while len(level) > 1:
        neighbour = index ^ 1
        if neighbour < len(level):
            path.append(level[neighbour])
        level, index = _paired(level), index // 2
    return path


def proves(root: bytes, hashed_leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that this leaf hash stands at `index` of `size` leaves under this root."""
    if not 0 <= index < size:
        return False
    node, rest, last = hashed_leaf, list(path), size - 1
    while last:
        if index % 2 or index < last:
            if not rest:
                return False
            neighbour = rest.pop(0)
            pair = neighbour + node if index % 2 else node + neighbour
            node = sha256(b"\1" + pair).digest()
        index, last = index // 2, last // 2
    return not rest and node == root
