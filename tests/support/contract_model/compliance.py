"""Compliance: what each entity owes for a period, what it surrendered, and who defaulted.

Words used here
    period      a year of compliance, under rules that never change once published
    due         tonnes owed: the verified emissions
    cumulative  the EU manner: balances run on over the periods, in the order of their publication
"""

# ruff: noqa: ARG002 - every function is given its message, as on chain
from __future__ import annotations

from typing import Any, NamedTuple

from tests.support.contract_model import units
from tests.support.contract_model.ledger import CarbonLedger
from tests.support.contract_model.machine import Address, Model, Msg, Refused, digest, require_fits
from tests.support.contract_model.managed import Managed, restricted
from tests.support.contract_model.once import Once

PPM = 1_000_000


class Rules(NamedTuple):
    """A period's rules. `deadline`: the last second at which a surrender is taken; 0 for no period."""

    period: int = 0
    deadline: int = 0
    cap_t: int = 0
    offset_cap_ppm: int = 0
    penalty_multiple: int = 0
    cumulative: bool = False


class Entry(NamedTuple):
    """One entity in one period."""

    due_t: int = 0
    surrendered_t: int = 0
    offsets_t: int = 0
    verified: bool = False
    assessed: bool = False
    shortfall_t: int = 0
    penalty_fen: int = 0


class Running(NamedTuple):
    """An entity's sums over its assessed cumulative periods; `next`: the place of the first that is not."""

    next: int = 0
    due_t: int = 0
    surrendered_t: int = 0

    @property
    def short_t(self) -> int:
        return max(0, self.due_t - self.surrendered_t)


