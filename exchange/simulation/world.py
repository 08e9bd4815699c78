"""One seed: a machine with its disk, the exchange's process on it, the chain, the network, and who uses all.

Lives follow each other: the process starts, works, and ends somehow; what it kept in memory is gone, and the
disk has what such an end leaves. The product's own code runs in each life, unchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final

from chain.refusals import Refusal
from exchange.clearing import ClearingDesk
from exchange.core.codes import CASH, ReportKind
from exchange.core.records import REPORT_BYTES
from exchange.days import end_days
from exchange.history import History
from exchange.journal import Identity
from exchange.opening import Opened, start
from exchange.refusals import InvariantBroken, JournalUnavailable
from exchange.sequencer import Sequencer
from exchange.simulation.actors import FIRST_UNIT, Make, Member, Operator
from exchange.simulation.audit import Auditor, Violation, fail
from exchange.simulation.chain import SimulatedClearing, WayToChain
from exchange.simulation.disk import Crashed, Faults, SimulatedDisk
from exchange.simulation.loop import Stalled, VirtualLoop
from exchange.venue import Venue

IDENTITY: Final = Identity(31_337, bytes(range(20)))
DIRECTORY: Final = Path("/exchange")
_JOURNAL: Final = str(DIRECTORY / "journal")
_BEGIN_US: Final = (
    1_750_000_000_000_000 // (24 * 3600 * 1_000_000) * (24 * 3600 * 1_000_000) + 16 * 3600 * 1_000_000
)
"""A midnight in Shanghai."""

_TRIES_MAX: Final = 400
_REST_S_MAX: Final = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed did. `violation` is empty where everything held; `trace` has a line for each event."""

    seed: int
    violation: str
    records: int
    answers: int
    looks: int
    trades: int
    epochs: int
    withdrawals: int
    lives: int
    trace_hash: str
    trace: list[str] = field(repr=False)


def run_seed(seed: int, *, traced: bool = False) -> Outcome:
    """Run one seed from its beginning to rest. The same seed always does the same.

    `traced` has the outcome tell what happened also where everything held.
    """
    loop = VirtualLoop()
    world = World(seed, loop)
    violation = ""
    try:
        loop.run(world.run())
    except Violation as found:
        violation = str(found)
    except Stalled:
        violation = "somebody waits for ever, or the seed does not end"
    except Exception as error:  # noqa: BLE001 - whatever the product raises where it should not is a finding
        violation = f"{type(error).__name__}: {error}"
    finally:
        loop.end()
    return world.outcome(violation, traced=traced or bool(violation))


