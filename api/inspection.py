"""Who may inspect evidence: a verifier that is accredited now, of entities that it may judge."""

from __future__ import annotations

from sqlmodel import Session

from chain.refusals import Refusal
from registry.projection import tables


class VerifierUnaccredited(Refusal):
    """Only a verifier that is accredited now sees reports and evidence."""


class VerifierConflicted(Refusal):
    """A verifier with a conflict of interest sees nothing of that entity."""


def require_accredited(session: Session, verifier: str, now_utc: int) -> None:
    """Return if the verifier is accredited now, by the rule of the contract; raises VerifierUnaccredited."""
    row = session.get(tables.Verifier, verifier)
    until_utc = 0 if row is None or row.revoked else row.until_utc
    if now_utc > until_utc:
        raise VerifierUnaccredited(verifier=verifier, until_utc=until_utc, now_utc=now_utc)


def require_unconflicted(session: Session, verifier: str, entity: str) -> None:
    """Return if the verifier may judge the entity; raises VerifierConflicted."""
    if session.get(tables.Conflict, (verifier, entity)) is not None:
        raise VerifierConflicted(verifier=verifier, entity=entity)
