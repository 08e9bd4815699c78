"""`debug_`: traces and raw records. Also without --test-methods: a trace's budget bounds what it can cost."""

from __future__ import annotations

from typing import Any

from chain.node import calls
from chain.node.blocks import Block, encode_header
from chain.node.errors import ServerError
from chain.node.formats import hex_bytes, param, read_hash
from chain.node.node import Node
from chain.node.overrides import read_overrides
from chain.node.raw import raw_block, raw_receipts
from chain.node.rpc.table import Method
from chain.node.tags import existing_block
from chain.node.tracing.options import read_options
from chain.node.tracing.runs import trace_block, trace_call, trace_transaction


def traced_transaction(node: Node, params: list[Any]) -> Any:
    """What a mined transaction did."""
    transaction_hash = read_hash(param(params, 0))
    options = read_options(param(params, 1, None))
    place = node.history.find(transaction_hash)
    if place is None:
        raise ServerError("transaction not found")
    return trace_transaction(node, place, options)


def traced_call(node: Node, params: list[Any]) -> Any:
    """What a call would do; options may hold stateOverrides and blockOverrides."""
    transaction = calls.read_call(param(params, 0))
    block = existing_block(node, param(params, 1, "latest"))
    wanted = param(params, 2, None)
    options = read_options(wanted)
    fields = wanted or {}
    overrides = read_overrides(fields.get("stateOverrides"), fields.get("blockOverrides"))
    return trace_call(node, transaction, block, overrides, options)


def traced_block_by_number(node: Node, params: list[Any]) -> Any:
    """What each transaction of a block did."""
    return trace_block(node, existing_block(node, param(params, 0)), read_options(param(params, 1, None)))


def traced_block_by_hash(node: Node, params: list[Any]) -> Any:
    """What each transaction of a block did."""
    block_hash = read_hash(param(params, 0))
    options = read_options(param(params, 1, None))
    block = node.history.by_hash(block_hash)
    if block is None:
        raise ServerError(f"block {hex_bytes(block_hash)} not found")
    return trace_block(node, block, options)


def raw_header(node: Node, params: list[Any]) -> str:
    """A header's RLP."""
    return hex_bytes(encode_header(_block(node, params)))


def whole_block(node: Node, params: list[Any]) -> str:
    """A block's RLP."""
    return hex_bytes(raw_block(_block(node, params)))


def receipts(node: Node, params: list[Any]) -> list[str]:
    """A block's receipts in their binary encoding."""
    return [hex_bytes(receipt) for receipt in raw_receipts(_block(node, params))]


def raw_transaction(node: Node, params: list[Any]) -> str:
    """A transaction in its binary encoding, mined or waiting; empty if there is none, as geth has it."""
    transaction_hash = read_hash(param(params, 0))
    place = node.history.find(transaction_hash)
    if place is None:
        waiting = node.pool.get(transaction_hash)
        return hex_bytes(b"" if waiting is None else waiting.raw)
    block = node.history.at(place.block)
    assert block is not None
    return hex_bytes(block.transactions[place.index].raw)


def bad_blocks(node: Node, params: list[Any]) -> list[Any]:  # noqa: ARG001
    """None: the only blocks that this node sees are those that it has built."""
    return []


def _block(node: Node, params: list[Any]) -> Block:
    return existing_block(node, param(params, 0))


METHODS: dict[str, Method] = {
    "debug_traceTransaction": traced_transaction,
    "debug_traceCall": traced_call,
    "debug_traceBlockByNumber": traced_block_by_number,
    "debug_traceBlockByHash": traced_block_by_hash,
    "debug_getRawHeader": raw_header,
    "debug_getRawBlock": whole_block,
    "debug_getRawReceipts": receipts,
    "debug_getRawTransaction": raw_transaction,
    "debug_getBadBlocks": bad_blocks,
}
