"""`python -m chain.node --data DIR --port P`: serve one chain until SIGTERM or SIGINT.

Prints `ready http://127.0.0.1:PORT` when it serves. Exit status: 0 after a signal, 2 with `error: ...`
where the data directory, the authority's key, the chain id or the port will not do.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import lmdb

from chain.node import policy
from chain.node.node import DEFAULT_CHAIN_ID, Node, Settings
from chain.node.server import serve
from chain.refusals import Refusal

MAX_CHAIN_ID = 2**53 - 1  # what every client reads as a whole number
MAX_UNLOCKED = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_TIME_UTC = int(datetime.max.replace(tzinfo=UTC).timestamp())
PASSPHRASE_VARIABLE = "CARAT_PASSPHRASE"  # noqa: S105 - the name, not the secret


def main(arguments: list[str] | None = None) -> int:
    """Run a node; the answer is the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings(
        chain_id=options.chain_id,
        test_methods=options.test_methods,
        genesis_utc=options.genesis_time,
        unlocked=options.unlocked,
        fsync=not options.no_fsync,
        authority_key=options.authority_key,
        passphrase=os.environ.get(PASSPHRASE_VARIABLE, ""),
        mining=options.mine,
        deployers=options.deployers,
        quota=policy.quota(options),
        operators=frozenset(options.operators),
        keep_states=policy.keep_states(options),
    )
    if options.mine.manual and not options.test_methods:
        return _fail("--mine manual needs --test-methods: nobody could ask for a block")
    try:
        node = Node(options.data, settings)
    except (OSError, ValueError, Refusal, lmdb.Error) as error:
        return _fail(f"{options.data}: {error}")
    try:
        _loop(node, options.port, options.ipc)
    except OSError as error:
        return _fail(str(error))
    finally:
        node.close()
    return 0


def _loop(node: Node, port: int, ipc: Path | None) -> None:
    def ready(url: str) -> None:
        # What is loaded by now stays: looking through it again and again would hold readers up.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()

    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        asyncio.run(serve(node, port, ready, ipc))
    else:
        uvloop.run(serve(node, port, ready, ipc))


def _fail(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chain.node", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="directory of the chain; made if missing")
    parser.add_argument(
        "--port", type=_whole(0, 65_535), default=0, metavar="PORT", help="loopback port; 0 for a free one"
    )
    parser.add_argument(
        "--ipc", type=Path, metavar="PATH", help="also serve a Unix socket there, for the node's user alone"
    )
    parser.add_argument("--chain-id", type=_whole(1, MAX_CHAIN_ID), default=DEFAULT_CHAIN_ID, metavar="ID")
    parser.add_argument(
        "--authority-key",
        type=Path,
        metavar="FILE",
        help="key that seals the blocks, an Ethereum keystore; "
        f"{PASSPHRASE_VARIABLE} opens it; default: authority.json in DIR, made with a new chain",
    )
    parser.add_argument("--test-methods", action="store_true", help="evm_ methods and unlocked accounts")
    parser.add_argument(
        "--genesis-time",
        type=_utc,
        metavar="UTC",
        help="time a new chain's clock starts at: unix seconds or ISO 8601; default: now",
    )
    parser.add_argument(
        "--unlocked",
        type=_whole(0, MAX_UNLOCKED),
        default=10,
        metavar="N",
        help="test accounts, with --test-methods only",
    )
    policy.add_arguments(parser)
    parser.add_argument(
        "--no-fsync",
        action="store_true",
        help="do not wait for the disk: survives the end of the process, not of the machine; for tests",
    )
    return parser


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"no number from {least} to {most}: {text[:80]}")
        return int(text)

    return read


def _utc(text: str) -> int:
    if text.isascii() and text.isdecimal():
        return _whole(0, MAX_TIME_UTC)(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"neither unix seconds nor ISO 8601: {text[:80]}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment < _EPOCH:
        raise argparse.ArgumentTypeError(f"a time before {_EPOCH.isoformat()}: {text}")
    return int(moment.timestamp())


if __name__ == "__main__":
    sys.exit(main())
