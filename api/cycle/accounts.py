"""Opening accounts: everyone who takes part, once, with a profile in the evidence store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from api.cycle.market import Market, chunks
from registry import acts
from registry.accounts import AccountKind, Profile, profile_hash

VERIFIER: Final = "verifier:cycle"
DEVELOPER: Final = "developer:cycle"
_OPENINGS_A_TRANSACTION: Final = 100
_LAST_MOMENT_UTC: Final = 2**40


@dataclass(frozen=True, slots=True)
class Participant:
    """Someone to open an account for."""

    label: str
    name: str
    kind: AccountKind = AccountKind.FIRM
    facts: Mapping[str, str] = field(default_factory=dict)


def open_accounts(market: Market, participants: Sequence[Participant], offsets: bool) -> None:
    """Open every participant's account and accredit the verifier; `offsets` adds a project developer."""
    staff = [Participant(VERIFIER, "Verification body", AccountKind.VERIFIER)]
    if offsets:
        staff.append(Participant(DEVELOPER, "Project developer", AccountKind.DEVELOPER))
    everyone = [*staff, *participants]
    profiles = [Profile(each.name, each.kind, each.facts) for each in everyone]
    market.evidence.put_many([profile.content() for profile in profiles])
    openings = [
        acts.Opening(market.address(each.label), each.kind, profile_hash(profile))
        for each, profile in zip(everyone, profiles, strict=True)
    ]
    registrar, regulator = market.signer("registrar"), market.signer("regulator")
    calls = [acts.open_accounts(batch) for batch in chunks(openings, _OPENINGS_A_TRANSACTION)]
    market.do("open accounts", [(registrar, call) for call in calls])
    accredit = acts.accredit_verifier(
        market.address(VERIFIER), _LAST_MOMENT_UTC, market.id_of("accredit", VERIFIER)
    )
    market.do("accredit the verifier", [(regulator, accredit)])
