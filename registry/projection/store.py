"""The projection's store: a database, the place up to which the chain was read, and the way on.

Each step reads a run of whole blocks and applies it in one transaction together with the new place: exactly
once, whatever crashes. Blocks that a reorganisation replaces are taken back (`history`). A store that belongs
to another deployment is refused; one of an older layout is dropped and rebuilt, for the chain has it all.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import Engine, create_engine, delete, event, func, inspect, select, update
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateTable
from sqlmodel import Session

from chain.deployment import Deployment
from chain.events import ChainEvent, Header
from chain.refusals import ChainUnreachable
from registry.documents import sha256
from registry.projection import tables
from registry.projection.apply import apply
from registry.projection.changes import Changes, table_of
from registry.projection.history import (
    KEEP_BLOCKS,
    LinkedReader,
    Reorganisation,
    forget_all,
    forget_before,
    fork_of,
    keep,
    kept_hashes,
    linked,
    take_back_to,
    undoable_blocks,
)
from registry.refusals import ProjectionRefused

BLOCKS_A_STEP: Final = 200
_SWITCH_S_MAX: Final = 10.0
_TABLES_LOCK: Final = 0x_CA_4A_7  # any number that only this code uses

Progress = Callable[[int, int], None]
_log = logging.getLogger("carat.projection")


class Reader(Protocol):
    """Where events come from: `chain.events.EventReader`, or a list in a test."""

    @property
    def first_block(self) -> int:
        """The block before which there is nothing to read."""

    def head(self) -> int:
        """Return the newest block's number."""

    def read(self, from_block: int, to_block: int | None = None) -> Iterable[ChainEvent]:
        """Return the events of the blocks, both included, oldest first."""


