"""The records are what the specification says, and NumPy reads them."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.core import Engine, ReferenceEngine, records
from exchange.core.codes import CommandKind, Reject, ReportKind, Side
from exchange.core.records import COMMAND_BYTES, REPORT_BYTES, Report, command_dtype, report_dtype, reports_of
from tests.exchange.core.streams import Stream, opening, order_id

SPEC = (Path(__file__).parents[3] / "docs" / "spec" / "07-engine-core.md").read_text()


def test_a_command_has_64_bytes_and_a_report_128() -> None:
    assert (COMMAND_BYTES, command_dtype().itemsize) == (64, 64)
    assert (REPORT_BYTES, report_dtype().itemsize) == (128, 128)


def test_numpy_reads_commands_and_reports() -> None:
    numpy = pytest.importorskip("numpy")
    rng = random.Random(1)
    run = opening(rng) + Stream(rng).run(200)
    reports = ReferenceEngine().apply(run)
    table = numpy.frombuffer(reports, report_dtype())
    for row, report in zip(table, reports_of(reports), strict=True):
        assert (row["kind"], row["sequence"], row["price"], row["left"]) == (
            *(report.kind, report.sequence, report.price, report.left),
        )
        assert int(row["a_low"]) + (int(row["a_high"]) << 64) == report.a
        assert (int(row["id_low"]) + (int(row["id_high"]) << 64)).to_bytes(16, "little") == report.id
    commands = numpy.frombuffer(
        records.new_order(order_id(9), 3, 2, Side.SELL, 7, 8, at_us=4), command_dtype()
    )
    assert commands[["kind", "side", "instrument", "participant", "id_low"]].tolist() == [(13, 2, 2, 3, 9)]
    assert commands[["quantity", "price", "at_us"]].tolist() == [(7, 8, 4)]


def test_a_report_is_packed_and_unpacked() -> None:
    report = Report(3, id=order_id(5), price=2**63 - 1, a=2**127 - 1, b=1, participant=2**32 - 1)
    assert Report.unpack(report.pack()) == report


@pytest.mark.parametrize("names", [CommandKind, ReportKind])
def test_the_specification_names_every_kind(names: type[CommandKind] | type[ReportKind]) -> None:
    missing = [name.name for name in names if f"{name.value} {name.name}" not in SPEC]
    assert not missing


def test_rejections_are_numbered_without_gaps() -> None:
    assert [code.value for code in Reject] == list(range(1, len(Reject) + 1))


def test_without_the_compiled_core_the_reference_runs_and_says_so_once(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['exchange.core._compiled'] = None\n"
        "import exchange.core, importlib\n"
        "from exchange.core import Engine, ReferenceEngine\n"
        "assert Engine is ReferenceEngine\n"
        "assert len(Engine().state_hash()) == 32\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr.count("was not built") == 1


def test_the_package_offers_the_fastest_engine_there_is() -> None:
    logging.getLogger("exchange.core")  # where it would have been said
    assert Engine.is_compiled or Engine is ReferenceEngine
