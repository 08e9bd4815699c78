"""CarbonLedger: accounts, issue, transfer, cancel, freeze."""

import pytest
from carat_world import (
    DEVELOPER,
    FIRM,
    MOST,
    PERSON,
    World,
    allowance,
    fresh_id,
    offset,
    refusal,
    refused,
    root_of,
)

UNIT = allowance()


@pytest.fixture(scope="module")
def holding(world: World) -> World:
    world.give_units(world.firm, 100, UNIT)
    return world


def test_an_issued_unit_is_held_by_the_account_it_went_to(world: World) -> None:
    request_id = fresh_id()
    issue = world.ledger.issue(UNIT, [(world.firm, 60), (world.other_firm, 40)], request_id, world.office)
    assert world.ledger.balanceOf(world.firm, UNIT) == 60
    assert world.supply(UNIT) == (100, 0, 0)
    events = [(event["unitId"], event["to"], event["quantityT"]) for event in issue.events["UnitsIssued"]]
    assert events == [(UNIT, world.firm, 60), (UNIT, world.other_firm, 40)]


def test_an_issue_sent_again_changes_nothing(world: World) -> None:
    request_id = fresh_id()
    for _ in range(2):
        world.ledger.issue(UNIT, [(world.firm, 60)], request_id, world.office)
    assert world.supply(UNIT) == (60, 0, 0)


def test_a_second_issue_under_a_used_id_is_refused(world: World) -> None:
    request_id = fresh_id()
    world.ledger.issue(UNIT, [(world.firm, 60)], request_id, world.office)
    name, facts = refusal(world.ledger.issue, UNIT, [(world.firm, 61)], request_id, by=world.admin)
    assert (name, facts["requestId"]) == ("RequestIdReused", request_id)
    assert facts["recorded"] != facts["given"]


def test_an_act_without_an_id_is_refused(world: World) -> None:
    assert refusal(world.ledger.issue, UNIT, [(world.firm, 1)], bytes(32), by=world.admin) == refused(
        "RequestIdZero"
    )


@pytest.mark.parametrize(
    "unit",
    [0, 3 << 80, allowance(0), allowance() | 1, offset(project=0), offset(batch=0), 1 << 88 | offset()],
)
def test_a_unit_that_cannot_exist_is_not_issued(world: World, unit: int) -> None:
    got = refusal(world.ledger.issue, unit, [(world.firm, 1)], fresh_id(), by=world.admin)
    assert got == refused("LedgerUnknownUnit", unitId=unit)


def test_nothing_is_issued_to_an_account_that_is_not_open(world: World) -> None:
    got = refusal(world.ledger.issue, UNIT, [(world.stranger, 1)], fresh_id(), by=world.admin)
    assert got == refused("LedgerAccountUnknown", account=world.stranger)


def test_nothing_is_issued_as_zero_tonnes(world: World) -> None:
    got = refusal(world.ledger.issue, UNIT, [(world.firm, 0)], fresh_id(), by=world.admin)
    assert got == refused("LedgerZeroQuantity")


def test_more_tonnes_than_can_be_counted_are_not_issued(world: World) -> None:
    world.give_units(world.firm, MOST - 5, UNIT)
    most = {"unitId": UNIT, "maxT": MOST}
    got = refusal(world.ledger.issue, UNIT, [(world.firm, 6)], fresh_id(), by=world.admin)
    assert got == refused("LedgerSupplyExceeded", issuedT=MOST - 5, requestedT=6, **most)
    for second_t in (3, 2**256 - 1):
        issues = [(world.firm, 3), (world.other_firm, second_t)]
        got = refusal(world.ledger.issue, UNIT, issues, fresh_id(), by=world.admin)
        assert got == refused("LedgerSupplyExceeded", issuedT=MOST - 2, requestedT=second_t, **most)
    world.give_units(world.firm, 5, UNIT)
    assert world.supply(UNIT) == (MOST, 0, 0)


def test_tonnes_taken_out_make_no_room_for_more(world: World) -> None:
    world.give_units(world.firm, MOST, UNIT)
    world.ledger.cancel(UNIT, 10, "", fresh_id(), {"from": world.firm})
    got = refusal(world.ledger.issue, UNIT, [(world.firm, 1)], fresh_id(), by=world.admin)
    assert got == refused("LedgerSupplyExceeded", unitId=UNIT, issuedT=MOST, requestedT=1, maxT=MOST)
    world.give_units(world.firm, MOST, offset())  # each unit has its own room


def test_nothing_is_issued_into_a_contracts_account(world: World) -> None:
    got = refusal(world.ledger.issue, UNIT, [(world.clearing, 1)], fresh_id(), by=world.admin)
    assert got == refused("ClearingRequestIdMissing")


def test_an_owner_sends_units_to_an_open_account(holding: World) -> None:
    holding.ledger.safeTransferFrom(holding.firm, holding.other_firm, UNIT, 30, b"", {"from": holding.firm})
    assert holding.ledger.balanceOf(holding.firm, UNIT) == 70
    assert holding.ledger.balanceOf(holding.other_firm, UNIT) == 30


def test_units_do_not_go_to_an_account_that_is_not_open(holding: World) -> None:
    send = (holding.firm, holding.stranger, UNIT, 1, b"")
    got = refusal(holding.ledger.safeTransferFrom, *send, by=holding.firm)
    assert got == refused("LedgerAccountUnknown", account=holding.stranger)


def test_a_stranger_cannot_send_what_is_not_his(holding: World) -> None:
    send = (holding.firm, holding.other_firm, UNIT, 1, b"")
    got = refusal(holding.ledger.safeTransferFrom, *send, by=holding.stranger)
    assert got == refused("ERC1155MissingApprovalForAll", operator=holding.stranger, owner=holding.firm)


