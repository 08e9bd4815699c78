"""`carat replay`: published years of a real market, run through the real system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

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
from api.cli.scenario import place_of, print_audit
from chain.refusals import Refusal

_DISAGREEMENTS_SHOWN = 20


class PriceOptionMalformed(Refusal):
    """--price takes YEAR=CENTS, whole numbers."""


def eu_ets(
    data: Annotated[Path, typer.Option(help="Folder with the published tables.")],
    country: Annotated[str, typer.Option(help="National administrator, as in installations.csv.")],
    first_year: Annotated[int, typer.Option("--from", help="First year.")],
    last_year: Annotated[int, typer.Option("--to", help="Last year.")],
    price: Annotated[
        list[str] | None, typer.Option(help="YEAR=CENTS: an average price that the data lacks; repeatable.")
    ] = None,
    data_dir: FreshDataDir = None,
    chain_url: ChainUrl = None,
    confirmations: Confirmations = None,
    cycle_seconds: CycleSeconds = DEFAULT_CYCLE_S,
    as_json: Json = False,
) -> None:
    """Take a country's installations through allocation, verification, trading, surrender and status.

    Exit code 1 when the audit found anything.
    """
    from api.replay.eu_ets_data import read_eu_ets  # noqa: PLC0415

    published = read_eu_ets(data, country, first_year, last_year, _prices(price or []))
    from api.replay.run import replay_eu_ets  # noqa: PLC0415

    place = place_of(chain_url, confirmations, cycle_seconds)
    with story(f"EU ETS, {country}, {first_year} to {last_year}") as (on_step, on_progress):
        result = replay_eu_ets(published, data_dir, on_step, on_progress, place)
    if as_json:
        print_json(result)
    else:
        _show(result)
    if not result["audit"]["ok"]:
        raise typer.Exit(1)


def _prices(options: list[str]) -> dict[int, int]:
    prices = {}
    for option in options:
        year, _, cents = option.partition("=")
        if not (
            year.isascii()
            and year.isdigit()
            and cents.isascii()
            and cents.isdigit()
            and 0 < int(cents) < 10**6
        ):
            raise PriceOptionMalformed(given=option)
        prices[int(year)] = int(cents)
    return prices


def _show(result: dict[str, Any]) -> None:
    statuses = result["statuses"]
    results.print(
        f"{result['country']}, {result['years'][0]} to {result['years'][1]}: "
        f"{result['installations']} installations, {result['trades']} trades, "
        f"{result['epochs_settled']} epochs settled, {result['transactions']} transactions, "
        f"{result['seconds']} s"
    )
    for name in ("allocated_t", "verified_t", "surrendered_t"):
        results.print(f"  {name:<14} {result[name]:>16,}")
    results.print(f"Statuses: {statuses['agree']} agree, {len(statuses['disagree'])} disagree")
    for each in statuses["disagree"][:_DISAGREEMENTS_SHOWN]:
        results.print(
            f"  {each['year']} {each['account_id']} {each['name']}: published {each['published']}, "
            f"derived {each['derived']} ({each['cumulative_surrendered_t']:,} t surrendered of "
            f"{each['cumulative_verified_t']:,} t)",
            markup=False,
        )
    for reason, number in statuses["unchecked"].items():
        results.print(f"  {number} unchecked: {reason}", markup=False)
    print_audit(result["audit"])
