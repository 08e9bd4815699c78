"""Compliance: after the deadline, who has met the obligation and who pays for the shortfall."""

from __future__ import annotations

import brownie
import pytest
from carat_world import (
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


@pytest.fixture(scope="module")
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


def pass_deadline(world: World, period: int = PERIOD) -> None:
    brownie.chain.mine(timestamp=world.compliance.rulesOf(period)[1] + 1)


def price(world: World, period: int = PERIOD, fen: int = PRICE_FEN) -> None:
    world.compliance.publishReferencePrice(period, fen, fresh_id(), world.office)


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


def test_emissions_verified_after_the_deadline_still_count(obliged: World) -> None:
    firm = obliged.third_firm
    pass_deadline(obliged)
    until = brownie.chain.time() + 10**6
    obliged.verification.accredit(obliged.verifier.address, until, fresh_id(), obliged.office)
    obliged.verify(firm, 100)
    price(obliged)
    obliged.compliance.assess(PERIOD, [firm], obliged.office)
    assert obliged.obligation(firm)["shortfallT"] == 100


def test_a_reference_price_is_published_once(obliged: World) -> None:
    price(obliged)
    publish = obliged.compliance.publishReferencePrice
    got = refusal(publish, PERIOD, 9_000, fresh_id(), by=obliged.admin)
    assert got == refused("ComplianceReferencePriceExists", period=PERIOD, priceFen=PRICE_FEN)
    assert obliged.compliance.referencePriceFen(PERIOD) == PRICE_FEN


def test_a_price_of_nothing_is_no_price(obliged: World) -> None:
    got = refusal(obliged.compliance.publishReferencePrice, PERIOD, 0, fresh_id(), by=obliged.admin)
    assert got == refused("ComplianceNoReferencePrice", period=PERIOD)
