"""apply: one command after the other. Nothing in a record can raise out of here."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from exchange.core.api import CashBalance, LevelView, OrderView, RulesView, TonnesBalance
from exchange.core.codes import CARRIED_FIRST, CommandKind, Reject, ReportKind
from exchange.core.records import COMMAND, COMMAND_BYTES, Command
from exchange.core.reference import accounts, auction, instruments, orders, queries, triggers
from exchange.core.reference.invariants import check
from exchange.core.reference.layout import read
from exchange.core.reference.snapshot import dump, load
from exchange.core.reference.state import Rejected, State, Terms


class ReferenceEngine:
    """The engine in plain Python. The compiled one has the same methods and gives the same bytes."""

    is_compiled = False

    def __init__(self) -> None:
        self._state = State()

    def apply(self, commands: bytes | bytearray | memoryview) -> bytes:
        """Do a run of commands and return the run of their reports.

        Raises
        ------
        ValueError :
            The length is no multiple of a record's; nothing was done.
        """
        run = bytes(commands)
        if len(run) % COMMAND_BYTES:
            raise ValueError(f"{len(run)} bytes are no run of {COMMAND_BYTES}-byte commands")
        state = self._state
        state.reports = []
        for offset in range(0, len(run), COMMAND_BYTES):
            _apply_one(state, run[offset : offset + COMMAND_BYTES])
        return b"".join(state.reports)

    def apply_only(self, commands: bytes | bytearray | memoryview, kinds: int) -> bytes:
        """Do the same and return only the reports of some kinds: bit n of `kinds` is kind n."""
        self.apply(commands)
        return b"".join(report for report in self._state.reports if kinds >> report[0] & 1)

    def snapshot(self) -> bytes:
        """Return the canonical bytes of the state."""
        return dump(self._state)

    @classmethod
    def load(cls, snapshot: bytes) -> ReferenceEngine:
        """Return the engine that gave this snapshot; raises ValueError."""
        engine = cls()
        engine._state = load(snapshot)
        return engine

    def state_hash(self) -> bytes:
        """Return the BLAKE2b-256 of the snapshot."""
        return blake2b(self.snapshot(), digest_size=32).digest()

    def check(self) -> None:
        """Assert every invariant; AssertionError names the broken one."""
        check(self._state)

    def counters(self) -> dict[str, int]:
        """Return how far it is and how much there is."""
        return queries.counters(self._state)

    def participant(self, address: bytes) -> int:
        """Return an address's number, 0 if it has none."""
        return self._state.addresses.get(address, 0)

    def instrument(self, unit: int) -> int:
        """Return a unit's number, 0 if it has none."""
        return self._state.units.get(unit.to_bytes(16, "little"), 0)

    def cash(self, participant: int) -> CashBalance:
        """Return a participant's cash."""
        return queries.cash(self._state, participant)

    def tonnes(self, participant: int, instrument: int) -> TonnesBalance:
        """Return a participant's tonnes of an instrument."""
        return queries.tonnes(self._state, participant, instrument)

    def rules(self, instrument: int) -> RulesView:
        """Return an instrument's rules, phase and prices."""
        return queries.rules(self._state, instrument)

    def is_killed(self, participant: int) -> bool:
        """Return whether a participant's kill switch is on."""
        return queries.is_killed(self._state, participant)

    def order(self, order_id: bytes) -> OrderView | None:
        """Return a remembered order."""
        return queries.order(self._state, order_id)

    def depth(self, instrument: int, side: int, levels: int) -> list[LevelView]:
        """Return the best levels of a side, best first."""
        return queries.depth(self._state, instrument, side, levels)


def _apply_one(state: State, record: bytes) -> None:
    state.sequence += 1
    if record[0] >= CARRIED_FIRST:
        state.staged = None
        return
    try:
        command = read(record)
    except Rejected as rejected:
        _tell_rejected(state, record, rejected)
        return
    staged, state.staged = state.staged, None
    expired = 0
    if isinstance(command, Command):
        state.now_us = max(state.now_us, command.at_us)
        expired = triggers.expire(state)
    try:
        _dispatch(state, command, record, staged, expired)
    except Rejected as rejected:
        _tell_rejected(state, record, rejected)
    if isinstance(command, Command) and command.kind in orders.TOUCHES_STOPS:
        _release_stops(state, command)


def _dispatch(state: State, command: Any, record: bytes, staged: Terms | None, expired: int) -> None:
    kind = command.kind
    if kind == CommandKind.NEW:
        orders.new(state, command, record, staged)
    elif kind == CommandKind.ADVANCE:
        triggers.advance(state, command, expired)
    elif kind == CommandKind.DAY_END:
        triggers.day_end(state, command, expired)
    else:
        _RULES[kind](state, command)


def _release_stops(state: State, command: Command) -> None:
    """An amend names no instrument: its order does."""
    number = command.instrument
    if command.kind == CommandKind.AMEND and command.id in state.orders:
        number = state.orders[command.id].instrument
    if 0 < number <= len(state.instruments):
        triggers.release_stops(state, state.instruments[number - 1])


def _stage(state: State, command: Command) -> None:
    state.staged = Terms(command.id, command.quantity, command.price, command.extra)
    state.tell(ReportKind.TERMS_STAGED, id=command.id)


def _tell_rejected(state: State, record: bytes, rejected: Rejected) -> None:
    command = Command._make(COMMAND.unpack(record))
    state.tell(
        ReportKind.REJECTED,
        code=Reject(rejected.code),
        side=command.side,
        instrument=command.instrument,
        type=command.kind,
        id=command.id,
        participant=command.participant,
        a=rejected.a,
        b=rejected.b,
    )


_RULES: Final[dict[int, Callable[[State, Any], None]]] = {
    CommandKind.LIST: instruments.list_instrument,
    CommandKind.RULES: instruments.set_rules,
    CommandKind.REFERENCE: instruments.set_reference,
    CommandKind.PHASE: instruments.set_phase,
    CommandKind.UNCROSS: auction.uncross,
    CommandKind.REGISTER: accounts.register,
    CommandKind.CREDIT: accounts.transfer,
    CommandKind.DEBIT: accounts.transfer,
    CommandKind.KILL: orders.kill,
    CommandKind.TERMS: _stage,
    CommandKind.CANCEL: orders.cancel,
    CommandKind.AMEND: orders.amend,
    CommandKind.MASS_CANCEL: orders.mass_cancel,
    CommandKind.EPOCH: accounts.close_epoch,
}
