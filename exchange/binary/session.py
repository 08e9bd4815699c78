"""One member's connection: handshake, then commands in and reports out.

    GREETING   64 bytes of HELLO are awaited
    PROVING    CHALLENGE was sent, 64 bytes of PROOF are awaited
    ENTERING   the member is being looked up; nothing is read
    OPEN       records stream both ways
    LEAVING    the last word was said; what still comes is dropped until the client hangs up

The client gets every report in the order of `sequence`: a batch's reports about its orders (`hear`) wait
while a run of its own is in flight, because only its answer tells which of them are its own.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from bisect import bisect_left
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from chain.refusals import Refusal
from exchange.binary import wire
from exchange.binary.hot import answer, screen
from exchange.binary.wire import Code, HelloFlag
from exchange.core.codes import CommandKind
from exchange.core.records import COMMAND_BYTES, REPORT_BYTES

if TYPE_CHECKING:
    from exchange.binary.gateway import Gateway
    from exchange.venue import Venue

_log = logging.getLogger(__name__)

BUFFER_BYTES_MIN: Final = 4_096
RUN_BYTES_MAX: Final = 256 * 1024
"""Most that is read at once, and so the longest run."""
_DROPPED_BYTES_MAX: Final = 4 * 1024 * 1024
_CLOSING_REST_S: Final = 1.0
"""How long a client has to read the last word and hang up."""


class Phase(Enum):
    """How far a connection is."""

    GREETING = auto()
    PROVING = auto()
    ENTERING = auto()
    OPEN = auto()
    LEAVING = auto()


class _Run(NamedTuple):
    """What was read at once. `task` is None where nothing of it went on."""

    task: asyncio.Task[bytes] | None
    size: int
    refused: list[tuple[int, bytes]]


class Session(asyncio.BufferedProtocol):
    """The server's side of one connection."""

    def __init__(self, gateway: Gateway) -> None:
        self.phase = Phase.GREETING
        self.account = b""
        self.participant = 0
        self.deadline_s = 0.0
        self.heard_s = 0.0
        self.told_s = 0.0
        self._gateway = gateway
        self._loop = gateway.loop
        self._transport = cast(asyncio.Transport, None)
        self._buffer = bytearray(COMMAND_BYTES)
        self._filled = 0
        self._dropped = 0
        self._flags = 0
        self._hello = b""
        self._challenge = b""
        self._key = b""
        self._runs: deque[_Run] = deque()
        self._in_flight = 0
        self._held: deque[bytes] = deque()
        self._held_at = 0
        self._is_full = False  # as much is in flight as may be
        self._is_unread = False  # the client does not read what was written
        self._is_reading = True

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for HELLO, for a bounded time."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._gateway.limits.unread_bytes // 4)
        now_s = self._loop.time()
        self.deadline_s = now_s + self._gateway.limits.handshake_s
        self.heard_s = self.told_s = now_s
        self._gateway.came(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - every end is the same
        """Forget the client."""
        self._end()
        self._gateway.left(self)

    def eof_received(self) -> bool:
        """The client is done: so is the session. Its runs in flight are done all the same."""
        return False

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the buffer has its own size
        """Return where the next bytes go."""
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes that came."""
        if self.phase is Phase.OPEN:
            self._filled += nbytes
            self._take_commands()
        elif self.phase is Phase.LEAVING:
            self._drop(nbytes)
        elif self.phase is Phase.ENTERING:
            self._filled += nbytes  # TLS may have had more at hand
        else:
            self._filled += nbytes
            if self._filled == COMMAND_BYTES:
                record, self._filled = bytes(self._buffer), 0
                self._take_handshake(record)

    def pause_writing(self) -> None:
        """Take no more from a client that does not read."""
        self._is_unread = True
        self._set_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_unread = False
        self._set_reading()

    def _set_reading(self) -> None:
        wanted = self.phase is not Phase.ENTERING and not (
            self.phase is Phase.OPEN and (self._is_full or self._is_unread)
        )
        if wanted != self._is_reading and not self._transport.is_closing():
            self._is_reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _drop(self, nbytes: int) -> None:
        self._dropped += nbytes
        if self._dropped > _DROPPED_BYTES_MAX:
            self.abort()

    # --- the handshake ---

    def _take_handshake(self, record: bytes) -> None:
        if self.phase is Phase.GREETING:
            hello = wire.read_hello(record)
            if isinstance(hello, wire.NoHello):
                self.refuse(hello.code, hello.a, hello.b)
                return
            self.account, self._flags, self._hello = hello.account, hello.flags, record
            self._challenge = wire.challenge_record(secrets.token_bytes(wire.NONCE_BYTES))
            self._write(self._challenge)
            self.phase = Phase.PROVING
            return
        proof = wire.read_proof(record)
        if proof is None:
            self.refuse(Code.PROTOCOL, record[0])
            return
        self._key = wire.member_key(self._gateway.secret, self.account)
        if not hmac.compare_digest(proof, wire.client_proof(self._key, self._hello, self._challenge)):
            self.refuse(Code.PROOF_WRONG)
            return
        full = self._gateway.admit(self)
        if full is not None:
            self.refuse(*full)
            return
        self.phase = Phase.ENTERING
        self._buffer = bytearray(BUFFER_BYTES_MIN)
        self._set_reading()
        self._gateway.run(self._enter(proof)).add_done_callback(self._entered)

    def _entered(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self._fail(failure)

    async def _enter(self, proof: bytes) -> None:
        sequencer = self._gateway.sequencer
        participant = await sequencer.participant_of(self.account)
        welcome, directory = await sequencer.read(lambda venue: self._look(venue, participant))
        if self.phase is not Phase.ENTERING:
            return
        shown = welcome._replace(
            proof=wire.server_proof(
                self._key, self._hello, self._challenge, proof, welcome.pack() + directory
            )
        )
        self._key = b""
        self._write(shown.pack() + directory)
        self.phase = Phase.OPEN
        self._release_held()
        self._take_commands()
        self._set_reading()

    def _look(self, venue: Venue, participant: int) -> tuple[wire.Welcome, bytes]:
        """Nothing is between what this says and the first report that is heard."""
        if self.phase is Phase.ENTERING:
            self.participant = participant
            self._gateway.listens(self)
        limits = self._gateway.limits
        welcome = wire.Welcome(
            participant=participant,
            instruments=len(venue.listed),
            chain_id=self._gateway.chain_id,
            clearing=self._gateway.clearing,
            in_flight_bytes=limits.in_flight_bytes,
            idle_ms=int(limits.idle_s * 1_000),
            heartbeat_ms=int(limits.heartbeat_s * 1_000),
            next_sequence=venue.engine.counters()["sequence"] + 1,
            now_us=self._gateway.sequencer.now_us(),
            run_bytes=RUN_BYTES_MAX,
            unread_bytes=limits.unread_bytes,
        )
        directory = b"".join(
            wire.directory_record(number, each.unit, each.tick_fen, each.lot_t, each.quantity_max_t)
            for number, each in enumerate(venue.listed, 1)
        )
        return welcome, directory

    # --- commands in ---

    def _take_commands(self) -> None:
        buffer, filled = self._buffer, self._filled
        whole = filled - filled % COMMAND_BYTES
        if whole and buffer[whole - COMMAND_BYTES] == CommandKind.TERMS:
            whole -= COMMAND_BYTES  # the order that the terms are for has to stand next to them
        if not whole:
            return
        self.heard_s = self._loop.time()
        run, refused = screen(memoryview(buffer)[:whole], self.participant, self._gateway.sequencer.now_us())
        self._filled = filled - whole
        rest = buffer[whole:filled]
        if filled == len(buffer) and filled < RUN_BYTES_MAX:
            self._buffer = buffer = bytearray(min(2 * filled, RUN_BYTES_MAX))
        buffer[: self._filled] = rest
        if run:
            task = self._loop.create_task(self._gateway.submit(run))
            task.add_done_callback(self._answered)
            self._runs.append(_Run(task, len(run), refused))
            self._in_flight += len(run)
            if self._in_flight >= self._gateway.limits.in_flight_bytes:
                self._is_full = True
                self._set_reading()
        elif self._runs:
            self._runs.append(_Run(None, 0, refused))
        else:
            self._write(answer(b"", self.participant, refused))

    # --- reports out ---

    def _answered(self, task: asyncio.Task[bytes]) -> None:
        """Pass on what is answered, in the order in which it was sent."""
        failure = None if task.cancelled() else task.exception()
        if self.phase is not Phase.OPEN:
            return
        if failure is not None or task.cancelled():
            self._fail(failure)
            return
        while self._runs and ((head := self._runs[0].task) is None or head.done()):
            run = self._runs.popleft()
            self._pass_on(run.task.result() if run.task else b"", run)
            if self.has_ended():  # it does not read, and was cut off
                return
        if not self._runs:
            self._release_held()
        if self._is_full and 2 * self._in_flight <= self._gateway.limits.in_flight_bytes:
            self._is_full = False
            self._set_reading()

    def _pass_on(self, reports: bytes, run: _Run) -> None:
        self._in_flight -= run.size
        if reports and self._held:
            first = _sequence(reports, 0)
            self._take_held(first, told=True)
            self._take_held(first + run.size // COMMAND_BYTES, told=False)
        self._write(answer(reports, self.participant, run.refused))

    def _fail(self, failure: BaseException | None) -> None:
        if self._gateway.sequencer.failed is not None:
            self.refuse(Code.JOURNAL_UNAVAILABLE)
        elif isinstance(failure, Refusal):
            self.refuse(Code.NOT_ADMITTED)
        else:
            _log.error("the sequencer failed", exc_info=failure)
            self.refuse(Code.INTERNAL)

    def hear(self, reports: bytes) -> None:
        """Take what a batch did to the member. It is durable."""
        if self.phase is Phase.OPEN and not self._runs:
            self._write(reports)
        elif self.phase in (Phase.OPEN, Phase.ENTERING):
            self._held.append(reports)

    def _take_held(self, before: int, *, told: bool) -> None:
        """Take out what was heard of commands before this one, to tell it or because an answer tells it."""
        held = self._held
        while held:
            chunk = held[0]
            count = len(chunk) // REPORT_BYTES
            last = _sequence(chunk, count - 1)
            end = (
                count
                if last < before
                else bisect_left(range(count), before, lo=self._held_at, key=lambda at: _sequence(chunk, at))
            )
            if told and end > self._held_at:
                self._write(chunk[self._held_at * REPORT_BYTES : end * REPORT_BYTES])
                if not held:
                    return
            if end < count:
                self._held_at = end
                return
            held.popleft()
            self._held_at = 0

    def _release_held(self) -> None:
        if self._held:
            self._take_held(2**64, told=True)

    def _write(self, records: bytes) -> None:
        """Send, or cut off a client that did not read what was sent before."""
        if not records:
            return
        if self._transport.get_write_buffer_size() > self._gateway.limits.unread_bytes:
            self.abort()
            return
        self.told_s = self._loop.time()
        self._transport.write(records)

    # --- the end ---

    def has_ended(self) -> bool:
        """Whether the last word was said."""
        return self.phase is Phase.LEAVING

    def refuse(self, code: Code, a: int = 0, b: int = 0) -> None:
        """Say why, and end the connection."""
        if self.has_ended():
            return
        self._write(wire.refused_record(code, a, b))
        if self.has_ended():
            return
        self._end()
        # To close at once would reset a connection with something unread on it: the last word would be lost.
        self._buffer, self._filled = bytearray(BUFFER_BYTES_MIN), 0
        self.deadline_s = self._loop.time() + _CLOSING_REST_S
        if self._transport.is_closing():
            return
        try:
            self._transport.write_eof()
        except (OSError, NotImplementedError):  # it has hung up; TLS has no end of one side
            self._transport.close()
        self._set_reading()
        self._gateway.leaves(self)

    def abort(self) -> None:
        """End the connection without a word."""
        self._end()
        self._transport.abort()

    def _end(self) -> None:
        """Nothing more is taken or told; the member's orders are cancelled if it asked for that."""
        if self.phase is Phase.LEAVING:
            return
        self.phase = Phase.LEAVING
        self._held.clear()
        self._runs.clear()
        if self.participant and self._flags & HelloFlag.CANCEL_ON_DISCONNECT:
            self._gateway.cancel_orders(self.participant)

    def look_after(self, now_s: float, failed: object) -> None:
        """Called every so often: time-outs and signs of life."""
        limits = self._gateway.limits
        if self.phase is Phase.LEAVING:
            if now_s > self.deadline_s:
                self._transport.abort()
        elif self.phase in (Phase.GREETING, Phase.PROVING):
            if now_s > self.deadline_s:
                self.refuse(Code.HANDSHAKE_TIMEOUT, int(limits.handshake_s * 1_000))
        elif self.phase is Phase.OPEN:
            if failed is not None and not self._runs:
                self.refuse(Code.JOURNAL_UNAVAILABLE)
            elif now_s > self.heard_s + limits.idle_s and not self._runs:
                self.refuse(Code.IDLE, int(limits.idle_s * 1_000))
            elif now_s > self.told_s + limits.heartbeat_s:
                self._write(wire.SERVER_HEARTBEAT)


def _sequence(reports: bytes, at: int) -> int:
    start = at * REPORT_BYTES + 8
    return int.from_bytes(reports[start : start + 8], "little")
