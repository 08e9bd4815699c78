"""The chain side: deposits come in, closed epochs are settled, withdrawals are paid out.

The chain tells the truth and is told only what it does not know yet. What it did is learnt from its events
alone, read from the journaled cursor on: a crash between sending and knowing leaves nothing to repair, the
next round reads the events and asks Clearing where it stands before it sends anything. So no epoch is settled
twice and no withdrawal is released twice, and a call that Clearing has seen before does nothing there.

A round that fails is tried again, with growing pauses and an alarm; nothing committed is ever dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from chain.events import ChainEvent
from chain.refusals import ChainUnreachable, ContractRefusal, Refusal
from exchange.chain_words import ChainWord, Left, run_of, word_of
from exchange.core.codes import ReportKind
from exchange.core.records import reports_of
from exchange.custody import Epoch, Withdrawal
from exchange.netting import Delta, chunked
from exchange.refusals import ChainBehindJournal, ChainDisagrees, DepositRejected, JournalBehindChain
from exchange.sequencer import Sequencer, Told

BLOCKS_A_ROUND: Final = 1_000
RELEASES_A_CALL: Final = 100
PAUSE_S_MIN: Final = 0.25
PAUSE_S_MAX: Final = 30.0

SIGN_OF_LIFE_S: Final = 24 * 3600
"""How long the exchange may be without an act on chain: well within Clearing's EXIT_TIMEOUT of seven days."""


class ClearingPort(Protocol):
    """What the desk asks of the chain. Every call blocks; every call may raise ChainUnreachable."""

    def head(self) -> int:
        """Return the newest block that is final: what the engine is told can never be taken back."""

    def events(self, first: int, last: int) -> list[ChainEvent]:
        """Return Clearing's events of these blocks, both included, in order."""

    def progress(self) -> tuple[int, int]:
        """Return the last epoch settled whole, and how many chunks of the next are applied."""

    def settle(self, epoch: int, chunk: int, chunks: int, tape_root: bytes, deltas: Sequence[Delta]) -> None:
        """Apply one chunk; raises ContractRefusal."""

    def release(self, withdrawals: Sequence[Withdrawal]) -> int:
        """Pay out and return the block; raises ContractRefusal, and then none was paid.

        Without any it is a sign of life.
        """


@dataclass(slots=True)
class Alarm:
    """A refusal that stands: since when, and how often it came."""

    refusal: Refusal
    since_us: int
    attempts: int = 1


@dataclass(slots=True)
class Stuck:
    """A withdrawal that Clearing refuses, with the time (of the loop's clock) at which it is tried again."""

    refusal: Refusal
    attempts: int
    again_at_s: float


