"""Compliance: caps and allocation."""

from __future__ import annotations

import pytest
from carat_world import CAP_T, PERIOD, World, allowance, fresh_id, refusal, refused

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
    assert refusal(world.compliance.surrender, 1999, allowance(1999), 1, fresh_id(), by=world.firm) == unknown
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
    facts = {"period": PERIOD, "capT": CAP_T, "allocatedT": CAP_T - 4, "requestedT": 5}
    assert got == refused("ComplianceCapExceeded", **facts)
    absurd = (PERIOD, [(world.firm, 1), (world.firm, 2**256 - 1)], fresh_id())
    assert refusal(world.compliance.allocate, *absurd, by=world.admin)[0] == "ComplianceCapExceeded"
    world.allocate(world.other_firm, 10)
    assert world.compliance.allocatedT(PERIOD) == CAP_T
