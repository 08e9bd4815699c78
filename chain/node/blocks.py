"""Blocks, receipts and logs, and how they are written to disk.

A header is a Cancun header (EIP-4844 and EIP-4788 fields at zero), so a block's hash is the one that any
Ethereum tool computes. Timestamps may repeat, see `clock`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth.constants import BLANK_ROOT_HASH, EMPTY_UNCLE_HASH
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth_typing import BlockNumber, Hash32

from chain.node.codec import decode, decode_as, encode
from chain.node.fork import BLOCK_GAS_LIMIT, COINBASE, PREVRANDAO
from chain.node.hashing import keccak
from chain.node.log_index import list_span
from chain.node.roots import bloom_of, ordered_root
from chain.node.transactions import Transaction, restore

_BLOOM = 6  # where it is in a header


@dataclass(frozen=True, slots=True)
class Log:
    """What a contract said: its address, up to four 32-byte topics, data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction. `status` is 1, or 0 where it reverted; gas in units of gas."""

    status: int
    gas_used: int
    cumulative_gas_used: int
    logs: tuple[Log, ...]
    created: bytes | None
    bloom: int


@dataclass(frozen=True, slots=True)
class Block:
    """A header with the transactions and receipts that it commits to."""

    header: CancunBlockHeader
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]

    @property
    def number(self) -> int:
        """Height; the genesis is 0."""
        return int(self.header.block_number)

    @property
    def hash(self) -> bytes:
        """Keccak-256 of the header."""
        return self.header.hash


def logs_bloom(logs: Sequence[Log]) -> int:
    """The bloom of a receipt's logs."""
    return bloom_of(item for log in logs for item in (log.address, *log.topics))


def assemble(
    number: int,
    parent_hash: bytes,
    timestamp_utc: int,
    state_root: bytes,
    *,
    transactions: Sequence[Transaction] = (),
    receipts: Sequence[Receipt] = (),
    extra_data: bytes = b"",
) -> Block:
    """The block that holds these transactions with these results; `extra_data` names its rules."""
    bloom = 0
    for receipt in receipts:
        bloom |= receipt.bloom
    header = CancunBlockHeader(
        difficulty=0,
        block_number=BlockNumber(number),
        gas_limit=BLOCK_GAS_LIMIT,
        timestamp=timestamp_utc,
        coinbase=COINBASE,
        parent_hash=Hash32(parent_hash),
        uncles_hash=EMPTY_UNCLE_HASH,
        state_root=Hash32(state_root),
        transaction_root=Hash32(ordered_root([transaction.raw for transaction in transactions])),
        receipt_root=Hash32(
            ordered_root([_consensus_receipt(t, r) for t, r in zip(transactions, receipts, strict=True)])
        ),
        bloom=bloom,
        gas_used=receipts[-1].cumulative_gas_used if receipts else 0,
        extra_data=extra_data,
        mix_hash=PREVRANDAO,
        nonce=b"\x00" * 8,
        base_fee_per_gas=0,
        withdrawals_root=BLANK_ROOT_HASH,
        blob_gas_used=0,
        excess_blob_gas=0,
        parent_beacon_block_root=Hash32(b"\x00" * 32),
    )
    header._hash = Hash32(keccak(_header_bytes(header)))  # py-evm's own way takes ten times as long
    return Block(header, tuple(transactions), tuple(receipts))


def _log_fields(log: Log) -> list[Any]:
    return [log.address, list(log.topics), log.data]


def _consensus_receipt(transaction: Transaction, receipt: Receipt) -> bytes:
    encoded = encode(
        [
            receipt.status,
            receipt.cumulative_gas_used,
            receipt.bloom.to_bytes(256, "big"),
            [_log_fields(log) for log in receipt.logs],
        ]
    )
    return encoded if transaction.type_id == 0 else bytes((transaction.type_id,)) + encoded


def encode_header(block: Block) -> bytes:
    """The header's RLP, written once: its hash is taken of the same bytes."""
    return _header_bytes(block.header)


def _header_bytes(header: CancunBlockHeader) -> bytes:
    # Every field is bytes or a number without leading zeros, but for the bloom, whose length is fixed.
    fields = list(header)
    fields[_BLOOM] = fields[_BLOOM].to_bytes(256, "big")
    return encode(fields)


def decode_header(data: bytes) -> CancunBlockHeader:
    """The header again."""
    header: CancunBlockHeader = decode_as(data, CancunBlockHeader)
    return header


def encode_body(block: Block) -> bytes:
    """Raw transactions with their senders, so that reading them recovers no signature."""
    return encode([[transaction.raw, transaction.sender] for transaction in block.transactions])


def decode_body(data: bytes) -> tuple[Transaction, ...]:
    """The transactions again."""
    return tuple(restore(raw, sender) for raw, sender in decode(data))


def encode_receipts(block: Block) -> bytes:
    """The receipts without what can be computed: cumulative gas and blooms."""
    return encode(
        [
            [receipt.status, receipt.gas_used, receipt.created or b"", [_log_fields(x) for x in receipt.logs]]
            for receipt in block.receipts
        ]
    )


def decode_receipts(data: bytes) -> tuple[Receipt, ...]:
    """The receipts again."""
    receipts: list[Receipt] = []
    cumulative = 0
    for status, gas_used, created, rows in decode(data):
        gas = int.from_bytes(gas_used, "big")
        cumulative += gas
        logs = tuple(Log(address, tuple(topics), body) for address, topics, body in rows)
        receipts.append(Receipt(len(status), gas, cumulative, logs, created or None, logs_bloom(logs)))
    return tuple(receipts)


def read_log(record: bytes | memoryview, offset: int) -> Log:
    """One log of a receipts record, from where it begins."""
    _, end = list_span(record, offset)
    address, topics, body = decode(bytes(record[offset:end]))
    return Log(address, tuple(topics), body)
