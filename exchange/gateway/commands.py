"""`POST /commands`: a list of commands, done in order, each answered for itself.

The frequent way: every account and unit was named before, so the whole list becomes one run of records at
once. Else commands are read one by one; accounts that are new are registered first, all in one run; and what
changes how the next ones are read (a listing, an instrument's rules) ends a run, and they are read after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from chain.refusals import Refusal
from exchange.clearing import ClearingDesk
from exchange.core.codes import ReportKind
from exchange.core.records import COMMAND_BYTES, Report, reports_of
from exchange.custody import Custody
from exchange.gateway.wire import fast
from exchange.gateway.wire.answers import Answers
from exchange.gateway.wire.names import Names, Unregistered
from exchange.gateway.wire.parse import Context, Work, command_name, parse_command
from exchange.refusals import ParticipantsFull, RequestMalformed, WithdrawalIdReused
from exchange.sequencer import Sequencer
from exchange.venue import Venue
from exchange.words import refusal_json, to_bytes, uuid_text

COMMANDS_MAX: Final = 1_000

_LISTING: Final = "ListInstrument"
_RULES: Final = "SetRules"


@dataclass(slots=True)
class Plan:
    """The commands from `start` to before `stop` as one run.

    `counts` says how many records each has; `ready` holds the answers of those that have none, and
    `withdrawals` the ids of those that take something out.
    """

    start: int
    stop: int
    run: bytes
    counts: bytes
    ready: dict[int, bytes] = field(default_factory=dict)
    withdrawals: list[tuple[bytes, int]] = field(default_factory=list)


class CommandDesk:
    """Does lists of commands."""

    def __init__(self, sequencer: Sequencer, desk: ClearingDesk) -> None:
        self._sequencer = sequencer
        self._desk = desk
        self.names = Names(sequencer.venue)
        self.answers = Answers(self.names, sequencer.venue)
        self._leaving: Counter[tuple[bytes, int]] = Counter()
        self.pack, self.write = fast.pack, fast.write

    async def do(self, bodies: object) -> bytes:
        """Do commands in order and return their answers as JSON.

        Raises
        ------
        Refusal :
            RequestMalformed, or JournalUnavailable: then none of them was acknowledged.
        """
        if not isinstance(bodies, list):
            raise RequestMalformed(reason="a list of commands is expected")
        if len(bodies) > COMMANDS_MAX:
            raise RequestMalformed(
                reason="too many commands", commands=len(bodies), commands_max=COMMANDS_MAX
            )
        answers, at = [], 0
        while at < len(bodies):
            plan, reports = await self._done(bodies, at)
            answers.append(self._written(plan, reports))
            at = plan.stop
        return b"[%b]" % b",".join(answers)

    # --- doing ---

    async def _done(self, bodies: list[Any], start: int) -> tuple[Plan, bytes]:
        """Do the run from `start` on, once every account in it is registered."""
        while True:
            if command_name(bodies[start]) == _RULES:
                plan, reports = await self._composed(bodies, start)
            else:
                plan = self._plan(bodies, start)
                reports = await self._submitted(plan) if isinstance(plan, Plan) else b""
            if isinstance(plan, Plan):
                return plan, reports
            await self._register(plan)

    async def _submitted(self, plan: Plan) -> bytes:
        if not plan.run:
            return b""
        self._leaving.update(plan.withdrawals)
        try:
            reports = await self._sequencer.submit(plan.run)
        finally:
            self._leaving.subtract(plan.withdrawals)
            self._leaving = +self._leaving
        if plan.withdrawals:
            self._desk.kick()
        return reports

    async def _composed(self, bodies: list[Any], start: int) -> tuple[Plan | set[bytes], bytes]:
        """Read and do rules when nothing else is under way: the present ones decide what they may be."""
        plans: list[Plan | set[bytes]] = []

        def make(_venue: Venue) -> bytes:
            plan = self._plan(bodies[: start + 1], start)
            plans.append(plan)
            return plan.run if isinstance(plan, Plan) else b""

        told = await self._sequencer.compose(make)
        return plans[0], told.reports

    def _plan(self, bodies: list[Any], start: int) -> Plan | set[bytes]:
        """Return the run from `start` on, or the accounts that are to be registered before."""
        now_us = self._sequencer.now_us()
        packed, left = self.pack(bodies, start, self.names.accounts, self.names.units, now_us)
        if not left:
            return Plan(start, len(bodies), packed, bytes([1]) * (len(bodies) - start))
        return _Planner(self, packed, bodies, start, now_us).plan(left)

    async def _register(self, accounts: Iterable[bytes]) -> None:
        if not all(await self._sequencer.participants_of(list(accounts))):
            raise ParticipantsFull(accounts=len(self._sequencer.venue.custody.accounts))

    def read(self, body: object, now_us: int) -> Work:
        """Read one command; raises Refusal, Unregistered."""
        return parse_command(body, Context(self.names, self._sequencer.venue, now_us))

    def is_leaving(self, withdrawal_id: bytes, participant: int) -> bool:
        """Whether this id is on its way as another participant's."""
        return any(name == withdrawal_id and who != participant for name, who in self._leaving)

    # --- after ---

    def _written(self, plan: Plan, reports: bytes) -> bytes:
        epoch, first_open = _open_epoch(self._sequencer.venue.custody)
        places = [0]

        def uncommon(i: int, first: int, last: int) -> bytes:
            ready = plan.ready.get(plan.start + i)
            if ready is not None:
                return ready
            if len(places) == 1:
                for count in plan.counts:
                    places.append(places[-1] + COMMAND_BYTES * count)
            return self._answer(plan.run[places[i] : places[i + 1]], reports[first:last])

        texts = self.names.account_texts, self.names.unit_texts
        return self.write(reports, plan.counts, *texts, epoch, first_open, uncommon)

    def _answer(self, run: bytes, reports: bytes) -> bytes:
        read = list(reports_of(reports))
        for report in read:
            self._remember(report)
        return to_bytes(self.answers.answer(run, read))

    def _remember(self, report: Report) -> None:
        """Have the names of a report at hand for the next time."""
        if report.kind != ReportKind.REJECTED:  # of which they are the client's
            for participant in (report.participant, report.other):
                if participant:
                    self.names.account_ascii(participant)
            if report.instrument:
                self.names.unit_ascii(report.instrument)


