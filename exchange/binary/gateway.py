"""The binary gateway: who is connected, how many may be, and who hears what.

`serve` opens it. It runs on the sequencer's event loop; nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chain.refusals import Refusal
from exchange.binary.hot import for_others
from exchange.binary.session import Session
from exchange.binary.wire import Code
from exchange.core import records
from exchange.sequencer import Sequencer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything. Defaults fit a machine of two cores."""

    sessions: int = 256
    sessions_of_account: int = 4
    handshakes: int = 256
    """Connections that are not let in yet, or are on their way out; the oldest makes room for a new one."""
    handshake_s: float = 5.0
    idle_s: float = 30.0
    """How long a client may send no whole record."""
    heartbeat_s: float = 10.0
    """After how long a silence the server says that it is there."""
    in_flight_bytes: int = 1024 * 1024
    """Commands of a session that are not answered yet, before its socket is left unread."""
    unread_bytes: int = 32 * 1024 * 1024
    """What may wait for a client that does not read; above a quarter of it nothing more is taken from him."""


class Gateway:
    """What `serve` returns: to be closed like an `asyncio.Server`."""

    def __init__(
        self, sequencer: Sequencer, secret: bytes, chain_id: int, clearing: bytes, limits: Limits
    ) -> None:
        self.sequencer = sequencer
        self.secret = secret
        self.chain_id = chain_id
        self.clearing = clearing
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._comers: dict[Session, None] = {}  # not let in yet, or leaving; the oldest first
        self._admitted: dict[Session, None] = {}
        self._of_account: Counter[bytes] = Counter()
        self._hearers: dict[int, list[Session]] = {}
        self._participants: tuple[int, ...] = ()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False
        self._emptied = asyncio.Event()
        self._tick: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def sessions(self) -> int:
        """How many members' sessions there are."""
        return len(self._admitted)

    @property
    def connections(self) -> int:
        """How many connections there are in all."""
        return len(self._admitted) + len(self._comers)

    async def start(self, host: str, port: int, ssl: tls.SSLContext | None = None) -> None:
        """Listen."""
        self._server = await self.loop.create_server(lambda: Session(self), host, port, backlog=256, ssl=ssl)
        self.sequencer.listeners.append(self._hear)
        self._look_after_all()

    def close(self) -> None:
        """Take no more connections and end those there are, in order: each is told."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._tick is not None:
            self._tick.cancel()
        if self._server is not None:
            self._server.close()
        for session in (*self._comers, *self._admitted):
            session.refuse(Code.CLOSING)

    async def wait_closed(self, timeout_s: float = 2.0) -> None:
        """Wait until what was asked for is done, cancels on disconnect included, and nobody is connected."""
        self.close()
        deadline_s = self.loop.time() + timeout_s
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wait_empty(), timeout_s)
        for session in (*self._comers, *self._admitted):
            session.abort()
        await self._wait_empty()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.1, deadline_s - self.loop.time()))
        if self._hear in self.sequencer.listeners:
            self.sequencer.listeners.remove(self._hear)

    async def _wait_empty(self) -> None:
        if self.connections:
            self._emptied.clear()
            await self._emptied.wait()

    # --- who is there ---

    def came(self, session: Session) -> None:
        """Note a new connection; the oldest that is not let in makes room where there are too many."""
        if self._is_closing:
            session.abort()
        while len(self._comers) >= self.limits.handshakes:
            oldest = next(iter(self._comers))
            del self._comers[oldest]
            oldest.abort()
        self._comers[session] = None

    def admit(self, session: Session) -> tuple[Code, int] | None:
        """Count a session whose key is right; returns why not."""
        if self._is_closing:
            return Code.CLOSING, 0
        if len(self._admitted) >= self.limits.sessions:
            return Code.SESSIONS_FULL, self.limits.sessions
        if self._of_account[session.account] >= self.limits.sessions_of_account:
            return Code.ACCOUNT_SESSIONS_FULL, self.limits.sessions_of_account
        self._comers.pop(session, None)
        self._admitted[session] = None
        self._of_account[session.account] += 1
        return None

    def listens(self, session: Session) -> None:
        """From the next batch on this session hears of its member's orders."""
        self._hearers.setdefault(session.participant, []).append(session)
        self._participants = tuple(self._hearers)

    def leaves(self, session: Session) -> None:
        """Make room for others: this one only has its last word to read."""
        if self._dismiss(session):
            self.came(session)

    def left(self, session: Session) -> None:
        """Forget a connection that ended."""
        self._dismiss(session)
        self._comers.pop(session, None)
        if not self.connections:
            self._emptied.set()

    def _dismiss(self, session: Session) -> bool:
        if session not in self._admitted:
            return False
        del self._admitted[session]
        self._of_account[session.account] -= 1
        if not self._of_account[session.account]:
            del self._of_account[session.account]
        hearers = self._hearers.get(session.participant, [])
        if session in hearers:
            hearers.remove(session)
            if not hearers:
                del self._hearers[session.participant]
            self._participants = tuple(self._hearers)
        return True

    # --- work ---

    def submit(self, run: bytes) -> Coroutine[Any, Any, bytes]:
        """Hand a run to the sequencer."""
        return self.sequencer.submit(run)

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something run to its end, whatever becomes of its session."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel_orders(self, participant: int) -> None:
        """Cancel all orders of a member whose connection ended, after what it had sent."""
        self.run(self._cancel_orders(participant))

    async def _cancel_orders(self, participant: int) -> None:
        try:
            await self.sequencer.submit(records.mass_cancel(participant, at_us=self.sequencer.now_us()))
        except Refusal as refusal:
            _log.warning("orders of participant %d were not cancelled: %s", participant, refusal)

    def _hear(self, reports: bytes) -> None:
        if not self._participants:
            return
        for participant, told in for_others(reports, self._participants).items():
            for session in tuple(self._hearers.get(participant, ())):
                session.hear(told)

    def _look_after_all(self) -> None:
        now_s, failed = self.loop.time(), self.sequencer.failed
        for session in (*self._comers, *self._admitted):
            session.look_after(now_s, failed)
        limits = self.limits
        pause_s = min(limits.handshake_s, limits.idle_s, limits.heartbeat_s, 2.0) / 4
        self._tick = self.loop.call_later(pause_s, self._look_after_all)


async def serve(
    sequencer: Sequencer,
    secret: bytes,
    chain_id: int,
    clearing: bytes,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    limits: Limits | None = None,
    ssl: tls.SSLContext | None = None,
) -> Gateway:
    """Open the gateway.

    Parameters
    ----------
    sequencer :
        Who orders the commands; on this event loop.
    secret :
        32 bytes that every member's key is made from (`wire.member_key`).
    chain_id, clearing :
        What the client is told it trades on: the chain and the 20 bytes of Clearing's address.
    host, port :
        Where to listen; port 0 takes a free one (`Gateway.port`).
    ssl :
        TLS, for a line that others can reach: the handshake proves who is there, not that nobody is between.

    Raises
    ------
    OSError :
        The port is taken.
    """
    gateway = Gateway(sequencer, secret, chain_id, clearing, limits or Limits())
    await gateway.start(host, port, ssl)
    return gateway
