"""Compliance: cumulative periods, the EU manner."""

from __future__ import annotations

import brownie
import pytest
from carat_world import (
    PERIOD,
    World,
    allowance,
    fresh_id,
    offset,
    refusal,
    refused,
    return_to,
    take_snapshot,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PRICE_FEN = 8_000


def pass_deadline(world: World, period: int = PERIOD) -> None:
    brownie.chain.mine(timestamp=world.compliance.rulesOf(period)[1] + 1)


def price(world: World, period: int = PERIOD, fen: int = PRICE_FEN) -> None:
    world.compliance.publishReferencePrice(period, fen, fresh_id(), world.office)


YEARS = (2008, 2009, 2010)


@pytest.fixture(scope="module")
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


def test_more_than_is_held_cannot_be_surrendered_whatever_the_number(cumulative: World) -> None:
    pay(cumulative, 2008, 150)
    act = (2008, allowance(YEARS[0]), 2**256 - 1, fresh_id())
    facts = {
        "account": cumulative.firm,
        "unitId": allowance(YEARS[0]),
        "heldT": 9_850,
        "requestedT": 2**256 - 1,
    }
    got = refusal(cumulative.compliance.surrender, *act, by=cumulative.firm)
    assert got == refused("LedgerInsufficientHolding", **facts)


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
    name, facts = refusal(
        cumulative.compliance.surrender, 2008, offset(2008), 1, fresh_id(), by=cumulative.firm
    )
    assert (name, facts["allowedT"]) == ("ComplianceOffsetCapExceeded", 0)
    cumulative.verify(cumulative.firm, 100, 2008)
    act = (2008, offset(2008), 5, fresh_id())
    cumulative.compliance.surrender(*act, {"from": cumulative.firm})


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    years=st.tuples(*[st.tuples(st.integers(0, 300), st.integers(0, 300))] * len(YEARS)),
    order=st.permutations(YEARS),
)
def test_in_whatever_order_periods_are_assessed_each_sees_the_sums_up_to_it(
    cumulative: World, years: tuple, order: list[int]
) -> None:
    snapshot = take_snapshot()
    for year, (due_t, paid_t) in zip(YEARS, years, strict=True):
        cumulative.verify(cumulative.firm, due_t, year)
        if paid_t:
            pay(cumulative, year, paid_t)
    pass_deadline(cumulative, YEARS[-1])
    for year in order:
        assess(cumulative, year)
    owed_t = balance_t = 0
    for place, (year, (due_t, paid_t)) in enumerate(zip(YEARS, years, strict=True)):
        balance_t += due_t - paid_t
        short_t = max(0, balance_t)
        recorded = cumulative.obligation(cumulative.firm, year)
        assert recorded["shortfallT"] == short_t
        assert recorded["penaltyFen"] == max(0, short_t - owed_t) * (10 + place)
        assert recorded["assessed"]
        owed_t = short_t
    return_to(snapshot)