class _Planner:
    """Puts the run together where some commands have to be read one by one."""

    def __init__(self, desk: CommandDesk, packed: bytes, bodies: list[Any], start: int, now_us: int) -> None:
        self._desk = desk
        self._packed, self._bodies = packed, bodies
        self._start, self._now_us = start, now_us
        self._parts: list[bytes] = []
        self._counts = bytearray()
        self._ready: dict[int, bytes] = {}
        self._withdrawals: list[tuple[bytes, int]] = []
        self._unregistered: set[bytes] = set()

    def plan(self, left: list[int]) -> Plan | set[bytes]:
        at, stop = self._start, len(self._bodies)
        for index in left:
            name = command_name(self._bodies[index])
            if name == _RULES and index > self._start:
                stop = index
                break
            self._take_packed(at, index)
            self._take(index)
            at = index + 1
            if name in {_RULES, _LISTING}:
                stop = at
                break
        if self._unregistered:
            return self._unregistered
        self._take_packed(at, stop)
        run = b"".join(self._parts)
        return Plan(self._start, stop, run, bytes(self._counts), self._ready, self._withdrawals)

    def _take_packed(self, first: int, last: int) -> None:
        offset = self._start
        self._parts.append(self._packed[(first - offset) * COMMAND_BYTES : (last - offset) * COMMAND_BYTES])
        self._counts += bytes([1]) * (last - first)

    def _take(self, index: int) -> None:
        try:
            work = self._desk.read(self._bodies[index], self._now_us)
            if work.withdrawal is not None:
                self._take_withdrawal(work)
        except Refusal as refusal:
            self._answer_at_once(index, {"refusal": refusal_json(refusal)})
        except Unregistered as unregistered:
            self._unregistered.add(unregistered.account)
        else:
            if work.records:
                self._parts.append(work.records)
                self._counts.append(len(work.records) // COMMAND_BYTES)
            else:
                self._answer_at_once(index, {"reports": work.ready})

    def _take_withdrawal(self, work: Work) -> None:
        """An id stands for one withdrawal over all accounts, also while two are on their way."""
        assert work.withdrawal is not None
        participant = int.from_bytes(work.records[-COMMAND_BYTES + 8 : -COMMAND_BYTES + 12], "little")
        here = any(name == work.withdrawal and who != participant for name, who in self._withdrawals)
        if here or self._desk.is_leaving(work.withdrawal, participant):
            raise WithdrawalIdReused(withdrawal_id=uuid_text(work.withdrawal))
        self._withdrawals.append((work.withdrawal, participant))

    def _answer_at_once(self, index: int, answer: dict[str, Any]) -> None:
        self._counts.append(0)
        self._ready[index] = to_bytes(answer)


def _open_epoch(custody: Custody) -> tuple[int, int]:
    """Return the open epoch, and the first trade that is not in an older one."""
    epochs = custody.epochs
    return custody.open_epoch, epochs[-1].first_trade + epochs[-1].trades if epochs else 1
