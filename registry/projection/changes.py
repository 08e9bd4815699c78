"""What a run of events changes, gathered in memory and written in bulk.

Rows that stay (happenings) are appended; rows that change (holdings, obligations) are read once, changed as
plain dicts, and written once, however many events touched them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, Table, bindparam, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from registry.projection.tables import Table as Model

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1

Row: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[Any, ...]
Undo: TypeAlias = dict[str, dict[str, list[Any]]]
"""By table: the keys of rows to `remove`, and whole rows to `restore`."""


def fit(number: int) -> int:
    """Return the number, or the 64-bit one that is nearest.

    A stranger may file any 256-bit number, a verifier sign one; the projection must live on, and the audit
    says that the chain's number is another.
    """
    return max(_INT64_MIN, min(number, _INT64_MAX))


def table_of(model: type[Model]) -> Table:
    """Return the SQL table of a model."""
    return Model.metadata.tables[str(model.__tablename__)]


class Changes:
    """The unsaved changes of one transaction; with `undoable`, and how to take them back."""

    def __init__(self, connection: Connection, *, undoable: bool = False) -> None:
        self._connection = connection
        self._undoable = undoable
        self._before: dict[type[Model], dict[Key, Row]] = {}
        self._appended: dict[type[Model], list[Row]] = {}
        self._kept: dict[type[Model], dict[Key, Row]] = {}
        self._absent: dict[type[Model], set[Key]] = {}

    def append(self, model: type[Model], row: Row) -> None:
        """Add a row that nothing will change."""
        self._appended.setdefault(model, []).append(_fitting(row))

    def find(self, model: type[Model], key: Key) -> Row | None:
        """Return the row of this primary key to be changed, or None; what is returned will be written."""
        kept = self._kept.setdefault(model, {})
        row = kept.get(key)
        if row is not None:
            return row
        absent = self._absent.setdefault(model, set())
        if key in absent:
            return None
        parts = {f"key_{place}": part for place, part in enumerate(key)}
        found = self._connection.execute(_by_key(model), parts).mappings().first()
        if found is None:
            absent.add(key)
            return None
        if self._undoable:
            self._before.setdefault(model, {})[key] = dict(found)
        return kept.setdefault(key, dict(found))

    def get(self, model: type[Model], key: Key) -> Row:
        """Return the row of this primary key to be changed; that it is there is our own promise."""
        row = self.find(model, key)
        if row is None:
            raise AssertionError(f"{model.__tablename__} {key}: an event changes a row that no event made")
        return row

    def put(self, model: type[Model], key: Key, row: Row) -> Row:
        """Keep a new row under its primary key."""
        self._kept.setdefault(model, {})[key] = row
        return row

    def undo(self) -> Undo:
        """Return what takes these changes back; to be asked before they are written."""
        assert self._undoable
        undo: Undo = {}
        for model, rows in self._appended.items():
            names = [column.name for column in table_of(model).primary_key]
            undo[str(model.__tablename__)] = {
                "remove": [[row[name] for name in names] for row in rows], "restore": [],
            }  # fmt: skip
        for model, kept in self._kept.items():
            steps = undo.setdefault(str(model.__tablename__), {"remove": [], "restore": []})
            for key in kept:
                before = self._row_before(model, key)
                if before is None:
                    steps["remove"].append(list(key))
                else:
                    steps["restore"].append(before)
        return undo

    def _row_before(self, model: type[Model], key: Key) -> Row | None:
        """Return the row as the database has it; one that was put unread is read now."""
        before = self._before.get(model, {}).get(key)
        if before is not None or key in self._absent.get(model, ()):
            return before
        parts = {f"key_{place}": part for place, part in enumerate(key)}
        found = self._connection.execute(_by_key(model), parts).mappings().first()
        return None if found is None else dict(found)

    def write(self) -> None:
        """Write everything to the transaction's connection; the transaction is the caller's."""
        for model, rows in self._appended.items():
            self._connection.execute(insert(table_of(model)), rows)
        for model, kept in self._kept.items():
            if kept:
                rows = [_fitting(row) for row in kept.values()]
                self._connection.execute(_upsert(table_of(model), self._connection), rows)


def take_back(connection: Connection, undo: Undo) -> None:
    """Take written changes back; those of later blocks must have been taken back before."""
    for name, steps in undo.items():
        table = Model.metadata.tables[name]
        if steps["remove"]:
            matches = [column == bindparam(f"key_{place}") for place, column in enumerate(table.primary_key)]
            keys = [{f"key_{place}": part for place, part in enumerate(key)} for key in steps["remove"]]
            connection.execute(delete(table).where(*matches), keys)
        if steps["restore"]:
            connection.execute(_upsert(table, connection), steps["restore"])


def _fitting(row: Row) -> Row:
    for column, value in row.items():
        if type(value) is int and not _INT64_MIN <= value <= _INT64_MAX:
            row[column] = fit(value)
    return row


@cache
def _by_key(model: type[Model]) -> Select[Any]:
    table = table_of(model)
    matches = [column == bindparam(f"key_{place}") for place, column in enumerate(table.primary_key)]
    return select(table).where(*matches)


def _upsert(table: Table, connection: Connection) -> Insert:
    keys = {column.name for column in table.primary_key}
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = build(table)
    changed: Mapping[str, Any] = {
        column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
