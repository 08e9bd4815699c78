"""`eth_`: the chain, its accounts and calls. Sending is in `sending`, as it waits for a block."""

from __future__ import annotations

from typing import Any

from eth_typing import Address

from chain.node import calls
from chain.node.blocks import Block
from chain.node.execution import failure
from chain.node.fork import NodeState
from chain.node.formats import (
    checksum,
    hex_bytes,
    hex_int,
    hex_word,
    param,
    read_address,
    read_bool,
    read_hash,
    read_int,
)
from chain.node.logs import get_logs
from chain.node.node import Node
from chain.node.proofs import prove
from chain.node.rpc.table import Method
from chain.node.tags import existing_block, find_block
from chain.node.views import access_list_json, block_json, receipt_json, receipts_json, transaction_json

_MAX_FEE_HISTORY = 1_024


def chain_id(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """The chain id that transactions must be signed for."""
    return hex_int(node.settings.chain_id)


def block_number(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """The head's number."""
    return hex_int(node.head.number)


def gas_price(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """Zero: nobody pays."""
    return hex_int(0)


def syncing(node: Node, params: list[Any]) -> bool:  # noqa: ARG001
    """Never: there is nobody to catch up with."""
    return False


def accounts(node: Node, params: list[Any]) -> list[str]:  # noqa: ARG001
    """The unlocked test accounts."""
    return [checksum(address) for address in node.unlocked.addresses()]


def get_balance(node: Node, params: list[Any]) -> str:
    """Wei of an account."""
    state, address = _account(node, params, 1)
    return hex_int(state.get_balance(address))


def get_code(node: Node, params: list[Any]) -> str:
    """Code at an address."""
    state, address = _account(node, params, 1)
    return hex_bytes(state.get_code(address))


def get_storage_at(node: Node, params: list[Any]) -> str:
    """One storage word of a contract."""
    slot = read_int(param(params, 1), "slot")
    state, address = _account(node, params, 2)
    return hex_word(state.get_storage(address, slot))


def get_transaction_count(node: Node, params: list[Any]) -> str:
    """The next nonce; with `pending`, after what waits in the pool."""
    if param(params, 1, "latest") == "pending":
        return hex_int(node.pool.next_nonce(read_address(param(params, 0))))
    state, address = _account(node, params, 1)
    return hex_int(state.get_nonce(address))


def get_proof(node: Node, params: list[Any]) -> dict[str, Any]:
    """An account and some of its storage, with proofs."""
    address = read_address(param(params, 0))
    return prove(node, existing_block(node, param(params, 2, "latest")), address, param(params, 1))


def create_access_list(node: Node, params: list[Any]) -> dict[str, Any]:
    """What a transaction would touch, as an access list."""
    transaction = calls.read_call(param(params, 0))
    block = existing_block(node, param(params, 1, "latest"))
    found, outcome = calls.find_access_list(node, transaction, block)
    shown: dict[str, Any] = {"accessList": access_list_json(found), "gasUsed": hex_int(outcome.gas_used)}
    if outcome.error is not None:
        shown["error"] = failure(outcome).message
    return shown


def call(node: Node, params: list[Any]) -> str:
    """Run a call and give what it returns."""
    transaction = calls.read_call(param(params, 0))
    outcome = calls.call(node, transaction, existing_block(node, param(params, 1, "latest")))
    if outcome.error is not None:
        raise failure(outcome)
    return hex_bytes(outcome.output)


def estimate_gas(node: Node, params: list[Any]) -> str:
    """Gas with which a transaction succeeds."""
    transaction = calls.read_call(param(params, 0))
    return hex_int(calls.estimate_gas(node, transaction, existing_block(node, param(params, 1, "latest"))))


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


def fee_history(node: Node, params: list[Any]) -> dict[str, Any]:
    """Base fees and gas of past blocks: the fees are all zero."""
    count = min(read_int(param(params, 0), "blockCount"), _MAX_FEE_HISTORY)
    newest = existing_block(node, param(params, 1, "latest")).number
    percentiles = param(params, 2, None)
    oldest = max(0, newest - count + 1)
    blocks = [block for n in range(oldest, newest + 1) if (block := node.history.at(n)) is not None]
    shown: dict[str, Any] = {
        "oldestBlock": hex_int(oldest),
        "baseFeePerGas": [hex_int(0)] * (len(blocks) + 1),
        "gasUsedRatio": [block.header.gas_used / block.header.gas_limit for block in blocks],
    }
    if isinstance(percentiles, list) and percentiles:
        shown["reward"] = [[hex_int(0)] * len(percentiles) for _ in blocks]
    return shown


def uncle_count(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """Zero: there are no uncles."""
    return hex_int(0)


def _account(node: Node, params: list[Any], block_index: int) -> tuple[NodeState, Address]:
    address = Address(read_address(param(params, 0)))
    return node.state_after(existing_block(node, param(params, block_index, "latest"))), address


def _block(block: Block | None, params: list[Any]) -> Any:
    full = read_bool(param(params, 1, False), "full transactions")
    return None if block is None else block_json(block, full)


def _count(block: Block | None) -> str | None:
    return None if block is None else hex_int(len(block.transactions))


def _transaction(block: Block | None, index: int) -> Any:
    if block is None or index >= len(block.transactions):
        return None
    return transaction_json(block.transactions[index], block, index)


METHODS: dict[str, Method] = {
    "eth_chainId": chain_id,
    "eth_blockNumber": block_number,
    "eth_gasPrice": gas_price,
    "eth_maxPriorityFeePerGas": gas_price,
    "eth_blobBaseFee": gas_price,
    "eth_syncing": syncing,
    "eth_accounts": accounts,
    "eth_getBalance": get_balance,
    "eth_getCode": get_code,
    "eth_getStorageAt": get_storage_at,
    "eth_getTransactionCount": get_transaction_count,
    "eth_getProof": get_proof,
    "eth_createAccessList": create_access_list,
    "eth_call": call,
    "eth_estimateGas": estimate_gas,
    "eth_getBlockByNumber": get_block_by_number,
    "eth_getBlockByHash": get_block_by_hash,
    "eth_getBlockTransactionCountByNumber": get_block_transaction_count_by_number,
    "eth_getBlockTransactionCountByHash": get_block_transaction_count_by_hash,
    "eth_getBlockReceipts": get_block_receipts,
    "eth_getTransactionByHash": get_transaction_by_hash,
    "eth_getTransactionByBlockNumberAndIndex": get_transaction_by_block_number_and_index,
    "eth_getTransactionByBlockHashAndIndex": get_transaction_by_block_hash_and_index,
    "eth_getTransactionReceipt": get_transaction_receipt,
    "eth_getLogs": logs,
    "eth_feeHistory": fee_history,
    "eth_getUncleCountByBlockNumber": uncle_count,
    "eth_getUncleCountByBlockHash": uncle_count,
}
