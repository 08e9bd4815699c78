"""WebSocket: connections that stay, as ASGI gives them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from chain.node.connection import Connection
from chain.node.node import Node
from chain.node.rpc.dispatch import Dispatcher

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
MAX_CONNECTIONS = 256
_CLOSE_S = 5.0
_TOO_SLOW, _TOO_MANY = 1008, 1013

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Sockets:
    """The open connections of one node."""

    def __init__(self, node: Node, dispatcher: Dispatcher) -> None:
        self._node = node
        self._dispatcher = dispatcher
        self._open = 0

    async def serve(self, receive: Receive, send: Send) -> None:
        """Serve one connection to its end."""
        await receive()
        await send({"type": "websocket.accept"})
        if self._open >= MAX_CONNECTIONS:
            await send({"type": "websocket.close", "code": _TOO_MANY, "reason": "too many connections"})
            return

        async def read() -> bytes | None:
            message = await receive()
            if message["type"] != "websocket.receive":
                return None
            body: bytes | None = message.get("bytes")
            return message["text"].encode() if body is None else body

        async def write(message: bytes) -> None:
            await send({"type": "websocket.send", "text": message.decode()})

        self._open += 1
        try:
            kept_up = await Connection(self._dispatcher, read, write).run(self._node)
        finally:
            self._open -= 1
        if not kept_up:
            close = send({"type": "websocket.close", "code": _TOO_SLOW, "reason": "reads too slowly"})
            with suppress(TimeoutError):  # what it does not read may keep even this from going out
                await asyncio.wait_for(close, _CLOSE_S)
