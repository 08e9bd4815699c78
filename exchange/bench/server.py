"""`python -m exchange.bench.server JOURNAL`: the gateway without a chain behind it, to be measured.

The sequencer, the journal and the gateway are the product's; nothing settles. Prints `ready URL SECRET`.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import socket
import sys
from pathlib import Path
from typing import Final, cast

import uvicorn
import uvloop

from exchange.clearing import ClearingDesk, ClearingPort
from exchange.commands import CASH, Command, Credit, ListInstrument
from exchange.gateway import create_app
from exchange.journal import Identity, Journal
from exchange.sequencer import Sequencer
from exchange.streaming import Stream

FIRMS: Final = 200
UNIT: Final = 1 << 80 | 2026 << 64
IDENTITY: Final = Identity(chain_id=1337, clearing=b"\x11" * 20)


def firm(number: int) -> bytes:
    """Return the address of a firm, from 0."""
    return (number + 1).to_bytes(20, "big")


def opening() -> list[Command]:
    """Return what lists the unit and gives every firm plenty of cash and tonnes."""
    found: list[Command] = [ListInstrument(UNIT, 1, 1, 10**9)]
    for number in range(FIRMS):
        for at, asset in enumerate((CASH, UNIT)):
            found.append(Credit((2 * number + at + 1).to_bytes(32, "big"), firm(number), asset, 10**15))
    return found


async def serve(path: Path) -> None:
    """Serve until the process ends."""
    sequencer = Sequencer(Journal.open(path, IDENTITY))
    sequencer.replay()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    writer = asyncio.create_task(sequencer.run())
    await sequencer.submit(opening())
    secret = secrets.token_hex(32)
    # Its loop does not run, so it never asks.
    desk = ClearingDesk(sequencer, cast("ClearingPort", None), 0)
    app = create_app(sequencer, desk, Stream(sequencer), secret)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"ready {listener.getsockname()[1]} {secret}", flush=True)  # noqa: T201 - who started it waits for it
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    try:
        await uvicorn.Server(config).serve([listener])
    finally:
        writer.cancel()
        sequencer.close()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
