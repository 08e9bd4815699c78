"""Naming a block in JSON-RPC: a tag, a number, a hash, or EIP-1898's object."""

from __future__ import annotations

from typing import Any

from chain.node.blocks import Block
from chain.node.errors import InvalidParams, ServerError
from chain.node.formats import UINT64_MAX, read_hash, read_int
from chain.node.node import Node

# Every block is final when it is answered; `pending` reads the head, where waiting transactions are not yet.
_HEAD_TAGS = ("latest", "pending", "safe", "finalized")


def block_number(node: Node, tag: Any, name: str = "block") -> int:
    """The number that a tag or quantity means; the block need not exist."""
    if tag is None or tag in _HEAD_TAGS:
        return node.head.number
    if tag == "earliest":
        return 0
    return read_int(tag, name, UINT64_MAX)


def find_block(node: Node, tag: Any) -> Block | None:
    """The block that a parameter names, None if there is none.

    Raises
    ------
    InvalidParams :
        If it is no tag, number or hash.
    """
    if isinstance(tag, dict):
        if "blockHash" in tag:
            return node.history.by_hash(read_hash(tag["blockHash"], "blockHash"))
        if "blockNumber" not in tag:
            raise InvalidParams("block: expected blockHash or blockNumber")
        tag = tag["blockNumber"]
    elif isinstance(tag, list):
        raise InvalidParams("block: expected a tag, a number or a hash")
    elif isinstance(tag, str) and len(tag) == 66:
        return node.history.by_hash(read_hash(tag, "block"))
    return node.history.at(block_number(node, tag))


def existing_block(node: Node, tag: Any) -> Block:
    """The block that a parameter names.

    Raises
    ------
    ServerError :
        If there is no such block.
    """
    block = find_block(node, tag)
    if block is None:
        raise ServerError(f"header not found: {tag}")
    return block
