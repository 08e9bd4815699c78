"""Verifying a whole chain: nothing that is stored is believed, everything is computed again.

For each block, from the genesis on: its seal, its place in the chain, its transactions and their senders;
then the block is executed again, and state, receipts, blooms and roots must come out as they are stored.
The first record that differs is named. Three records know a block's hash (header, seal, lookup by hash), so
that where one differs the other two say which.

What this cannot find: blocks cut off the end, with every trace of them. Compare the head's hash with one
noted elsewhere, and give the authority's address, which else is read from the store.

States that were pruned are not missed: executing from the genesis makes every state again, in a scratch store
of its own. The states that are kept must be there, whole.

`python -m chain.node.verify --data DIR` works beside a running node, and reads only. Exit status: 0 if all is
as it must be, 1 if a record differs, 2 where there is no chain to read.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import lmdb
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth_typing import Hash32

from chain.node import log_index
from chain.node.accounts import Unlocked
from chain.node.authority import sealer_of
from chain.node.blocks import (
    Block,
    Receipt,
    assemble,
    decode_body,
    decode_header,
    decode_receipts,
    encode_body,
    encode_receipts,
)
from chain.node.errors import RpcError
from chain.node.execution import receipt_of, run
from chain.node.fork import BLOCK_GAS_LIMIT, NodeState, execution_context
from chain.node.formats import checksum, hex_bytes
from chain.node.hashing import keccak
from chain.node.history import number_key
from chain.node.node import genesis_root
from chain.node.reachable import StateMissing, Walk
from chain.node.reader import CheckedState, RecordDiffers, StoreReader
from chain.node.roots import ordered_root
from chain.node.rules import TABLE as RULES
from chain.node.rules import CreationNotPermitted, Rules, RulesMalformed, extra_data, in_force
from chain.node.rules import read as read_rules
from chain.node.scratch import ScratchState, scratch_state
from chain.node.store import StoreDamaged
from chain.node.transactions import Transaction, check, decode
from chain.node.world import MAX_KEPT, World
from chain.refusals import Refusal

_META: Final = {"format", "height", "clock", "chain_id", "authority", "unlocked"}
_META_MAYBE: Final = {"snapshots", "snapshot_count", "first_kept", "kept_records"}
_BLOCKHASH_DEPTH: Final = 256
_STEP_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """The first record that differs: its kind, its key in hex, and the block that it belongs to, if any."""

    block: int | None
    record: str
    key: str
    why: str

    def __str__(self) -> str:
        where = "" if self.block is None else f"block {self.block}: "
        return f"{where}{self.record} record {self.key}: {self.why}"


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, up to the fault if there is one."""

    blocks: int
    transactions: int
    state_records: int
    head: str
    authority: str
    seconds: float
    fault: Fault | None

    @property
    def ok(self) -> bool:
        """Whether every record is what it must be."""
        return self.fault is None

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {"ok": self.ok, **asdict(self), "seconds": round(self.seconds, 2)}


def _say_nothing(_: str) -> None:
    pass


def verify(
    directory: Path, authority: str | None = None, on_step: Callable[[str], None] = _say_nothing
) -> Report:
    """Verify the chain in a node's data directory.

    Parameters
    ----------
    authority :
        Whose seals the blocks must bear, an address in any case; None for whom the store names.
    on_step :
        Hears about once a second how far it is.

    Raises
    ------
    StoreMissing, StoreFormatUnknown :
        There is no chain that this version can read.
    """
    started = time.monotonic()
    fault: Fault | None = None
    try:
        store = StoreReader(directory)
    except StoreDamaged as damage:
        return Report(0, 0, 0, "", "", 0.0, Fault(None, "meta", "", str(damage)))
    try:
        work = _Verification(store, on_step)
        try:
            with work.state():
                work.run(authority)
        except RecordDiffers as differs:
            fault = Fault(differs.block, differs.record, hex_bytes(differs.key), differs.why)
        except StoreDamaged as damage:
            fault = Fault(None, "meta", "", str(damage))
        except lmdb.Error as error:
            fault = Fault(work.blocks, "store", "", str(error))
    finally:
        store.close()
    head = hex_bytes(work.hashes[0]) if work.hashes else ""
    took = time.monotonic() - started
    return Report(work.blocks, work.transactions, work.state_records, head, work.authority, took, fault)


