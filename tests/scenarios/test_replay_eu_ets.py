"""Published years of the EU ETS run through the real system and give the published statuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.carat import CARAT, carat, real_data

WAIT_S = 120


def published_sum(folder: Path, table: str, country: str, years: range) -> int:
    """Sum the numeric cells, independently of the code under test."""
    with (folder / "installations.csv").open(encoding="utf-8", newline="") as file:
        accounts = {
            row["account_id"] for row in csv.DictReader(file) if row["national_administrator"] == country
        }
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["account_id"] in accounts]
    cells = [row[str(year)] or "" for row in rows for year in years]
    return sum(int(cell) for cell in cells if cell.isdigit())


def replay(folder: Path, country: str, first: int, last: int, *more: str) -> dict[str, Any]:
    answer = carat(
        "replay", "eu-ets", "--data", folder, "--country", country, "--from", str(first), "--to", str(last),
        "--json", *more,
    )  # fmt: skip
    assert answer.code == 0, answer.stderr + answer.stdout
    return answer.json


@pytest.mark.parametrize(
    ("country", "first", "last"),
    [("Luxembourg", 2008, 2012), ("Cyprus", 2011, 2014), ("Liechtenstein", 2019, 2020)],
)
def test_a_countrys_years_give_the_published_sums_and_statuses(country: str, first: int, last: int) -> None:
    folder, years = real_data("eu_ets"), range(first, last + 1)
    result = replay(folder, country, first, last)
    assert result["audit"]["ok"]
    for key, table in (
        ("allocated_t", "allocated_allowances"),
        ("verified_t", "verified_emissions"),
        ("surrendered_t", "units_surrendered"),
    ):
        assert result[key] == published_sum(folder, table, country, years)
    statuses = result["statuses"]
    assert statuses["agree"] > 0
    for each in statuses["disagree"]:
        covered = each["cumulative_surrendered_t"] >= each["cumulative_verified_t"]
        assert (each["published"] == "A") != covered, (
            "only published numbers that contradict the code disagree"
        )
    judged = statuses["agree"] + len(statuses["disagree"]) + sum(statuses["unchecked"].values())
    assert judged == result["installations"] * len(years)


@pytest.mark.parametrize(
    ("country", "first", "last", "code"),
    [
        ("Atlantis", 2008, 2009, "UnknownCountry"),
        ("Malta", 2006, 2009, "YearsOutOfRange"),
        ("Malta", 2005, 2007, "PriceMissing"),
    ],
)
def test_what_cannot_be_replayed_is_refused(country: str, first: int, last: int, code: str) -> None:
    answer = carat(
        "replay",
        "eu-ets",
        "--data",
        real_data("eu_ets"),
        "--country",
        country,
        "--from",
        str(first),
        "--to",
        str(last),
    )
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"error: {code}:")


class Watched:
    """A replay under way, whose processes can be found and killed."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [*CARAT, "replay", "eu-ets", "--data", str(folder), "--country", "Luxembourg",
             "--from", "2008", "--to", "2012", "--data-dir", str(data_dir), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + WAIT_S
        while not holds():
            assert self.process.poll() is None, f"ended before {what}: {self.process.communicate()}"
            assert time.monotonic() < until, f"waited in vain for {what}"
            time.sleep(0.02)

    def pid_of(self, name: str) -> int | None:
        try:
            pid = json.loads((self.data_dir / "stack.json").read_text(encoding="utf-8"))["pids"].get(name)
        except (OSError, ValueError, KeyError):
            return None
        return int(pid) if pid else None

    def journal_bytes(self) -> int:
        journal = self.data_dir / "exchange" / "journal"
        return journal.stat().st_size if journal.exists() else 0

    def kill(self, name: str) -> int:
        pid = self.pid_of(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: self.pid_of(name) not in (None, pid), f"a new {name}")
        return pid


@pytest.mark.timeout(280)
def test_killing_exchange_and_node_in_the_middle_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The replay goes on where the killed process left off, and ends as an undisturbed one does."""
    folder = real_data("eu_ets")
    watched = Watched(folder, tmp_path / "state")
    watched.wait_until(lambda: watched.pid_of("exchange") is not None, "the exchange")
    killed = []
    for name in ("exchange", "node", "exchange", "node"):
        size = watched.journal_bytes()
        watched.wait_until(lambda size=size: watched.journal_bytes() > size + 1_000, "trading")  # type: ignore[misc]
        killed.append(watched.kill(name))
    stdout, stderr = watched.process.communicate(timeout=WAIT_S)
    assert watched.process.returncode == 0, stderr + stdout
    disturbed, quiet = json.loads(stdout), replay(folder, "Luxembourg", 2008, 2012)
    assert len(set(killed)) == 4
    assert disturbed["audit"]["ok"]
    for key in ("allocated_t", "verified_t", "surrendered_t", "trades", "epochs_settled", "statuses"):
        assert disturbed[key] == quiet[key]
