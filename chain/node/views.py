"""Blocks, transactions, receipts and logs as JSON-RPC shows them."""

from __future__ import annotations

from typing import Any

from chain.node.blocks import Block, Log, Receipt
from chain.node.formats import checksum, hex_bytes, hex_int, hex_word
from chain.node.raw import block_size
from chain.node.transactions import ACCESS_LIST, LEGACY, AccessList, Transaction

_EMPTY_NONCE = "0x0000000000000000"


def block_json(block: Block, full: bool) -> dict[str, Any]:
    """A block, with whole transactions or only their hashes."""
    header = block.header
    if full:
        transactions: list[Any] = [
            transaction_json(transaction, block, index)
            for index, transaction in enumerate(block.transactions)
        ]
    else:
        transactions = [hex_bytes(transaction.hash) for transaction in block.transactions]
    return {
        "number": hex_int(block.number),
        "hash": hex_bytes(block.hash),
        "parentHash": hex_bytes(header.parent_hash),
        "nonce": _EMPTY_NONCE,
        "mixHash": hex_bytes(header.mix_hash),
        "sha3Uncles": hex_bytes(header.uncles_hash),
        "logsBloom": f"0x{header.bloom:0512x}",
        "transactionsRoot": hex_bytes(header.transaction_root),
        "stateRoot": hex_bytes(header.state_root),
        "receiptsRoot": hex_bytes(header.receipt_root),
        "miner": checksum(header.coinbase),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": hex_bytes(header.extra_data),
        "size": hex_int(block_size(block)),
        "gasLimit": hex_int(header.gas_limit),
        "gasUsed": hex_int(header.gas_used),
        "timestamp": hex_int(header.timestamp),
        "baseFeePerGas": hex_int(int(header.base_fee_per_gas or 0)),
        "withdrawalsRoot": hex_bytes(header.withdrawals_root or b""),
        "blobGasUsed": hex_int(header.blob_gas_used),
        "excessBlobGas": hex_int(header.excess_blob_gas),
        "parentBeaconBlockRoot": hex_bytes(header.parent_beacon_block_root or b""),
        "transactions": transactions,
        "uncles": [],
        "withdrawals": [],
    }


def transaction_json(transaction: Transaction, block: Block | None, index: int) -> dict[str, Any]:
    """A transaction; without a block it is still waiting."""
    return {
        "hash": hex_bytes(transaction.hash),
        "from": checksum(transaction.sender),
        "blockHash": None if block is None else hex_bytes(block.hash),
        "blockNumber": None if block is None else hex_int(block.number),
        "blockTimestamp": None if block is None else hex_int(block.header.timestamp),
        "transactionIndex": None if block is None else hex_int(index),
        **signed_json(transaction),
    }


def signed_json(transaction: Transaction) -> dict[str, Any]:
    """What a transaction says by itself."""
    shown: dict[str, Any] = {
        "type": hex_int(transaction.type_id),
        "chainId": None if transaction.chain_id is None else hex_int(transaction.chain_id),
        "nonce": hex_int(transaction.nonce),
        "to": checksum(transaction.to) if transaction.to else None,
        "value": hex_int(transaction.value),
        "gas": hex_int(transaction.gas),
        "gasPrice": hex_int(transaction.gas_price),
        "input": hex_bytes(transaction.data),
        "v": hex_int(transaction.v),
        "r": hex_int(transaction.r),
        "s": hex_int(transaction.s),
    }
    if transaction.type_id == LEGACY:
        return shown
    shown["yParity"] = shown["v"]
    shown["accessList"] = access_list_json(transaction.access_list)
    if transaction.type_id != ACCESS_LIST:
        shown["maxFeePerGas"] = hex_int(transaction.max_fee_per_gas)
        shown["maxPriorityFeePerGas"] = hex_int(transaction.max_priority_fee_per_gas)
    return shown


def access_list_json(entries: AccessList) -> list[dict[str, Any]]:
    """Addresses with the storage slots that are read or written there."""
    return [
        {"address": checksum(address), "storageKeys": [hex_word(slot) for slot in slots]}
        for address, slots in entries
    ]


def receipt_json(block: Block, index: int) -> dict[str, Any]:
    """The receipt of the block's transaction at `index`."""
    transaction, receipt = block.transactions[index], block.receipts[index]
    first_log = sum(len(earlier.logs) for earlier in block.receipts[:index])
    return _receipt_json(block, index, transaction, receipt, first_log)


def receipts_json(block: Block) -> list[dict[str, Any]]:
    """All receipts of a block."""
    shown: list[dict[str, Any]] = []
    first_log = 0
    for index, (transaction, receipt) in enumerate(zip(block.transactions, block.receipts, strict=True)):
        shown.append(_receipt_json(block, index, transaction, receipt, first_log))
        first_log += len(receipt.logs)
    return shown


def _receipt_json(
    block: Block, index: int, transaction: Transaction, receipt: Receipt, first_log: int
) -> dict[str, Any]:
    return {
        "transactionHash": hex_bytes(transaction.hash),
        "transactionIndex": hex_int(index),
        "blockHash": hex_bytes(block.hash),
        "blockNumber": hex_int(block.number),
        "from": checksum(transaction.sender),
        "to": checksum(transaction.to) if transaction.to else None,
        "cumulativeGasUsed": hex_int(receipt.cumulative_gas_used),
        "gasUsed": hex_int(receipt.gas_used),
        "contractAddress": None if receipt.created is None else checksum(receipt.created),
        "logs": [
            log_json(log, block, transaction, index, first_log + at) for at, log in enumerate(receipt.logs)
        ],
        "logsBloom": f"0x{receipt.bloom:0512x}",
        "status": hex_int(receipt.status),
        "type": hex_int(transaction.type_id),
        "effectiveGasPrice": hex_int(transaction.gas_price),
    }


def log_json(
    log: Log, block: Block, transaction: Transaction, transaction_index: int, log_index: int
) -> dict[str, Any]:
    """A log with its place in the chain; `log_index` counts within the block."""
    place = block.number, block.hash, int(block.header.timestamp)
    return placed_log_json(log, place, transaction.hash, transaction_index, log_index)


def placed_log_json(
    log: Log, block: tuple[int, bytes, int], transaction: bytes, transaction_index: int, log_index: int
) -> dict[str, Any]:
    """The same of a block's number, hash and time, and the transaction's hash."""
    number, block_hash, timestamp_utc = block
    return {
        "address": checksum(log.address),
        "topics": [hex_bytes(topic) for topic in log.topics],
        "data": hex_bytes(log.data),
        "blockNumber": hex_int(number),
        "blockHash": hex_bytes(block_hash),
        "blockTimestamp": hex_int(timestamp_utc),
        "transactionHash": hex_bytes(transaction),
        "transactionIndex": hex_int(transaction_index),
        "logIndex": hex_int(log_index),
        "removed": False,
    }
