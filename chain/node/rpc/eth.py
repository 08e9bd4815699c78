"""`eth_`: blocks, transactions, receipts and logs; the rest of the namespace is in modules of its own."""

from __future__ import annotations

from typing import Any

from chain.node.blocks import Block
from chain.node.formats import hex_bytes, hex_int, param, read_bool, read_hash, read_int
from chain.node.logs import get_logs
from chain.node.node import Node
from chain.node.rpc import calling, facts, state
from chain.node.rpc.sending import METHODS as DRAFTING
from chain.node.rpc.table import Method
from chain.node.tags import find_block
from chain.node.views import block_json, receipt_json, receipts_json, transaction_json


def get_block_by_number(node: Node, params: list[Any]) -> Any:
    """A block, null if there is none."""
    return _block(find_block(node, param(params, 0)), params)


def get_block_by_hash(node: Node, params: list[Any]) -> Any:
    """A block, null if there is none."""
    return _block(node.history.by_hash(read_hash(param(params, 0))), params)


def get_block_transaction_count_by_number(node: Node, params: list[Any]) -> Any:
    """How many transactions a block holds."""
    return _count(find_block(node, param(params, 0)))


def get_block_transaction_count_by_hash(node: Node, params: list[Any]) -> Any:
    """How many transactions a block holds."""
    return _count(node.history.by_hash(read_hash(param(params, 0))))


def get_block_receipts(node: Node, params: list[Any]) -> Any:
    """All receipts of a block."""
    block = find_block(node, param(params, 0))
    return None if block is None else receipts_json(block)


def get_transaction_by_hash(node: Node, params: list[Any]) -> Any:
    """A transaction, mined or waiting."""
    transaction_hash = read_hash(param(params, 0))
    place = node.history.find(transaction_hash)
    if place is None:
        waiting = node.pool.get(transaction_hash)
        return None if waiting is None else transaction_json(waiting, None, 0)
    return _transaction(node.history.at(place.block), place.index)


def get_transaction_by_block_number_and_index(node: Node, params: list[Any]) -> Any:
    """A block's transaction at an index."""
    return _transaction(find_block(node, param(params, 0)), read_int(param(params, 1), "index"))


def get_transaction_by_block_hash_and_index(node: Node, params: list[Any]) -> Any:
    """A block's transaction at an index."""
    block = node.history.by_hash(read_hash(param(params, 0)))
    return _transaction(block, read_int(param(params, 1), "index"))


def get_raw_transaction_by_hash(node: Node, params: list[Any]) -> str | None:
    """A transaction as it was signed, mined or waiting; null if there is none. Clients ask for it."""
    transaction_hash = read_hash(param(params, 0))
    place = node.history.find(transaction_hash)
    if place is not None:
        return _raw(node.history.at(place.block), place.index)
    waiting = node.pool.get(transaction_hash)
    return None if waiting is None else hex_bytes(waiting.raw)


def get_raw_transaction_by_block_number_and_index(node: Node, params: list[Any]) -> str | None:
    """A block's transaction at an index, as it was signed."""
    return _raw(find_block(node, param(params, 0)), read_int(param(params, 1), "index"))


def get_raw_transaction_by_block_hash_and_index(node: Node, params: list[Any]) -> str | None:
    """A block's transaction at an index, as it was signed."""
    block = node.history.by_hash(read_hash(param(params, 0)))
    return _raw(block, read_int(param(params, 1), "index"))


def get_transaction_receipt(node: Node, params: list[Any]) -> Any:
    """What became of a transaction; null while it waits."""
    place = node.history.find(read_hash(param(params, 0)))
    if place is None:
        return None
    block = node.history.at(place.block)
    return None if block is None else receipt_json(block, place.index)


def logs(node: Node, params: list[Any]) -> Any:
    """Logs by blocks, addresses and topics."""
    return get_logs(node, param(params, 0))


def uncle_count_by_number(node: Node, params: list[Any]) -> str | None:
    """Zero: there are no uncles; null if there is no block."""
    return None if find_block(node, param(params, 0)) is None else hex_int(0)


def uncle_count_by_hash(node: Node, params: list[Any]) -> str | None:
    """Zero: there are no uncles; null if there is no block."""
    return None if node.history.by_hash(read_hash(param(params, 0))) is None else hex_int(0)


def _block(block: Block | None, params: list[Any]) -> Any:
    full = read_bool(param(params, 1, False), "full transactions")
    return None if block is None else block_json(block, full)


def _count(block: Block | None) -> str | None:
    return None if block is None else hex_int(len(block.transactions))


def _transaction(block: Block | None, index: int) -> Any:
    if block is None or index >= len(block.transactions):
        return None
    return transaction_json(block.transactions[index], block, index)


def _raw(block: Block | None, index: int) -> str | None:
    if block is None or index >= len(block.transactions):
        return None
    return hex_bytes(block.transactions[index].raw)


METHODS: dict[str, Method] = {
    **facts.METHODS,
    **state.METHODS,
    **calling.METHODS,
    **DRAFTING,
    "eth_getBlockByNumber": get_block_by_number,
    "eth_getBlockByHash": get_block_by_hash,
    "eth_getBlockTransactionCountByNumber": get_block_transaction_count_by_number,
    "eth_getBlockTransactionCountByHash": get_block_transaction_count_by_hash,
    "eth_getBlockReceipts": get_block_receipts,
    "eth_getTransactionByHash": get_transaction_by_hash,
    "eth_getTransactionByBlockNumberAndIndex": get_transaction_by_block_number_and_index,
    "eth_getTransactionByBlockHashAndIndex": get_transaction_by_block_hash_and_index,
    "eth_getRawTransactionByHash": get_raw_transaction_by_hash,
    "eth_getRawTransactionByBlockNumberAndIndex": get_raw_transaction_by_block_number_and_index,
    "eth_getRawTransactionByBlockHashAndIndex": get_raw_transaction_by_block_hash_and_index,
    "eth_getTransactionReceipt": get_transaction_receipt,
    "eth_getLogs": logs,
    "eth_getUncleCountByBlockNumber": uncle_count_by_number,
    "eth_getUncleCountByBlockHash": uncle_count_by_hash,
}
