"""All rows of `carat bench chain`, in the order of its table, and running those that are wanted."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from chain.bench import calls, contract_tests, logs, settlement, transfers
from chain.bench.chains import ANVIL, Program, find_peers, running_carat, running_peer
from chain.bench.report import Report, Row, machine_facts
from chain.refusals import Refusal

ROWS: Final = (
    "transfers-single",
    "transfers-batch",
    "transfers-clients",
    "settlement",
    "calls-changing",
    "calls-repeated",
    "calls-latency",
    "logs",
    "contract-tests",
)
SECONDS_MAX: Final = 60.0
_QUICK_FIRMS: Final = 301
_QUICK_LOGS: Final = 20_000


class BenchRowUnknown(Refusal):
    """There is no such row."""


class BenchSecondsOutOfRange(Refusal):
    """A round is longer than nothing, and at most a minute."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Parameters
    ----------
    rows :
        Names out of ROWS.
    seconds :
        Length of one timed round of the rows about rates.
    quick :
        Small markets and few logs: to see that everything works, not how fast it is.
    peers :
        Whether eth-tester and anvil do the same work.
    directory :
        Where our node's chains are put meanwhile; the file system matters. None: where temporary files are.
    """

    rows: Collection[str] = ROWS
    seconds: float = 2.0
    quick: bool = False
    peers: bool = True
    directory: Path | None = None

    def __post_init__(self) -> None:
        for name in self.rows:
            if name not in ROWS:
                raise BenchRowUnknown(row=name, rows=",".join(ROWS))
        if not 0 < self.seconds <= SECONDS_MAX:
            raise BenchSecondsOutOfRange(seconds=str(self.seconds), seconds_max=int(SECONDS_MAX))

    def wants(self, name: str) -> bool:
        """Whether this row is to be measured."""
        return name in self.rows


def run(plan: Plan, on_step: Callable[[str], None], on_row: Callable[[Row], None]) -> Report:
    """Measure; `on_step` hears what is being done, `on_row` each row as it is done.

    Raises
    ------
    BenchAnswerWrong, BenchChainFailed :
        A chain did not do what it was asked: then there is no figure.
    """
    began, began_s = datetime.now(UTC), time.monotonic()
    found: dict[str, Row] = {}
    with tempfile.TemporaryDirectory(prefix="carat-bench-", dir=plan.directory) as folder:
        machine = machine_facts(Path(folder))
        on_step("looking for the peers")
        programs, missing = find_peers() if plan.peers else ({}, {})
        machine |= {"peers": {program.name: program.version for program in programs.values()}}
        for row in _rows(plan, Path(folder), programs, missing, on_step):
            found[row.name] = row
            on_row(row)
    machine["load_after"] = round(os.getloadavg()[0], 2)
    rows = [found[name] for name in ROWS if name in found]
    return Report("chain", began, time.monotonic() - began_s, machine, rows, plan.quick)


def _rows(
    plan: Plan,
    folder: Path,
    programs: dict[str, Program],
    missing: dict[str, str],
    on_step: Callable[[str], None],
) -> Iterator[Row]:
    shared = [name for name in ROWS if name.startswith(("transfers-", "calls-"))]
    if any(map(plan.wants, shared)):
        with _contestants(folder / "shared", programs, on_step) as contestants:
            for module in (transfers, calls):
                for name in shared:
                    if plan.wants(name) and name in module.NAMES:
                        on_step(name)
                        yield module.row(name, contestants, missing, plan.seconds)
    if plan.wants("settlement"):
        firms = _QUICK_FIRMS if plan.quick else settlement.FIRMS
        yield settlement.row(folder / "settlement", firms, on_step)
    if plan.wants("logs"):
        count = _QUICK_LOGS if plan.quick else logs.LOGS
        anvil = programs.get(ANVIL)
        yield logs.row(folder / "logs", anvil, missing, count, on_step)
    if plan.wants("contract-tests") and plan.peers:
        on_step("contract-tests")
        yield contract_tests.row(plan.quick)


@contextmanager
def _contestants(
    data: Path, programs: dict[str, Program], on_step: Callable[[str], None]
) -> Iterator[Sequence[transfers.Contestant]]:
    with ExitStack() as stack:
        chains: list[Any] = [stack.enter_context(running_carat(data))]
        for program in programs.values():
            on_step(f"starting {program.name} {program.version}")
            chains.append(stack.enter_context(running_peer(program)))
        on_step("putting the ledger on every chain")
        yield [transfers.enter(chain) for chain in chains]
