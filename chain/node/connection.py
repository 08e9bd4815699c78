"""JSON-RPC over a connection that stays: requests, and notifications of subscriptions.

Requests of one connection run side by side, so that its transactions share blocks; they start in the order in
which they came. Everything that is sent goes through one bounded outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from chain.node.node import Node
from chain.node.rpc.dispatch import Dispatcher
from chain.node.subscriptions import Subscriptions

MAX_OUTBOX = 16_384
MAX_OUTBOX_BYTES = 256 * 1024 * 1024
_MAX_RUNNING = 128

Receive = Callable[[], Awaitable[bytes | None]]
Send = Callable[[bytes], Awaitable[None]]


class Connection:
    """One client. `receive` gives its messages and None at its end; `send` takes ours, one at a time."""

    def __init__(self, dispatcher: Dispatcher, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue(MAX_OUTBOX)
        self._outbox_bytes = 0
        self._slow = asyncio.Event()
        self._free = asyncio.Semaphore(_MAX_RUNNING)
        self._running: set[asyncio.Task[None]] = set()
        self.subscriptions = Subscriptions(self.tell)
        self._dispatcher = dispatcher.with_methods(self.subscriptions.methods())

    async def run(self, node: Node) -> bool:
        """Read, answer and tell until either side ends; False if the client reads too slowly."""
        with _listening(node, self.subscriptions):
            ends = [asyncio.create_task(each) for each in (self._read(), self._write(), self._slow.wait())]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # What is being answered goes on to its block; only its answer has nobody to go to.
                for task in ends:
                    task.cancel()
                await asyncio.gather(*ends, return_exceptions=True)
        return not self._slow.is_set()

    def tell(self, message: bytes) -> None:
        """Send a message when its turn comes."""
        # One message may be as large as an answer may be; what follows it has to fit beside it.
        if self._outbox.full() or (
            self._outbox_bytes and self._outbox_bytes + len(message) > MAX_OUTBOX_BYTES
        ):
            self._slow.set()
            return
        self._outbox_bytes += len(message)
        self._outbox.put_nowait(message)

    async def _read(self) -> None:
        while (body := await self._receive()) is not None:
            await self._free.acquire()
            task = asyncio.create_task(self._answer(body))
            self._running.add(task)
            task.add_done_callback(self._ended)
        # The client may have ended only its own side: what it has asked is still answered.
        while self._running:
            await asyncio.wait(self._running)
        await self._outbox.join()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free.release()

    async def _answer(self, body: bytes) -> None:
        answer = await self._dispatcher.answer(body)
        if answer:
            self.tell(answer)

    async def _write(self) -> None:
        while True:
            message = await self._outbox.get()
            await self._send(message)
            self._outbox_bytes -= len(message)
            self._outbox.task_done()


@contextmanager
def _listening(node: Node, subscriptions: Subscriptions) -> Iterator[None]:
    node.on_block.append(subscriptions.on_block)
    node.on_pending.append(subscriptions.on_pending)
    try:
        yield
    finally:
        node.on_block.remove(subscriptions.on_block)
        node.on_pending.remove(subscriptions.on_pending)
