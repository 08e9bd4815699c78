"""`python -m exchange`: the exchange as a process.

    python -m exchange --data DIR --port P --chain-url URL [--confirmations N] [--epoch-seconds N]
                       [--binary-port P]

Reads DIR/deployment.json and DIR/keys.json (passphrase in CARAT_PASSPHRASE), keeps its journal under
DIR/exchange, and prints `ready http://127.0.0.1:PORT` when it serves. SIGTERM and SIGINT stop it cleanly.
With a binary port trading members reach it there, too (docs/spec/09); where that listens is in
DIR/exchange/binary.json.
What cannot work is said on standard error as `error: ...`, with exit code 2.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
import uvloop

from chain.deployment import Deployment
from chain.finality import AT_ONCE, Finality
from chain.keys import Keyring
from chain.refusals import ChainUnreachable, Refusal
from exchange import binary
from exchange.chain_port import ChainPort
from exchange.clearing import ClearingDesk
from exchange.core import records
from exchange.days import end_days
from exchange.disk import OS_DISK
from exchange.gateway import Stream, create_app
from exchange.journal import Identity
from exchange.opening import start
from exchange.refusals import InvariantBroken, JournalBehindChain, JournalUnavailable
from exchange.sequencer import Sequencer

GATEWAY_LABEL = "exchange-gateway"
"""Names the secret that the API shares (`Keyring.secret`)."""

SIGNER_LABEL = "exchange"
"""Names the key that holds the role EXCHANGE on chain."""


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        finality = Finality.parse(options.confirmations)
        uvloop.run(
            serve(
                options.data,
                options.port,
                options.chain_url,
                options.epoch_seconds,
                finality,
                options.tip_wei,
                options.binary_port,
            )
        )
    except (Refusal, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command line's answer
        return 2
    return 0


async def serve(
    data: Path,
    port: int,
    chain_urls: str,
    epoch_s: float,
    finality: Finality = AT_ONCE,
    tip_wei: int = 0,
    binary_port: int | None = None,
) -> None:
    """Open everything, serve, and close everything.

    Raises
    ------
    Refusal :
        DeploymentMissing, KeyringLocked, JournalLocked, JournalForeign, JournalCorrupt,
        JournalBehindSnapshot, InvariantBroken, JournalBehindChain.
    """
    deployment = Deployment.load(data / "deployment.json")
    keyring = Keyring.open(data / "keys.json", os.environ.get("CARAT_PASSPHRASE", ""))
    clearing = bytes.fromhex(deployment.addresses["Clearing"][2:])
    identity = Identity(deployment.chain_id, clearing)
    opened = await asyncio.to_thread(start, data / "exchange", identity)
    sequencer = Sequencer(opened.venue, opened.journal, opened.keeper)
    try:
        gc.freeze()  # what was read at the start lives for good: collecting it again would cost time
        gc.set_threshold(50_000, 20, 100)
        signer = keyring.signer(SIGNER_LABEL)
        chain = ChainPort(chain_urls, deployment, signer, finality, tip_wei, data / "exchange")
        await _require_history(sequencer, chain)
        desk = ClearingDesk(sequencer, chain, deployment.block)
        with suppress(Refusal):  # the desk tries again, and raises the alarm
            await desk.show_life()  # before the first order: nobody trades here and leaves there
        app = create_app(sequencer, desk, Stream(sequencer), keyring.secret(GATEWAY_LABEL).hex())
        listener = socket.create_server(("127.0.0.1", port))
        # Every connection inherits it; without it an answer waits 40 ms for the other side to acknowledge.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        note = data / "exchange" / "binary.json"
        members = await _open_binary(
            sequencer, note, keyring.secret(binary.MEMBERS_LABEL), identity, binary_port
        )
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(sequencer.run()),
                tasks.create_task(desk.run()),
                tasks.create_task(_close_epochs(sequencer, desk, epoch_s)),
                tasks.create_task(end_days(sequencer)),
            ]
            await _serve_http(_Server(config), listener)
            if members is not None:
                await members.wait_closed()  # while the sequencer runs: what members asked for is still done
                OS_DISK.remove(note)
            for task in running:
                task.cancel()
        await asyncio.to_thread(sequencer.save)
    finally:
        sequencer.close()


async def _open_binary(
    sequencer: Sequencer, note: Path, secret: bytes, identity: Identity, port: int | None
) -> binary.Gateway | None:
    """Open the way in for trading members, if it is wanted, and note where it listens."""
    OS_DISK.remove(note)
    if port is None:
        return None
    gateway = await binary.serve(sequencer, secret, identity.chain_id, identity.clearing, port=port)
    OS_DISK.replace(note, [json.dumps({"host": "127.0.0.1", "port": gateway.port}).encode()])
    return gateway


async def _require_history(sequencer: Sequencer, chain: ChainPort) -> None:
    """Refuse to trade on a journal that lost epochs which the chain has settled."""
    try:
        settled, _ = await asyncio.to_thread(chain.progress)
    except ChainUnreachable:
        return  # the desk asks again before it sends anything
    closed = len(sequencer.venue.custody.epochs)
    if settled > closed:
        raise JournalBehindChain(settled_epoch=settled, closed_epochs=closed)


async def _close_epochs(sequencer: Sequencer, desk: ClearingDesk, epoch_s: float) -> None:
    """Close the epoch every so often, as long as the sequencer takes anything; 0 means on demand only."""
    with suppress(JournalUnavailable, InvariantBroken):
        while epoch_s > 0:
            await asyncio.sleep(epoch_s)
            if await sequencer.read(lambda venue: venue.history.trades > venue.custody.committed_trades):
                epoch = sequencer.venue.custody.open_epoch
                await sequencer.submit(records.close_epoch(epoch, sequencer.now_us()))
                desk.kick()


class _Server(uvicorn.Server):
    """Says when it is ready, and leaves the signals to `_serve_http`: uvicorn would raise them again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            print(f"ready http://{host}:{port}", flush=True)  # noqa: T201 - the supervisor waits for it


async def _serve_http(server: _Server, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    await server.serve(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m exchange", description="The exchange, as a process.")
    parser.add_argument("--data", type=Path, required=True, help="the stack's data directory")
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    url = os.environ.get("CARAT_CHAIN_URL", "")
    parser.add_argument(
        "--chain-url",
        default=url,
        required=not url,
        help="JSON-RPC address of the chain, or several with commas; CARAT_CHAIN_URL",
    )
    parser.add_argument(
        "--confirmations",
        default=os.environ.get("CARAT_CHAIN_CONFIRMATIONS", "0"),
        help="blocks on top before what a block holds is believed, or safe, or finalized",
    )
    parser.add_argument("--tip-wei", type=int, default=0, help="least tip to offer for a unit of gas")
    parser.add_argument(
        "--binary-port", type=int, help="loopback port for trading members; 0 takes a free one; else none"
    )
    parser.add_argument(
        "--epoch-seconds", type=float, default=0.0, help="close an epoch this often; 0: on demand"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
