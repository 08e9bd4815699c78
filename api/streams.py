"""How many market streams are served at once: to all, and to one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address
from typing import Final

from chain.refusals import Refusal

_IPV6_SUBSCRIBER_BITS: Final = 64  # a subscriber is given a network of so many free bits


class StreamsBusy(Refusal):
    """Too many market streams are open; close one, or try again later."""


class Streams:
    """The places for streams. For one event loop; it is not shared between threads."""

    def __init__(self, streams_max: int, per_client_max: int) -> None:
        self._streams_max = streams_max
        self._per_client_max = per_client_max
        self._open: Counter[str] = Counter()

    @contextmanager
    def place(self, host: str) -> Iterator[None]:
        """Hold a place for a client at this address; raises StreamsBusy with the bound that is reached."""
        client = _client(host)
        if self._open[client] >= self._per_client_max:
            raise StreamsBusy(streams_per_client_max=self._per_client_max)
        if self._open.total() >= self._streams_max:
            raise StreamsBusy(streams_max=self._streams_max)
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


def _client(host: str) -> str:
    """Return the name under which an address is counted: itself, or its IPv6 network."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> _IPV6_SUBSCRIBER_BITS)
    return str(address)
