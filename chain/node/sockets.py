"""JSON-RPC over one WebSocket connection: requests, and notifications of subscriptions.

Requests of one connection run side by side, so that its transactions share blocks; they start in the order in
which they came. Everything that is sent goes through one bounded outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from chain.node.node import Node
from chain.node.rpc.dispatch import Dispatcher
from chain.node.subscriptions import Subscriptions

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
MAX_CONNECTIONS = 256
MAX_OUTBOX = 16_384
_MAX_RUNNING = 128
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
        self._open += 1
        connection = _Connection(self._dispatcher, send)
        self._node.on_block.append(connection.subscriptions.on_block)
        try:
            await connection.run(receive)
        finally:
            self._node.on_block.remove(connection.subscriptions.on_block)
            self._open -= 1


class _Connection:
    def __init__(self, dispatcher: Dispatcher, send: Send) -> None:
        self._send = send
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue(MAX_OUTBOX)
        self._slow = asyncio.Event()
        self._free = asyncio.Semaphore(_MAX_RUNNING)
        self._running: set[asyncio.Task[None]] = set()
        self.subscriptions = Subscriptions(self._tell)
        self._dispatcher = dispatcher.with_methods(self.subscriptions.methods())

    async def run(self, receive: Receive) -> None:
        """Read, answer and tell until either side ends."""
        ends = [asyncio.create_task(each) for each in (self._read(receive), self._write(), self._slow.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # What is being answered goes on to its block; only its answer has nobody to go to.
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        if self._slow.is_set():
            close = self._send({"type": "websocket.close", "code": _TOO_SLOW, "reason": "reads too slowly"})
            with suppress(TimeoutError):  # what it does not read may keep even this from going out
                await asyncio.wait_for(close, _CLOSE_S)

    async def _read(self, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            body = message.get("bytes")
            if body is None:
                body = message["text"].encode()
            await self._free.acquire()
            task = asyncio.create_task(self._answer(body))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free.release()

    async def _answer(self, body: bytes) -> None:
        answer = await self._dispatcher.answer(body)
        if answer:
            self._tell(answer)

    async def _write(self) -> None:
        while True:
            text = (await self._outbox.get()).decode()
            await self._send({"type": "websocket.send", "text": text})

    def _tell(self, message: bytes) -> None:
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            self._slow.set()
