"""All rows of `carat bench exchange`, in the order of its table, and running those that are wanted."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from chain.bench.report import Report, Row, machine_facts
from chain.bench.suite import BenchRowUnknown
from exchange.bench import product, rows
from exchange.bench.rows import MATCHING_BATCHES, MATCHING_SINGLE, MEMORY, QUICK, REPLAY, RISK, Effort
from exchange.core import Engine

ROWS: Final = (
    MATCHING_BATCHES,
    MATCHING_SINGLE,
    RISK,
    product.DURABLE,
    REPLAY,
    product.HTTP_BATCHES,
    product.HTTP_SINGLE,
    MEMORY,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: names out of ROWS; quick, to see that it works; the directory whose disk counts."""

    rows: Collection[str] = ROWS
    quick: bool = False
    directory: Path | None = None

    def __post_init__(self) -> None:
        for name in self.rows:
            if name not in ROWS:
                raise BenchRowUnknown(row=name, rows=",".join(ROWS))


def run(plan: Plan, on_step: Callable[[str], None], on_row: Callable[[Row], None]) -> Report:
    """Measure; `on_step` hears what is being done, `on_row` each row as it is done.

    Raises
    ------
    BenchResultWrong :
        A result was not what it has to be: then there is no figure.
    """
    began, began_s = datetime.now(UTC), time.monotonic()
    effort = QUICK if plan.quick else Effort()
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="carat-bench-", dir=plan.directory) as name:
        folder = Path(name)
        machine = machine_facts(folder) | {"core": "compiled" if Engine.is_compiled else "reference"}
        measures: dict[str, Callable[[], Row]] = {
            MATCHING_BATCHES: partial(rows.matching, MATCHING_BATCHES, effort),
            MATCHING_SINGLE: partial(rows.matching, MATCHING_SINGLE, effort),
            RISK: partial(rows.risk, effort),
            REPLAY: partial(rows.replay, effort, folder),
            MEMORY: partial(rows.memory, effort),
            product.DURABLE: partial(product.durable, folder, quick=plan.quick),
            product.HTTP_BATCHES: partial(product.http, product.HTTP_BATCHES, folder, quick=plan.quick),
            product.HTTP_SINGLE: partial(product.http, product.HTTP_SINGLE, folder, quick=plan.quick),
        }
        for row_name in ROWS:
            if row_name in plan.rows:
                on_step(row_name)
                row = measures[row_name]()
                found.append(row)
                on_row(row)
    machine["load_after"] = round(os.getloadavg()[0], 2)
    return Report("exchange", began, time.monotonic() - began_s, machine, found, plan.quick)