class _Verification:
    def __init__(self, store: StoreReader, on_step: Callable[[str], None]) -> None:
        self.blocks = self.transactions = self.state_records = 0
        self.authority = ""
        self.hashes: deque[Hash32] = deque(maxlen=_BLOCKHASH_DEPTH)  # newest first
        self._store = store
        self._rules: list[Rules] = []
        self._timestamp = 0
        self._on_step = on_step
        self._said = time.monotonic()

    @contextmanager
    def state(self) -> Iterator[None]:
        """Where the blocks are executed: on the stored states, or beside them where some were pruned."""
        self._meta = self._store.meta()
        self._first_kept = int(self._meta.get("first_kept") or 0)
        with ExitStack() as open_files:
            self._state: CheckedState | ScratchState = (
                open_files.enter_context(scratch_state()) if self._first_kept else CheckedState(self._store)
            )
            self._world = World(self._state)
            yield

    def run(self, authority: str | None) -> None:
        self._read_meta(authority)
        self._read_rules()
        for number in range(self._height + 1):
            self._block(number)
            self._say(f"block {number} of {self._height}, {self.transactions} transactions")
        self._check_nothing_else()
        self._check_log_index()
        if self._first_kept:
            self._check_kept_states()
        self._check_state_hashes()

    def _say(self, step: str) -> None:
        if time.monotonic() - self._said >= _STEP_S:
            self._said = time.monotonic()
            self._on_step(step)

    def _read_meta(self, authority: str | None) -> None:
        meta = self._meta
        for name in sorted(_META - meta.keys()):
            raise RecordDiffers(None, "meta", name.encode(), "missing")
        for name in sorted(meta.keys() - _META - _META_MAYBE):
            raise RecordDiffers(None, "meta", name.encode(), "nobody writes this record")
        self._height, self._chain_id = int(meta["height"]), int(meta["chain_id"])
        self._unlocked = Unlocked(int(meta["unlocked"]))
        self.authority = str(meta["authority"])
        if authority is not None and authority.lower() != self.authority.lower():
            raise RecordDiffers(None, "meta", b"authority", f"{self.authority}, expected {authority}")

    def _read_rules(self) -> None:
        for key, record in self._store.rows(RULES):
            number = int.from_bytes(key, "big")
            if len(key) != 8 or number > self._height + 1:
                raise RecordDiffers(None, "rules", key, f"beyond the head, block {self._height}")
            try:
                sealed = read_rules(record)
            except RulesMalformed as error:
                raise RecordDiffers(number, "rules", key, f"cannot be read: {error}") from None
            if sealed.sealer is None or checksum(sealed.sealer) != self.authority:
                by = "nobody" if sealed.sealer is None else checksum(sealed.sealer)
                raise RecordDiffers(number, "rules", key, f"sealed by {by}, not by {self.authority}")
            if (sealed.rules.chain_id, sealed.rules.since) != (self._chain_id, number):
                why = f"for block {sealed.rules.since} of chain {sealed.rules.chain_id}"
                raise RecordDiffers(number, "rules", key, why)
            self._rules.append(sealed.rules)

    def _check_rules(
        self, number: int, header: CancunBlockHeader, transactions: tuple[Transaction, ...]
    ) -> None:
        rules = in_force(self._rules, number)
        if header.extra_data != extra_data(rules):
            key = number_key(0 if rules is None else rules.since)
            raise RecordDiffers(number, "rules", key, f"the header is under {hex_bytes(header.extra_data)}")
        for index, transaction in enumerate(transactions if rules is not None else ()):
            try:
                cast(Rules, rules).permit(transaction)
            except CreationNotPermitted as error:
                why = f"transaction {index}: {error}"
                raise RecordDiffers(number, "bodies", number_key(number), why) from None

    def _block(self, number: int) -> None:
        header = self._header(number)
        transactions = self._body(number, header)
        self._check_rules(number, header, transactions)
        stored = self._record("receipts", number)
        receipts = self._receipts(number, header, transactions, stored)
        again = self._execute(number, header, transactions)
        if again.header != header:
            raise RecordDiffers(number, "headers", number_key(number), _difference(header, again.header))
        if again.receipts != receipts or encode_receipts(again) != stored:
            raise RecordDiffers(number, "receipts", number_key(number), "the execution gives others")
        self._state.check_written(number, header.state_root)
        self._check_lookups(number, transactions)
        if self._world.kept > MAX_KEPT:
            self._world = World(self._state, self._world.state_root)
        self.hashes.appendleft(header.hash)
        self._timestamp = int(header.timestamp)
        self.blocks += 1
        self.transactions += len(transactions)

    def _record(self, table: str, number: int) -> bytes:
        value = self._store.get(table.encode(), number_key(number))
        if value is None:
            raise RecordDiffers(number, table, number_key(number), "missing")
        return value

    def _header(self, number: int) -> CancunBlockHeader:
        key = number_key(number)
        raw, seal = self._record("headers", number), self._record("seals", number)
        digest = keccak(raw)
        sealer = sealer_of(digest, seal)
        sealed = sealer is not None and checksum(sealer) == self.authority
        listed = self._store.get(b"numbers", digest) == key
        if not sealed and not listed:
            raise RecordDiffers(number, "headers", key, "neither the seal nor the lookup knows its hash")
        if not sealed:
            by = "nobody" if sealer is None else checksum(sealer)
            raise RecordDiffers(number, "seals", key, f"sealed by {by}, not by {self.authority}")
        if not listed:
            raise RecordDiffers(number, "numbers", digest, f"does not lead to block {number}")
        try:
            header = decode_header(raw)
        except Exception as error:  # the authority's own seal is on it  # noqa: BLE001
            raise RecordDiffers(number, "headers", key, f"no header: {error}") from None
        parent = self.hashes[0] if self.hashes else b"\x00" * 32
        if header.parent_hash != parent:
            raise RecordDiffers(number, "headers", key, f"parent {hex_bytes(header.parent_hash)}")
        if header.timestamp < self._timestamp:
            raise RecordDiffers(number, "headers", key, f"time {header.timestamp} is before its parent's")
        return header

    def _body(self, number: int, header: CancunBlockHeader) -> tuple[Transaction, ...]:
        key, raw = number_key(number), self._record("bodies", number)
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

    def _receipts(
        self, number: int, header: CancunBlockHeader, transactions: tuple[Transaction, ...], raw: bytes
    ) -> tuple[Receipt, ...]:
        key = number_key(number)
        try:
            receipts = decode_receipts(raw)
            block = assemble(number, b"", 0, b"", transactions=transactions, receipts=receipts)
        except Exception as error:  # noqa: BLE001
            raise RecordDiffers(number, "receipts", key, f"cannot be read: {error}") from None
        if block.header.receipt_root != header.receipt_root:
            raise RecordDiffers(number, "receipts", key, "their root is not the header's receipt root")
        return receipts

    def _execute(
        self, number: int, header: CancunBlockHeader, transactions: tuple[Transaction, ...]
    ) -> Block:
        timestamp = int(header.timestamp)
        if number == 0:
            root = genesis_root(self._state, self._unlocked)
            self._world = World(self._state, root)
            return assemble(
                0,
                header.parent_hash,
                timestamp,
                root,
                transactions=transactions,
                extra_data=header.extra_data,
            )
        context = execution_context(number, timestamp, self._chain_id, tuple(self.hashes))
        state = NodeState(self._world, context)
        receipts: list[Receipt] = []
        for index, transaction in enumerate(transactions):
            try:
                outcome = run(state, transaction)
            except RecordDiffers:
                raise
            except Exception as error:
                why = f"transaction {index} cannot be executed: {error}"
                raise RecordDiffers(number, "bodies", number_key(number), why) from error
            receipts.append(receipt_of(outcome, receipts[-1].cumulative_gas_used if receipts else 0))
        state.persist()
        root = state.state_root
        return assemble(
            number,
            header.parent_hash,
            timestamp,
            root,
            transactions=transactions,
            receipts=receipts,
            extra_data=header.extra_data,
        )

    def _check_lookups(self, number: int, transactions: tuple[Transaction, ...]) -> None:
        for index, transaction in enumerate(transactions):
            place = number_key(number) + index.to_bytes(4, "big")
            if self._store.get(b"transactions", transaction.hash) != place:
                why = f"does not lead to transaction {index}"
                raise RecordDiffers(number, "transactions", transaction.hash, why)

    def _check_nothing_else(self) -> None:
        for table in ("headers", "bodies", "receipts", "seals"):
            if self._store.count(table.encode()) != self.blocks:
                for key, _ in self._store.rows(table.encode()):
                    if len(key) != 8 or int.from_bytes(key, "big") > self._height:
                        raise RecordDiffers(None, table, key, f"beyond the head, block {self._height}")
        for table, count in (("numbers", self.blocks), ("transactions", self.transactions)):
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

    def _check_kept_states(self) -> None:
        """Find each record that a kept state needs; a missing one is named with the first block it is of."""
        walk = Walk(self._state_record, ())
        for number in range(self._first_kept, self._height + 1):
            walk.add(decode_header(self._record("headers", number)).state_root)
            try:
                walk.run()
            except StateMissing as missing:
                raise RecordDiffers(number, "state", missing.key, "missing") from None
            except RecordDiffers as differs:
                raise RecordDiffers(number, "state", differs.key, differs.why) from None
            self._say(f"state of block {number} of {self._height}")

    def _state_record(self, key: bytes) -> bytes | None:
        value = self._store.get(b"state", key)
        if value is not None and keccak(value) != key:
            raise RecordDiffers(None, "state", key, "its hash is not its key")
        return value

    def _check_log_index(self) -> None:
        found = log_index.difference(
            self._store, lambda number: self._record("receipts", number), self._height
        )
        if found is not None:
            raise RecordDiffers(found.block, found.table.decode(), found.key, found.why)

    def _check_state_hashes(self) -> None:
        total = self._store.count(b"state")
        for key, value in self._store.rows(b"state"):
            if keccak(value) != key:
                raise RecordDiffers(None, "state", key, "its hash is not its key")
            self.state_records += 1
            self._say(f"state record {self.state_records} of {total}")


def _difference(stored: CancunBlockHeader, again: CancunBlockHeader) -> str:
    fields = zip(stored.as_dict().items(), again.as_dict().values(), strict=True)
    names = [str(name).replace("_", " ") for (name, value), computed in fields if value != computed]
    return f"the execution gives another {', '.join(names)}"


def main(arguments: list[str] | None = None) -> int:
    """Verify from the command line; the answer is the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chain.node.verify", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="directory of the chain")
    parser.add_argument("--authority", metavar="ADDRESS", help="whose seals the blocks must bear")
    options = parser.parse_args(arguments)
    try:
        report = verify(options.data, options.authority, lambda step: _write(sys.stderr, step))
    except (Refusal, OSError, lmdb.Error) as error:
        _write(sys.stderr, f"error: {error}")
        return 2
    _write(sys.stdout, json.dumps(report.as_json()))
    if report.fault is not None:
        _write(sys.stderr, str(report.fault))
    return 0 if report.ok else 1


def _write(stream: Any, text: str) -> None:
    """Write one line, at once."""
    stream.write(text + "\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
