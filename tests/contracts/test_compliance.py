"""Compliance: caps, allocation, surrender, assessment."""

from __future__ import annotations

import brownie
import pytest
from carat_world import (
    CAP_T,
    PENALTY_MULTIPLE,
    PERIOD,
    World,
    allowance,
    fresh_id,
    offset,
    refusal,
    refused,
)

PRICE_FEN = 8_000


@pytest.fixture
def obliged(world: World) -> World:
    """The firm owes 100 tonnes and holds 200 allowances and 50 offsets; the other firm likewise."""
    world.publish()
    for firm in (world.firm, world.other_firm):
        world.allocate(firm, 200)
        world.give_units(firm, 50, offset())
        world.verify(firm, 100)
    return world


def surrender(world: World, quantity_t: int, unit: int = allowance(), request_id: bytes | None = None):
    act = (PERIOD, unit, quantity_t, request_id or fresh_id())
    return world.compliance.surrender(*act, {"from": world.firm})


def surrender_refusal(world: World, quantity_t: int, unit: int = allowance(), period: int = PERIOD):
    return refusal(world.compliance.surrender, period, unit, quantity_t, fresh_id(), by=world.firm)


def pass_deadline(world: World, period: int = PERIOD) -> None:
    brownie.chain.mine(timestamp=world.compliance.rulesOf(period)[1] + 1)


def price(world: World, period: int = PERIOD, fen: int = PRICE_FEN) -> None:
    world.compliance.publishReferencePrice(period, fen, fresh_id(), world.office)


# The cap


def test_a_period_is_published_with_its_rules(world: World) -> None:
    rules = world.publish()
    assert tuple(world.compliance.rulesOf(PERIOD)) == rules


def test_a_period_published_again_changes_nothing_and_never_changes(world: World) -> None:
    rules = world.publish()
    world.publish()
    changed = (*rules[:2], rules[2] + 1, *rules[3:])
    got = refusal(world.compliance.publishPeriod, changed, by=world.admin)
    assert got == refused("CompliancePeriodExists", period=PERIOD)


@pytest.mark.parametrize(
    "rules",
    [
        (0, 2**40, 1, 0, 5, False),
        (PERIOD, 0, 1, 0, 5, False),
        (PERIOD, 2**40, 1, 1_000_001, 5, False),
        (PERIOD, 2**40, 2**128, 0, 5, False),
    ],
    ids=["no period", "no deadline", "offset cap above one", "cap too large to count"],
)
def test_rules_that_make_no_sense_are_refused(world: World, rules: tuple) -> None:
    got = refusal(world.compliance.publishPeriod, rules, by=world.admin)
    assert got == refused("ComplianceRulesInvalid", period=rules[0])


def test_an_unpublished_period_is_unknown(world: World) -> None:
    unknown = refused("CompliancePeriodUnknown", period=1999)
    assert refusal(world.compliance.rulesOf, 1999, by=world.admin) == unknown
    assert surrender_refusal(world, 1, allowance(1999), period=1999) == unknown
    assert refusal(world.compliance.assess, 1999, [world.firm], by=world.admin) == unknown
    allocation = (1999, [(world.firm, 1)], fresh_id())
    assert refusal(world.compliance.allocate, *allocation, by=world.admin) == unknown


# Allocation


def test_allowances_are_allocated_to_many_at_once(world: World) -> None:
    world.publish()
    given = [(world.firm, 700), (world.other_firm, 300)]
    done = world.compliance.allocate(PERIOD, given, fresh_id(), world.office)
    assert world.ledger.balanceOf(world.firm, allowance()) == 700
    assert world.ledger.balanceOf(world.other_firm, allowance()) == 300
    assert world.compliance.allocatedT(PERIOD) == 1_000
    assert [event["quantityT"] for event in done.events["AllowancesAllocated"]] == [700, 300]


def test_an_allocation_sent_again_changes_nothing(world: World) -> None:
    world.publish()
    request_id = fresh_id()
    for _ in range(2):
        world.compliance.allocate(PERIOD, [(world.firm, 700)], request_id, world.office)
    assert world.supply(allowance()) == (700, 0, 0)
    name, facts = refusal(world.compliance.allocate, PERIOD, [(world.firm, 7)], request_id, by=world.admin)
    assert (name, facts["requestId"]) == ("RequestIdReused", request_id)


