"""Roles: what an account may do here, which is what it is in the ledger.

The contracts decide what is done; a role only says which routes an account may use at all.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from chain.refusals import Refusal


class Role(StrEnum):
    """The kinds of account (`ICarbonLedger.AccountKind`), the operators, and everybody else."""

    PUBLIC = "public"
    FIRM = "firm"
    VERIFIER = "verifier"
    PERSON = "person"
    REGULATOR = "regulator"
    DEVELOPER = "developer"
    PROVIDER = "provider"
    BANK = "bank"
    TRADER = "trader"
    REGISTRAR = "registrar"
    POINTS = "points"
    EXCHANGE = "exchange"


TRADERS: Final = (Role.FIRM, Role.TRADER, Role.DEVELOPER, Role.BANK)
EVERYBODY: Final = tuple(Role)
ACCOUNT_HOLDERS: Final = tuple(role for role in Role if role is not Role.PUBLIC)

# These act in public. A person's or a trader's account is shown to itself and to the operators only.
PUBLIC_KINDS: Final = ("firm", "verifier", "developer", "provider", "bank", "regulator")


class RoleForbidden(Refusal):
    """An account of this kind has no right to this."""


class NotYours(Refusal):
    """This belongs to another account."""
