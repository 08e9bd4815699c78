"""The projection's store: a database, the place up to which the chain was read, and the way on.

Each step reads a run of whole blocks and applies it in one transaction together with the new place: exactly
once, whatever crashes. A store that belongs to another deployment is refused; one of an older layout is
dropped and rebuilt, for the chain has it all.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import Engine, create_engine, event, func, inspect, select, update
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateTable
from sqlmodel import Session

from chain.deployment import Deployment
from chain.events import ChainEvent
from registry.documents import sha256
from registry.projection import tables
from registry.projection.apply import apply
from registry.projection.changes import Changes, table_of
from registry.refusals import ProjectionRefused

BLOCKS_A_STEP: Final = 200
_SWITCH_S_MAX: Final = 10.0
_TABLES_LOCK: Final = 0x_CA_4A_7  # any number that only this code uses

Progress = Callable[[int, int], None]


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


class Projection:
    """The registry's tables for one deployment.

    Parameters
    ----------
    engine :
        From `open_engine`.
    identity :
        Which deployment this is (`identity_of`).

    Raises
    ------
    ProjectionRefused :
        The database holds another deployment's projection.
    """

    def __init__(self, engine: Engine, identity: str) -> None:
        self.engine = engine
        self._identity = identity
        self._applying = threading.Lock()
        self._prepare()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session for reading the tables (`registry.projection.tables`)."""
        with Session(self.engine) as session:
            yield session

    def block(self) -> int:
        """Return the last block that was applied; -1 before the first."""
        with self.engine.connect() as connection:
            row = _cursor(connection)
        return -1 if row is None else int(row["block"])

    def catch_up(
        self, reader: Reader, to_block: int | None = None, on_step: Progress = lambda _block, _head: None
    ) -> int:
        """Apply every event that is not applied yet, up to a block or the head.

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
            at = self.block()
            if at > head:
                raise ProjectionRefused(reason="ahead of the chain", block=at, head=head)
            last = head if to_block is None else min(to_block, head)
            applied = 0
            while at < last:
                start = max(at + 1, reader.first_block)
                end = min(start + BLOCKS_A_STEP - 1, last)
                events = list(reader.read(start, end))
                if self._step(at, end, events):
                    applied += len(events)
                at = self.block()  # another process may have been quicker
                on_step(at, last)
            return applied

    def rebuild(self, reader: Reader, on_step: Progress = lambda _block, _head: None) -> int:
        """Drop everything and apply the whole chain again; returns and raises like `catch_up`."""
        with self._applying:
            self._drop()
        return self.catch_up(reader, on_step=on_step)

    def _step(self, at: int, end: int, events: list[ChainEvent]) -> bool:
        with self.engine.begin() as connection:
            if not _advance(connection, at, end):
                return False
            changes = Changes(connection)
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
            changes.write()
        return True

    def _prepare(self) -> None:
        with self._alone() as connection:
            known = inspect(connection).has_table(str(tables.Cursor.__tablename__))
            row = _cursor(connection) if known else None
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
        fresh = {"id": 1, "identity": self._identity, "layout": self._layout(), "block": -1}
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


def _advance(connection: Connection, at: int, end: int) -> bool:
    """Move the place; False if it is not where it was. Being a write, it makes whoever else applies wait."""
    cursor = table_of(tables.Cursor)
    moved = connection.execute(update(cursor).where(cursor.c.block == at).values(block=end))
    return bool(moved.rowcount == 1)


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
