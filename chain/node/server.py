"""HTTP and WebSocket: a bare ASGI application on uvicorn, on the loopback address only; and a Unix socket.

A page in somebody's browser can also reach the loopback address, so a request must name it as its host
(DNS rebinding would not) and carry no foreign origin.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from chain.node.commit import Committer
from chain.node.errors import InvalidRequest, RpcError
from chain.node.ipc import UnixSocket
from chain.node.mining import keep_mining
from chain.node.node import Node
from chain.node.rpc.dispatch import Dispatcher
from chain.node.sockets import MAX_MESSAGE_BYTES, Sockets

HOST = "127.0.0.1"
MAX_BODY_BYTES = 32 * 1024 * 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = InvalidRequest(message)


class Application:
    """POST a JSON-RPC body to any path, or open a WebSocket there."""

    def __init__(self, node: Node, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._sockets = Sockets(node, self._dispatcher)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or serve one WebSocket."""
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
            return
        try:
            _check(scope)
            _check_post(scope)
            body = await _read_body(receive)
        except _Refused as refused:
            await _respond(send, refused.status, _error_body(refused.error))
            return
        await _respond(send, 200, await self._dispatcher.answer(body))

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _check(scope)
        except _Refused:
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        await self._sockets.serve(receive, send)


class Server(uvicorn.Server):
    """uvicorn that says when it is ready and leaves signals to us."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled by `serve`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


async def serve(node: Node, port: int, on_ready: Callable[[str], None], ipc: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT, also on the Unix socket `ipc`; `on_ready` gets the URL.

    Raises
    ------
    OSError :
        If the port or the socket cannot be had.
    """
    dispatcher = Dispatcher(node, Committer(node))
    listener = _listen(port)
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        Application(node, dispatcher),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    server = Server(config, lambda: on_ready(url))

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    unix = None if ipc is None else UnixSocket(ipc, node, dispatcher)
    if unix is not None:
        await unix.start()
    mining = asyncio.create_task(keep_mining(node))
    try:
        await server.serve(sockets=[listener])
    finally:
        mining.cancel()
        if unix is not None:
            await unix.stop()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def _check(scope: Scope) -> None:
    headers = _headers(scope["headers"])
    host = headers.get(b"host", b"127.0.0.1").decode("latin-1")
    if _host_name(host) not in _LOOPBACK_HOSTS:
        raise _Refused(403, f"this node answers to its loopback address, not to {host}")
    origin = headers.get(b"origin")
    if origin is not None:
        raise _Refused(403, "no requests from web pages")


def _check_post(scope: Scope) -> None:
    if scope["method"] != "POST":
        raise _Refused(405, "POST a JSON-RPC body")
    length = _headers(scope["headers"]).get(b"content-length", b"0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise _too_large()


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in raw}


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.partition(":")[0].lower()


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large() -> _Refused:
    return _Refused(413, f"request body larger than {MAX_BODY_BYTES} bytes")


def _error_body(error: RpcError) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error.as_json()})


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