@dataclass(slots=True)
class Life:
    """The process, from a start to its end."""

    opened: Opened
    sequencer: Sequencer
    desk: ClearingDesk


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        self.seed = seed
        self.random = random = Random(seed)  # noqa: S311 - it is to be repeated
        self.is_calm = False
        self._loop = loop
        self._events: list[tuple[Any, ...]] = []
        self.auditor = Auditor(by_reference=seed % 16 == 0)
        self.disk = SimulatedDisk(random, self.trace)
        self.clearing = SimulatedClearing(self.trace, self._on_settle, self._on_release, self._on_short)
        self._way = WayToChain(random, self.clearing, self.trace, random.choice((0, 50, 200, 400)))
        self._clock_us = _BEGIN_US - random.randrange(1, 4_000_000)
        self._life: Life | None = None
        self._lives = 0
        self._ended: asyncio.Future[str] = loop.create_future()
        self._is_apart = seed % 16 == 1
        """Groups are taken in by a thread: the loop waits for it, so this, too, is the same every time."""
        self._snapshot_every = random.choice((15, 40, 120, 1_000))
        self._noise = random.choice((0, 20, 100))
        self._disk_s = random.choice((0.0005, 0.004, 0.02))
        self.members = [random.randbytes(20) for _ in range(random.randrange(2, 5))]
        self._units = random.randrange(1, 3)
        self._leaver = random.choice(self.members) if random.random() < 0.25 else b""

    # --- for who uses it ---

    def trace(self, *event: object) -> None:
        """Remember what happened."""
        self._events.append((self._loop.time(), *event))

    def now_us(self) -> int:
        """Return the time as the machine's clock says it."""
        return self._clock_us + int(self._loop.time() * 1_000_000)

    def pass_time(self, by_us: int) -> None:
        """Set the machine's clock on, or back."""
        self._clock_us += by_us
        self.trace("clock", by_us)

    async def funded(self) -> None:
        """Return when the first deposits have come in; not for ever where the way is bad."""
        for _ in range(40):
            if len(self.auditor.venue.custody.deposits) >= len(self.members) * (1 + self._units):
                return
            await asyncio.sleep(0.02)
            self.auditor.catch_up(self._durable())

    def instruments(self) -> int:
        """Return how many units are listed, durably."""
        return len(self.auditor.venue.custody.listed)

    async def request(self, account: bytes, make: Make) -> bytes:
        """Send over a bad network until it is answered; return the reports."""
        random, loop = self.random, self._loop
        for _ in range(_TRIES_MAX):
            answer: asyncio.Future[bytes | None] = loop.create_future()
            loop.call_later(random.random() * 0.004, self._deliver, account, make, answer)
            if random.random() * 1_000 < self._noise:  # the same message again, at once or much later
                late_s = random.choice((0.003, 0.05, 1.0))
                loop.call_later(random.random() * late_s, self._deliver, account, make, answer)
            patience = loop.call_later(2.0, _answer, answer, None)
            reports = await answer
            patience.cancel()
            if reports is not None:
                return reports
            await asyncio.sleep(random.random() * 0.1)
        return fail("a request is never answered", tries=_TRIES_MAX)

    def _deliver(self, account: bytes, make: Make, answer: asyncio.Future[bytes | None]) -> None:
        if self._life is None:
            _answer(answer, None)
        else:
            self._loop.create_task(self._handle(self._life.sequencer, account, make, answer))

    async def _handle(
        self, sequencer: Sequencer, account: bytes, make: Make, answer: asyncio.Future[bytes | None]
    ) -> None:
        """What a gateway does: finds the participant, stamps the time, submits, answers."""
        try:
            participant = 0
            if account:
                participant = await sequencer.participant_of(account)
                self._audit(lambda auditor: auditor.registered(account, participant))
            run = make(participant, sequencer.now_us())
            reports = await sequencer.submit(run)
        except JournalUnavailable:
            _answer(answer, None)
            return
        except InvariantBroken as broken:
            self._end(f"violation: {broken}")
            return
        self.trace("answer", account[:4], reports[8:16], reports[::REPORT_BYTES])
        self._audit(lambda auditor: auditor.answered(run, reports))
        random = self.random
        if random.random() * 1_000 >= self._noise:
            self._loop.call_later(random.random() * 0.004, _answer, answer, reports)

    # --- lives ---

    async def run(self) -> None:
        """Live, die and live again until all is done; then come to rest."""
        random, loop = self.random, self._loop
        self._fund()
        operator = Operator(self, self.members, self._units, acts=random.randrange(4, 10))
        acts = random.randrange(5, 16)
        members = [
            Member(self, account, acts, withdraws=account != self._leaver).run() for account in self.members
        ]
        crowd = [loop.create_task_outside(each) for each in (operator.run(), *members, self._leave())]
        crashes = random.choice((0, 1, 1, 2, 2, 3, 4))
        work = loop.create_task_outside(_all_of(crowd))
        for _ in range(crashes):
            await self._live(work, random.random() * 0.5)
            if work.done():
                break
        self.is_calm = True
        self._way.trouble = self._noise = 0
        self.clearing.frozen.clear()
        finishing = loop.create_task_outside(self._finish(work, operator))
        await self._live(finishing, None)
        if not finishing.done():
            fail("the process ended without a reason")
        self._begin()
        self.auditor.at_rest(self.clearing)

    def _plan_end(self, life: int) -> None:
        """Decide how this life ends: inside a call to the disk, or between two."""
        if life != self._lives or self._life is None:
            return
        random = self.random
        found = random.random()
        if found < 0.45:
            self.disk.faults.calls_left = random.randrange(12)
        elif found < 0.60:
            self.disk.faults.sync_fails = 300
        elif found < 0.68:
            self.disk.faults.is_full = 300
        elif found < 0.72:
            self.disk.faults.row_room_fails = 1_000
        elif found < 0.80:
            self._end("stopped")
        else:
            self._end("killed")
        self._loop.call_later(0.4, self._end_of, life)  # whatever was planned may never come

    def _end_of(self, life: int) -> None:
        if life == self._lives:
            self._end("killed")

    async def _live(self, until: asyncio.Task[Any], end_s: float | None) -> None:
        """Start, and work until a task is done; or until what is planned for `end_s` after the start."""
        until.add_done_callback(self._done)
        self._ended = self._loop.create_future()
        while not self._start():
            await asyncio.sleep(0.05)
            self._ended = self._loop.create_future()
        if end_s is not None:
            self._loop.call_later(end_s, self._plan_end, self._lives)
        how = await self._ended
        until.remove_done_callback(self._done)
        if how == "done":
            how = "stopped"
            if until.done() and not until.cancelled() and until.exception() is not None:
                until.result()
        self._bury(how)
        await asyncio.sleep(self.random.random() * 0.05)

    def _done(self, _task: asyncio.Task[Any]) -> None:
        self._end("done")

    def _end(self, how: str) -> None:
        if not self._ended.done():
            self._ended.set_result(how)

    def _start(self) -> bool:
        """Start the process; returns False when it did not come up, and was buried again."""
        try:
            self._begin()
        except Crashed:
            self._bury("killed")
            return False
        except (JournalUnavailable, OSError) as error:
            self.trace("does not start", str(error))
            self._bury("killed")
            return False
        life = self._life
        assert life is not None
        sequencer = life.sequencer
        for work in (sequencer.run(), life.desk.run(), end_days(sequencer), self._look(sequencer)):
            self._loop.create_task(work).add_done_callback(self._fell)
        return True

    def _fell(self, task: asyncio.Task[Any]) -> None:
        """A part of the process ended: the process goes with it, as its task group does."""
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Violation):
            self._end(f"violation: {error}")
        elif error is not None and not isinstance(error, Refusal):
            self._end(f"violation: {type(error).__name__}: {error}")
        else:
            self._end("failed")

    def _begin(self) -> None:
        self._lives += 1
        self.trace("start", self._lives)
        opened = start(DIRECTORY, IDENTITY, self.disk, self._make_history)
        opened.keeper.every = self._snapshot_every
        sequencer = Sequencer(opened.venue, opened.journal, opened.keeper, self.now_us, self._on_disk)
        sequencer.listeners.append(self._on_group)
        if self._is_apart:
            sequencer.apart_bytes = 1
        desk = ClearingDesk(sequencer, self.clearing, 0, idle_s=0.15, ask=self._way.ask)
        self._life = Life(opened, sequencer, desk)
        self.trace("started", opened.replayed, opened.journal.end.records)
        self.auditor.started(self._durable(), opened.journal.end.offset, opened.venue)

    def _make_history(self, directory: Path) -> History:
        orders, trades = (self.disk.store(f"{directory}/{name}") for name in ("orders", "trades"))
        return History(stores=(orders, trades))

    def _bury(self, how: str) -> None:
        """End the process: its tasks, its memory, and what of the disk was not durable."""
        if how.startswith("violation: "):
            fail(how.removeprefix("violation: "))
        random, life, self._life = self.random, self._life, None
        for task in self._loop.inside:
            task.cancel()
        self._loop.inside.clear()
        self.disk.faults = Faults()
        if how == "stopped" and life is not None and life.sequencer.failed is None:
            life.sequencer.save()
        power = random.random() < 0.6
        self.trace("ends", how, "power cut" if power else "")
        if power:
            self.disk.power_cut()
        else:
            self.disk.killed()
        if random.random() < 0.1:
            self.disk.damage_newest(".snapshot")
        if life is not None and self._is_apart:
            life.sequencer.close()  # its thread is one of this process

    # --- what the process is given ---

    async def _on_disk(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Do it on the disk's own time: the world goes on before it and after."""
        random = self.random
        await asyncio.sleep(random.random() * self._disk_s)
        try:
            found = call(*arguments)
        except Crashed:
            self._end("killed")
            return await self._loop.create_future()
        await asyncio.sleep(random.random() * self._disk_s)
        return found

    def _on_group(self, _reports: bytes) -> None:
        """Rows may reach the disk as they are now."""
        if self.random.random() < 0.2:
            for rows in self.disk.rows.values():
                rows.note()

    # --- watching ---

    async def _look(self, sequencer: Sequencer) -> None:
        """Read all the time, as readers do."""
        random = self.random
        try:
            while True:
                await asyncio.sleep(random.random() * 0.15)
                closely = random.random() < 0.1
                await sequencer.read(lambda venue: self._seen(venue, closely=closely))  # noqa: B023
        except JournalUnavailable:
            return

    def _seen(self, venue: Venue, *, closely: bool) -> None:
        self.auditor.catch_up(self._durable())
        self.auditor.looked(venue, closely=closely)

    def _audit(self, ask: Callable[[Auditor], None]) -> None:
        try:
            self.auditor.catch_up(self._durable())
            ask(self.auditor)
        except Violation as violation:
            self._end(f"violation: {violation}")

    def _on_settle(self, epoch: int, root: bytes) -> None:
        self._audit(lambda auditor: auditor.settles(epoch, root))

    def _on_release(self, withdrawal: Any) -> None:
        self._audit(lambda auditor: auditor.releases(withdrawal, self.clearing.settled))

    def _on_short(self, act: str) -> None:
        if not self._leaver:
            self._end(f"violation: the chain is asked to {act} what Clearing does not have")

    def _durable(self) -> bytearray:
        file = self.disk.files.get(_JOURNAL)
        return file.durable if file is not None else bytearray()

    # --- the story ---

    def _fund(self) -> None:
        for account in self.members:
            self.clearing.deposit(account, CASH, 3_000_000)
            for unit in range(FIRST_UNIT, FIRST_UNIT + self._units):
                self.clearing.deposit(account, unit, 400)

    async def _leave(self) -> None:
        """Somebody takes his money out of Clearing himself; another one is frozen for a while."""
        random = self.random
        await asyncio.sleep(random.random())
        if self._leaver:
            self.clearing.exit(self._leaver, CASH, random.randrange(1, 2_000_000))
        elif random.random() < 0.3 and not self.is_calm:
            self.clearing.frozen.add(random.choice(self.members))

    async def _finish(self, work: asyncio.Task[Any], operator: Operator) -> None:
        """Let everybody finish, make good what is missing on chain, and wait until nothing moves."""
        await work
        await asyncio.sleep(6)  # what is still on its way arrives
        self.clearing.frozen.clear()
        await operator.settle_down()
        deadline_s = self._loop.time() + _REST_S_MAX
        made_good = 0
        while self._loop.time() < deadline_s:
            custody = self.auditor.venue.custody
            self.auditor.catch_up(self._durable())
            missing = [taken for taken in custody.exits.values() if taken.missing]
            for taken in missing[made_good:]:
                self.clearing.deposit(taken.account, taken.asset, taken.missing)
            made_good = len(missing)
            if (
                custody.settled_epoch == len(custody.epochs)
                and not custody.unreleased
                and custody.chain_block == self.clearing.head()
            ):
                return
            await asyncio.sleep(0.2)
        fail("exchange and chain do not come to rest", alarms=self._alarms())

    def _alarms(self) -> dict[str, str]:
        if self._life is None:
            return {}
        desk = self._life.desk
        stuck = {name.hex()[:8]: str(each.refusal) for name, each in desk.stuck.items()}
        return stuck | {name: str(alarm.refusal) for name, alarm in desk.alarms.items()}

    def outcome(self, violation: str, *, traced: bool) -> Outcome:
        """Say what came of it."""
        digest = sha256(repr(self._events).encode())
        digest.update(self._durable())
        digest.update(self.auditor.venue.state_hash())
        venue = self.auditor.venue
        return Outcome(
            seed=self.seed,
            violation=violation,
            records=self.auditor.durable_records,
            answers=self.auditor.answers,
            looks=self.auditor.looks,
            trades=venue.history.trades,
            epochs=len(venue.custody.epochs),
            withdrawals=len(venue.custody.withdrawals),
            lives=self._lives,
            trace_hash=digest.hexdigest(),
            trace=[_shown(*event) for event in self._events] if traced else [],
        )


def _shown(at_s: float, what: str, *facts: object) -> str:
    """Return an event as one line."""
    if what == "answer":
        who, first, kinds = facts
        assert isinstance(who, bytes)
        assert isinstance(first, bytes)
        assert isinstance(kinds, bytes)
        names = " ".join(ReportKind(kind).name for kind in kinds)
        facts = who.hex() or "operator", "record", int.from_bytes(first, "little"), names
    return " ".join([f"{at_s:10.6f}", what, *map(str, facts)])


def _answer(answer: asyncio.Future[bytes | None], reports: bytes | None) -> None:
    if not answer.done():
        answer.set_result(reports)


async def _all_of(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        await task
