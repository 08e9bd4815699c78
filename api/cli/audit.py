"""`carat audit`: chain against projection, engine and evidence."""

from __future__ import annotations

import typer

from api.cli.options import DEFAULT_DATA_DIR, ChainUrl, Confirmations, DataDir, Json
from api.cli.output import print_json, steps
from api.cli.scenario import print_audit


def audit(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    chain_url: ChainUrl = None,
    confirmations: Confirmations = None,
    as_json: Json = False,
) -> None:
    """Compare everything with everything, beside a running stack or without one.

    Exit code 1 when anything differs.
    """
    with steps("reading the program") as on_step:
        from api.audit.run import audit as run_audit  # noqa: PLC0415
        from api.audit.run import stores_of  # noqa: PLC0415
        from api.stack.attach import attached  # noqa: PLC0415
        from api.stack.outside import OutsideChain  # noqa: PLC0415

        with attached(data_dir, on_step, OutsideChain.of(chain_url, confirmations)) as stack:
            report = run_audit(stores_of(stack), on_step)
    if as_json:
        print_json(report.as_json())
    else:
        print_audit(report.as_json())
    if not report.ok:
        raise typer.Exit(1)
