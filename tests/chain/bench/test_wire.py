"""The benchmark's own client reads every kind of answer, and says what is wrong with one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chain.bench.wire import BenchAnswerWrong, Wire


@contextmanager
def answering(*pieces: bytes) -> Iterator[str]:
    """A server that answers one request with these pieces, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                for piece in pieces:
                    connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


BODY = b'{"jsonrpc":"2.0","id":1,"result":"0x7"}'


def test_an_answer_with_its_length_is_read_in_whatever_pieces_it_comes() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 39\r\n\r\n"
    for pieces in ([head + BODY], [head[:10], head[10:], BODY[:5], BODY[5:]], [head + BODY[:-1], BODY[-1:]]):
        with answering(*pieces) as url, Wire(url) as wire:
            assert wire.call("eth_blockNumber") == "0x7"


def test_an_answer_in_chunks_is_put_together() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = [b"5\r\n" + BODY[:5] + b"\r\n", b"22\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"]
    with answering(head, *chunks) as url, Wire(url) as wire:
        assert wire.call("eth_blockNumber") == "0x7"


def test_an_error_is_no_figure() -> None:
    body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with answering(head + body) as url, Wire(url) as wire, pytest.raises(BenchAnswerWrong) as wrong:
        wire.call("eth_blockNumber")
    assert wrong.value.facts["method"] == "eth_blockNumber"


def test_a_connection_that_ends_is_an_error() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n") as url, Wire(url) as wire, pytest.raises(ConnectionError):
        wire.call("eth_blockNumber")
