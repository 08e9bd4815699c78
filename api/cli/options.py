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
ChainUrl = Annotated[
    str | None,
    typer.Option(
        "--chain-url",
        metavar="URL[,URL...]",
        help="JSON-RPC address of a chain that others run, or of several of its nodes. CARAT_CHAIN_URL.",
        show_default=False,
    ),
]
Confirmations = Annotated[
    str | None,
    typer.Option(
        "--confirmations",
        metavar="N|safe|finalized",
        help="There: blocks on top before an act counts; 12 unless told. CARAT_CHAIN_CONFIRMATIONS.",
        show_default=False,
    ),
]
CycleSeconds = Annotated[
    int, typer.Option("--cycle-seconds", min=10, help="There: how long each compliance cycle lasts.")
]

DEFAULT_CYCLE_S = 300
DEFAULT_DATA_DIR = Path(".state")