def test_the_cap_is_never_passed(world: World) -> None:
    world.publish()
    world.allocate(world.firm, CAP_T - 10)
    given = (PERIOD, [(world.other_firm, 6), (world.firm, 5)], fresh_id())
    got = refusal(world.compliance.allocate, *given, by=world.admin)
    facts = {"period": PERIOD, "capT": CAP_T, "allocatedT": CAP_T - 10, "requestedT": 11}
    assert got == refused("ComplianceCapExceeded", **facts)
    world.allocate(world.other_firm, 10)
    assert world.compliance.allocatedT(PERIOD) == CAP_T


# Surrender


def test_a_firm_surrenders_allowances_for_what_it_owes(obliged: World) -> None:
    done = surrender(obliged, 60)
    assert obliged.obligation(obliged.firm)["surrenderedT"] == 60
    assert obliged.ledger.balanceOf(obliged.firm, allowance()) == 140
    assert obliged.supply(allowance()) == (400, 60, 0)
    assert int(done.events["UnitsSurrendered"]["quantityT"]) == 60
    assert int(done.events["UnitsRetired"]["quantityT"]) == 60


def test_a_surrender_sent_again_changes_nothing_even_after_the_deadline(obliged: World) -> None:
    request_id = fresh_id()
    surrender(obliged, 60, request_id=request_id)
    pass_deadline(obliged)
    again = surrender(obliged, 60, request_id=request_id)
    assert "UnitsSurrendered" not in again.events
    assert obliged.obligation(obliged.firm)["surrenderedT"] == 60


def test_another_surrender_under_a_used_id_is_refused(obliged: World) -> None:
    request_id = fresh_id()
    surrender(obliged, 60, request_id=request_id)
    act = (PERIOD, allowance(), 61, request_id)
    name, facts = refusal(obliged.compliance.surrender, *act, by=obliged.firm)
    assert (name, facts["requestId"]) == ("RequestIdReused", request_id)
    obliged.compliance.surrender(*act, {"from": obliged.other_firm})  # an id of its own
    assert obliged.obligation(obliged.other_firm)["surrenderedT"] == 61


def test_a_surrender_in_the_last_second_is_taken_and_one_second_later_refused(obliged: World) -> None:
    brownie.chain.mine(timestamp=obliged.deadline)
    obliged.compliance.surrender.call(PERIOD, allowance(), 1, fresh_id(), {"from": obliged.firm})
    now_utc = refusal(obliged.compliance.assess, PERIOD, [obliged.firm], by=obliged.firm)[1]["nowUtc"]
    assert now_utc == obliged.deadline
    pass_deadline(obliged)
    name, facts = surrender_refusal(obliged, 1)
    assert name == "ComplianceDeadlinePassed"
    assert (facts["period"], facts["deadline"]) == (PERIOD, obliged.deadline)
    assert facts["nowUtc"] > obliged.deadline


def test_more_than_is_owed_cannot_be_surrendered(obliged: World) -> None:
    surrender(obliged, 60)
    facts = {"entity": obliged.firm, "period": PERIOD, "outstandingT": 40, "requestedT": 41}
    assert surrender_refusal(obliged, 41) == refused("ComplianceExceedsDue", **facts)
    surrender(obliged, 40)


def test_more_than_is_held_cannot_be_surrendered(obliged: World) -> None:
    obliged.ledger.cancel(allowance(), 150, "sold", fresh_id(), {"from": obliged.firm})
    facts = {"account": obliged.firm, "unitId": allowance(), "heldT": 50, "requestedT": 60}
    assert surrender_refusal(obliged, 60) == refused("LedgerInsufficientHolding", **facts)


