"""Each stored record held against what it says of itself and others say of it, without executing anything.

What differs is raised as RecordDiffers, with the block that it belongs to. `verify` goes through all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth.vm.forks.cancun.blocks import CancunBlockHeader

from chain.node import log_index
from chain.node.authority import sealer_of
from chain.node.blocks import (
    Block,
    Receipt,
    assemble,
    decode_body,
    decode_header,
    decode_receipts,
    encode_body,
)
from chain.node.errors import RpcError
from chain.node.fork import BLOCK_GAS_LIMIT
from chain.node.formats import checksum, hex_bytes
from chain.node.hashing import keccak
from chain.node.history import number_key
from chain.node.reachable import StateMissing, Walk
from chain.node.reader import RecordDiffers, StoreReader
from chain.node.roots import ordered_root
from chain.node.rules import TABLE as RULES
from chain.node.rules import CreationNotPermitted, Rules, RulesMalformed, extra_data, in_force
from chain.node.rules import read as read_rules
from chain.node.transactions import Transaction, check, decode

_META = {"format", "height", "clock", "chain_id", "authority", "unlocked"}
_META_MAYBE = {"snapshots", "snapshot_count", "first_kept", "kept_records"}


def check_meta_names(meta: dict[str, Any]) -> None:
    """Nothing is missing among the small records, and nothing else is there."""
    for name in sorted(_META - meta.keys()):
        raise RecordDiffers(None, "meta", name.encode(), "missing")
    for name in sorted(meta.keys() - _META - _META_MAYBE):
        raise RecordDiffers(None, "meta", name.encode(), "nobody writes this record")


class Records:
    """The records of one chain: its id, whose seals they must bear, and the number of its head."""

    def __init__(self, store: StoreReader, chain_id: int, authority: str, height: int) -> None:
        self._store = store
        self._chain_id = chain_id
        self._authority = authority
        self._height = height
        self._rules: list[Rules] = []

    def read_rules(self) -> None:
        """Every rule record: its seal, its place."""
        for key, record in self._store.rows(RULES):
            number = int.from_bytes(key, "big")
            if len(key) != 8 or number > self._height + 1:
                raise RecordDiffers(None, "rules", key, f"beyond the head, block {self._height}")
            try:
                sealed = read_rules(record)
            except RulesMalformed as error:
                raise RecordDiffers(number, "rules", key, f"cannot be read: {error}") from None
            if sealed.sealer is None or checksum(sealed.sealer) != self._authority:
                by = "nobody" if sealed.sealer is None else checksum(sealed.sealer)
                raise RecordDiffers(number, "rules", key, f"sealed by {by}, not by {self._authority}")
            if (sealed.rules.chain_id, sealed.rules.since) != (self._chain_id, number):
                why = f"for block {sealed.rules.since} of chain {sealed.rules.chain_id}"
                raise RecordDiffers(number, "rules", key, why)
            self._rules.append(sealed.rules)

    def check_rules(
        self, number: int, header: CancunBlockHeader, transactions: tuple[Transaction, ...]
    ) -> None:
        """The block names the rules that were in force, and its creations are permitted by them."""
        rules = in_force(self._rules, number)
        if header.extra_data != extra_data(rules):
            key = number_key(0 if rules is None else rules.since)
            raise RecordDiffers(number, "rules", key, f"the header is under {hex_bytes(header.extra_data)}")
        if rules is None:
            return
        for index, transaction in enumerate(transactions):
            try:
                rules.permit(transaction)
            except CreationNotPermitted as error:
                why = f"transaction {index}: {error}"
                raise RecordDiffers(number, "bodies", number_key(number), why) from None

    def record(self, table: str, number: int) -> bytes:
        """A block's record in one of the tables by number."""
        value = self._store.get(table.encode(), number_key(number))
        if value is None:
            raise RecordDiffers(number, table, number_key(number), "missing")
        return value

    def header(self, number: int, parent_hash: bytes, parent_utc: int) -> CancunBlockHeader:
        """A block's header: three records know its hash, so that where one differs two say which."""
        key = number_key(number)
        raw, seal = self.record("headers", number), self.record("seals", number)
        digest = keccak(raw)
        sealer = sealer_of(digest, seal)
        sealed = sealer is not None and checksum(sealer) == self._authority
        listed = self._store.get(b"numbers", digest) == key
        if not sealed and not listed:
            raise RecordDiffers(number, "headers", key, "neither the seal nor the lookup knows its hash")
        if not sealed:
            by = "nobody" if sealer is None else checksum(sealer)
            raise RecordDiffers(number, "seals", key, f"sealed by {by}, not by {self._authority}")
        if not listed:
            raise RecordDiffers(number, "numbers", digest, f"does not lead to block {number}")
        try:
            header = decode_header(raw)
        except Exception as error:  # the authority's own seal is on it  # noqa: BLE001
            raise RecordDiffers(number, "headers", key, f"no header: {error}") from None
        if header.parent_hash != parent_hash:
            raise RecordDiffers(number, "headers", key, f"parent {hex_bytes(header.parent_hash)}")
        if header.timestamp < parent_utc:
            raise RecordDiffers(number, "headers", key, f"time {header.timestamp} is before its parent's")
        return header

    def body(self, number: int, header: CancunBlockHeader) -> tuple[Transaction, ...]:
        """A block's transactions: their root, their signatures, their senders."""
        key, raw = number_key(number), self.record("bodies", number)
        try:
            transactions = decode_body(raw)
            root = ordered_root([transaction.raw for transaction in transactions])
        except Exception as error:  # whatever a changed byte does to a decoder  # noqa: BLE001
            raise RecordDiffers(number, "bodies", key, f"cannot be read: {error}") from None
        if root != header.transaction_root or encode_body(Block(header, transactions, ())) != raw:
            raise RecordDiffers(number, "bodies", key, "its root is not the header's transaction root")
        for index, transaction in enumerate(transactions):
            try:
                signed = decode(transaction.raw, self._chain_id)
                check(signed, BLOCK_GAS_LIMIT)
            except RpcError as error:
                raise RecordDiffers(number, "bodies", key, f"transaction {index}: {error}") from None
            if signed.sender != transaction.sender:
                why = f"transaction {index} is signed by {checksum(signed.sender)}"
                raise RecordDiffers(number, "bodies", key, why)
        return transactions

    def receipts(
        self, number: int, header: CancunBlockHeader, transactions: tuple[Transaction, ...]
    ) -> tuple[Receipt, ...]:
        """A block's receipts: their root."""
        key, raw = number_key(number), self.record("receipts", number)
        try:
            receipts = decode_receipts(raw)
            block = assemble(number, b"", 0, b"", transactions=transactions, receipts=receipts)
        except Exception as error:  # noqa: BLE001
            raise RecordDiffers(number, "receipts", key, f"cannot be read: {error}") from None
        if block.header.receipt_root != header.receipt_root:
            raise RecordDiffers(number, "receipts", key, "their root is not the header's receipt root")
        return receipts

    def check_lookups(self, number: int, transactions: tuple[Transaction, ...]) -> None:
        """Each transaction's hash leads to it."""
        for index, transaction in enumerate(transactions):
            place = number_key(number) + index.to_bytes(4, "big")
            if self._store.get(b"transactions", transaction.hash) != place:
                why = f"does not lead to transaction {index}"
                raise RecordDiffers(number, "transactions", transaction.hash, why)

    def check_nothing_else(self, blocks: int, transactions: int) -> None:
        """There are no records beside those of the blocks up to the head."""
        for table in ("headers", "bodies", "receipts", "seals"):
            if self._store.count(table.encode()) != blocks:
                for key, _ in self._store.rows(table.encode()):
                    if len(key) != 8 or int.from_bytes(key, "big") > self._height:
                        raise RecordDiffers(None, table, key, f"beyond the head, block {self._height}")
        for table, count in (("numbers", blocks), ("transactions", transactions)):
            if self._store.count(table.encode()) != count:
                for key, place in self._store.rows(table.encode()):
                    if not self._leads_back(table, key, place):
                        raise RecordDiffers(None, table, key, "leads to nothing")

    def _leads_back(self, table: str, key: bytes, place: bytes) -> bool:
        if table == "numbers":
            return keccak(self._store.get(b"headers", place) or b"") == key
        body = self._store.get(b"bodies", place[:8])
        index = int.from_bytes(place[8:], "big")
        hashes = [] if body is None else [transaction.hash for transaction in decode_body(body)]
        return index < len(hashes) and hashes[index] == key

    def check_kept_states(self, first: int, say: Callable[[str], None]) -> None:
        """Find each record that a kept state needs; a missing one is named with the first block it is of."""
        walk = Walk(self._state_record, ())
        for number in range(first, self._height + 1):
            walk.add(decode_header(self.record("headers", number)).state_root)
            try:
                walk.run()
            except StateMissing as missing:
                raise RecordDiffers(number, "state", missing.key, "missing") from None
            except RecordDiffers as differs:
                raise RecordDiffers(number, "state", differs.key, differs.why) from None
            say(f"state of block {number} of {self._height}")

    def _state_record(self, key: bytes) -> bytes | None:
        value = self._store.get(b"state", key)
        if value is not None and keccak(value) != key:
            raise RecordDiffers(None, "state", key, "its hash is not its key")
        return value

    def check_log_index(self) -> None:
        """The index of logs says what the receipts say."""
        found = log_index.difference(
            self._store, lambda number: self.record("receipts", number), self._height
        )
        if found is not None:
            raise RecordDiffers(found.block, found.table.decode(), found.key, found.why)

    def check_state_hashes(self, say: Callable[[str], None]) -> int:
        """Each record of the state table has its hash as its key; how many there are."""
        total, done = self._store.count(b"state"), 0
        for key, value in self._store.rows(b"state"):
            if keccak(value) != key:
                raise RecordDiffers(None, "state", key, "its hash is not its key")
            done += 1
            say(f"state record {done} of {total}")
        return done
