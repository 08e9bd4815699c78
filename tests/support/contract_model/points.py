"""MicroCarat: points in grams. Of an epoch never more is claimed than its total, and by each person once."""

# ruff: noqa: ARG002 - every function is given its message, as on chain
from __future__ import annotations

from typing import Any, NamedTuple

from eth_abi import encode
from eth_utils import keccak

from tests.support.contract_model.erc20 import Erc20
from tests.support.contract_model.machine import ZERO, Address, Model, Msg, Refused, digest
from tests.support.contract_model.managed import Managed, restricted
from tests.support.contract_model.once import Once


class Epoch(NamedTuple):
    """What was published."""

    root: bytes = ZERO
    total_g: int = 0
    people: int = 0
    batches_root: bytes = ZERO


class MicroCarat(Managed, Once, Erc20):
    """Each epoch is one Merkle-sum root; who is a leaf of it claims by a proof."""

    name = "MicroCarat"
    title = "micro-carat"
    sign = "MCT"
    places = 3

    def __init__(self, model: Model, address: Address, authority: Address) -> None:
        super().__init__(model, address, authority)
        self.last = self.table(0, lambda _key: ("lastEpoch",))
        self.epochs = self.table(Epoch(), lambda epoch: ("epochOf", epoch))
        self.claimed = self.table(False, lambda key: ("hasClaimed", *key))
        self.providers = self.table(False, lambda provider: ("isProvider", provider))

    @restricted
    def accredit_provider(self, msg: Msg, provider: Address, accredited: bool, request_id: bytes) -> None:
        facts = (msg.function.selector, msg.sender, provider, accredited)
        if not self.once(request_id, facts, _accredit_digest):
            return
        self.providers[provider] = accredited
        self.emit("ProviderAccredited", provider, accredited, request_id)

    @restricted
    def publish_epoch(
        self, msg: Msg, epoch: int, root: bytes, total_g: int, people: int, batches_root: bytes
    ) -> None:
        expected = self.last[0] + 1
        if epoch == 0 or epoch > expected:
            raise Refused("MicroCaratEpochOutOfOrder", expected, epoch)
        if total_g >> 128:
            raise Refused("MicroCaratTotalTooLarge", epoch, total_g)
        given = Epoch(root, total_g, people, batches_root)
        if epoch < expected:
            if self.epochs[epoch] == given:
                return
            raise Refused("MicroCaratEpochExists", epoch)
        self.last[0] = epoch
        self.epochs[epoch] = given
        self.emit("EpochPublished", epoch, root, total_g, people, batches_root)

    def claim(
        self, msg: Msg, epoch: int, index: int, quantity_g: int, proof: list[tuple[bytes, int]]
    ) -> None:
        if epoch == 0 or epoch > self.last[0]:
            raise Refused("MicroCaratEpochUnknown", epoch)
        if self.claimed[epoch, msg.sender]:
            raise Refused("MicroCaratAlreadyClaimed", epoch, msg.sender)
        if not proves(self.epochs[epoch], epoch, index, msg.sender, quantity_g, proof):
            raise Refused("MicroCaratProofInvalid", epoch, msg.sender, quantity_g)
        self.claimed[epoch, msg.sender] = True
        self.mint_to(msg.sender, quantity_g)
        self.emit("PointsClaimed", epoch, msg.sender, quantity_g)

    def redeem(self, msg: Msg, quantity_g: int, reward_id: bytes, request_id: bytes) -> None:
        facts = (msg.function.selector, quantity_g, reward_id)
        if not self.once_by(msg.sender, request_id, facts, _redeem_digest):
            return
        self.burn_from(msg.sender, quantity_g)
        self.emit("PointsRedeemed", msg.sender, quantity_g, reward_id, request_id)

    def is_provider(self, provider: Address) -> bool:
        return bool(self.providers[provider])

    def has_claimed(self, epoch: int, person: Address) -> bool:
        return bool(self.claimed[epoch, person])

    def epoch_of(self, epoch: int) -> Epoch:
        published: Epoch = self.epochs[epoch]
        return published

    def last_epoch(self) -> int:
        return int(self.last[0])


def leaf(epoch: int, index: int, person: Address, quantity_g: int) -> bytes:
    """Return the hash of what one person earned in an epoch."""
    inner = keccak(encode(["uint64", "uint256", "address", "uint256"], [epoch, index, person, quantity_g]))
    return keccak(inner)


def parent(left: tuple[bytes, int], right: tuple[bytes, int]) -> tuple[bytes, int]:
    """Return the node over two others: a hash of both, and the sum of both."""
    return (
        digest(["bytes32", "uint256", "bytes32", "uint256"], (*left, *right)),
        left[1] + right[1],
    )


def proves(
    published: Epoch, epoch: int, index: int, person: Address, quantity_g: int, proof: list[tuple[bytes, int]]
) -> bool:
    """Does the path from this leaf end at the root and the total? No sum on the way may pass the total."""
    if quantity_g > published.total_g:
        return False
    node = (leaf(epoch, index, person, quantity_g), quantity_g)
    for beside in proof:
        if beside[1] > published.total_g - node[1]:
            return False
        node = parent(beside, node) if index & 1 else parent(node, beside)
        index >>= 1
    return index == 0 and node == (published.root, published.total_g)


def _accredit_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "address", "bool"], facts)


def _redeem_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "uint256", "bytes32"], facts)
