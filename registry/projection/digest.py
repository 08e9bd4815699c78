"""Comparing projections: the stored one with one rebuilt from the chain, down to the column.

A table's digest is the SHA-256 over its rows in the order of their keys as text, each as Python writes it. So
two databases, SQLite or PostgreSQL, that tell the same have the same digest, and a row that was given a value
of another type still has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, Table, select

from registry.projection import tables

_NOT_COMPARED: Final = {"projection_cursor"}  # the layout's hash differs from one database kind to another


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


def digests(engine: Engine) -> dict[str, str]:
    """Return the digest of every table, by name, `0x` text."""
    return {table.name: _digest(engine, table) for table in _compared()}


def first_difference(stored: Engine, right: Engine) -> Difference | None:
    """Return the first difference of a stored projection from the right one; None if there is none."""
    for table in _compared():
        if _digest(stored, table) != _digest(right, table):
            found = _first_in(table, _by_key(stored, table), _by_key(right, table))
            if found is not None:
                return found
    return None


def _compared() -> list[Table]:
    every = tables.Table.metadata.tables.values()
    return sorted((table for table in every if table.name not in _NOT_COMPARED), key=lambda table: table.name)


def _rows(engine: Engine, table: Table) -> Iterator[tuple[Any, ...]]:
    """Yield the rows in order of their keys as text, ordered here: databases order text differently."""
    names = [column.name for column in table.columns]
    places = [names.index(column.name) for column in table.primary_key]
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select(table))]
    yield from sorted(rows, key=lambda row: [str(row[place]) for place in places])


def _digest(engine: Engine, table: Table) -> str:
    digest = hashlib.sha256()
    for row in _rows(engine, table):
        digest.update(repr(row).encode())
    return "0x" + digest.hexdigest()


def _by_key(engine: Engine, table: Table) -> dict[tuple[str, ...], Mapping[str, Any]]:
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    rows = (dict(zip(names, row, strict=True)) for row in _rows(engine, table))
    return {tuple(str(row[key]) for key in keys): row for row in rows}


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
