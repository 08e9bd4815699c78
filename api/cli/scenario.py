"""`carat scenario run`: a market on one page, run through the real system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from api.cli.options import (
    DEFAULT_CYCLE_S,
    ChainUrl,
    Confirmations,
    CycleSeconds,
    FreshDataDir,
    Json,
)
from api.cli.output import print_json, results
from api.cli.progress import story

if TYPE_CHECKING:
    from api.cycle.system import Place


def run(
    file: Annotated[Path, typer.Argument(help="The scenario, a YAML file.", show_default=False)],
    data_dir: FreshDataDir = None,
    chain_url: ChainUrl = None,
    confirmations: Confirmations = None,
    cycle_seconds: CycleSeconds = DEFAULT_CYCLE_S,
    as_json: Json = False,
) -> None:
    """Run a scenario on a fresh system and show what became of every firm.

    With a chain URL no node is started: the contracts are deployed on that chain, for this run alone.

    Exit code 1 when the audit found anything.
    """
    from api.scenario.file import read_scenario  # noqa: PLC0415

    scenario = read_scenario(file)
    from api.scenario.run import run_scenario  # noqa: PLC0415

    place = place_of(chain_url, confirmations, cycle_seconds)
    with story(f"scenario {scenario.name}") as (on_step, on_progress):
        result = run_scenario(scenario, data_dir, on_step, on_progress, place)
    if as_json:
        print_json(result)
    else:
        results.print(_table(result))
        print_audit(result["audit"])
    if not result["audit"]["ok"]:
        raise typer.Exit(1)


def place_of(chain_url: str | None, confirmations: str | None, cycle_s: int) -> Place | None:
    """Return the chain that options or environment name for a story; None for a fresh one of our own."""
    from api.cycle.system import Place  # noqa: PLC0415
    from api.stack.outside import OutsideChain  # noqa: PLC0415

    outside = OutsideChain.of(chain_url, confirmations)
    return None if outside is None else Place(outside, cycle_s)


def print_audit(report: dict[str, Any]) -> None:
    """Show an audit's verdict and every finding."""
    if report["ok"]:
        looked_at = ", ".join(f"{number} {what}" for what, number in report["looked_at"].items())
        results.print(f"Audit: everything agrees ({looked_at}).")
    for finding in report["findings"]:
        results.print(f"Audit: {finding['check']}: {finding['what']}", markup=False)


def _table(result: dict[str, Any]) -> Table:
    table = Table(title=f"Scenario {result['name']}", title_justify="left")
    table.add_column("firm")
    columns = list(next(iter(result["firms"].values())))
    for column in columns:
        table.add_column(column, justify="right")
    for name, sums in {**result["firms"], **result["others"]}.items():
        table.add_row(name, *(f"{sums[column]:,}" for column in columns))
    table.caption = (
        f"{result['epochs_settled']} epochs settled, {result['transactions']} transactions, "
        f"{result['seconds']} s"
    )
    return table
