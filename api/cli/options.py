"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="CARAT_DATA_DIR", help="Where the stack keeps its state.")
]
FreshDataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Keep the run's state here; an empty or new directory.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for machines.")]

DEFAULT_DATA_DIR = Path(".state")
