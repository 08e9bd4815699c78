"""`carat_`: what this node has and Ethereum does not."""

from __future__ import annotations

from typing import Any

from chain.node.authority import sealer_of
from chain.node.formats import checksum, hex_bytes, hex_int, param
from chain.node.node import Node
from chain.node.rpc.table import Method
from chain.node.tags import existing_block, find_block


def get_seal(node: Node, params: list[Any]) -> dict[str, str | None] | None:
    """A block's seal: a signature of its hash (r, s, y parity), and whose it is; null if no such block."""
    block = find_block(node, param(params, 0))
    if block is None:
        return None
    seal = node.history.seal_of(block)
    sealer = sealer_of(block.hash, seal)
    return {
        "blockNumber": hex_int(block.number),
        "blockHash": hex_bytes(block.hash),
        "sealer": None if sealer is None else checksum(sealer),
        "seal": hex_bytes(seal),
    }


def get_rules(node: Node, params: list[Any]) -> dict[str, Any] | None:
    """The rules that a block is made by: who may deploy; null where there never were any: everybody."""
    block = existing_block(node, param(params, 0, "latest"))
    rules = node.history.rules_at(block.number)
    return None if rules is None else rules.as_json()


METHODS: dict[str, Method] = {"carat_getSeal": get_seal, "carat_getRules": get_rules}
