"""Writing a chain's store anew, without the old states: the file then has no free room, and gives it back.

The new file is written beside the old one, flushed, and takes its name in one step. So whatever happens, the
directory holds one whole store, the old or the new; what a broken run leaves is removed at the next start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import lmdb

from chain.node import codec
from chain.node.history import STATE_ROOT, number_key
from chain.node.reachable import Walk
from chain.node.reader import StoreMissing, StoreReader
from chain.node.store import COMPACTED, TABLES, lock, pack_meta, remove_leftovers

_ROWS_A_WRITE: Final = 20_000
_MAP_BYTES_MIN: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Compaction:
    """The file's size before and after, and the first block whose state can still be read."""

    before_bytes: int
    after_bytes: int
    first_kept: int

    def as_json(self) -> dict[str, int]:
        """The same for machines."""
        return {
            "before_bytes": self.before_bytes,
            "after_bytes": self.after_bytes,
            "first_kept": self.first_kept,
        }


def _say_nothing(_: str) -> None:
    pass


def compact(
    directory: Path, keep_states: int | None, on_step: Callable[[str], None] = _say_nothing
) -> Compaction:
    """Write the store in `directory` anew with the states of the last `keep_states` blocks, None for all.

    Blocks, receipts, logs, seals and rules stay, and so do the states of snapshots.

    Raises
    ------
    StoreInUse :
        A node serves this directory.
    StoreMissing, StoreFormatUnknown, StoreDamaged :
        There is no chain that this version can read.
    StateMissing :
        A state that is to be kept is not whole.
    """
    if keep_states is not None and keep_states < 1:
        raise ValueError(f"{keep_states} states to keep, at least 1")
    environment = directory / "chain.lmdb"
    current, new = environment / "data.mdb", environment / COMPACTED
    if not current.exists():
        raise StoreMissing(directory=str(directory))
    with lock(directory / "node.lock"):  # before anything is read: no node writes meanwhile
        remove_leftovers(environment)
        with closing(StoreReader(directory)) as store:
            first_kept = _write(store, new, keep_states, on_step)
        before_bytes, after_bytes = current.stat().st_size, new.stat().st_size
        new.replace(current)
        remove_leftovers(environment)
        _flush(environment)
    return Compaction(before_bytes, after_bytes, first_kept)


def _write(store: StoreReader, new: Path, keep_states: int | None, on_step: Callable[[str], None]) -> int:
    meta = store.meta()
    height, first_kept = int(meta["height"]), int(meta.get("first_kept") or 0)
    keep: set[bytes] | None = None
    if keep_states is not None and height + 1 - keep_states > first_kept:
        first_kept = height + 1 - keep_states
        keep = _needed(store, meta, first_kept, height, on_step)
    # Address space: a compaction writes no more than there was.
    room = max(_MAP_BYTES_MIN, 2 * (new.parent / "data.mdb").stat().st_size)
    env = lmdb.open(str(new), subdir=False, map_size=room, max_dbs=16, lock=False, sync=False)
    try:
        for table in TABLES:
            rows: Iterable[tuple[bytes, bytes]] = store.rows(table)
            if table == b"state" and keep is not None:
                rows = ((key, value) for key, value in rows if key in keep)
            if table == b"meta":
                rows = _changed(rows, {"first_kept": first_kept, "kept_records": len(keep or ())})
            _copy(env, table, rows, on_step)
        env.sync(True)
    finally:
        env.close()
    _flush(new)
    return first_kept


def _needed(
    store: StoreReader, meta: dict[str, Any], first: int, height: int, on_step: Callable[[str], None]
) -> set[bytes]:
    heights = {int(each["height"]) for each in (meta.get("snapshots") or {}).values()}
    numbers = [*sorted(number for number in heights if number < first), *range(first, height + 1)]

    def roots() -> Iterator[bytes]:
        for number in numbers:
            header = store.get(b"headers", number_key(number))
            assert header is not None
            yield codec.decode(header)[STATE_ROOT]

    walk = Walk(lambda key: store.get(b"state", key), roots())
    while not walk.done:
        walk.advance(_ROWS_A_WRITE)
        on_step(f"{len(walk.seen)} state records needed")
    return walk.seen


def _changed(rows: Iterable[tuple[bytes, bytes]], meta: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    changed = {name.encode(): pack_meta(name, value) for name, value in meta.items()}
    yield from sorted((dict(rows) | changed).items())


def _copy(
    env: Any, table: bytes, rows: Iterable[tuple[bytes, bytes]], on_step: Callable[[str], None]
) -> None:
    db = env.open_db(table)
    each, copied = iter(rows), 0
    while some := list(islice(each, _ROWS_A_WRITE)):
        with env.begin(write=True) as txn:
            # In the order of the keys: pages are filled to the brim.
            txn.cursor(db=db).putmulti(some, append=True)
        copied += len(some)
        on_step(f"{copied} records of {table.decode()} copied")


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
