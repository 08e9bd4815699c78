"""Consensus encodings: headers, blocks, transactions and receipts as the rest of Ethereum writes them."""

from __future__ import annotations

from typing import Any

from chain.node.blocks import Block, encode_header
from chain.node.blocks import _consensus_receipt as consensus_receipt
from chain.node.codec import decode, encode
from chain.node.transactions import ACCESS_LIST, LEGACY, Transaction

_Withdrawals = list[list[Any]]


def raw_block(block: Block, withdrawals: _Withdrawals | None = None) -> bytes:
    """RLP of header, transactions, uncles and withdrawals; uncles there never are."""
    transactions: list[Any] = [decode(t.raw) if t.type_id == LEGACY else t.raw for t in block.transactions]
    return encode([decode(encode_header(block)), transactions, [], withdrawals or []])


def block_size(block: Block, withdrawals: _Withdrawals | None = None) -> int:
    """The length of `raw_block` in bytes, without building it."""
    body = sum(len(t.raw) if t.type_id == LEGACY else _string_size(t.raw) for t in block.transactions)
    tail = len(encode(withdrawals or []))
    return _list_size(len(encode_header(block)) + _list_size(body) + 1 + tail)


def raw_receipts(block: Block) -> list[bytes]:
    """The receipts with their type before them (EIP-2718)."""
    return [consensus_receipt(t, r) for t, r in zip(block.transactions, block.receipts, strict=True)]


def unsigned_raw(transaction: Transaction) -> bytes:
    """A transaction that nobody has signed, with zeros for a signature: a simulation takes its hash of it."""
    tail = [transaction.gas, transaction.to, transaction.value, transaction.data]
    if transaction.type_id == LEGACY:
        return encode([transaction.nonce, transaction.max_fee_per_gas, *tail, 0, 0, 0])
    fees = [transaction.max_fee_per_gas]
    if transaction.type_id != ACCESS_LIST:
        fees.insert(0, transaction.max_priority_fee_per_gas)
    slots = [
        [address, [slot.to_bytes(32, "big") for slot in keys]] for address, keys in transaction.access_list
    ]
    fields = [transaction.chain_id or 0, transaction.nonce, *fees, *tail, slots, 0, 0, 0]
    return bytes((transaction.type_id,)) + encode(fields)


def _string_size(data: bytes) -> int:
    return _list_size(len(data)) if len(data) != 1 or data[0] >= 0x80 else 1


def _list_size(length: int) -> int:
    return length + (1 if length < 56 else 1 + (length.bit_length() + 7) // 8)
