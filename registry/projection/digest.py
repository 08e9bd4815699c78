"""Comparing projections: the stored one with one rebuilt from the chain, down to the column.

A table's digest is the SHA-256 over its rows in the order of their keys as text, each as Python writes it. So
two databases, SQLite or PostgreSQL, that tell the same have the same digest, and a row that was given a value
of another type still has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, select

from registry.projection import tables
from registry.projection.changes import table_of

# The layout's hash differs from one database kind to another, and what is kept from one reading to another.
_NOT_COMPARED: Final = {"projection_cursor", "projection_history"}


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two projections differ.

    `column` is empty where a whole row is missing or too many; then `stored` or `right` is None.
    """

    table: str
    key: tuple[str, ...]
    column: str
    stored: str | None
    right: str | None

    def __str__(self) -> str:
        row = f"{self.table}[{', '.join(self.key)}]"
        if self.column:
            return f"{row}.{self.column}: stored {self.stored}, the chain says {self.right}"
        return f"{row}: stored, but not on chain" if self.right is None else f"{row}: missing"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All tables at one moment: rows in order of key, by table, and the block of which they tell."""

    block: int
    rows: Mapping[str, Sequence[tuple[Any, ...]]]

    @classmethod
    def of(cls, engine: Engine) -> Snapshot:
        """Read everything in one transaction, whoever writes meanwhile."""
        with _reading(engine) as connection:
            block = connection.execute(select(table_of(tables.Cursor).c.block)).scalar_one()
            return cls(block, {table.name: _rows(connection, table) for table in _compared()})

    def digests(self) -> dict[str, str]:
        """Return the digest of every table, by name, `0x` text."""
        return {name: _digest(rows) for name, rows in self.rows.items()}

    def first_difference(self, right: Snapshot) -> Difference | None:
        """Return the first difference of this, the stored one, from the right one; None if there is none."""
        for table in _compared():
            stored, wanted = self.rows[table.name], right.rows[table.name]
            if _digest(stored) != _digest(wanted):
                found = _first_in(table, _by_key(stored, table), _by_key(wanted, table))
                if found is not None:
                    return found
        return None


def digests(engine: Engine) -> dict[str, str]:
    """Return the digest of every table now, by name, `0x` text."""
    return Snapshot.of(engine).digests()


def first_difference(stored: Engine, right: Engine) -> Difference | None:
    """Return the first difference of a stored projection from the right one; None if there is none."""
    return Snapshot.of(stored).first_difference(Snapshot.of(right))


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one moment."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")  # the driver begins nothing for a SELECT
            yield connection
            connection.rollback()
    else:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield connection


def _compared() -> list[Table]:
    every = tables.Table.metadata.tables.values()
    return sorted((table for table in every if table.name not in _NOT_COMPARED), key=lambda table: table.name)


def _rows(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    """Return the rows in order of their keys as text, ordered here: databases order text differently."""
    names = [column.name for column in table.columns]
    places = [names.index(column.name) for column in table.primary_key]
    rows = [tuple(row) for row in connection.execute(select(table))]
    return sorted(rows, key=lambda row: [str(row[place]) for place in places])


def _digest(rows: Iterable[tuple[Any, ...]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode())
    return "0x" + digest.hexdigest()


def _by_key(rows: Iterable[tuple[Any, ...]], table: Table) -> dict[tuple[str, ...], Mapping[str, Any]]:
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    named = (dict(zip(names, row, strict=True)) for row in rows)
    return {tuple(str(row[key]) for key in keys): row for row in named}


def _first_in(
    table: Table,
    stored: Mapping[tuple[str, ...], Mapping[str, Any]],
    right: Mapping[tuple[str, ...], Mapping[str, Any]],
) -> Difference | None:
    for key, row in stored.items():
        if key not in right:
            return Difference(table.name, key, "", str(dict(row)), None)
        for column, value in row.items():
            if repr(value) != repr(right[key][column]):
                return Difference(table.name, key, column, repr(value), repr(right[key][column]))
    for key, row in right.items():
        if key not in stored:
            return Difference(table.name, key, "", None, str(dict(row)))
    return None
