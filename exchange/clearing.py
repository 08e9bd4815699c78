"""The chain side: deposits come in, closed epochs are settled, withdrawals are paid out.

The chain tells the truth and is told only what it does not know yet. What it did is learnt from its events
alone, read from the journaled cursor on: a crash between sending and knowing leaves nothing to repair, the
next round reads the events and asks Clearing where it stands before it sends anything. So no epoch is settled
twice and no withdrawal is released twice, and a call that Clearing has seen before does nothing there.

A round that fails is tried again, with growing pauses and an alarm; nothing committed is ever dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from chain.events import ChainEvent
from chain.refusals import ChainUnreachable, ContractRefusal, Refusal
from exchange.commands import (
    AMOUNT_MAX,
    CASH,
    AccountExited,
    ChainCursor,
    Command,
    Credit,
    EpochSettled,
    WithdrawalReleased,
)
from exchange.netting import Delta, chunked, net
from exchange.refusals import ChainBehindJournal, ChainDisagrees, JournalBehindChain
from exchange.sequencer import Sequencer
from exchange.state import Epoch, Withdrawal

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
        await asyncio.to_thread(self.port.head)  # says at once that the chain is away
        try:
            await asyncio.to_thread(self.port.release, ())
        except ContractRefusal as refusal:
            if refusal.code != "ClearingEpochOpen":
                raise
            return  # then nobody may leave either, and the round goes on with settling
        self.acted_us = now_us

    async def follow(self) -> None:
        """Take in every event since the cursor, window by window, each window with its new cursor."""
        state = self.sequencer.state
        head = await asyncio.to_thread(self.port.head)
        if head < state.chain_block:
            raise ChainBehindJournal(chain_block=head, journal_block=state.chain_block)
        while state.chain_block < head:
            first = max(state.chain_block + 1, self.first_block)
            last = max(min(first + BLOCKS_A_ROUND - 1, head), state.chain_block + 1)
            events = await asyncio.to_thread(self.port.events, first, last)
            commands = [*self._commands_of(events), ChainCursor(last)]
            for command, outcome in zip(commands, await self.sequencer.submit(commands), strict=True):
                if isinstance(outcome, Refusal):
                    self._ring(type(command).__name__, outcome)

    def _commands_of(self, events: Iterable[ChainEvent]) -> Iterable[Command]:
        for event in events:
            command = command_of(event)
            if command is not None:
                yield command
            elif event.name in {"UnitsWithdrawn", "CashWithdrawn", "EpochUnwound"}:
                refusal = ChainDisagrees(event=event.name, block=event.block, tx_hash=event.tx_hash)
                self._ring(event.name, refusal)

    async def _settle_all(self) -> bool:
        """Settle every committed epoch that the chain does not have yet, in order."""
        state = self.sequencer.state
        if state.settled_epoch == len(state.epochs):
            return False
        settled, chunks_applied = await asyncio.to_thread(self.port.progress)
        if settled > len(state.epochs):
            raise JournalBehindChain(settled_epoch=settled, closed_epochs=len(state.epochs))
        for epoch in state.epochs[settled:]:
            await self._settle(epoch, chunks_applied)
            chunks_applied = 0
        return True

    async def _settle(self, epoch: Epoch, chunks_applied: int) -> None:
        chunks = chunked(net(self.sequencer.state.trades_of(epoch)))
        for number in range(chunks_applied, len(chunks)):
            now_us = self.sequencer.now_us()
            await asyncio.to_thread(
                self.port.settle, epoch.number, number, len(chunks), epoch.tape_root, chunks[number]
            )
            self.acted_us = now_us

    async def _release_due(self) -> bool:
        """Release what waits for no epoch any more; one that is refused does not hold up the others."""
        now_s = asyncio.get_running_loop().time()
        settled = self.sequencer.state.settled_epoch
        unreleased = self.sequencer.views.unreleased
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
            block = await asyncio.to_thread(self.port.release, batch)
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
        if block is not None and block > self.sequencer.state.chain_block:
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


def command_of(event: ChainEvent) -> Command | None:
    """Return what the engine has to be told of an event, or None where it has nothing to be told."""
    return {
        "UnitsDeposited": _credit,
        "CashDeposited": _credit,
        "EpochSettled": _settled,
        "UnitsWithdrawn": _released,
        "CashWithdrawn": _released,
    }.get(event.name, _nothing)(event)


def _nothing(_event: ChainEvent) -> None:
    return None


def _credit(event: ChainEvent) -> Command | None:
    cash = event.name == "CashDeposited"
    amount: int = event.args["amountFen" if cash else "quantityT"]
    if not 0 < amount <= AMOUNT_MAX:
        return None
    return Credit(
        deposit_id=_bytes(event.args["requestId"]),
        account=_bytes(event.args["account"]),
        asset=CASH if cash else event.args["unitId"],
        amount=amount,
    )


def _settled(event: ChainEvent) -> Command:
    root = _bytes(event.args["tapeRoot"])
    return EpochSettled(event.args["epoch"], root, event.block, _bytes(event.tx_hash))


def _released(event: ChainEvent) -> Command | None:
    """A withdrawal that the exchange released; one without an id is a forced exit."""
    request_id = _bytes(event.args["requestId"])
    if not any(request_id):
        return _exited(event)
    if any(request_id[:16]):
        return None
    return WithdrawalReleased(request_id[16:], event.block, _bytes(event.tx_hash))


def _exited(event: ChainEvent) -> Command | None:
    cash = event.name == "CashWithdrawn"
    amount: int = event.args["amountFen" if cash else "quantityT"]
    if amount > AMOUNT_MAX:  # the engine never had it: the journal could not hold it
        return None
    return AccountExited(
        tx_hash=_bytes(event.tx_hash),
        log_index=event.log_index,
        account=_bytes(event.args["account"]),
        asset=CASH if cash else event.args["unitId"],
        amount=amount,
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