def open_engine(url: str) -> Engine:
    """Return the engine of a database: `sqlite:///path`, `sqlite://` (in memory), or a PostgreSQL URL."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True)
    if address.database in (None, "", ":memory:"):
        return create_engine(address, poolclass=StaticPool, connect_args={"check_same_thread": False})
    Path(address.database).touch(mode=0o600)  # its owner alone reads it, and what sqlite lays beside it
    engine = create_engine(address)
    event.listen(engine, "connect", _configure_sqlite)
    return engine


def identity_of(deployment: Deployment) -> str:
    """Return the text that tells one deployment from another."""
    return f"{deployment.chain_id}/{deployment.addresses['CarbonLedger']}"


@dataclass(frozen=True, slots=True)
class Place:
    """Up to which block the chain was read; the hash is empty where the reader knows none."""

    block: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class Step:
    """What is applied in one transaction: it goes on from `place` to `end`.

    `bulk` is events that cannot be taken back one block at a time, `blocks` those that can. With a `fork`,
    everything above that block is taken back first; everything at all if it is below zero.
    """

    place: Place
    end: int
    end_hash: str
    bulk: Sequence[ChainEvent] = ()
    blocks: Sequence[tuple[Header, Sequence[ChainEvent]]] = ()
    fork: int | None = None

    def count(self) -> int:
        """Return how many events there are."""
        return len(self.bulk) + sum(len(events) for _, events in self.blocks)


class Projection:
    """The registry's tables for one deployment.

    Parameters
    ----------
    engine :
        From `open_engine`.
    identity :
        Which deployment this is (`identity_of`).
    keep_blocks :
        How many of the newest blocks can be taken back when the chain replaces them.

    Raises
    ------
    ProjectionRefused :
        The database holds another deployment's projection.
    """

    def __init__(self, engine: Engine, identity: str, keep_blocks: int = KEEP_BLOCKS) -> None:
        self.engine = engine
        self.last_reorganisation: Reorganisation | None = None
        self._identity = identity
        self._keep_blocks = keep_blocks
        self._applying = threading.Lock()
        self._prepare()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session for reading the tables (`registry.projection.tables`)."""
        with Session(self.engine) as session:
            yield session

    def block(self) -> int:
        """Return the last block that was applied; -1 before the first."""
        return self._place().block

    def catch_up(
        self, reader: Reader, to_block: int | None = None, on_step: Progress = lambda _block, _head: None
    ) -> int:
        """Apply every event that is not applied yet, up to a block or the head.

        Blocks that the chain has replaced meanwhile are taken back and the new ones applied, in one
        transaction: nobody reads a state between the two.

        Parameters
        ----------
        to_block :
            Last block to apply; None for the newest.
        on_step :
            Hears (block applied, block aimed at) after each step, for progress.

        Returns
        -------
        The number of events applied here; another process that follows the chain may have applied some.

        Raises
        ------
        ChainUnreachable :
            The chain stopped answering; what was applied stays, the rest may be asked for again.
        ProjectionRefused :
            The projection is ahead of the chain.
        """
        with self._applying:
            head = reader.head()
            self._mend(reader, head)
            last = head if to_block is None else min(to_block, head)
            place = self._place()
            applied = 0
            while place.block < last:
                step = self._read(reader, place, last)
                if self._write(step):
                    applied += step.count()
                place = self._place()  # another process may have been quicker
                on_step(place.block, last)
            return applied

    def rebuild(self, reader: Reader, on_step: Progress = lambda _block, _head: None) -> int:
        """Drop everything and apply the whole chain again; returns and raises like `catch_up`."""
        with self._applying:
            self._drop()
        return self.catch_up(reader, on_step=on_step)

    # Reading what is new ------------------------------------------------------------------------------------

    def _read(self, reader: Reader, place: Place, last: int) -> Step:
        """Read the run of blocks after `place`: deep ones in bulk, the newest so that each can be undone."""
        start = max(place.block + 1, reader.first_block)
        if not self._keep_blocks or not isinstance(reader, LinkedReader):
            end = min(start + BLOCKS_A_STEP - 1, last)
            return Step(place, end, "", bulk=list(reader.read(start, end)))
        if last - start >= self._keep_blocks:
            end = min(start + BLOCKS_A_STEP - 1, last - self._keep_blocks)
            (header,) = linked(reader, end, end, "")
            return Step(place, end, header.hash, bulk=list(reader.read(start, end)))
        end = min(start + BLOCKS_A_STEP - 1, last)
        parent_hash = place.block_hash if start == place.block + 1 else ""
        headers = linked(reader, start, end, parent_hash)
        blocks = list(zip(headers, reader.read_blocks(headers), strict=True))
        return Step(place, end, headers[-1].hash, blocks=blocks)

    def _mend(self, reader: Reader, head: int) -> None:
        """Where the chain replaced blocks that were applied, take them back and apply the new ones."""
        place = self._place()
        if place.block_hash and isinstance(reader, LinkedReader) and self._keep_blocks:
            with self.engine.connect() as connection:
                kept, undoable = kept_hashes(connection), undoable_blocks(connection)
            newest = min(place.block, head)
            (header,) = reader.headers([newest])
            if header is None:
                raise ChainUnreachable(reason="a node without a block below the head", block=newest)
            if newest in kept and header.hash != kept[newest]:
                fork = fork_of(reader, kept, undoable, head)
                happened = Reorganisation(-1 if fork is None else fork, place.block)
                step = self._new_branch(reader, place, head, fork, kept)
                if self._write(step):
                    self.last_reorganisation = happened
                    _tell(happened, self._keep_blocks)
                return
        if place.block > head:
            raise ProjectionRefused(reason="ahead of the chain", block=place.block, head=head)

    def _new_branch(
        self, reader: Any, place: Place, head: int, fork: int | None, kept: dict[int, str]
    ) -> Step:
        """Read the blocks that replace those above `fork`; the whole chain where there is none."""
        if fork is None:
            first, bulk_end, parent_hash = reader.first_block, head - self._keep_blocks, ""
            bulk = list(reader.read(first, bulk_end)) if bulk_end >= first else []
            start = max(first, bulk_end + 1)
        else:
            bulk, start, parent_hash = [], fork + 1, kept[fork]
        headers = linked(reader, start, head, parent_hash)
        blocks = list(zip(headers, reader.read_blocks(headers), strict=True))
        end_hash = headers[-1].hash if headers else parent_hash
        return Step(place, head, end_hash, bulk=bulk, blocks=blocks, fork=-1 if fork is None else fork)

    # Writing it ---------------------------------------------------------------------------------------------

    def _write(self, step: Step) -> bool:
        """Apply a step in one transaction; False if somebody else was quicker, and then nothing was done."""
        with self.engine.begin() as connection:
            if not _advance(connection, step):
                return False
            if step.fork is not None and step.fork < 0:
                self._empty(connection)
            elif step.fork is not None:
                take_back_to(connection, step.fork)
            if step.bulk or not step.blocks:
                self._apply_bulk(connection, step)
            for header, events in step.blocks:
                changes = Changes(connection, undoable=True)
                _apply_in_order(changes, events, header.number)
                keep(connection, header.number, header.hash, changes.undo())
                changes.write()
            if step.blocks:
                forget_before(connection, step.end - self._keep_blocks)
        return True

    def _apply_bulk(self, connection: Connection, step: Step) -> None:
        changes = Changes(connection)
        _apply_in_order(changes, step.bulk, step.end)
        changes.write()
        if step.fork is None:
            forget_all(connection)
            if step.end_hash:
                keep(connection, step.end, step.end_hash, None)

    def _empty(self, connection: Connection) -> None:
        for table in tables.Table.metadata.sorted_tables:
            if table.name != tables.Cursor.__tablename__:
                connection.execute(delete(table))

    def _place(self) -> Place:
        with self.engine.connect() as connection:
            row = _cursor(connection)
        return Place(-1, "") if row is None else Place(int(row["block"]), str(row["block_hash"]))

    # Tables -------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        with self._alone() as connection:
            known = inspect(connection).has_table(str(tables.Cursor.__tablename__))
            # Tables of an older layout may lack any other column.
            cursor = table_of(tables.Cursor)
            said = select(cursor.c.identity, cursor.c.layout)
            row = connection.execute(said).mappings().first() if known else None
            if row is not None and row["identity"] != self._identity:
                raise ProjectionRefused(
                    reason="another deployment", stored=row["identity"], expected=self._identity
                )
            if row is None or row["layout"] != self._layout():
                self._make(connection)

    def _drop(self) -> None:
        with self._alone() as connection:
            self._make(connection)

    def _make(self, connection: Connection) -> None:
        tables.Table.metadata.drop_all(connection)
        tables.Table.metadata.create_all(connection)
        fresh = {
            "id": 1, "identity": self._identity, "layout": self._layout(), "block": -1, "block_hash": "",
        }  # fmt: skip
        connection.execute(table_of(tables.Cursor).insert(), fresh)

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """Give a transaction in which nobody else makes or drops tables."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver begins nothing for DDL
            else:
                connection.execute(select(func.pg_advisory_xact_lock(_TABLES_LOCK)))
            yield connection

    def _layout(self) -> str:
        """Return a hash of the tables as this code would make them."""
        ordered = tables.Table.metadata.sorted_tables
        statements = [str(CreateTable(table).compile(self.engine)) for table in ordered]
        return "0x" + sha256("\n".join(statements).encode()).hex()


def _advance(connection: Connection, step: Step) -> bool:
    """Move the place; False if it is not where it was. Being a write, it makes whoever else applies wait."""
    cursor = table_of(tables.Cursor)
    here = (cursor.c.block == step.place.block) & (cursor.c.block_hash == step.place.block_hash)
    moved = connection.execute(update(cursor).where(here).values(block=step.end, block_hash=step.end_hash))
    return bool(moved.rowcount == 1)


def _apply_in_order(changes: Changes, events: Iterable[ChainEvent], end: int) -> None:
    place = (-1, -1)
    block = -1
    for happened in events:
        if (happened.block, happened.log_index) <= place or happened.block > end:
            raise AssertionError(f"event out of order at {happened.block}/{happened.log_index}")
        place = (happened.block, happened.log_index)
        if happened.block != block:
            block = happened.block
            changes.append(tables.Block, {"block": block, "timestamp_utc": happened.timestamp_utc})
        apply(changes, happened)


def _tell(happened: Reorganisation, keep_blocks: int) -> None:
    if happened.fork_block < 0:
        _log.error("a reorganisation deeper than the %d blocks kept: the tables were built anew", keep_blocks)
    else:
        _log.warning(
            "a reorganisation: %d blocks above %d were undone and redone",
            happened.blocks,
            happened.fork_block,
        )


def _cursor(connection: Connection) -> Any:
    return connection.execute(select(table_of(tables.Cursor))).mappings().first()


def _write_ahead(cursor: Any) -> None:
    # A new file's first connections switch it over together, and SQLite lets none of them wait for another.
    until = time.monotonic() + _SWITCH_S_MAX
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _configure_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 10000")  # first: the next ones may have to wait
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = NORMAL")  # a lost tail is read from the chain again
    cursor.close()
