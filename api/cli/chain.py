"""`carat chain`: the embedded chain's own record, and deploying to a chain that others run."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from api.cli.options import DEFAULT_DATA_DIR, ChainUrl, Confirmations, DataDir, Json
from api.cli.output import errors, print_json, results, steps
from chain.refusals import Refusal


class ChainUrlMissing(Refusal):
    """Say on which chain: by an option or in the environment."""


Authority = Annotated[
    str | None,
    typer.Option(
        "--authority", metavar="ADDRESS", help="Whose seals the blocks must bear.", show_default=False
    ),
]


def deploy(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    chain_url: ChainUrl = None,
    confirmations: Confirmations = None,
    as_json: Json = False,
) -> None:
    """Put the contracts on a chain that others run, with the keys of this data directory.

    Broken off, it goes on where it stopped when it is called again: what was signed is written down first. A
    directory that has a deployment is refused.
    """
    started_s = time.monotonic()
    with steps("reading the program") as on_step:
        from api.stack.deploying import deploy_outside  # noqa: PLC0415
        from api.stack.outside import OutsideChain  # noqa: PLC0415

        outside = OutsideChain.of(chain_url, confirmations)
        if outside is None:
            raise ChainUrlMissing(option="--chain-url", variable="CARAT_CHAIN_URL")
        deployment = deploy_outside(data_dir, outside, on_step)
    if as_json:
        seconds = round(time.monotonic() - started_s, 2)
        print_json({**asdict(deployment), "data_dir": str(data_dir), "seconds": seconds})
        return
    for name, address in deployment.addresses.items():
        results.print(f"{name:16}  {address}", markup=False)
    results.print(f"On chain {deployment.chain_id} from block {deployment.block} on; noted in {data_dir}")


KeepState = Annotated[
    int | None,
    typer.Option(
        "--keep-state",
        metavar="BLOCKS",
        min=1,
        help="Of how many blocks the states stay; default: all that are there.",
        show_default=False,
    ),
]


def compact(
    data_dir: DataDir = DEFAULT_DATA_DIR, keep_state: KeepState = None, as_json: Json = False
) -> None:
    """Write the chain's store anew, without older states and free room; the stack must not run.

    Blocks, receipts and logs all stay. A run that is broken off leaves the store as it was.
    """
    with steps("reading the program") as on_step:
        from api.stack.paths import DataDirectory  # noqa: PLC0415
        from chain.node.compaction import compact as compact_store  # noqa: PLC0415

        on_step("compacting the chain")
        report = compact_store(DataDirectory(data_dir.resolve()).chain, keep_state, on_step)
    if as_json:
        print_json(report.as_json())
    else:
        results.print(
            f"{report.before_bytes:,} bytes before, {report.after_bytes:,} after; "
            f"states can be read from block {report.first_kept} on"
        )


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
