"""`carat keys`: whose keys this stack holds."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from api.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from api.cli.output import print_json, results
from api.cli.stack_here import require_keyring


def keys(
    labels: Annotated[
        list[str] | None, typer.Argument(help="Names of keys; none for the seeded members.")
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: Json = False,
) -> None:
    """Print the addresses of keys in this stack's keyring. The keys themselves never leave it."""
    from api.seed.members import members_of  # noqa: PLC0415

    keyring = require_keyring(data_dir)
    members = {each.label: each for each in members_of(keyring)}
    rows = [
        {
            "label": label,
            "address": keyring.signer(label).address,
            "role": members[label].role if label in members else "",
            "name": members[label].name if label in members else "",
        }
        for label in labels or members
    ]
    if as_json:
        print_json({"keys": rows})
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("label", "address", "role", "name"):
        table.add_column(column)
    for row in rows:
        table.add_row(*map(escape, row.values()))
    results.print(table)
