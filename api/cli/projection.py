"""`carat projection`: the registry's tables, which the chain can always give again."""

from __future__ import annotations

from api.cli.options import DEFAULT_DATA_DIR, ChainUrl, Confirmations, DataDir, Json
from api.cli.output import print_json, results, steps


def rebuild(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    chain_url: ChainUrl = None,
    confirmations: Confirmations = None,
    as_json: Json = False,
) -> None:
    """Drop the registry's tables and build them again from the chain; say whether they came out equal.

    Works beside a running stack and without one.
    """
    with steps("reading the program") as on_step:
        from api.projection import rebuild_projection  # noqa: PLC0415
        from api.stack.attach import attached  # noqa: PLC0415
        from api.stack.outside import OutsideChain  # noqa: PLC0415

        with attached(data_dir, on_step, OutsideChain.of(chain_url, confirmations)) as stack:
            rebuilt = rebuild_projection(stack, on_step)
    if as_json:
        print_json(
            {
                "events": rebuilt.events,
                "block": rebuilt.block,
                "equal": rebuilt.equal,
                "changed_tables": rebuilt.changed_tables,
                "seconds": round(rebuilt.seconds, 2),
            }
        )
        return
    results.print(
        f"{rebuilt.events} events up to block {rebuilt.block} in {rebuilt.seconds:.1f} s; the tables are "
        + ("as they were" if rebuilt.equal else f"other than they were: {', '.join(rebuilt.changed_tables)}")
    )
