"""Found: one stranger could open every market stream, and nobody else got one."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from api.streams import Streams, StreamsBusy
from tests.support.market import UNIT
from tests.support.stack import Stack


def test_a_client_address_has_its_share_and_the_rest_is_for_others() -> None:
    streams = Streams(streams_max=3, per_client_max=2)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(streams.place("192.0.2.1"))
        with pytest.raises(StreamsBusy) as refusal, streams.place("192.0.2.1"):
            pass
        assert refusal.value.facts == {"streams_per_client_max": 2}
        with (
            streams.place("192.0.2.2"),
            pytest.raises(StreamsBusy, match="streams_max=3"),
            streams.place("192.0.2.3"),
        ):
            pass
    with streams.place("192.0.2.1"), streams.place("192.0.2.1"):
        pass


def test_the_addresses_of_one_ipv6_network_are_one_client() -> None:
    streams = Streams(streams_max=9, per_client_max=1)
    with (
        streams.place("2001:db8::1"),
        streams.place("2001:db8:0:1::1"),
        pytest.raises(StreamsBusy),
        streams.place("2001:db8::2"),
    ):
        pass


def test_one_stream_too_many_is_closed_and_a_place_comes_free_again(market: Stack) -> None:
    url = f"{market.url.replace('http', 'ws')}/ws/market/{UNIT}"
    share = market.app.state.services.settings.streams_per_client_max
    with ExitStack() as held:
        for _ in range(share):
            held.enter_context(connect(url, proxy=None)).recv(5)
        with connect(url, proxy=None) as late, pytest.raises(ConnectionClosedError) as closed:
            late.recv(5)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "StreamsBusy")
