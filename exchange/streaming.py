"""The stream: what changes in the books, to everyone who listens.

A listener gets a snapshot of each book and then its changes, without a gap: both are taken on the event loop
that also applies commands. One that does not keep up is sent away (close code 1013) and begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from exchange import rendering
from exchange.sequencer import Sequencer
from exchange.views import Change
from exchange.wire import to_bytes

WAITING_MAX: Final = 1_000
_TOO_SLOW: Final = 1013


class _Listener:
    def __init__(self, units: set[int] | None) -> None:
        self.units = units
        self.messages: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_MAX)
        self.lost = False

    def wants(self, unit: int) -> bool:
        return self.units is None or unit in self.units

    def give(self, message: bytes) -> None:
        if self.lost:
            return
        if self.messages.qsize() >= WAITING_MAX - 1:
            self.lost = True
            self.messages.put_nowait(None)
        else:
            self.messages.put_nowait(message)


class Stream:
    """Passes the sequencer's changes on."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._listeners: set[_Listener] = set()
        sequencer.on_changes = self.publish

    def publish(self, changes: Iterable[Change]) -> None:
        """Give each change to whoever wants it."""
        if not self._listeners:
            return
        for change in changes:
            message = to_bytes(rendering.change(self._sequencer.state, change))
            for listener in self._listeners:
                if listener.wants(change.unit):
                    listener.give(message)

    async def serve(self, websocket: WebSocket, units: set[int] | None) -> None:
        """Send snapshots and changes until the other side leaves."""
        await websocket.accept()
        listener = _Listener(units)
        for unit in sorted(self._sequencer.state.books):
            if listener.wants(unit):
                listener.give(to_bytes(rendering.snapshot(self._sequencer, unit)))
        self._listeners.add(listener)
        leaving = asyncio.create_task(_until_gone(websocket))
        try:
            await self._send_all(websocket, listener, leaving)
        finally:
            self._listeners.discard(listener)
            leaving.cancel()

    async def _send_all(self, websocket: WebSocket, listener: _Listener, leaving: asyncio.Task[None]) -> None:
        while True:
            message = asyncio.create_task(listener.messages.get())
            await asyncio.wait([message, leaving], return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                message.cancel()
                return
            text = message.result()
            with suppress(WebSocketDisconnect, RuntimeError):
                if text is None:
                    await websocket.close(_TOO_SLOW, "too slow")
                    return
                await websocket.send_text(text.decode())


async def _until_gone(websocket: WebSocket) -> None:
    """Read, and ignore, what the listener says, until it leaves."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await websocket.receive_text()
