"""How each process of the stack is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api.stack import ports
from api.stack.outside import OutsideChain
from api.stack.paths import DataDirectory
from api.stack.process import Program
from api.stack.secrets import PASSPHRASE_VARIABLE

# What an embedded chain is, whatever the environment says of others.
_EMBEDDED: Final = {
    "CARAT_CHAIN_CONFIRMATIONS": "0",
    "CARAT_CHAIN_TIP_WEI": "0",
}


def node(
    data: DataDirectory,
    port: int,
    test_methods: bool,
    genesis_time_utc: int | None,
    passphrase: str,
    operators: Sequence[str],
) -> Program:
    """Return the embedded chain's node.

    Parameters
    ----------
    passphrase :
        Keeps the key that seals its blocks.
    operators :
        Addresses that are not rationed. The first of them deploys the contracts, and nobody else may.
    """
    args = ["--data", str(data.chain), "--port", str(port)]
    args += ["--deployers", operators[0], "--operators", ",".join(operators)]
    if test_methods:
        args.append("--test-methods")
    if genesis_time_utc is not None:
        args += ["--genesis-time", str(genesis_time_utc)]
    return Program("node", "chain.node.__main__", tuple(args), {PASSPHRASE_VARIABLE: passphrase})


def exchange(
    data: DataDirectory,
    port: int,
    chain_url: str,
    outside: OutsideChain | None,
    epoch_seconds: int,
    binary_port: int | None,
    passphrase: str,
) -> Program:
    """Return the exchange; without `binary_port` it opens no binary gateway."""
    args = ["--data", str(data.root), "--port", str(port), "--chain-url", chain_url]
    args += ["--epoch-seconds", str(epoch_seconds)]
    args += ["--confirmations", "0" if outside is None else outside.confirmations]
    if outside is not None:
        args += ["--tip-wei", str(outside.tip_wei)]
    if binary_port is not None:
        args += ["--binary-port", str(binary_port)]
    return Program("exchange", "exchange.__main__", tuple(args), {PASSPHRASE_VARIABLE: passphrase})


def api(
    data: DataDirectory,
    port: int,
    chain_url: str,
    outside: OutsideChain | None,
    exchange_url: str,
    passphrase: str,
) -> Program:
    """Return the API, which takes its settings from the environment."""
    environment = {
        PASSPHRASE_VARIABLE: passphrase,
        "CARAT_DATA_DIR": str(data.root),
        "CARAT_HOST": ports.LOOPBACK,
        "CARAT_PORT": str(port),
        "CARAT_PUBLIC_URL": ports.url(port),
        "CARAT_EXCHANGE_URL": exchange_url,
        **(_EMBEDDED | {"CARAT_CHAIN_URL": chain_url} if outside is None else outside.environment()),
    }
    return Program("api", "api.stack.serve", (), environment)