def test_five_percent_of_the_amount_due_may_be_offsets(obliged: World) -> None:
    surrender(obliged, 3, offset())
    facts = {"entity": obliged.firm, "period": PERIOD, "allowedT": 2, "requestedT": 3}
    assert surrender_refusal(obliged, 3, offset()) == refused("ComplianceOffsetCapExceeded", **facts)
    surrender(obliged, 2, offset())
    assert obliged.obligation(obliged.firm)["offsetsT"] == 5
    assert obliged.obligation(obliged.firm)["surrenderedT"] == 5


@pytest.mark.parametrize(("due_t", "allowed_t"), [(19, 0), (20, 1), (39, 1), (40, 2)])
def test_the_offset_cap_is_rounded_down(world: World, due_t: int, allowed_t: int) -> None:
    world.publish()
    world.give_units(world.firm, 50, offset())
    world.verify(world.firm, due_t)
    name, facts = surrender_refusal(world, allowed_t + 1, offset())
    assert (name, facts["allowedT"]) == ("ComplianceOffsetCapExceeded", allowed_t)


def test_an_allowance_of_a_later_year_pays_nothing_yet(obliged: World) -> None:
    obliged.give_units(obliged.firm, 10, allowance(PERIOD + 1))
    got = surrender_refusal(obliged, 10, allowance(PERIOD + 1))
    assert got == refused("ComplianceVintageAhead", period=PERIOD, vintage=PERIOD + 1)
    obliged.give_units(obliged.firm, 10, allowance(PERIOD - 1))
    surrender(obliged, 10, allowance(PERIOD - 1))


def test_nothing_is_surrendered_before_the_emissions_are_verified(world: World) -> None:
    world.publish()
    world.allocate(world.firm, 100)
    assert surrender_refusal(world, 1) == refused("ComplianceNoObligation", entity=world.firm, period=PERIOD)


def test_an_unknown_or_impossible_unit_pays_nothing(obliged: World) -> None:
    assert surrender_refusal(obliged, 1, offset(batch=9)) == refused(
        "LedgerUnknownUnit", unitId=offset(batch=9)
    )
    impossible = 1 << 90 | allowance()
    assert surrender_refusal(obliged, 1, impossible) == refused("UnitIdMalformed", unitId=impossible)


def test_a_surrender_of_nothing_is_refused(obliged: World) -> None:
    assert surrender_refusal(obliged, 0) == refused("LedgerZeroQuantity")


def test_a_frozen_firm_surrenders_nothing(obliged: World) -> None:
    obliged.ledger.setFrozen(obliged.firm, True, fresh_id(), obliged.office)
    assert surrender_refusal(obliged, 1) == refused("LedgerAccountFrozen", account=obliged.firm)


# Assessment


def test_before_the_deadline_nobody_is_assessed(obliged: World) -> None:
    name, facts = refusal(obliged.compliance.assess, PERIOD, [obliged.firm], by=obliged.stranger)
    assert (name, facts["deadline"]) == ("ComplianceDeadlineAhead", obliged.deadline)


def test_who_surrendered_all_has_met_the_obligation(obliged: World) -> None:
    surrender(obliged, 100)
    pass_deadline(obliged)
    done = obliged.compliance.assess(PERIOD, [obliged.firm], {"from": obliged.stranger})
    assert dict(done.events["ObligationMet"]) == {
        "entity": obliged.firm,
        "period": PERIOD,
        "dueT": 100,
        "surrenderedT": 100,
    }
    assert obliged.obligation(obliged.firm)["assessed"]


def test_a_shortfall_costs_its_multiple_of_the_reference_price(obliged: World) -> None:
    surrender(obliged, 70)
    price(obliged)
    pass_deadline(obliged)
    done = obliged.compliance.assess(PERIOD, [obliged.firm], obliged.office)
    penalty_fen = 30 * PENALTY_MULTIPLE * PRICE_FEN
    assert int(done.events["DefaultRecorded"]["penaltyFen"]) == penalty_fen
    recorded = obliged.obligation(obliged.firm)
    assert (recorded["shortfallT"], recorded["penaltyFen"], recorded["assessed"]) == (30, penalty_fen, 1)


