"""Ports of this machine's loopback: which are free."""

from __future__ import annotations

import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from chain.refusals import Refusal

LOOPBACK = "127.0.0.1"


class PortInUse(Refusal):
    """Another program listens on this port; name another one."""


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose(preferred: int = 0, avoid: Collection[int] = ()) -> int:
    """Return this port if it is free, else any free one but those to avoid; 0 means any."""
    if preferred and is_free(preferred):
        return preferred
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port


def require_free(port: int) -> None:
    """Make sure that a server can listen on this port; raises PortInUse."""
    if port and not is_free(port):
        raise PortInUse(port=port)


def url(port: int) -> str:
    """Return the address of a server on this port."""
    return f"http://{LOOPBACK}:{port}"


def port_of(address: str) -> int:
    """Return the port that an address names."""
    return urlsplit(address).port or 80
