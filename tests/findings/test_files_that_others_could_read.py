"""Found: the journal (everybody's orders), the databases and the data directory were open to local users."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.stack.lock import DirectoryLock
from api.stack.paths import write_json
from api.stack.process import Process, Program
from chain.keys import Keyring
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


def test_a_new_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    DirectoryLock(tmp_path / "state" / "lock").release()
    Keyring.create(tmp_path / "keys" / "keys.json", "only for tests")
    assert (mode(tmp_path / "state"), mode(tmp_path / "keys")) == (0o700, 0o700)


def test_what_a_process_of_the_stack_writes_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(
        "from pathlib import Path\n"
        "def main():\n"
        f"    Path({str(tmp_path)!r}, 'written').write_text('x'); print('ready here')\n"
    )
    program = Program("writer", "writer", (), {"PYTHONPATH": str(tmp_path)})
    process = Process(program, tmp_path / "logs" / "writer.log")
    process.start()
    process.wait_ready(30)
    process.stop()
    assert mode(tmp_path / "written") == 0o600
    assert (mode(tmp_path / "logs"), mode(tmp_path / "logs" / "writer.log")) == (0o700, 0o600)


def test_what_says_where_the_stack_runs_is_its_owners_alone(tmp_path: Path) -> None:
    write_json(tmp_path / "stack.json", {})
    assert mode(tmp_path / "stack.json") == 0o600
