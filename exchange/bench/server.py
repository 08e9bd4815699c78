"""`python -m exchange.bench.server DIR`: the exchange without a chain behind it, to be measured.

Journal, engine, history, snapshots, sequencer and both gateways are the product's; nothing settles. Prints
`ready HTTP_PORT BINARY_PORT SECRET`; ends in order when it is told to.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import uvicorn
import uvloop

from exchange import binary
from exchange.bench.replay import IDENTITY
from exchange.clearing import ClearingDesk, ClearingPort
from exchange.core import records
from exchange.core.codes import CASH
from exchange.gateway import create_app
from exchange.gateway.streaming import Stream
from exchange.opening import start
from exchange.sequencer import Sequencer

FIRMS: Final = 200
UNIT: Final = 1 << 80 | 2026 << 64
UNIT_TEXT: Final = "allowance-2026"
_PLENTY: Final = 10**15


def firm(number: int) -> bytes:
    """Return the address of a firm, from 0."""
    return (number + 1).to_bytes(20, "big")


def opening() -> bytes:
    """Return what lists the unit, sets its fees, and gives every firm plenty of cash and tonnes."""
    parts = [records.register(firm(number)) for number in range(FIRMS + 1)]  # the last one collects
    parts.append(records.list_instrument(UNIT, tick=1, lot=1, quantity_max=10**9))
    parts.append(records.set_rules(1, maker_ppm=200, taker_ppm=500, fee_participant=FIRMS + 1))
    for number in range(FIRMS):
        for asset in (CASH, 1):
            transfer = (2 * number + asset + 1).to_bytes(32, "big")
            parts.append(records.credit(number + 1, asset, _PLENTY, transfer))
    return b"".join(parts)


async def serve(home: Path) -> None:
    """Serve until a signal comes."""
    opened = start(home, IDENTITY)
    sequencer = Sequencer(opened.venue, opened.journal, opened.keeper)
    writer = asyncio.create_task(sequencer.run())
    await sequencer.submit(opening())
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    secret = secrets.token_bytes(32)
    # Its loop does not run, so it never asks.
    desk = ClearingDesk(sequencer, cast("ClearingPort", None), 0)
    app = create_app(sequencer, desk, Stream(sequencer), secret.hex())
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    members = await binary.serve(sequencer, secret, IDENTITY.chain_id, IDENTITY.clearing)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
        )
    )
    ready = f"ready {listener.getsockname()[1]} {members.port} {secret.hex()}"
    print(ready, flush=True)  # noqa: T201 - who started it waits for it
    try:
        await server.serve([listener])
    finally:
        members.close()
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        sequencer.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it has ended
        uvloop.run(serve(Path(sys.argv[1])))
