"""The chain of blocks: head, lookups by number, hash and transaction, appending and going back.

Blocks are decoded once and kept in a small cache, as whoever sends a transaction reads its receipt next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth.constants import BLANK_ROOT_HASH
from eth_typing import Hash32

from chain.node import codec
from chain.node.authority import Authority
from chain.node.blocks import (
    Block,
    assemble,
    decode_body,
    decode_header,
    decode_receipts,
    encode_body,
    encode_header,
    encode_receipts,
)
from chain.node.hashing import keccak
from chain.node.log_index import LogIndex
from chain.node.rules import TABLE as RULES
from chain.node.rules import Rules, extra_data, in_force, stored_rules
from chain.node.store import Store

_CACHED_TRANSACTIONS = 8_000
_CACHED_BLOCKS = 4_096
_BLOCKHASH_DEPTH = 256
# Where they are in a header's list.
STATE_ROOT, _TIMESTAMP = 3, 11


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction is: its block's number and its index in it."""

    block: int
    index: int


class History:
    """Blocks on disk; the head is the only thing that moves."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: dict[int, Block] = {}
        self._cached_transactions = 0
        height = store.meta("height")
        self.is_new = height is None
        self._rules: list[Rules] = stored_rules(store)
        if height is not None:
            self.head = self._load(height)
        with store.view() as view:
            self._log_index = LogIndex(view, self._receipts_record)
        for rows in self._log_index.catch_up(-1 if height is None else height):
            store.commit(rows, {})

    def begin(
        self,
        timestamp_utc: int,
        meta: dict[str, Any],
        authority: Authority,
        state_root: bytes = BLANK_ROOT_HASH,
        rules: Rules | None = None,
    ) -> None:
        """Write the genesis block, and the rules that it is made by."""
        genesis = assemble(0, b"\x00" * 32, timestamp_utc, state_root, extra_data=extra_data(rules))
        self.append(genesis, meta, authority, rules)
        self.is_new = False

    def rules_at(self, number: int) -> Rules | None:
        """The rules that block `number` is, or would be, made by; None where there are none."""
        return in_force(self._rules, number)

    def set_rules(self, rules: Rules, authority: Authority) -> None:
        """Let other rules hold from the next block on."""
        assert rules.since == self.head.number + 1
        self._store.commit({RULES: {number_key(rules.since): rules.record(authority)}}, {})
        self._rules = stored_rules(self._store)

    def append(
        self, block: Block, meta: dict[str, Any], authority: Authority, rules: Rules | None = None
    ) -> None:
        """Make `block` the head, sealed and durably, with the state that waits in the store."""
        key = number_key(block.number)
        receipts, logs = encode_receipts(block), sum(len(receipt.logs) for receipt in block.receipts)
        index_rows = self._log_index.rows(block.number, receipts, logs)
        self._store.commit(
            {
                b"headers": {key: encode_header(block)},
                b"bodies": {key: encode_body(block)},
                b"receipts": {key: receipts},
                b"seals": {key: authority.seal(block.hash)},
                b"numbers": {block.hash: key},
                b"transactions": {
                    transaction.hash: key + index.to_bytes(4, "big")
                    for index, transaction in enumerate(block.transactions)
                },
                RULES: {} if rules is None else {key: rules.record(authority)},
                **index_rows,
            },
            {**meta, "height": block.number},
        )
        self._log_index.wrote(block.number, index_rows, logs)
        if rules is not None:
            self._rules = [rules]
        self.head = block
        self._remember(block)

    def rewind(self, number: int, meta: dict[str, Any]) -> None:
        """Make block `number` the head again; the blocks above it are gone, also from every lookup."""
        above = [self._load(n) for n in range(number + 1, self.head.number + 1)]
        keys = [number_key(block.number) for block in above]
        with self._store.view() as view:
            index_removals = self._log_index.removals(view, number)
        self._store.rewind(
            {
                b"headers": keys,
                b"bodies": keys,
                b"receipts": keys,
                b"seals": keys,
                b"numbers": [block.hash for block in above],
                b"transactions": [t.hash for block in above for t in block.transactions],
                RULES: [number_key(each.since) for each in self._rules if each.since > number + 1],
                **index_removals,
            },
            {**meta, "height": number},
        )
        with self._store.view() as view:
            self._log_index.rewound(view, number)
        self._rules = stored_rules(self._store)
        for block in above:
            self._forget(block.number)
        self.head = self._load(number)

    def at(self, number: int) -> Block | None:
        """The block of this number."""
        return self._load(number) if 0 <= number <= self.head.number else None

    def by_hash(self, block_hash: bytes) -> Block | None:
        """The block with this hash."""
        key = self._store.get(b"numbers", block_hash)
        return None if key is None else self._load(int.from_bytes(key, "big"))

    def summary(self, number: int) -> tuple[int, bytes, int]:
        """A block's number, hash and time, without reading the rest of it."""
        block = self._cache.get(number)
        if block is not None:
            return number, block.hash, int(block.header.timestamp)
        header = self._store.get(b"headers", number_key(number))
        assert header is not None
        return number, keccak(header), int.from_bytes(codec.decode(header)[_TIMESTAMP], "big")

    def transaction_hashes(self, number: int) -> Callable[[int], bytes]:
        """What gives the hashes of a block's transactions by their index, without reading the rest of it."""
        block = self._cache.get(number)
        if block is not None:
            transactions = block.transactions
            return lambda index: transactions[index].hash
        body = self._store.get(b"bodies", number_key(number))
        assert body is not None
        rows = codec.decode(body)
        return cache(lambda index: keccak(rows[index][0]))

    def seal_of(self, block: Block) -> bytes:
        """The authority's signature of the block's hash."""
        seal = self._store.get(b"seals", number_key(block.number))
        assert seal is not None
        return seal

    def find(self, transaction_hash: bytes) -> Place | None:
        """Where this transaction was mined."""
        place = self._store.get(b"transactions", transaction_hash)
        if place is None:
            return None
        return Place(int.from_bytes(place[:8], "big"), int.from_bytes(place[8:], "big"))

    def hashes_before(self, number: int) -> Iterator[Hash32]:
        """Hashes of the blocks below `number`, newest first, as BLOCKHASH reads them."""
        for n in range(number - 1, max(-1, number - 1 - _BLOCKHASH_DEPTH), -1):
            yield Hash32(self._load(n).hash)

    @property
    def logs_indexed(self) -> int:
        """The last block whose logs are in the index; those of later ones are looked for block by block."""
        return self._log_index.indexed

    def state_roots(self, first: int, last: int) -> Iterator[bytes]:
        """The state roots of some blocks, without reading the rest of them."""
        for number in range(first, last + 1):
            header = self._store.get(b"headers", number_key(number))
            assert header is not None
            yield codec.decode(header)[STATE_ROOT]

    def _receipts_record(self, number: int) -> bytes:
        record = self._store.get(b"receipts", number_key(number))
        assert record is not None
        return record

    def _load(self, number: int) -> Block:
        block = self._cache.get(number)
        if block is None:
            key = number_key(number)
            header = self._store.get(b"headers", key)
            body = self._store.get(b"bodies", key)
            receipts = self._store.get(b"receipts", key)
            assert header is not None
            assert body is not None
            assert receipts is not None
            block = Block(decode_header(header), decode_body(body), decode_receipts(receipts))
            self._remember(block)
        return block

    def _remember(self, block: Block) -> None:
        self._cache[block.number] = block
        self._cached_transactions += len(block.transactions)
        while self._cached_transactions > _CACHED_TRANSACTIONS or len(self._cache) > _CACHED_BLOCKS:
            self._forget(next(iter(self._cache)))

    def _forget(self, number: int) -> None:
        block = self._cache.pop(number, None)
        if block is not None:
            self._cached_transactions -= len(block.transactions)


def number_key(number: int) -> bytes:
    """The key of a block's records: its number, so that they lie in order."""
    return number.to_bytes(8, "big")
