"""`carat exchange verify`: the journal's whole history against the chain, and what differs named."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.audit.exchange import verify_exchange
from api.audit.report import AuditReport
from api.scenario.file import parse_scenario
from api.scenario.run import run_scenario
from api.stack.attach import attached
from api.stack.handle import StackHandle
from exchange.core.codes import CommandKind
from exchange.core.records import COMMAND, COMMAND_BYTES, Command
from exchange.journal import Identity, Journal, frames, read_head, reading
from tests.support.carat import carat

SMALL = """\
name: small
years: [2026]
price_fen_per_t: 7000
penalty_multiple: 5
offset_cap_ppm: 50000
firms:
  - {name: Seller, baseline_t: 900, required_cut_t: 0, own_cut_t: 100, trades: true}
others: {name: Rest, buys_and_sells: true}
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market that has traded and settled, and does not run now."""
    found = tmp_path_factory.mktemp("verified") / "state"
    run_scenario(parse_scenario(SMALL), found)
    return found


@pytest.fixture(scope="module")
def stack(data_dir: Path, from_outside: dict[str, object]) -> Iterator[StackHandle]:
    """Its chain, running."""
    with attached(data_dir) as handle:
        yield handle


@pytest.fixture(scope="module")
def from_outside(data_dir: Path) -> dict[str, object]:
    """What the command says of it, before the chain runs for the other tests."""
    answer = carat("exchange", "verify", "--data-dir", data_dir, "--json")
    return {"code": answer.code, **answer.json}


def verified(stack: StackHandle, journal: Path) -> AuditReport:
    return verify_exchange(stack.transactor(), journal)


def rewritten(stack: StackHandle, to: Path, change: Callable[[bytes], bytes]) -> Path:
    """A journal in perfect order, of another history."""
    clearing = bytes.fromhex(stack.deployment.addresses["Clearing"][2:])
    journal = Journal.open(to / "journal", Identity(stack.deployment.chain_id, clearing))
    list(journal.replay())
    with reading(stack.data.journal) as view:
        for frame in frames(view, read_head(view)[1]):
            for at in range(0, len(frame.payload), COMMAND_BYTES):
                journal.append([change(bytes(frame.payload[at : at + COMMAND_BYTES]))])
            frame.payload.release()
    journal.close()
    return to / "journal"


def test_an_untouched_history_agrees(from_outside: dict[str, object]) -> None:
    assert (from_outside["code"], from_outside["ok"], from_outside["first_difference"]) == (0, True, None)
    looked_at = from_outside["looked_at"]
    assert isinstance(looked_at, dict)
    assert (looked_at["epochs"], looked_at["trades"], looked_at["epochs not settled yet"]) == (1, 1, 0)


def test_the_same_commands_written_anew_agree(stack: StackHandle, tmp_path: Path) -> None:
    assert verified(stack, rewritten(stack, tmp_path, lambda record: record)).findings == []


def test_another_history_is_found_by_its_tape_root(stack: StackHandle, tmp_path: Path) -> None:
    def a_fen_less(record: bytes) -> bytes:
        if record[0] != CommandKind.NEW:
            return record
        order = Command._make(COMMAND.unpack(record))
        return COMMAND.pack(*order._replace(price=order.price - 1))

    first = verified(stack, rewritten(stack, tmp_path, a_fen_less)).findings[0]
    assert first.check == "epochs"
    assert first.what.startswith("epoch 1: the chain has 0x")


def test_a_journal_that_ends_before_its_epochs_is_found(stack: StackHandle, tmp_path: Path) -> None:
    kept = stack.data.journal.read_bytes()
    (tmp_path / "journal").write_bytes(kept[: len(kept) // 3])
    first = verified(stack, tmp_path / "journal").findings[0]
    assert first.what.endswith("the journal gives None")


def test_an_altered_byte_is_named_with_its_frame(stack: StackHandle, tmp_path: Path) -> None:
    shutil.copy(stack.data.journal, tmp_path / "journal")
    content = bytearray((tmp_path / "journal").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "journal").write_bytes(content)
    (finding,) = verified(stack, tmp_path / "journal").findings
    assert finding.check == "journal"
    assert "frame=" in finding.what


def test_where_there_never_was_a_stack_it_is_refused(tmp_path: Path) -> None:
    answer = carat("exchange", "verify", "--data-dir", tmp_path, "--json")
    assert (answer.code, answer.json["error"]["code"]) == (2, "StackMissing")
