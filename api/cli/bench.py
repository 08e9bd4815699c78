"""`carat bench`: how fast CARAT is, beside its peers, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Json
from api.cli.output import print_json, results, steps

Rows = Annotated[
    str | None,
    typer.Option(
        "--rows", metavar="NAME,...", help="Only these rows; all of them unless told.", show_default=False
    ),
]
Seconds = Annotated[float, typer.Option("--seconds", help="Length of one timed round.")]
Quick = Annotated[bool, typer.Option("--quick", help="Small and short: shows that it works, not how fast.")]
Full = Annotated[
    bool, typer.Option("--full", help="Verify 100 million commands, not 10: 7 GB on the disk meanwhile.")
]
NoPeers = Annotated[bool, typer.Option("--no-peers", help="Leave eth-tester, anvil and brownie out.")]
Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        exists=True,
        file_okay=False,
        help="Where chains and journals are put meanwhile: the disk to measure. Else with temporary files.",
        show_default=False,
    ),
]

_QUICK_SECONDS = 0.3


def bench_chain(
    rows: Rows = None,
    seconds: Seconds = 2.0,
    quick: Quick = False,
    no_peers: NoPeers = False,
    directory: Directory = None,
    as_json: Json = False,
) -> None:
    """Measure the chain: transfers, settlement, calls, logs, contract tests; beside eth-tester and anvil.

    Takes some minutes and all of the machine. Every result is checked before it counts. Exit code 1 where a
    row does not meet its target.
    """
    with steps("reading the program") as on_step:
        from api.cli.bench_table import report_table, row_line  # noqa: PLC0415
        from chain.bench.suite import ROWS, Plan, run  # noqa: PLC0415

        plan = Plan(
            rows=ROWS if rows is None else tuple(name for name in rows.split(",") if name),
            seconds=min(seconds, _QUICK_SECONDS) if quick else seconds,
            quick=quick,
            peers=not no_peers,
            directory=directory,
        )
        report = run(plan, on_step, lambda row: on_step(row_line(row)))
    if as_json:
        print_json(report.as_json())
    else:
        results.print(report_table(report))
    if not report.passed and not quick:
        raise typer.Exit(1)


def bench_exchange(
    rows: Rows = None,
    quick: Quick = False,
    full: Full = False,
    directory: Directory = None,
    as_json: Json = False,
) -> None:
    """Measure the exchange: matching, risk, durability, commit times, replay, gateways, memory.

    Takes about two minutes and all of the machine: only what one thread computes is timed in its CPU time,
    all else by the wall clock. Every result is checked before it counts. Exit code 1 where a row does not
    meet its target.
    """
    with steps("reading the program") as on_step:
        from api.cli.bench_table import report_table, row_line  # noqa: PLC0415
        from exchange.bench.suite import ROWS, Plan, run  # noqa: PLC0415

        plan = Plan(
            rows=ROWS if rows is None else tuple(name for name in rows.split(",") if name),
            quick=quick,
            full=full,
            directory=directory,
        )
        report = run(plan, on_step, lambda row: on_step(row_line(row)))
    if as_json:
        print_json(report.as_json())
    else:
        results.print(report_table(report))
    if not report.passed and not quick:
        raise typer.Exit(1)
