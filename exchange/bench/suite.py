"""All rows of `carat bench exchange`, in the order of its table, and running those that are wanted."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from chain.bench.report import Report, Row, machine_facts
from chain.bench.suite import BenchRowUnknown
from exchange.bench import durable, network, replay, rows
from exchange.bench.rows import MATCHING_BATCHES, MATCHING_SINGLE, MEMORY, QUICK, RISK, Effort
from exchange.core import Engine

ROWS: Final = (
    MATCHING_BATCHES,
    MATCHING_SINGLE,
    RISK,
    durable.DURABLE,
    durable.COMMIT,
    replay.REPLAY,
    replay.VERIFY,
    network.BINARY,
    network.BINARY_PING,
    network.HTTP_BATCHES,
    network.HTTP_SINGLE,
    MEMORY,
)
FULL_VERIFIED: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: names out of ROWS; quick, to see that it works; the directory whose disk counts.

    `full` verifies a journal of 100 million commands: 7 GB on that disk, and a minute more.
    """

    rows: Collection[str] = ROWS
    quick: bool = False
    full: bool = False
    directory: Path | None = None

    def __post_init__(self) -> None:
        for name in self.rows:
            if name not in ROWS:
                raise BenchRowUnknown(row=name, rows=",".join(ROWS))

    @property
    def effort(self) -> Effort:
        """How much of everything."""
        effort = QUICK if self.quick else Effort()
        return replace(effort, verified=FULL_VERIFIED) if self.full else effort


def run(plan: Plan, on_step: Callable[[str], None], on_row: Callable[[Row], None]) -> Report:
    """Measure; `on_step` hears what is being done, `on_row` each row as it is done.

    Raises
    ------
    BenchResultWrong :
        A result was not what it has to be: then there is no figure.
    """
    began, began_s = datetime.now(UTC), time.monotonic()
    effort = plan.effort
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="carat-bench-", dir=plan.directory) as name:
        folder = Path(name)
        machine = machine_facts(folder) | {"core": "compiled" if Engine.is_compiled else "reference"}
        measures: dict[str, Callable[[], Row]] = {
            MATCHING_BATCHES: partial(rows.matching, MATCHING_BATCHES, effort),
            MATCHING_SINGLE: partial(rows.matching, MATCHING_SINGLE, effort),
            RISK: partial(rows.risk, effort),
            durable.DURABLE: partial(durable.durable, effort, folder),
            durable.COMMIT: partial(durable.commit, effort, folder),
            replay.REPLAY: partial(replay.replay, effort, folder),
            replay.VERIFY: partial(replay.verify, effort, folder, on_step),
            network.BINARY: partial(network.pipelined, effort, folder),
            network.BINARY_PING: partial(network.ping_pong, effort, folder),
            network.HTTP_BATCHES: partial(network.http, network.HTTP_BATCHES, effort, folder),
            network.HTTP_SINGLE: partial(network.http, network.HTTP_SINGLE, effort, folder),
            MEMORY: partial(rows.memory, effort),
        }
        for row_name in ROWS:
            if row_name in plan.rows:
                on_step(row_name)
                row = measures[row_name]()
                found.append(row)
                on_row(row)
    machine["load_after"] = round(os.getloadavg()[0], 2)
    return Report("exchange", began, time.monotonic() - began_s, machine, found, plan.quick)
