"""A trial: act by act; after each the model, the machine and the witness agree, or it fails.

Compared are: done or refused, the data of the result or of the typed error byte for byte, every log in
order, and through the contracts' own views every row that the model wrote. The witness adds up the
events and checks the invariants. Now and then, and at the end, everything that was ever written is
looked at, changed or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.answer import Answer, Halted
from tests.support.contract_fuzz.stage import Stage
from tests.support.contract_model.access_manager import AccessManager
from tests.support.contract_model.interface import interface, shown_error
from tests.support.contract_model.machine import Refused
from tests.support.contract_model.witness import Broken, Witness

LOOK_AT_ALL_EVERY = 1_000


class Mismatch(AssertionError):
    """The contracts and the model do not say the same, or an invariant does not hold."""


class Trial:
    """One stage, from the first act on."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.witness = Witness(stage.parts)
        self.done = 0
        self.rows_compared = 0
        self._views: dict[tuple[Any, ...], tuple[bytes, Any]] = {}

    def perform(self, act: Act) -> str:
        """Make the call in both worlds; returns "done" or the refusal's name. Raises Mismatch."""
        model, machine = self.stage.model, self.stage.machine
        model.now = act.at
        machine.at(act.at)
        model.begin()
        outcome, expected = self._predict(act)
        try:
            answer = machine.call(act.caller, act.to, act.data, act.value)
        except Halted as halted:
            raise Mismatch(f"the machine halted: {halted}; the model says {outcome}") from None
        self._compare(outcome, expected, answer)
        for _, contract, name, args in self._written():
            self._look(contract, name, args)
        try:
            is_open = self.stage.clearing.progress[0].chunks_applied != 0
            self.witness.hear(model.events, model.now, is_open, self._holds_right)
        except Broken as broken:
            raise Mismatch(f"an invariant is broken: {broken}") from None
        self.done += 1
        if self.done % LOOK_AT_ALL_EVERY == 0:
            self.look_at_all()
        return outcome

    def _predict(self, act: Act) -> tuple[str, bytes]:
        model = self.stage.model
        try:
            if act.raw is not None:  # no call that any function understands
                raise Refused
            result = model.call(act.caller, act.to, act.function, act.args, act.value, act.data)
        except Refused as refused:
            return refused.name or "(no word)", refused.data
        return "done", act.function.result(result)

    def _compare(self, outcome: str, expected: bytes, answer: Answer) -> None:
        if answer.done != (outcome == "done") or answer.data != expected:
            said = f"done, 0x{answer.data.hex()}" if answer.done else shown_error(answer.data)
            wanted = f"done, 0x{expected.hex()}" if outcome == "done" else shown_error(expected)
            raise Mismatch(f"the contracts say {said}; the model says {wanted}")
        events = self.stage.model.events
        logs = tuple(
            (event.address, *interface(event.contract).events[event.name].log(event.args)) for event in events
        )
        if logs != answer.logs:
            raise Mismatch(f"the contracts' logs are {answer.logs}; the model's are {logs}: {events}")

    def _written(self) -> set[tuple[Any, ...]]:
        """The views of the rows that this call wrote."""
        found = set()
        for table, key, _ in self.stage.model.journal:
            if table.shown is not None:
                name, *args = table.shown(key)
                found.add((table, table.contract, name, tuple(args)))
        return found

    def _look(self, contract: Any, name: str, args: tuple[Any, ...]) -> None:
        """Compare one view's answer. A view that would refuse is none of these."""
        key = (contract.address, name, args)
        known = self._views.get(key)
        if known is None:
            function = contract.interface.function(name, len(args))
            known = self._views[key] = (function.calldata(args), function)
        data, function = known
        model = self.stage.model
        try:
            result = contract.answer_view(function, args)
            expected = Answer(True, function.result(result))
        except Refused as refused:
            expected = Answer(False, refused.data)
        answer = self.stage.machine.look(contract.address, data)
        self.rows_compared += 1
        if (answer.done, answer.data) != (expected.done, expected.data):
            shown = f"{contract.name}.{name}{args} at {model.now}"
            raise Mismatch(f"{shown} is 0x{answer.data.hex()}; in the model it is 0x{expected.data.hex()}")

    def look_at_all(self) -> None:
        """Compare every row that was ever written, and the witness's books with the contracts'."""
        for contract in self.stage.model.contracts.values():
            for table in contract.tables:
                if table.shown is None:
                    continue
                for key in table.rows:
                    name, *args = table.shown(key)
                    self._look(contract, name, tuple(args))
        self.compare_books()

    def compare_books(self) -> None:
        """Compare what the events add up to with the model."""
        witness, stage = self.witness, self.stage
        books: list[tuple[str, Any, Callable[[Any], Any]]] = [
            ("held", witness.held, lambda key: stage.ledger.balances[key]),
            ("supply", witness.supply, lambda key: list(stage.ledger.supplies[key])),
            ("cash", witness.money["SettlementCash"].balances, lambda key: stage.cash.balances[key]),
            ("points", witness.money["MicroCarat"].balances, lambda key: stage.points.balances[key]),
            ("trading tonnes", witness.trading_t, lambda key: stage.clearing.units[key]),
            ("trading cash", witness.trading_fen, lambda key: stage.clearing.fen[key]),
            ("allocated", witness.allocated, lambda key: stage.compliance.allocated[key]),
            ("due", witness.due, lambda key: stage.compliance.entries[key].due_t),
        ]
        for title, book, other in books:
            for key, value in book.items():
                if value != other(key):
                    raise Mismatch(f"by the events {title} {key} is {value}, and it is {other(key)}")

    def _holds_right(self, account: str, function: str) -> bool:
        """May this account call a function of the ledger itself? Asked after the call, in its second."""
        ledger, manager = self.stage.ledger, self.stage.manager
        authority = self.stage.model.contracts[ledger._authority[0]]
        if not isinstance(authority, AccessManager):
            return False
        role = manager.function_roles[ledger.address, ledger.interface.function(function).selector]
        return manager.members[role, account].since != 0 or role == 2**64 - 1 or account == manager.address
