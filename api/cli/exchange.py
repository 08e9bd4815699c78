"""`carat exchange`: the matching engine on published days, and its history against the chain."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from api.cli.output import print_json, results, steps
from api.cli.progress import story
from api.cli.scenario import print_audit


def replay_lobster(
    messages: Annotated[Path, typer.Argument(metavar="MESSAGES.csv", help="A LOBSTER message file.")],
    orderbook: Annotated[
        Path | None,
        typer.Option(
            metavar="BOOK.csv", help="Its orderbook file, of any depth: compared after each message."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Feed a day of LOBSTER messages through the engine and compare its book with the published one.

    Exit code 1 when a price or size in view differs.
    """
    from exchange.lobster.report import replay_files  # noqa: PLC0415

    started_s = time.monotonic()
    with story(f"replay of {messages.name}") as (_, on_progress):
        result = replay_files(messages, orderbook, on_progress)
    result["seconds"] = round(time.monotonic() - started_s, 3)
    if as_json:
        print_json(result)
    else:
        _show_replay(result, orderbook)
    if result["mismatches"] or result["deeper_mismatches"]:
        raise typer.Exit(1)


def verify(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: Json = False) -> None:
    """Replay the exchange's whole journal and compare every epoch's tape root with the one on chain.

    Exit code 1 when anything differs; the first difference is named.
    """
    started_s = time.monotonic()
    with steps("reading the program") as on_step:
        from api.audit.exchange import verify_exchange  # noqa: PLC0415
        from api.stack.attach import attached  # noqa: PLC0415

        with attached(data_dir, on_step) as stack:
            report = verify_exchange(stack.transactor(), stack.data.journal, on_step)
    result = report.as_json()
    if as_json:
        result["first_difference"] = next(iter(result["findings"]), None)
        result["seconds"] = round(time.monotonic() - started_s, 3)
        print_json(result)
    else:
        print_audit(result)
    if not report.ok:
        raise typer.Exit(1)


def _show_replay(result: dict[str, Any], orderbook: Path | None) -> None:
    compared, executions, unseen = result["compared"], result["executions"], result["changed_out_of_view"]
    results.print(
        f"{result['messages']:,} messages: {result['orders']:,} orders, {result['trades']:,} trades, "
        f"{result['seconds']} s"
    )
    quiet = {name: result["by_type"][name] for name in ("hidden_execution", "cross", "halt")}
    results.print("Not of the visible book: " + ", ".join(f"{n:,} {name}" for name, n in quiet.items()))
    if orderbook is None:
        results.print("No --orderbook: nothing was compared")
    else:
        results.print(
            f"{compared['bests']:,} bests compared: {result['mismatches']:,} mismatches; "
            f"{compared['bests_taken_from_the_book']:,} came into view and were taken from the published book"
        )
        results.print(
            f"{compared['deeper_levels']:,} deeper levels: {result['deeper_mismatches']:,} mismatches"
            f"; {compared['crossed_rows']:,} crossed rows left out"
        )
    for each in result["first_mismatches"] + result["first_deeper_mismatches"]:
        results.print(
            f"  line {each['line']}, {each['side']} level {each['level']}: published {each['published']}, "
            f"engine {each['engine']}",
            markup=False,
        )
    for each in result["standing_at_start"]:
        results.print(f"  stood at the start: {each['side']} {each['size']:,} at {each['price']}")
    results.print(
        f"Orders that the file does not submit: {result['unknown_before']:,} stood before it begins, "
        f"{result['unknown_out_of_view']:,} came out of view; {unseen['orders_gone']:,} left out of view"
    )
    results.print(
        f"Executions: {executions['in_turn']:,} in turn, {executions['out_of_turn']:,} out of turn "
        f"(lines {executions['first_out_of_turn']}), {executions['of_orders_not_shown']:,} of orders "
        "not shown",
        markup=False,
    )
