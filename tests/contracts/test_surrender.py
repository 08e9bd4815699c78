"""Compliance: a firm pays what it owes."""

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


def surrender_refusal(world: World, quantity_t: int, unit: int = allowance(), period: int = PERIOD):
    return refusal(world.compliance.surrender, period, unit, quantity_t, fresh_id(), by=world.firm)


def pass_deadline(world: World, period: int = PERIOD) -> None:
    brownie.chain.mine(timestamp=world.compliance.rulesOf(period)[1] + 1)


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
def test_the_offset_cap_is_rounded_down(obliged: World, due_t: int, allowed_t: int) -> None:
    firm = obliged.third_firm
    obliged.verify(firm, due_t)
    act = (PERIOD, offset(), allowed_t + 1, fresh_id())
    name, facts = refusal(obliged.compliance.surrender, *act, by=firm)
    assert (name, facts["allowedT"]) == ("ComplianceOffsetCapExceeded", allowed_t)


def test_an_allowance_of_a_later_year_pays_nothing_yet(obliged: World) -> None:
    obliged.give_units(obliged.firm, 10, allowance(PERIOD + 1))
    got = surrender_refusal(obliged, 10, allowance(PERIOD + 1))
    assert got == refused("ComplianceVintageAhead", period=PERIOD, vintage=PERIOD + 1)
    obliged.give_units(obliged.firm, 10, allowance(PERIOD - 1))
    surrender(obliged, 10, allowance(PERIOD - 1))


def test_nothing_is_surrendered_before_the_emissions_are_verified(obliged: World) -> None:
    firm = obliged.third_firm
    obliged.allocate(firm, 100)
    got = refusal(obliged.compliance.surrender, PERIOD, allowance(), 1, fresh_id(), by=firm)
    assert got == refused("ComplianceNoObligation", entity=firm, period=PERIOD)


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
