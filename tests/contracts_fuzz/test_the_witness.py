"""The witness sees each invariant break, from the events alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.contract_model import units
from tests.support.contract_model.machine import ZERO, ZERO_ADDRESS, Event
from tests.support.contract_model.witness import Broken, Witness

PARTS = {
    name: "0x" + f"{at:02x}" * 20
    for at, name in enumerate(
        ("CarbonLedger", "Compliance", "Verification", "SettlementCash", "Clearing", "MicroCarat"), start=1
    )
}
FIRM, RIVAL, VERIFIER = "0x" + "aa" * 20, "0x" + "bb" * 20, "0x" + "cc" * 20
UNIT = units.allowance(2026)
NOW = 1_000


def said(contract: str, name: str, *args: Any) -> Event:
    return Event(PARTS[contract], contract, name, args)


def named(number: int) -> bytes:
    return number.to_bytes(32, "big")


def a_period(cap_t: int = 100, cumulative: bool = False) -> Event:
    return said("Compliance", "PeriodPublished", 2026, NOW + 10, cap_t, 50_000, 5, cumulative)


def an_issue(quantity_t: int, name: bytes, allocated_t: int | None = None) -> list[Event]:
    given_t = quantity_t if allocated_t is None else allocated_t
    return [
        said("Compliance", "AllowancesAllocated", 2026, FIRM, given_t, name),
        said("CarbonLedger", "UnitsIssued", UNIT, FIRM, quantity_t, name),
        said("CarbonLedger", "TransferSingle", PARTS["Compliance"], ZERO_ADDRESS, FIRM, UNIT, quantity_t),
    ]


def a_surrender(quantity_t: int, name: bytes, unit: int = UNIT) -> list[Event]:
    return [
        said("Compliance", "UnitsSurrendered", FIRM, 2026, unit, quantity_t, name),
        said("CarbonLedger", "TransferSingle", PARTS["Compliance"], FIRM, ZERO_ADDRESS, unit, quantity_t),
        said("CarbonLedger", "UnitsRetired", unit, FIRM, quantity_t, name),
    ]


def accredited(until: int = NOW) -> Event:
    return said("Verification", "VerifierAccredited", VERIFIER, until, named(90))


def a_statement(number: int, entity: str = FIRM) -> Event:
    about = (named(number), named(1), entity, 2026, ZERO, 10, ZERO, VERIFIER)
    return said("Verification", "EmissionsVerified", *about)


def told(*calls: list[Event], now: int = NOW, is_open: bool = False) -> Witness:
    witness = Witness(PARTS)
    for events in calls:
        witness.hear(events, now, is_open, lambda _account, _function: False)
    return witness


def transfer(token: str, owner: str, to: str, value: int) -> Event:
    return said(token, "Transfer", owner, to, value)


GOOD = [[a_period()], an_issue(60, named(1)), [said("Compliance", "ObligationRecorded", FIRM, 2026, 40)]]


def _late_surrender() -> Witness:
    witness = told(*GOOD)
    witness.hear(a_surrender(1, named(2)), NOW + 11, False, lambda _account, _function: False)
    return witness


def _an_offset() -> list[Event]:
    unit = units.offset(2026, 1, 1)
    about = (named(9), 1, 2026, 1, ZERO, 10, 0, 0, ZERO, VERIFIER, unit, 10)
    return [
        said("Verification", "VerifierAccredited", VERIFIER, NOW, named(91)),
        said("Verification", "ProjectRegistered", 1, RIVAL, ZERO, named(92)),
        said("Verification", "ReductionsVerified", *about),
        said("CarbonLedger", "UnitsIssued", unit, FIRM, 10, named(9)),
        said("CarbonLedger", "TransferSingle", PARTS["Verification"], ZERO_ADDRESS, FIRM, unit, 10),
    ]


BREAKS: dict[str, Callable[[], Witness]] = {
    "issued is not held": lambda: told(
        [said("CarbonLedger", "UnitsIssued", UNIT, FIRM, 5, named(1)), an_issue(1, ZERO)[2]]
    ),
    "tonnes from nowhere": lambda: told([a_period()], an_issue(60, named(1), allocated_t=50)),
    "tonnes made by a stranger": lambda: told(
        [
            said("CarbonLedger", "UnitsIssued", UNIT, FIRM, 5, named(1)),
            said("CarbonLedger", "TransferSingle", RIVAL, ZERO_ADDRESS, FIRM, UNIT, 5),
        ]
    ),
    "allocated more than the cap": lambda: told([a_period()], an_issue(101, named(1))),
    "an act happened twice": lambda: told([a_period()], an_issue(10, named(1)), an_issue(10, named(1))),
    "an act without a name": lambda: told([a_period()], an_issue(10, ZERO)),
    "tonnes taken without a mandate": lambda: told(
        *GOOD, [said("CarbonLedger", "TransferSingle", RIVAL, FIRM, RIVAL, UNIT, 1)]
    ),
    "holds less than nothing": lambda: told(
        *GOOD, [said("CarbonLedger", "TransferSingle", FIRM, FIRM, RIVAL, UNIT, 61)]
    ),
    "surrendered more than due": lambda: told(*GOOD, a_surrender(41, named(2))),
    "surrendered after the deadline": _late_surrender,
    "borrowed from a later vintage": lambda: told(*GOOD, a_surrender(1, named(2), units.allowance(2027))),
    "surrendered and not retired": lambda: told(*GOOD, a_surrender(1, named(2))[:1]),
    "retired that nobody surrendered": lambda: told(*GOOD, a_surrender(1, named(2))[1:]),
    "more offsets than the cap": lambda: told(
        *GOOD, _an_offset(), a_surrender(3, named(3), units.offset(2026, 1, 1))
    ),
    "without accreditation": lambda: told([accredited(NOW - 1)], [a_statement(5)]),
    "a statement in conflict": lambda: told([accredited()], [a_statement(5, VERIFIER)]),
    "what happens once happened twice": lambda: told([accredited()], [a_statement(5)], [a_statement(6)]),
    "money from nowhere": lambda: told([transfer("SettlementCash", ZERO_ADDRESS, FIRM, 5)]),
    "a balance below zero": lambda: told([transfer("MicroCarat", FIRM, RIVAL, 5)]),
    "claimed more than was published": lambda: told(
        [said("MicroCarat", "EpochPublished", 1, ZERO, 9, 1, ZERO)],
        [transfer("MicroCarat", ZERO_ADDRESS, FIRM, 10), said("MicroCarat", "PointsClaimed", 1, FIRM, 10)],
    ),
    "are not what is held": lambda: told(
        *GOOD, [said("Clearing", "UnitsDeposited", FIRM, UNIT, 5, named(7))]
    ),
    "somebody is below zero between epochs": lambda: told(
        [
            said("Clearing", "AccountSettled", 1, FIRM, UNIT, -5, 0),
            said("Clearing", "AccountSettled", 1, RIVAL, UNIT, 5, 0),
        ]
    ),
    "closed with balances below zero": lambda: told(
        [
            said("Clearing", "AccountSettled", 1, FIRM, UNIT, -5, 0),
            said("Clearing", "AccountSettled", 1, RIVAL, UNIT, 5, 0),
            said("Clearing", "EpochSettled", 1, ZERO, 1),
        ]
    ),
    "closed with open sums": lambda: told(
        [
            said("Clearing", "AccountSettled", 1, FIRM, UNIT, 5, 0),
            said("Clearing", "EpochSettled", 1, ZERO, 1),
        ]
    ),
    "left in an open epoch": lambda: told(
        [said("Clearing", "AccountSettled", 1, FIRM, UNIT, 5, 0)],
        [said("Clearing", "UnitsWithdrawn", FIRM, UNIT, 1, named(8))],
        is_open=True,
    ),
    "an epoch out of order": lambda: told([said("Clearing", "EpochSettled", 2, ZERO, 1)]),
    "tonnes of cash": lambda: told([said("Clearing", "AccountSettled", 1, FIRM, 0, 5, 0)], is_open=True),
}


def test_what_is_right_is_believed() -> None:
    witness = told(
        *GOOD, a_surrender(20, named(2)), _an_offset(), a_surrender(2, named(3), units.offset(2026, 1, 1))
    )
    assert witness.supply[UNIT] == [60, 20, 0]
    assert witness.held[FIRM, UNIT] == 40


@pytest.mark.parametrize("sentence", BREAKS)
def test_what_is_wrong_is_seen(sentence: str) -> None:
    with pytest.raises(Broken, match=sentence):
        BREAKS[sentence]()