def test_who_was_assessed_is_passed_over(obliged: World) -> None:
    surrender(obliged, 100)
    pass_deadline(obliged)
    obliged.compliance.assess(PERIOD, [obliged.firm], obliged.office)
    price(obliged)
    again = obliged.compliance.assess(PERIOD, [obliged.firm, obliged.other_firm], obliged.office)
    assert "ObligationMet" not in again.events
    assert [event["entity"] for event in again.events["DefaultRecorded"]] == [obliged.other_firm]


def test_a_shortfall_needs_a_reference_price_and_full_surrender_does_not(obliged: World) -> None:
    pass_deadline(obliged)
    got = refusal(obliged.compliance.assess, PERIOD, [obliged.firm], by=obliged.admin)
    assert got == refused("ComplianceNoReferencePrice", period=PERIOD)


def test_who_owes_nothing_known_cannot_be_assessed(obliged: World) -> None:
    pass_deadline(obliged)
    got = refusal(obliged.compliance.assess, PERIOD, [obliged.third_firm], by=obliged.admin)
    assert got == refused("ComplianceNoObligation", entity=obliged.third_firm, period=PERIOD)


def test_emissions_verified_after_the_deadline_still_count(world: World) -> None:
    world.publish()
    pass_deadline(world)
    until = brownie.chain.time() + 10**6
    world.verification.accredit(world.verifier.address, until, fresh_id(), world.office)
    world.verify(world.firm, 100)
    price(world)
    world.compliance.assess(PERIOD, [world.firm], world.office)
    assert world.obligation(world.firm)["shortfallT"] == 100


def test_a_reference_price_is_published_once(obliged: World) -> None:
    price(obliged)
    publish = obliged.compliance.publishReferencePrice
    got = refusal(publish, PERIOD, 9_000, fresh_id(), by=obliged.admin)
    assert got == refused("ComplianceReferencePriceExists", period=PERIOD, priceFen=PRICE_FEN)
    assert obliged.compliance.referencePriceFen(PERIOD) == PRICE_FEN


def test_a_price_of_nothing_is_no_price(obliged: World) -> None:
    got = refusal(obliged.compliance.publishReferencePrice, PERIOD, 0, fresh_id(), by=obliged.admin)
    assert got == refused("ComplianceNoReferencePrice", period=PERIOD)


# Cumulative periods, the EU manner

YEARS = (2008, 2009, 2010)


@pytest.fixture
def cumulative(world: World) -> World:
    """Three cumulative periods, all still open, each with a price; the firm holds plenty."""
    start = brownie.chain.time()
    for place, year in enumerate(YEARS):
        world.publish(year, deadline=start + (place + 1) * 100_000, cumulative=True, penaltyMultiple=1)
        price(world, year, fen=10 + place)
    world.allocate(world.firm, 10_000, YEARS[0])
    return world


def pay(world: World, year: int, quantity_t: int) -> None:
    act = (year, allowance(YEARS[0]), quantity_t, fresh_id())
    world.compliance.surrender(*act, {"from": world.firm})


def results(done) -> list[tuple[str, int, int, int]]:
    """Name, period, shortfall and penalty of each result, in order."""
    found = []
    for event in done.events:
        if event.name in ("ObligationMet", "DefaultRecorded"):
            amounts = (
                (int(event["shortfallT"]), int(event["penaltyFen"])) if "shortfallT" in event else (0, 0)
            )
            found.append((event.name, int(event["period"]), *amounts))
    return found


def assess(world: World, year: int):
    return results(world.compliance.assess(year, [world.firm], world.office))


def test_surrenders_may_come_before_verification_and_pass_the_amount_due(cumulative: World) -> None:
    pay(cumulative, 2008, 150)
    cumulative.verify(cumulative.firm, 100, 2008)
    pay(cumulative, 2008, 10)
    assert cumulative.obligation(cumulative.firm, 2008)["surrenderedT"] == 160


def test_what_was_surrendered_too_much_counts_later(cumulative: World) -> None:
    pay(cumulative, 2008, 150)
    cumulative.verify(cumulative.firm, 100, 2008)
    cumulative.verify(cumulative.firm, 50, 2009)
    pass_deadline(cumulative, 2009)
    assert assess(cumulative, 2008) == [("ObligationMet", 2008, 0, 0)]
    assert assess(cumulative, 2009) == [("ObligationMet", 2009, 0, 0)]