@dataclass(slots=True)
class ClearingDesk:
    """Keeps the engine and Clearing together, round by round."""

    sequencer: Sequencer
    port: ClearingPort
    first_block: int
    idle_s: float = 1.0
    ask: Callable[..., Awaitable[Any]] = asyncio.to_thread
    """Calls the port where it may block; a simulation gives its own."""
    alarms: dict[str, Alarm] = field(default_factory=dict)
    stuck: dict[bytes, Stuck] = field(default_factory=dict)
    acted_us: int = 0
    """When Clearing last took an act of this exchange; 0 before the first since the start."""
    paid_in: dict[bytes, int] = field(default_factory=dict)
    """The block that holds a withdrawal's release, until it is final."""
    _kicked: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Go round for ever."""
        pause_s = PAUSE_S_MIN
        while True:
            try:
                await self.show_life()
                await self.round()
            except Refusal as refusal:
                self._ring("clearing", refusal)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
            else:
                self.alarms.pop("clearing", None)
                pause_s = PAUSE_S_MIN
                await self._idle()

    def kick(self) -> None:
        """Have the next round now: somebody waits for it."""
        self._kicked.set()

    async def round(self) -> None:
        """Read the chain, settle what is committed, release what may go, and read what that did.

        Raises
        ------
        Refusal :
            The chain is away, or refuses; the next round begins anew from what the chain then says.
        """
        await self.follow()
        settled = await self._settle_all()
        if settled:
            await self.follow()  # the withdrawals may wait for just this
        if await self._release_due():
            await self.follow()

    async def show_life(self) -> None:
        """Release nothing, when nothing else was done on chain for a day or since the start.

        Clearing lets everybody take his balances out once the exchange has done nothing for seven days. Who
        could do so while the exchange trades would sell here and take the tonnes there.

        Raises
        ------
        ChainUnreachable :
            Nobody knows whether it was seen.
        """
        now_us = self.sequencer.now_us()
        if self.acted_us and now_us - self.acted_us < SIGN_OF_LIFE_S * 1_000_000:
            return
        await self.ask(self.port.head)  # says at once that the chain is away
        try:
            await self.ask(self.port.release, ())
        except ContractRefusal as refusal:
            if refusal.code != "ClearingEpochOpen":
                raise
            return  # then nobody may leave either, and the round goes on with settling
        self.acted_us = now_us

    async def follow(self) -> None:
        """Take in every event since the cursor, window by window, each window with its new cursor."""
        custody = self.sequencer.venue.custody
        head = await self.ask(self.port.head)
        if head < custody.chain_block:
            raise ChainBehindJournal(chain_block=head, journal_block=custody.chain_block)
        while custody.chain_block < head:
            first = max(custody.chain_block + 1, self.first_block)
            last = max(min(first + BLOCKS_A_ROUND - 1, head), custody.chain_block + 1)
            words = list(self._words_of(await self.ask(self.port.events, first, last)))
            *parts, rest = _apart(words)
            for part in parts:
                await self._tell(part)
            # In one frame: who reads the journal meanwhile finds both or neither.
            await self._tell([*rest, last])

    def _words_of(self, events: Iterable[ChainEvent]) -> Iterable[ChainWord]:
        for event in events:
            word = word_of(event)
            if word is not None:
                yield word
            elif event.name in {"UnitsWithdrawn", "CashWithdrawn", "EpochUnwound"}:
                refusal = ChainDisagrees(event=event.name, block=event.block, tx_hash=event.tx_hash)
                self._ring(event.name, refusal)

    async def _tell(self, words: Sequence[ChainWord | int]) -> None:
        """Journal what the chain says; what does not fit rings."""
        told = await self.sequencer.compose(lambda venue: run_of(venue, words, self.sequencer.now_us()))
        for refusal in (*told.refused, *_rejected(told)):
            self._ring(refusal.code, refusal)

    async def _settle_all(self) -> bool:
        """Settle every committed epoch that the chain does not have yet, in order."""
        custody = self.sequencer.venue.custody
        if custody.settled_epoch == len(custody.epochs):
            return False
        settled, chunks_applied = await self.ask(self.port.progress)
        if settled > len(custody.epochs):
            raise JournalBehindChain(settled_epoch=settled, closed_epochs=len(custody.epochs))
        for epoch in custody.epochs[settled:]:
            await self._settle(epoch, chunks_applied)
            chunks_applied = 0
        return True

    async def _settle(self, epoch: Epoch, chunks_applied: int) -> None:
        chunks = chunked(self.sequencer.venue.history.net(epoch.first_trade, epoch.trades))
        for number in range(chunks_applied, len(chunks)):
            now_us = self.sequencer.now_us()
            await self.ask(
                self.port.settle, epoch.number, number, len(chunks), epoch.tape_root, chunks[number]
            )
            self.acted_us = now_us

    async def _release_due(self) -> bool:
        """Release what waits for no epoch any more; one that is refused does not hold up the others."""
        now_s = asyncio.get_running_loop().time()
        settled = self.sequencer.venue.custody.settled_epoch
        unreleased = self.sequencer.venue.custody.unreleased
        due = [
            withdrawal
            for withdrawal in unreleased.values()
            if withdrawal.after_epoch <= settled and self._may_try(withdrawal, now_s)
        ]
        self.paid_in = {name: block for name, block in self.paid_in.items() if name in unreleased}
        for start in range(0, len(due), RELEASES_A_CALL):
            await self._release(due[start : start + RELEASES_A_CALL])
        return bool(due)

    async def _release(self, batch: Sequence[Withdrawal]) -> None:
        now_us = self.sequencer.now_us()
        try:
            block = await self.ask(self.port.release, batch)
        except ChainUnreachable:
            raise
        except Refusal as refusal:
            if len(batch) == 1:
                self._set_aside(batch[0], refusal)
                return
            middle = len(batch) // 2
            await self._release(batch[:middle])
            await self._release(batch[middle:])
        else:
            self.acted_us = now_us
            for withdrawal in batch:
                self.stuck.pop(withdrawal.withdrawal_id, None)
                self.paid_in[withdrawal.withdrawal_id] = block

    def _may_try(self, withdrawal: Withdrawal, now_s: float) -> bool:
        block = self.paid_in.get(withdrawal.withdrawal_id)
        if block is not None and block > self.sequencer.venue.custody.chain_block:
            return False  # mined, and not final yet; one that is not in that block then was dropped: again
        stuck = self.stuck.get(withdrawal.withdrawal_id)
        return stuck is None or stuck.again_at_s <= now_s

    def _set_aside(self, withdrawal: Withdrawal, refusal: Refusal) -> None:
        before = self.stuck.get(withdrawal.withdrawal_id)
        attempts = before.attempts + 1 if before else 1
        pause_s = min(PAUSE_S_MIN * 2**attempts, PAUSE_S_MAX)
        again_at_s = asyncio.get_running_loop().time() + pause_s
        self.stuck[withdrawal.withdrawal_id] = Stuck(refusal, attempts, again_at_s)

    async def _idle(self) -> None:
        try:
            await asyncio.wait_for(self._kicked.wait(), self.idle_s)
        except TimeoutError:
            return
        self._kicked.clear()

    def _ring(self, name: str, refusal: Refusal) -> None:
        alarm = self.alarms.get(name)
        if alarm is None:
            self.alarms[name] = Alarm(refusal, self.sequencer.now_us())
        else:
            alarm.refusal, alarm.attempts = refusal, alarm.attempts + 1


def _apart(words: Sequence[ChainWord]) -> Iterable[Sequence[ChainWord]]:
    """Cut so that each forced exit is by itself: what it pays depends on all that came before it."""
    part: list[ChainWord] = []
    for word in words:
        if isinstance(word, Left):
            yield part
            yield [word]
            part = []
        else:
            part.append(word)
    yield part


def _rejected(told: Told) -> Iterable[Refusal]:
    for report in reports_of(told.reports):
        if report.kind == ReportKind.REJECTED:
            yield DepositRejected(code=report.code, held=str(report.a), amount=str(report.b))
