"""Who may call what: the one table of rights on chain.

Everything restricted is in this table, and nothing else is: the test of the deployment compares it with the
contracts. Roles that only contracts hold stand apart from those of people.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """Role ids of the AccessManager."""

    ADMIN = 0
    REGULATOR = 1
    REGISTRAR = 2
    BANK = 3
    EXCHANGE = 4
    POINTS = 5
    ISSUER = 10
    RETIRER = 11
    VERIFIED_WRITER = 12


RESTRICTED: Final[dict[str, dict[Role, tuple[str, ...]]]] = {
    "CarbonLedger": {
        Role.REGISTRAR: ("openAccounts",),
        Role.REGULATOR: ("setFrozen",),
        Role.ISSUER: ("issue",),
        Role.RETIRER: ("retire",),
    },
    "Verification": {
        Role.REGULATOR: ("accredit", "revoke", "declareConflict"),
        Role.REGISTRAR: ("registerProject",),
    },
    "Compliance": {
        Role.REGULATOR: ("publishPeriod", "allocate", "publishReferencePrice"),
        Role.VERIFIED_WRITER: ("recordVerified",),
    },
    "Clearing": {Role.EXCHANGE: ("settle", "unwind", "release")},
    "SettlementCash": {Role.BANK: ("mint",)},
    "MicroCarat": {Role.REGULATOR: ("accreditProvider",), Role.POINTS: ("publishEpoch",)},
}

HELD_BY_CONTRACTS: Final[tuple[tuple[Role, str], ...]] = (
    (Role.ISSUER, "Compliance"),
    (Role.ISSUER, "Verification"),
    (Role.RETIRER, "Compliance"),
    (Role.VERIFIED_WRITER, "Verification"),
)

# Each of these is a key of its own; the label is its name in the keyring.
HELD_BY_KEYS: Final[tuple[tuple[Role, str], ...]] = (
    (Role.REGULATOR, "regulator"),
    (Role.REGISTRAR, "registrar"),
    (Role.BANK, "bank"),
    (Role.EXCHANGE, "exchange"),
    (Role.POINTS, "points"),
)
