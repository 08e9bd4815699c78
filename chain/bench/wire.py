"""JSON-RPC over one kept HTTP connection, as cheap as can be: the client must not be what is measured."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import orjson

from chain.refusals import Refusal

_CHUNK = 1 << 18
_IDLE_S = 2.0


class BenchAnswerWrong(Refusal):
    """A chain answered with an error, or with something else than the benchmark's work has to give."""


class Asking(Protocol):
    """Whatever JSON-RPC calls go through."""

    url: str

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call."""

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of many calls of one method, in their order."""


class Wire:
    """One connection to one chain; not for several threads."""

    def __init__(self, url: str, timeout_s: float = 120.0) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.url = url
        self._address = (parts.hostname, parts.port or 80)
        self._timeout_s = timeout_s
        self._socket = self._connect()
        self._used_s = time.monotonic()
        self._head = (
            f"POST / HTTP/1.1\r\nHost: {parts.hostname}:{parts.port}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, self._timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call; raises BenchAnswerWrong."""
        return result_of(method, self.post(request(method, params)))

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of many calls of one method, sent as one request; raises BenchAnswerWrong."""
        return results_of(self.url, method, self.post(batch_request(method, params)), len(params))

    def post(self, body: bytes) -> bytes:
        """Send a body; the answer's body."""
        self.send(body)
        return self.receive()

    def send(self, body: bytes) -> None:
        """Send a body and do not wait."""
        now_s = time.monotonic()
        if now_s - self._used_s > _IDLE_S:  # a server may have given the connection up meanwhile
            self._socket.close()
            self._socket = self._connect()
        self._used_s = now_s
        self._socket.sendall(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)

    def receive(self) -> bytes:
        """The next answer's body."""
        data = self._rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        if b"transfer-encoding: chunked" in head:
            return self._receive_chunks(data[end + 4 :])
        at = head.find(b"content-length:")
        stop = head.find(b"\r\n", at)
        size = int(head[at + 15 : stop if stop > 0 else None])
        parts, have = [data[end + 4 :]], len(data) - end - 4
        while have < size:
            parts.append(self._more())
            have += len(parts[-1])
        body = b"".join(parts)
        self._rest = body[size:]
        return body[:size]

    def _receive_chunks(self, data: bytes) -> bytes:
        body = b""
        while True:
            while (end := data.find(b"\r\n")) < 0:
                data += self._more()
            size = int(data[:end], 16)
            while len(data) < end + 2 + size + 2:
                data += self._more()
            body += data[end + 2 : end + 2 + size]
            data = data[end + 2 + size + 2 :]
            if not size:
                self._rest = data
                return body

    def _more(self) -> bytes:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise ConnectionError(f"{self.url} closed the connection")
        return data


def request(method: str, params: Sequence[Any], request_id: int = 1) -> bytes:
    """The body of one call."""
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def batch_request(method: str, params: Sequence[Sequence[Any]]) -> bytes:
    """The body of many calls of one method."""
    return b"[" + b",".join(request(method, each, index) for index, each in enumerate(params)) + b"]"


def result_of(method: str, body: bytes) -> Any:
    """The result in an answer's body; raises BenchAnswerWrong."""
    return _result(method, orjson.loads(body))


def results_of(url: str, method: str, body: bytes, count: int) -> list[Any]:
    """The `count` results in the answer to a batch, in the order of its calls; raises BenchAnswerWrong."""
    answers = orjson.loads(body)
    if not isinstance(answers, list) or len(answers) != count:
        raise BenchAnswerWrong(url=url, method=method, answer=str(answers)[:300])
    answers.sort(key=lambda answer: answer["id"])
    return [_result(method, answer) for answer in answers]


def _result(method: str, answer: Any) -> Any:
    if not isinstance(answer, dict) or "result" not in answer:
        raise BenchAnswerWrong(method=method, answer=str(answer)[:300])
    return answer["result"]
