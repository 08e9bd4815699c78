"""The invariants, kept by somebody who believes only events.

The witness knows nothing of the contracts' state: it adds up what they say. So it shows at the same time
that the events are enough to rebuild everything. After each call it checks these sentences, for what the
call touched:

    of each unit      issued == held + surrendered + cancelled <= 2^63 - 1
                      allowances come from allocations within the cap, offsets from accepted statements
                      tonnes leave an account only by its owner, by whom it named, or by its own surrender
    of each period    allocated <= cap; offsets <= due * cap; surrendered <= due, unless it is cumulative
    of cash, points   supply == minted - redeemed == the sum of the balances; claims of an epoch <= its total
    of clearing       the sum of the trading accounts == what it holds + what is open in the epoch;
                      between epochs nothing is open and nobody below zero; nothing leaves in an open epoch
    of acts           one name, one act; one statement an entity and period; one issuance a batch;
                      every verifier accredited and unconflicted at that second
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.support.contract_model import units
from tests.support.contract_model.machine import ZERO, ZERO_ADDRESS, Address, Event

MOST = 2**63 - 1
PPM = 1_000_000


class Broken(AssertionError):
    """An invariant does not hold."""


class Witness:
    """Books of everything, from the events alone. `parts` names the contracts' addresses."""

    def __init__(self, parts: dict[str, Address]) -> None:
        self.parts = parts
        self.calls = 0
        self.held: dict[tuple[Address, int], int] = defaultdict(int)
        self.held_in_all: dict[int, int] = defaultdict(int)
        self.supply: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])  # issued, surrendered, cancelled
        self.operators: dict[tuple[Address, Address], bool] = defaultdict(bool)
        self.money = {"SettlementCash": _Token(), "MicroCarat": _Token()}
        self.rules: dict[int, tuple[Any, ...]] = {}
        self.allocated: dict[int, int] = defaultdict(int)
        self.due: dict[tuple[Address, int], int] = {}
        self.paid: dict[tuple[Address, int], list[int]] = defaultdict(
            lambda: [0, 0]
        )  # tonnes, offsets of them
        self.trading_t: dict[tuple[Address, int], int] = defaultdict(int)
        self.trading_fen: dict[Address, int] = defaultdict(int)
        self.traded_in_all: dict[int, int] = defaultdict(int)  # by unit; 0 is cash
        self.open: dict[int, int] = defaultdict(int)
        self.below_zero: set[Any] = set()
        self.settled_epoch = 0
        self.acts: dict[tuple[Any, ...], int] = {}
        self.accredited: dict[Address, int] = defaultdict(int)
        self.conflicts: set[tuple[Address, Address]] = set()
        self.developers: dict[int, Address] = {}
        self.points: dict[int, list[int]] = {}  # an epoch's total, and what is claimed of it
        self._offices: Callable[[Address, str], bool] = lambda _account, _function: False
        self._handlers: dict[tuple[str, str], Callable[[Event], None]] = {}
        for name in dir(self):
            if name.startswith("_on_"):
                contract, _, event = name.removeprefix("_on_").partition("_")
                self._handlers[contract, event] = getattr(self, name)
        self._names: dict[tuple[str, str], tuple[str, str]] = {}

    def hear(
        self,
        events: list[Event],
        now: int,
        epoch_is_open: bool,
        holds_right: Callable[[Address, str], bool],
    ) -> None:
        """Take in one call's events, in order, and check what they touched. Raises Broken.

        Parameters
        ----------
        epoch_is_open :
            Whether an epoch is half applied after the call: a chunk without deltas says nothing.
        holds_right :
            Whether an account may call a function of the ledger itself (`issue`, `retire`).
        """
        self.calls += 1
        self.now = now
        self._offices = holds_right
        self._announced: dict[int, int] = defaultdict(int)
        self._minted: dict[tuple[Address, int], int] = defaultdict(int)
        self._surrendered: dict[tuple[Address, int], int] = defaultdict(int)
        self._touched_units: set[int] = set()
        self._touched_periods: set[tuple[Address, int]] = set()
        self._touched_trading: set[int] = set()
        for event in events:
            key = (event.contract, event.name)
            names = self._names.get(key)
            if names is None:
                names = self._names[key] = (event.contract.lower(), _snake(event.name))
            handler = self._handlers.get(names)
            if handler is not None:
                handler(event)
        if events:
            self._check(epoch_is_open)

    # The ledger

    def _on_carbonledger_approval_for_all(self, event: Event) -> None:
        owner, operator, approved = event.args
        self.operators[owner, operator] = approved

    def _on_carbonledger_transfer_single(self, event: Event) -> None:
        operator, owner, to, unit, quantity_t = event.args
        self._move(operator, owner, to, unit, quantity_t)

    def _on_carbonledger_transfer_batch(self, event: Event) -> None:
        operator, owner, to, unit_ids, quantities_t = event.args
        for unit, quantity_t in zip(unit_ids, quantities_t, strict=True):
            self._move(operator, owner, to, unit, quantity_t)

    def _move(self, operator: Address, owner: Address, to: Address, unit: int, quantity_t: int) -> None:
        self._touched_units.add(unit)
        if owner == ZERO_ADDRESS:
            self._minted[operator, unit] += quantity_t
            self.held_in_all[unit] += quantity_t
        else:
            self._require_mandate(operator, owner, to, unit, quantity_t)
            self.held[owner, unit] -= quantity_t
            _require(self.held[owner, unit] >= 0, "an account holds less than nothing", owner, unit)
        if to == ZERO_ADDRESS:
            self.held_in_all[unit] -= quantity_t
        else:
            self.held[to, unit] += quantity_t
        if self.parts["Clearing"] in (owner, to):
            self._touched_trading.add(unit)

    def _require_mandate(
        self, operator: Address, owner: Address, to: Address, unit: int, quantity_t: int
    ) -> None:
        if operator == owner or (to != ZERO_ADDRESS and self.operators[owner, operator]):
            return
        if to == ZERO_ADDRESS and operator == self.parts["Compliance"]:
            self._surrendered[owner, unit] -= quantity_t
            _require(self._surrendered[owner, unit] >= 0, "tonnes retired that nobody surrendered", owner)
            return
        allowed = to == ZERO_ADDRESS and self._offices(operator, "retire")
        _require(allowed, "tonnes taken without a mandate", operator, owner, unit, quantity_t)

    def _on_carbonledger_units_issued(self, event: Event) -> None:
        self.supply[event.args[0]][0] += event.args[2]

    def _on_carbonledger_units_retired(self, event: Event) -> None:
        self.supply[event.args[0]][1] += event.args[2]

    def _on_carbonledger_units_cancelled(self, event: Event) -> None:
        unit, owner, quantity_t, _, request_id = event.args
        self.supply[unit][2] += quantity_t
        self._act(event, owner, request_id)

    def _on_carbonledger_account_frozen(self, event: Event) -> None:
        self._act(event, "", event.args[2])

    # Compliance and verification

    def _on_compliance_period_published(self, event: Event) -> None:
        _require(event.args[0] not in self.rules, "a period published twice", event.args[0])
        self.rules[event.args[0]] = event.args

    def _on_compliance_allowances_allocated(self, event: Event) -> None:
        period, _, quantity_t, request_id = event.args
        self.allocated[period] += quantity_t
        self._announced[units.allowance(period)] += quantity_t
        self._act(event, "", request_id)
        _require(self.allocated[period] <= self.rules[period][2], "allocated more than the cap", period)

    def _on_compliance_obligation_recorded(self, event: Event) -> None:
        entity, period, due_t = event.args
        _require((entity, period) not in self.due, "emissions recorded twice", entity, period)
        self.due[entity, period] = due_t

    def _on_compliance_units_surrendered(self, event: Event) -> None:
        entity, period, unit, quantity_t, request_id = event.args
        self._act(event, entity, request_id)
        _require(self.now <= self.rules[period][1], "surrendered after the deadline", period)
        _require(units.vintage_of(unit) <= period, "borrowed from a later vintage", unit)
        paid = self.paid[entity, period]
        paid[0] += quantity_t
        if units.is_offset(unit):
            paid[1] += quantity_t
        self._surrendered[entity, unit] += quantity_t
        self._touched_periods.add((entity, period))

    def _on_compliance_reference_price_published(self, event: Event) -> None:
        self._act(event, "", event.args[2])

    def _on_verification_verifier_accredited(self, event: Event) -> None:
        verifier, until, request_id = event.args
        self.accredited[verifier] = until
        self._act(event, "", request_id)

    def _on_verification_verifier_revoked(self, event: Event) -> None:
        self.accredited[event.args[0]] = 0

    def _on_verification_conflict_declared(self, event: Event) -> None:
        self.conflicts.add(event.args[:2])

    def _on_verification_report_filed(self, event: Event) -> None:
        self._act(event, event.args[1], event.args[0])

    def _on_verification_project_registered(self, event: Event) -> None:
        _require(event.args[0] not in self.developers, "a project registered twice", event.args[0])
        self.developers[event.args[0]] = event.args[1]

    def _on_verification_emissions_verified(self, event: Event) -> None:
        statement_id, _, entity, period, _, _, _, verifier = event.args
        self._act(event, "", statement_id)
        self._once("statement", entity, period)
        self._require_independent(verifier, entity)

    def _on_verification_reductions_verified(self, event: Event) -> None:
        verifier, unit, issued_t = event.args[9:]
        self._act(event, "", event.args[0])
        self._once("batch", unit)
        self._announced[unit] += issued_t
        self._require_independent(verifier, self.developers[event.args[1]])

    def _require_independent(self, verifier: Address, about: Address) -> None:
        _require(self.now <= self.accredited[verifier], "a statement without accreditation", verifier)
        independent = verifier != about and (verifier, about) not in self.conflicts
        _require(independent, "a statement in conflict", verifier, about)

    # Cash and points

    def _on_settlementcash_transfer(self, event: Event) -> None:
        self.money["SettlementCash"].move(*event.args)
        if self.parts["Clearing"] in event.args[:2]:
            self._touched_trading.add(0)

    def _on_settlementcash_cash_minted(self, event: Event) -> None:
        self.money["SettlementCash"].minted += event.args[1]
        self._act(event, "", event.args[2])

    def _on_settlementcash_cash_redeemed(self, event: Event) -> None:
        self.money["SettlementCash"].redeemed += event.args[1]
        self._act(event, event.args[0], event.args[2])

    def _on_microcarat_transfer(self, event: Event) -> None:
        self.money["MicroCarat"].move(*event.args)

    def _on_microcarat_epoch_published(self, event: Event) -> None:
        _require(event.args[0] == len(self.points) + 1, "an epoch out of order", event.args[0])
        self.points[event.args[0]] = [event.args[2], 0]

    def _on_microcarat_points_claimed(self, event: Event) -> None:
        epoch, person, quantity_g = event.args
        self._once("claim", epoch, person)
        self.money["MicroCarat"].minted += quantity_g
        self.points[epoch][1] += quantity_g
        total_g, claimed_g = self.points[epoch]
        _require(claimed_g <= total_g, "claimed more than was published", epoch)

    def _on_microcarat_points_redeemed(self, event: Event) -> None:
        person, quantity_g, _, request_id = event.args
        self.money["MicroCarat"].redeemed += quantity_g
        self._act(event, person, request_id)

    def _on_microcarat_provider_accredited(self, event: Event) -> None:
        self._act(event, "", event.args[2])

    # Clearing

    def _on_clearing_units_deposited(self, event: Event) -> None:
        account, unit, quantity_t, request_id = event.args
        self._act(event, account, request_id)
        self._trade(account, unit, quantity_t)

    def _on_clearing_cash_deposited(self, event: Event) -> None:
        account, amount_fen, request_id = event.args
        self._act(event, account, request_id)
        self._trade_cash(account, amount_fen)

    def _on_clearing_units_withdrawn(self, event: Event) -> None:
        account, unit, quantity_t, request_id = event.args
        self._leave(event, account, request_id)
        self._trade(account, unit, -quantity_t)

    def _on_clearing_cash_withdrawn(self, event: Event) -> None:
        account, amount_fen, request_id = event.args
        self._leave(event, account, request_id)
        self._trade_cash(account, -amount_fen)

    def _on_clearing_account_settled(self, event: Event) -> None:
        epoch, account, unit, quantity_t, cash_fen = event.args
        _require(epoch == self.settled_epoch + 1, "an epoch out of order", epoch)
        if unit:
            self._trade(account, unit, quantity_t)
        self._trade_cash(account, cash_fen)
        _require(unit != 0 or quantity_t == 0, "tonnes of cash", account)
        self.open[unit] += quantity_t
        self.open[0] += cash_fen

    def _on_clearing_epoch_settled(self, event: Event) -> None:
        _require(event.args[0] == self.settled_epoch + 1, "an epoch out of order", event.args[0])
        _require(not any(self.open.values()), "an epoch closed with open sums", dict(self.open))
        _require(not self.below_zero, "an epoch closed with balances below zero", self.below_zero)
        self.settled_epoch = event.args[0]
        self.open.clear()

    def _leave(self, event: Event, account: Address, request_id: bytes) -> None:
        _require(not any(self.open.values()), "something left in an open epoch", account)
        if request_id != ZERO:
            self._act(event, account, request_id)

    def _trade(self, account: Address, unit: int, change_t: int) -> None:
        self.trading_t[account, unit] += change_t
        self.traded_in_all[unit] += change_t
        self._touched_trading.add(unit)
        self._mark((account, unit), self.trading_t[account, unit])

    def _trade_cash(self, account: Address, change_fen: int) -> None:
        self.trading_fen[account] += change_fen
        self.traded_in_all[0] += change_fen
        self._touched_trading.add(0)
        self._mark(account, self.trading_fen[account])

    def _mark(self, key: Any, balance: int) -> None:
        if balance < 0:
            self.below_zero.add(key)
        else:
            self.below_zero.discard(key)

    # Acts

    def _act(self, event: Event, holder: str, request_id: bytes) -> None:
        """One name is one act: a batch says it several times, but in one call only."""
        _require(request_id != ZERO, "an act without a name", event)
        key = (event.address, event.name, holder, request_id)
        _require(self.acts.setdefault(key, self.calls) == self.calls, "an act happened twice", event)

    def _once(self, *what: Any) -> None:
        _require(what not in self.acts, "what happens once happened twice", *what)
        self.acts[what] = self.calls

    # After the call

    def _check(self, epoch_is_open: bool) -> None:
        for unit in self._touched_units:
            issued_t, surrendered_t, cancelled_t = self.supply[unit]
            accounted_t = self.held_in_all[unit] + surrendered_t + cancelled_t
            _require(issued_t == accounted_t, "issued is not held + surrendered + cancelled", unit)
            _require(issued_t <= MOST, "issued more than anybody can count", unit)
        for (operator, unit), quantity_t in self._minted.items():
            if operator in (self.parts["Compliance"], self.parts["Verification"]):
                _require(self._announced[unit] == quantity_t, "tonnes from nowhere", unit, quantity_t)
            else:
                _require(self._offices(operator, "issue"), "tonnes made by a stranger", operator, unit)
        for entity, unit in self._surrendered:
            _require(self._surrendered[entity, unit] == 0, "surrendered and not retired", entity, unit)
        for entity, period in self._touched_periods:
            self._check_obligation(entity, period)
        for name, token in self.money.items():
            _require(token.in_all == token.minted - token.redeemed, "money from nowhere", name)
        _require(self.money["SettlementCash"].in_all <= MOST, "more cash than anybody can count")
        clearing = self.parts["Clearing"]
        for unit in self._touched_trading:
            held = self.held[clearing, unit] if unit else self.money["SettlementCash"].balances[clearing]
            expected = held + self.open[unit]
            _require(self.traded_in_all[unit] == expected, "the trading accounts are not what is held", unit)
        if not epoch_is_open:
            _require(not self.below_zero, "somebody is below zero between epochs", self.below_zero)
            _require(not any(self.open.values()), "something is open between epochs", dict(self.open))

    def _check_obligation(self, entity: Address, period: int) -> None:
        _, _, _, cap_ppm, _, cumulative = self.rules[period]
        surrendered_t, offsets_t = self.paid[entity, period]
        due_t = self.due.get((entity, period), 0)
        _require(offsets_t <= due_t * cap_ppm // PPM, "more offsets than the cap", entity, period)
        _require(cumulative or surrendered_t <= due_t, "surrendered more than due", entity, period)


class _Token:
    """One token's books."""

    def __init__(self) -> None:
        self.balances: dict[Address, int] = defaultdict(int)
        self.in_all = 0
        self.minted = 0
        self.redeemed = 0

    def move(self, owner: Address, to: Address, value: int) -> None:
        if owner == ZERO_ADDRESS:
            self.in_all += value
        else:
            self.balances[owner] -= value
            _require(self.balances[owner] >= 0, "a balance below zero", owner)
        if to == ZERO_ADDRESS:
            self.in_all -= value
        else:
            self.balances[to] += value


def _require(holds: bool, sentence: str, *facts: Any) -> None:
    if not holds:
        raise Broken(f"{sentence}: {', '.join(map(str, facts))}")


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
