"""`carat up`: start everything, and keep it running until Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from api.cli.options import DEFAULT_DATA_DIR, ChainUrl, Confirmations, DataDir, Json
from api.cli.output import errors, print_json, results, steps
from api.stack import ports

if TYPE_CHECKING:
    from api.seed import Member
    from api.stack.stack import Stack
    from api.stack.supervisor import ProcessEvent


def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where the API listens; 0 for any.")] = 8000,
    epoch_seconds: Annotated[
        int, typer.Option(min=0, help="How often trades settle on chain; 0 for only when asked.")
    ] = 30,
    seed: Annotated[bool, typer.Option(help="Fill a new market with a few members and orders.")] = True,
    binary_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            envvar="CARAT_BINARY_PORT",
            help="Where the exchange's binary gateway listens; 0 for any; without it there is none.",
            show_default=False,
        ),
    ] = None,
    chain_url: ChainUrl = None,
    confirmations: Confirmations = None,
    as_json: Json = False,
) -> None:
    """Start node, exchange and API, and keep them running until Ctrl-C.

    State lives in one data directory: a second start goes on where the first stopped. With a chain URL no
    node is started: contracts are deployed there, unless `carat chain deploy` has done so.
    """
    _interrupt_at_first_signal()
    started_s = time.monotonic()
    try:
        with steps("starting") as on_step:
            stack, members = _start(
                data_dir,
                (port, binary_port),
                epoch_seconds,
                seed=seed,
                chain=(chain_url, confirmations),
                on_step=on_step,
                on_event=_teller(as_json),
            )
    except KeyboardInterrupt:
        errors.print("stopped before everything ran; the next start goes on from here")
        raise typer.Exit(130) from None
    with stack:
        try:
            took_s = time.monotonic() - started_s
            if as_json:
                print_json({"event": "serving", **facts(stack, members), "seconds": round(took_s, 1)})
            else:
                _show(stack, members, data_dir)
                results.print(f"Ready in {took_s:.1f} s. Ctrl-C stops it; the state stays in {data_dir}.")
            threading.Event().wait()
        except KeyboardInterrupt:
            errors.print("stopping ...")
    errors.print("stopped")


def facts(stack: Stack, members: list[Member]) -> dict[str, Any]:
    """Return where everything is, and who there is."""
    return {
        "data_dir": str(stack.data.root),
        "api_url": stack.api_url,
        "docs_url": f"{stack.api_url}/docs",
        "node_url": stack.node_url,
        "exchange_url": stack.exchange_url,
        "binary_port": stack.binary_port,
        "members": [
            {"role": each.role, "label": each.label, "name": each.name, "address": each.address}
            for each in members
        ],
    }


def _start(
    data_dir: Path,
    listening: tuple[int, int | None],
    epoch_seconds: int,
    *,
    seed: bool,
    chain: tuple[str | None, str | None],
    on_step: Callable[[str], None],
    on_event: Callable[[ProcessEvent], None],
) -> tuple[Stack, list[Member]]:
    on_step("reading the program")
    from api.seed import members_of, seed_market  # noqa: PLC0415
    from api.stack.outside import OutsideChain  # noqa: PLC0415
    from api.stack.stack import Stack  # noqa: PLC0415

    stack = Stack.start(
        data_dir,
        api_port=listening[0],
        binary_port=listening[1],
        epoch_seconds=epoch_seconds,
        outside=OutsideChain.of(*chain),
        on_step=on_step,
        on_event=on_event,
    )
    try:
        if seed:
            seed_market(stack, on_step)
        return stack, members_of(stack.keyring)
    except BaseException:
        stack.stop()
        raise


def _teller(as_json: bool) -> Callable[[ProcessEvent], None]:
    def tell(event: ProcessEvent) -> None:
        if as_json:
            print_json({"event": event.what, "process": event.process, "pid": event.pid, "text": str(event)})
        else:
            errors.print(f"{time.strftime('%H:%M:%S')}  {escape(str(event))}")

    return tell


def _show(stack: Stack, members: list[Member], data_dir: Path) -> None:
    """Print where everything is, and how to sign in as everyone; a narrow terminal wraps the lines itself."""
    where = "" if data_dir == DEFAULT_DATA_DIR else f" --data-dir {data_dir}"
    addresses = [
        ("API and its pages", f"{stack.api_url}/docs"),
        ("exchange", stack.exchange_url),
        ("node (JSON-RPC)", stack.node_url),
    ]
    if stack.binary_port is not None:
        addresses.append(("exchange (binary)", f"{ports.LOOPBACK}:{stack.binary_port}"))
    people = [
        (each.role, f".venv/bin/carat sign-in --label {each.label}{where}", each.address, each.name)
        for each in members
    ]
    for line in [*_columns(addresses), "", *_columns(people), ""]:
        results.print(line, soft_wrap=True, markup=False)
    if stack.data.passphrase.exists():
        results.print(f"A generated passphrase opens the keys: {stack.data.passphrase}", soft_wrap=True)


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _interrupt_at_first_signal() -> None:
    """Let Ctrl-C and SIGTERM break off once; stopping is then not disturbed by another."""

    def hear(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, hear)
    signal.signal(signal.SIGTERM, hear)