def test_more_than_is_held_cannot_be_sent(holding: World) -> None:
    send = (holding.firm, holding.other_firm, UNIT, 101, b"")
    got = refusal(holding.ledger.safeTransferFrom, *send, by=holding.firm)
    expected = refused(
        "LedgerInsufficientHolding", account=holding.firm, unitId=UNIT, heldT=100, requestedT=101
    )
    assert got == expected


def test_a_batch_cannot_send_one_unit_twice_over(holding: World) -> None:
    send = (holding.firm, holding.other_firm, [UNIT, UNIT], [60, 60], b"")
    got = refusal(holding.ledger.safeBatchTransferFrom, *send, by=holding.firm)
    expected = refused("ERC1155InsufficientBalance", sender=holding.firm, balance=40, needed=60, tokenId=UNIT)
    assert got == expected


def test_a_batch_of_uneven_lists_is_refused(holding: World) -> None:
    send = (holding.firm, holding.other_firm, [UNIT], [1, 1], b"")
    got = refusal(holding.ledger.safeBatchTransferFrom, *send, by=holding.firm)
    assert got == refused("ERC1155InvalidArrayLength", idsLength=1, valuesLength=2)


def test_a_unit_that_was_never_issued_is_unknown(holding: World) -> None:
    send = (holding.firm, holding.other_firm, offset(), 1, b"")
    got = refusal(holding.ledger.safeTransferFrom, *send, by=holding.firm)
    assert got == refused("LedgerUnknownUnit", unitId=offset())


def test_a_frozen_account_sends_nothing_and_still_receives(holding: World) -> None:
    holding.ledger.setFrozen(holding.firm, True, fresh_id(), holding.office)
    send = (holding.firm, holding.other_firm, UNIT, 1, b"")
    frozen = refused("LedgerAccountFrozen", account=holding.firm)
    assert refusal(holding.ledger.safeTransferFrom, *send, by=holding.firm) == frozen
    assert refusal(holding.ledger.cancel, UNIT, 1, "", fresh_id(), by=holding.firm) == frozen
    holding.give_units(holding.firm, 5, UNIT)
    assert holding.ledger.balanceOf(holding.firm, UNIT) == 105
    holding.ledger.setFrozen(holding.firm, False, fresh_id(), holding.office)
    holding.ledger.safeTransferFrom(*send, {"from": holding.firm})
    assert holding.ledger.balanceOf(holding.firm, UNIT) == 104


def test_an_account_that_is_not_open_cannot_be_frozen(world: World) -> None:
    got = refusal(world.ledger.setFrozen, world.stranger, True, fresh_id(), by=world.admin)
    assert got == refused("LedgerAccountUnknown", account=world.stranger)


def test_an_owner_cancels_units_for_good(holding: World) -> None:
    request_id = fresh_id()
    for _ in range(2):  # the retry changes nothing
        cancel = holding.ledger.cancel(UNIT, 40, "event neutrality", request_id, {"from": holding.firm})
    assert "UnitsCancelled" not in cancel.events
    assert holding.ledger.balanceOf(holding.firm, UNIT) == 60
    assert holding.supply(UNIT) == (100, 0, 40)
    assert holding.ledger.isDoneBy(holding.firm, request_id)


def test_nobody_uses_up_the_id_of_somebody_else(holding: World) -> None:
    request_id = fresh_id()
    holding.give_units(holding.other_firm, 1, UNIT)
    holding.ledger.cancel(UNIT, 1, "front run", request_id, {"from": holding.other_firm})
    holding.ledger.cancel(UNIT, 40, "meant", request_id, {"from": holding.firm})
    assert holding.supply(UNIT) == (101, 0, 41)


def test_more_than_is_held_cannot_be_cancelled(holding: World) -> None:
    got = refusal(holding.ledger.cancel, UNIT, 101, "", fresh_id(), by=holding.firm)
    expected = refused(
        "LedgerInsufficientHolding", account=holding.firm, unitId=UNIT, heldT=100, requestedT=101
    )
    assert got == expected


def test_an_opening_sent_again_changes_nothing(world: World) -> None:
    opening = (world.stranger, PERSON, root_of("profile"))
    first = world.ledger.openAccounts([opening], world.office)
    again = world.ledger.openAccounts([opening], world.office)
    assert len(first.events["AccountOpened"]) == 1
    assert "AccountOpened" not in again.events
    assert world.ledger.kindOf(world.stranger) == PERSON


@pytest.mark.parametrize("change", [(DEVELOPER, root_of("profile")), (PERSON, root_of("another profile"))])
def test_an_open_account_does_not_change_its_kind_or_profile(world: World, change: tuple[int, bytes]) -> None:
    world.ledger.openAccounts([(world.stranger, PERSON, root_of("profile"))], world.office)
    got = refusal(world.ledger.openAccounts, [(world.stranger, *change)], by=world.admin)
    assert got == refused("LedgerAccountExists", account=world.stranger, kind=PERSON)


def test_an_account_of_no_kind_is_not_opened(world: World) -> None:
    got = refusal(world.ledger.openAccounts, [(world.stranger, 0, bytes(32))], by=world.admin)
    assert got == refused("LedgerAccountUnknown", account=world.stranger)
    zero = "0x" + "00" * 20
    got = refusal(world.ledger.openAccounts, [(zero, FIRM, bytes(32))], by=world.admin)
    assert got == refused("LedgerAccountUnknown", account=zero)
