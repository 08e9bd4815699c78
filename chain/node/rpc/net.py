"""`net_` and `web3_`: who is this."""

from __future__ import annotations

import platform
from typing import Any

from chain.node.formats import hex_bytes, hex_int, param, read_bytes
from chain.node.hashing import keccak
from chain.node.node import Node
from chain.node.rpc.table import Method

# Not "geth...": brownie would then expect geth's console. Anything it does not know it treats like ganache.
CLIENT_VERSION = f"carat/0.1.0/py-evm/python{platform.python_version()}"


def client_version(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """Name and version of this node."""
    return CLIENT_VERSION


def sha3(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """Keccak-256 of data."""
    return hex_bytes(keccak(read_bytes(param(params, 0), "data")))


def version(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """The network id, in decimal: the chain id."""
    return str(node.settings.chain_id)


def listening(node: Node, params: list[Any]) -> bool:  # noqa: ARG001
    """Whether the node takes requests; it just did."""
    return True


def peer_count(node: Node, params: list[Any]) -> str:  # noqa: ARG001
    """None: single authority."""
    return hex_int(0)


METHODS: dict[str, Method] = {
    "web3_clientVersion": client_version,
    "web3_sha3": sha3,
    "net_version": version,
    "net_listening": listening,
    "net_peerCount": peer_count,
}
