"""`carat chain`: the embedded chain's own record."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from api.cli.output import errors, print_json, results, steps

Authority = Annotated[
    str | None,
    typer.Option(
        "--authority", metavar="ADDRESS", help="Whose seals the blocks must bear.", show_default=False
    ),
]


def verify(data_dir: DataDir = DEFAULT_DATA_DIR, authority: Authority = None, as_json: Json = False) -> None:
    """Execute every block again from the genesis, and hold all that is stored against it.

    Reads only, beside a running node or without one. Exit code 1 when a record differs: the first is named.
    """
    with steps("reading the program") as on_step:
        from api.stack.paths import DataDirectory  # noqa: PLC0415
        from chain.node.verify import verify as verify_chain  # noqa: PLC0415

        on_step("verifying the chain")
        report = verify_chain(DataDirectory(data_dir.resolve()).chain, authority, on_step)
    if as_json:
        print_json(report.as_json())
    else:
        counted = f"{report.blocks} blocks, {report.transactions} transactions, {report.state_records} states"
        results.print(
            f"{counted} in order ({report.seconds:.1f} s); authority {report.authority}; head {report.head}",
            soft_wrap=True,
        )
    if report.fault is not None:
        errors.print(f"differs: {report.fault}", soft_wrap=True, markup=False)
        raise typer.Exit(1)
