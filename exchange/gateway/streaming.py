"""The stream: the best levels of each book and its trades, to everyone who listens.

A listener gets a snapshot of each book and then its changes, without a gap. A book is shown as its best
`LEVELS` prices a side; a change names the prices whose quantity is another than was told before, 0 for one
that left (or fell out of the best). Who does not keep up is sent away (close code 1013) and begins anew.

What it costs is bounded, however fast the market is: nothing while nobody listens; else two looks of `LEVELS`
levels for each instrument that moved, at most every `PAUSE_S`. What happens in between is told together. All
looks go through the sequencer, so that nothing is told which is not durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from chain.refusals import Refusal
from exchange.core.codes import Side
from exchange.gateway.rendering import Tape
from exchange.gateway.wire.answers import Answers
from exchange.gateway.wire.names import Names
from exchange.history import Change, Trade
from exchange.messages import ChangeMessage
from exchange.sequencer import Sequencer
from exchange.venue import Venue
from exchange.words import to_bytes

WAITING_MAX: Final = 1_000
LEVELS: Final = 100
PAUSE_S: Final = 0.005
_TOO_SLOW: Final = 1013

Levels = dict[int, int]
"""Quantity by price."""


class _Listener:
    def __init__(self, instruments: set[int] | None) -> None:
        self.instruments = instruments
        self.messages: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_MAX)
        self.lost = False

    def wants(self, instrument: int) -> bool:
        return self.instruments is None or instrument in self.instruments

    def give(self, message: bytes) -> None:
        if self.lost:
            return
        if self.messages.qsize() >= WAITING_MAX - 1:
            self.lost = True
            self.messages.put_nowait(None)
        else:
            self.messages.put_nowait(message)


class Stream:
    """Passes the sequencer's changes on. `sequence` counts the messages of an instrument since the start."""

    def __init__(self, sequencer: Sequencer) -> None:
        self.sequence: dict[int, int] = {}
        self._sequencer = sequencer
        self._names = Names(sequencer.venue)
        self._tape = Tape(sequencer.venue, Answers(self._names, sequencer.venue))
        self._listeners: set[_Listener] = set()
        self._told: dict[tuple[int, int], Levels] = {}
        self._moved: dict[int, list[Trade]] = {}
        self._telling: asyncio.Task[None] | None = None
        sequencer.on_changes = self.publish

    def publish(self, changes: Iterable[Change]) -> None:
        """Have each change told to whoever wants it."""
        if not self._listeners:
            return
        for change in changes:
            self._moved.setdefault(change.instrument, []).extend(change.trades)
        if self._moved and self._telling is None:
            self._telling = asyncio.create_task(self._tell())

    async def serve(self, websocket: WebSocket, instruments: set[int] | None) -> None:
        """Send snapshots and changes until the other side leaves."""
        await websocket.accept()
        listener = _Listener(instruments)
        try:
            await self._sequencer.read(lambda venue: self._join(venue, listener))
        except Refusal:  # the exchange stopped
            await websocket.close(_TOO_SLOW)
            return
        leaving = asyncio.create_task(_until_gone(websocket))
        try:
            await self._send_all(websocket, listener, leaving)
        finally:
            self._leave(listener)
            leaving.cancel()

    def _join(self, venue: Venue, listener: _Listener) -> None:
        self._tell_moved(venue)
        for instrument in range(1, len(venue.custody.listed) + 1):
            if listener.wants(instrument):
                self._tell_one(venue, instrument, [])  # so that all listeners were told the same
                listener.give(self._snapshot(instrument))
        self._listeners.add(listener)
        if not venue.history.watching:
            venue.history.watching = True

    def _leave(self, listener: _Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners:
            self._sequencer.venue.history.watching = False
            self._told.clear()
            self._moved.clear()

    async def _tell(self) -> None:
        try:
            while self._moved:
                await self._sequencer.read(self._tell_moved)
                await asyncio.sleep(PAUSE_S)
        except Refusal:  # the exchange stopped, and says so elsewhere
            self._moved.clear()
        finally:
            self._telling = None

    def _tell_moved(self, venue: Venue) -> None:
        moved, self._moved = self._moved, {}
        for instrument, trades in moved.items():
            if any(listener.wants(instrument) for listener in self._listeners):
                self._tell_one(venue, instrument, trades)

    def _tell_one(self, venue: Venue, instrument: int, trades: list[Trade]) -> None:
        bids = self._look(venue, instrument, Side.BUY)
        asks = self._look(venue, instrument, Side.SELL)
        listeners = [listener for listener in self._listeners if listener.wants(instrument)]
        if listeners and (bids or asks or trades):
            self.sequence[instrument] = self.sequence.get(instrument, 0) + 1
            message = to_bytes(self._message("change", instrument, bids, asks, trades))
            for listener in listeners:
                listener.give(message)

    def _look(self, venue: Venue, instrument: int, side: Side) -> Levels:
        """Return what is otherwise than it was told, best price first."""
        now = {level.price: level.shown for level in venue.engine.depth(instrument, side, LEVELS)}
        before = self._told.get((instrument, side), {})
        changed = {price: now.get(price, 0) for price in before.keys() | now.keys()}
        self._told[instrument, side] = now
        return {
            price: changed[price]
            for price in sorted(changed, reverse=side is Side.BUY)
            if changed[price] != before.get(price, 0)
        }

    def _snapshot(self, instrument: int) -> bytes:
        bids, asks = self._told[instrument, Side.BUY], self._told[instrument, Side.SELL]
        return to_bytes(self._message("snapshot", instrument, bids, asks, []))

    def _message(
        self, kind: str, instrument: int, bids: Levels, asks: Levels, trades: list[Trade]
    ) -> ChangeMessage:
        return {
            "type": "snapshot" if kind == "snapshot" else "change",
            "unit": self._names.unit(instrument),
            "sequence": self.sequence.get(instrument, 0),
            "bids": list(bids.items()),
            "asks": list(asks.items()),
            "trades": [self._tape.trade(each) for each in trades],
        }

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
