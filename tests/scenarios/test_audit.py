"""The audit names what was tampered with, wherever it was."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.audit.report import AuditReport
from api.audit.run import AuditedStores, audit, stores_of
from api.scenario.file import parse_scenario
from api.scenario.run import run_scenario
from api.stack.attach import attached
from api.stack.handle import StackHandle
from registry.evidence import EvidenceStore
from registry.projection.store import Projection, identity_of, open_engine

SMALL = """\
name: small
years: [2026]
price_fen_per_t: 7000
penalty_multiple: 5
offset_cap_ppm: 50000
firms:
  - {name: Seller, baseline_t: 900, required_cut_t: 0, own_cut_t: 100, trades: true}
  - {name: Short, baseline_t: 500, required_cut_t: 20, own_cut_t: 0, trades: false, offsets_t: 10}
others: {name: Rest, buys_and_sells: true}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackHandle]:
    """A finished market whose chain runs; its exchange does not."""
    data_dir = tmp_path_factory.mktemp("audited") / "state"
    result = run_scenario(parse_scenario(SMALL), data_dir)
    assert result["audit"]["ok"], result["audit"]
    with attached(data_dir) as handle:
        yield handle


@pytest.fixture
def stores(stack: StackHandle, tmp_path: Path) -> AuditedStores:
    """Copies of the stores, free to be spoiled."""
    return copied(stack, tmp_path)


def copied(stack: StackHandle, to: Path) -> AuditedStores:
    original = stores_of(stack)
    source, target = sqlite3.connect(stack.data.projection), sqlite3.connect(to / "projection.sqlite")
    source.backup(target)  # what still stands in the write-ahead log comes along
    source.close()
    target.close()
    shutil.copytree(stack.data.evidence, to / "evidence")
    shutil.copy(stack.data.journal, to / "journal")
    projection = Projection(
        open_engine(f"sqlite:///{to / 'projection.sqlite'}"), identity_of(stack.deployment)
    )
    return replace(
        original, projection=projection, evidence=EvidenceStore(to / "evidence"), journal=to / "journal"
    )


def found(report: AuditReport, check: str) -> str:
    """Return the findings of one check, and make sure that there are no others."""
    assert {finding.check for finding in report.findings} == {check}, report.findings
    return "\n".join(finding.what for finding in report.findings)


def spoil_row(stores: AuditedStores, tmp_path: Path, statement: str) -> None:
    with sqlite3.connect(tmp_path / "projection.sqlite") as connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()


def test_an_untouched_system_is_clean_and_was_looked_at(stores: AuditedStores) -> None:
    report = audit(stores)
    assert report.findings == []
    assert report.looked_at["units"] == 2
    assert (
        min(report.looked_at[what] for what in ("events", "trades", "evidence bundles", "trading balances"))
        > 0
    )


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "UPDATE holdings SET quantity_t = quantity_t + 1 WHERE rowid = (SELECT min(rowid) FROM holdings)",
            "holdings[",
        ),
        ("UPDATE defaults SET penalty_fen = 0", "defaults["),
        ("DELETE FROM statements WHERE rowid = (SELECT min(rowid) FROM statements)", "statements["),
        ("UPDATE accounts SET kind = 'regulator' WHERE kind = 'trader'", "accounts["),
    ],
)
def test_a_changed_projection_row_is_named(
    stores: AuditedStores, tmp_path: Path, statement: str, named: str
) -> None:
    spoil_row(stores, tmp_path, statement)
    assert named in found(audit(stores), "projection")


def test_a_row_that_the_chain_never_gave_is_named(stores: AuditedStores, tmp_path: Path) -> None:
    spoil_row(
        stores,
        tmp_path,
        "INSERT INTO cash_holdings (account, amount_fen, block, log_index, tx_hash, timestamp_utc)"
        " VALUES ('0x0000000000000000000000000000000000000001', 5, 1, 0, '0x00', 1)",
    )
    assert "cash_holdings[0x0000000000000000000000000000000000000001]: stored, but not on chain" in found(
        audit(stores), "projection"
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_a_flipped_journal_byte_is_named_with_its_frame(stores: AuditedStores, share: float) -> None:
    content = bytearray(stores.journal.read_bytes())
    content[int(len(content) * share)] ^= 0x20
    stores.journal.write_bytes(content)
    assert "frame=" in found(audit(stores), "journal")


def test_a_journal_that_forgets_its_last_frames_is_found_by_what_the_chain_knows(
    stores: AuditedStores,
) -> None:
    content = stores.journal.read_bytes()
    stores.journal.write_bytes(content[: len(content) // 3])
    findings = audit(stores).findings
    assert any("the chain has" in finding.what for finding in findings)


def test_a_missing_journal_is_named(stores: AuditedStores) -> None:
    stores.journal.unlink()
    assert "journal is missing, but 1 epochs are settled" in found(audit(stores), "journal")


def test_a_missing_evidence_file_is_named(stores: AuditedStores, tmp_path: Path) -> None:
    victim = next(path for path in sorted((tmp_path / "evidence").glob("??/*")) if not path.suffix)
    victim.unlink()
    assert victim.name in found(audit(stores), "evidence")


@pytest.mark.parametrize("suffix", ["", ".manifest"])
def test_an_altered_evidence_file_is_named(stores: AuditedStores, tmp_path: Path, suffix: str) -> None:
    victim = next(path for path in sorted((tmp_path / "evidence").glob("??/*")) if path.suffix == suffix)
    victim.write_bytes(victim.read_bytes().replace(b":", b";", 1))
    assert victim.name in found(audit(stores), "evidence")
