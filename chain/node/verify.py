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
from typing import Any, Final

import lmdb
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth_typing import Hash32

from chain.node.accounts import Unlocked
from chain.node.blocks import (
    Block,
    Receipt,
    assemble,
    encode_receipts,
)
from chain.node.execution import receipt_of, run
from chain.node.fork import NodeState, execution_context
from chain.node.formats import hex_bytes
from chain.node.history import number_key
from chain.node.node import genesis_root
from chain.node.reader import CheckedState, RecordDiffers, StoreReader
from chain.node.records import Records, check_meta_names
from chain.node.scratch import ScratchState, scratch_state
from chain.node.store import StoreDamaged
from chain.node.transactions import Transaction
from chain.node.world import MAX_KEPT, World
from chain.refusals import Refusal

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
        records = Records(self._store, self._chain_id, self.authority, self._height)
        records.read_rules()
        for number in range(self._height + 1):
            self._block(records, number)
            self._say(f"block {number} of {self._height}, {self.transactions} transactions")
        records.check_nothing_else(self.blocks, self.transactions)
        records.check_log_index()
        if self._first_kept:
            records.check_kept_states(self._first_kept, self._say)
        self.state_records = records.check_state_hashes(self._say)

    def _say(self, step: str) -> None:
        if time.monotonic() - self._said >= _STEP_S:
            self._said = time.monotonic()
            self._on_step(step)

    def _read_meta(self, authority: str | None) -> None:
        meta = self._meta
        check_meta_names(meta)
        self._height, self._chain_id = int(meta["height"]), int(meta["chain_id"])
        self._unlocked = Unlocked(int(meta["unlocked"]))
        self.authority = str(meta["authority"])
        if authority is not None and authority.lower() != self.authority.lower():
            raise RecordDiffers(None, "meta", b"authority", f"{self.authority}, expected {authority}")

    def _block(self, records: Records, number: int) -> None:
        parent_hash = self.hashes[0] if self.hashes else Hash32(b"\x00" * 32)
        header = records.header(number, parent_hash, self._timestamp)
        transactions = records.body(number, header)
        records.check_rules(number, header, transactions)
        stored = records.record("receipts", number)
        receipts = records.receipts(number, header, transactions)
        again = self._execute(number, header, transactions)
        if again.header != header:
            raise RecordDiffers(number, "headers", number_key(number), _difference(header, again.header))
        if again.receipts != receipts or encode_receipts(again) != stored:
            raise RecordDiffers(number, "receipts", number_key(number), "the execution gives others")
        self._state.check_written(number, header.state_root)
        records.check_lookups(number, transactions)
        if self._world.kept > MAX_KEPT:
            self._world = World(self._state, self._world.state_root)
        self.hashes.appendleft(header.hash)
        self._timestamp = int(header.timestamp)
        self.blocks += 1
        self.transactions += len(transactions)

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