def test_a_debt_stays_and_only_new_tonnes_are_fined(cumulative: World) -> None:
    for year, due_t, paid_t in ((2008, 100, 70), (2009, 100, 90), (2010, 100, 100)):
        cumulative.verify(cumulative.firm, due_t, year)
        pay(cumulative, year, paid_t)
    pass_deadline(cumulative, 2010)
    assert assess(cumulative, 2008) == [("DefaultRecorded", 2008, 30, 300)]
    assert assess(cumulative, 2009) == [("DefaultRecorded", 2009, 40, 110)]
    assert assess(cumulative, 2010) == [("DefaultRecorded", 2010, 40, 0)]


def test_a_late_assessment_first_assesses_what_came_before(cumulative: World) -> None:
    for year, due_t, paid_t in ((2008, 100, 70), (2009, 100, 90), (2010, 100, 180)):
        cumulative.verify(cumulative.firm, due_t, year)
        pay(cumulative, year, paid_t)
    pass_deadline(cumulative, 2010)
    expected = [
        ("DefaultRecorded", 2008, 30, 300),
        ("DefaultRecorded", 2009, 40, 110),
        ("ObligationMet", 2010, 0, 0),
    ]
    assert assess(cumulative, 2010) == expected
    assert assess(cumulative, 2008) == []
    assert cumulative.obligation(cumulative.firm, 2009)["assessed"]


def test_what_is_paid_for_a_later_period_does_not_heal_an_earlier_one(cumulative: World) -> None:
    cumulative.verify(cumulative.firm, 100, 2008)
    pay(cumulative, 2009, 100)
    pass_deadline(cumulative, 2009)
    assert assess(cumulative, 2008) == [("DefaultRecorded", 2008, 100, 1_000)]
    assert assess(cumulative, 2009) == [("ObligationMet", 2009, 0, 0)]


def test_an_entity_without_verified_emissions_owes_nothing_new(cumulative: World) -> None:
    pass_deadline(cumulative, 2010)
    assert assess(cumulative, 2010) == [("ObligationMet", 2010, 0, 0)]  # the earlier ones pass in silence


def test_verified_emissions_after_the_assessment_are_refused(cumulative: World) -> None:
    pass_deadline(cumulative, 2009)
    assess(cumulative, 2009)
    for year in (2008, 2009):
        statement, signature = cumulative.signed_statement(cumulative.firm, 100, year)
        function = cumulative.verification.acceptEmissionStatements
        got = refusal(function, [statement], [signature], by=cumulative.admin)
        assert got == refused("ComplianceAlreadyAssessed", entity=cumulative.firm, period=year)
    cumulative.verify(cumulative.firm, 100, 2010)


def test_a_later_period_cannot_be_assessed_before_its_own_deadline(cumulative: World) -> None:
    pass_deadline(cumulative, 2008)
    name, facts = refusal(cumulative.compliance.assess, 2009, [cumulative.firm], by=cumulative.admin)
    assert (name, facts["period"]) == ("ComplianceDeadlineAhead", 2009)


def test_cumulative_periods_are_published_in_order_of_year_and_deadline(cumulative: World) -> None:
    last = cumulative.compliance.rulesOf(2010)[1]
    for rules in ((2007, last + 1, 1, 0, 1, True), (2011, last, 1, 0, 1, True)):
        got = refusal(cumulative.compliance.publishPeriod, rules, by=cumulative.admin)
        assert got == refused("ComplianceRulesInvalid", period=rules[0])


def test_offsets_wait_for_the_verified_amount_in_a_cumulative_period_too(cumulative: World) -> None:
    cumulative.give_units(cumulative.firm, 10, offset(2008))
    name, facts = surrender_refusal(cumulative, 1, offset(2008), period=2008)
    assert (name, facts["allowedT"]) == ("ComplianceOffsetCapExceeded", 0)
    cumulative.verify(cumulative.firm, 100, 2008)
    act = (2008, offset(2008), 5, fresh_id())
    cumulative.compliance.surrender(*act, {"from": cumulative.firm})