class Compliance(Managed, Once):
    """Holds no tonne; lets the ledger issue, and retire what is surrendered."""

    name = "Compliance"

    def __init__(self, model: Model, address: Address, authority: Address, ledger: CarbonLedger) -> None:
        super().__init__(model, address, authority)
        self._ledger = ledger
        self.rules = self.table(Rules(), lambda period: ("isPublished", period))
        self.allocated = self.table(0, lambda period: ("allocatedT", period))
        self.prices = self.table(0, lambda period: ("referencePriceFen", period))
        self.entries = self.table(Entry(), lambda key: ("obligationOf", *key))
        self.running = self.table(Running())
        self.sequence = self.table(())  # the cumulative periods

    @restricted
    def publish_period(self, msg: Msg, rules: tuple[Any, ...]) -> None:
        given = Rules(*rules)
        before = self.rules[given.period]
        if before.deadline != 0:
            if before == given:
                return
            raise Refused("CompliancePeriodExists", given.period)
        invalid = given.period == 0 or given.deadline == 0 or given.offset_cap_ppm > PPM or given.cap_t >> 128
        if invalid:
            raise Refused("ComplianceRulesInvalid", given.period)
        if given.cumulative:
            sequence = self.sequence[0]
            if sequence:
                last = self.rules[sequence[-1]]
                if given.period <= last.period or given.deadline <= last.deadline:
                    raise Refused("ComplianceRulesInvalid", given.period)
            self.sequence[0] = (*sequence, given.period)
        self.rules[given.period] = given
        self.emit("PeriodPublished", *given)

    @restricted
    def allocate(
        self, msg: Msg, period: int, allocations: list[tuple[Address, int]], request_id: bytes
    ) -> None:
        facts = (msg.function.selector, msg.sender, period, tuple(allocations))
        if not self.once(request_id, facts, _allocate_digest):
            return
        cap_t = self._published(period).cap_t
        allocated_t = self.allocated[period]
        for entity, quantity_t in allocations:
            if quantity_t > cap_t - allocated_t:
                raise Refused("ComplianceCapExceeded", period, cap_t, allocated_t, quantity_t)
            allocated_t += quantity_t
            self.emit("AllowancesAllocated", period, entity, quantity_t, request_id)
        self.allocated[period] = allocated_t
        self.ask(self._ledger.address, "issue", units.allowance(period), tuple(allocations), request_id)

    @restricted
    def record_verified(self, msg: Msg, entity: Address, period: int, verified_t: int) -> None:
        rules = self._published(period)
        entry = self.entries[entity, period]
        if entry.verified:
            raise Refused("ComplianceAlreadyRecorded", entity, period, entry.due_t)
        if rules.cumulative and self.running[entity].next > self._place(period):
            raise Refused("ComplianceAlreadyAssessed", entity, period)
        due_t = require_fits(verified_t, 80)
        self.entries[entity, period] = entry._replace(due_t=due_t, verified=True)
        self.emit("ObligationRecorded", entity, period, verified_t)

    def surrender(self, msg: Msg, period: int, unit: int, quantity_t: int, request_id: bytes) -> None:
        facts = (msg.function.selector, period, unit, quantity_t)
        if not self.once_by(msg.sender, request_id, facts, _surrender_digest):
            return
        rules = self._published(period)
        if self.now > rules.deadline:
            raise Refused("ComplianceDeadlinePassed", period, rules.deadline, self.now)
        vintage = units.vintage_of(unit)
        if vintage > period:
            raise Refused("ComplianceVintageAhead", period, vintage)
        entity = msg.sender
        entry = self.entries[entity, period]
        if not rules.cumulative:
            if not entry.verified:
                raise Refused("ComplianceNoObligation", entity, period)
            outstanding_t = entry.due_t - entry.surrendered_t
            if quantity_t > outstanding_t:
                raise Refused("ComplianceExceedsDue", entity, period, outstanding_t, quantity_t)
        if units.is_offset(unit):
            allowed_t = entry.due_t * rules.offset_cap_ppm // PPM - entry.offsets_t
            if quantity_t > allowed_t:
                raise Refused("ComplianceOffsetCapExceeded", entity, period, allowed_t, quantity_t)
            entry = entry._replace(offsets_t=entry.offsets_t + quantity_t)
        self.emit("UnitsSurrendered", entity, period, unit, quantity_t, request_id)
        self.ask(self._ledger.address, "retire", entity, unit, quantity_t, request_id)
        surrendered_t = require_fits(entry.surrendered_t + quantity_t, 80)
        self.entries[entity, period] = entry._replace(surrendered_t=surrendered_t)

    @restricted
    def publish_reference_price(self, msg: Msg, period: int, price_fen: int, request_id: bytes) -> None:
        facts = (msg.function.selector, msg.sender, period, price_fen)
        if not self.once(request_id, facts, _price_digest):
            return
        self._published(period)
        if price_fen == 0:
            raise Refused("ComplianceNoReferencePrice", period)
        if self.prices[period] != 0:
            raise Refused("ComplianceReferencePriceExists", period, self.prices[period])
        self.prices[period] = require_fits(price_fen, 96)
        self.emit("ReferencePricePublished", period, price_fen, request_id)

    def assess(self, msg: Msg, period: int, entities: list[Address]) -> None:
        rules = self._published(period)
        if self.now <= rules.deadline:
            raise Refused("ComplianceDeadlineAhead", period, rules.deadline, self.now)
        for entity in entities:
            if rules.cumulative:
                self._assess_running(entity, self._place(period))
            else:
                self._assess_alone(entity, period)

    def _assess_alone(self, entity: Address, period: int) -> None:
        entry = self.entries[entity, period]
        if not entry.verified:
            raise Refused("ComplianceNoObligation", entity, period)
        if entry.assessed:
            return
        self.entries[entity, period] = entry._replace(assessed=True)
        short_t = entry.due_t - entry.surrendered_t
        self._conclude(entity, period, short_t, short_t)

    def _assess_running(self, entity: Address, place: int) -> None:
        """All cumulative periods up to `place`, in order. One in which nothing happened passes in silence."""
        running = self.running[entity]
        if running.next > place:
            return
        for at in range(running.next, place + 1):
            period = self.sequence[0][at]
            entry = self.entries[entity, period]
            owed_t = running.short_t
            running = Running(
                at + 1, running.due_t + entry.due_t, running.surrendered_t + entry.surrendered_t
            )
            short_t = running.short_t
            idle = not (entry.due_t or entry.surrendered_t or short_t or entry.verified)
            if at == place or not idle:
                self._conclude(entity, period, short_t, max(0, short_t - owed_t))
        self.running[entity] = running

    def _conclude(self, entity: Address, period: int, short_t: int, new_t: int) -> None:
        """Order 775 art. 21: a multiple of the price before the deadline, for each new tonne short."""
        entry = self.entries[entity, period]
        if short_t == 0:
            self.emit("ObligationMet", entity, period, entry.due_t, entry.surrendered_t)
            return
        penalty_fen = 0
        if new_t:
            if self.prices[period] == 0:
                raise Refused("ComplianceNoReferencePrice", period)
            penalty_fen = new_t * self.rules[period].penalty_multiple * self.prices[period]
        self.entries[entity, period] = entry._replace(
            shortfall_t=require_fits(short_t, 80), penalty_fen=require_fits(penalty_fen, 176)
        )
        self.emit("DefaultRecorded", entity, period, entry.due_t, entry.surrendered_t, short_t, penalty_fen)

    def _published(self, period: int) -> Rules:
        rules: Rules = self.rules[period]
        if rules.deadline == 0:
            raise Refused("CompliancePeriodUnknown", period)
        return rules

    def _place(self, period: int) -> int:
        return int(self.sequence[0].index(period))

    # Views

    def is_published(self, period: int) -> bool:
        return self.rules[period].deadline != 0

    def rules_of(self, period: int) -> Rules:
        return self._published(period)

    def obligation_of(self, entity: Address, period: int) -> Entry:
        entry: Entry = self.entries[entity, period]
        if self.rules[period].cumulative:
            return entry._replace(assessed=self.running[entity].next > self._place(period))
        return entry

    def allocated_t(self, period: int) -> int:
        return int(self.allocated[period])

    def reference_price_fen(self, period: int) -> int:
        return int(self.prices[period])

    def ledger(self) -> Address:
        return self._ledger.address


def _allocate_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "uint16", "(address,uint256)[]"], facts)


def _surrender_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "uint16", "uint256", "uint256"], facts)


def _price_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "uint16", "uint256"], facts)
