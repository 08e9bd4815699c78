"""Found: the journal (everybody's orders) and the databases were readable by every local user."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.journal import Identity, Journal
from registry.projection.store import open_engine


@pytest.fixture(autouse=True)
def usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_journal_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "exchange" / "journal"
    Journal.open(path, Identity(1, b"\1" * 20)).close()
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_a_database_is_its_owners_alone(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'points.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
        assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
    engine.dispose()
