"""Streams of reports from the real core, and histories of them."""

from __future__ import annotations

import random
from collections.abc import Iterable

from exchange.core import Engine
from exchange.core.codes import CommandKind, ReportKind
from exchange.core.records import COMMAND, COMMAND_BYTES, REPORT_BYTES, Report, reports_of
from exchange.history.rows import ROW_BYTES
from tests.exchange.core.streams import Stream, opening


def batches_of(seed: int, commands: int, *, wild: float = 0.02, at_once: int = 8) -> list[bytes]:
    """Return the reports of a random stream of commands, a few commands a batch."""
    rng = random.Random(seed)
    run = opening(rng) + Stream(rng, wild=wild).run(commands)
    return with_collectors(Engine(), run, at_once)


def with_collectors(engine: Engine, run: bytes, at_once: int = 1_000_000) -> list[bytes]:
    """Do a run; return the reports by batch, where RULES_SET says who collects, whatever this core says."""
    step = at_once * COMMAND_BYTES
    collectors = []
    for at in range(0, len(run), COMMAND_BYTES):
        command = COMMAND.unpack_from(run, at)
        collectors.append(command[7] if command[0] == CommandKind.RULES else 0)
    batches = []
    for at in range(0, len(run), step):
        reports = bytearray(engine.apply(run[at : at + step]))
        for report_at in range(0, len(reports), REPORT_BYTES):
            if reports[report_at] == ReportKind.RULES_SET:
                sequence = int.from_bytes(reports[report_at + 8 : report_at + 16], "little")
                reports[report_at + 80 : report_at + 84] = collectors[sequence - 1].to_bytes(4, "little")
        batches.append(bytes(reports))
    return batches


def told(batches: Iterable[bytes], *kinds: ReportKind) -> list[Report]:
    """Return the reports of some kinds."""
    return [report for batch in batches for report in reports_of(batch) if report.kind in kinds]


def rows_of(store: object, count: int) -> bytes:
    """Return the first rows of a store."""
    view = store.view()  # type: ignore[attr-defined]
    with view:
        return bytes(view[: count * ROW_BYTES])
