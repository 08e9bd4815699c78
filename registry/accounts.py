"""Accounts: who they are to the registry.

An account is a 20-byte address. What it may be is its kind, fixed when it is opened. Its profile lies in the
evidence store; the chain carries the profile's SHA-256. A person's profile never leaves the person's side:
the chain carries a salted commitment to it (SOURCES 25).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from registry.documents import Json, canonical, parse, sha256
from registry.refusals import DocumentMalformed

NAME_MAX_CHARS: Final = 200
FACTS_MAX: Final = 40
_VERSION: Final = 1


class AccountKind(IntEnum):
    """What an account may be: `ICarbonLedger.AccountKind`, number for number."""

    NONE = 0
    FIRM = 1
    VERIFIER = 2
    PERSON = 3
    REGULATOR = 4
    DEVELOPER = 5
    PROVIDER = 6
    BANK = 7
    TRADER = 8
    CONTRACT = 9

    @classmethod
    def parse(cls, text: str) -> AccountKind:
        """Read the lower-case name that JSON and SQL use; raises DocumentMalformed."""
        kind = cls.__members__.get(text.upper())
        if kind is None or kind is cls.NONE or kind.text != text:
            raise DocumentMalformed(reason="account kind", kind=text[:40])
        return kind

    @property
    def text(self) -> str:
        """The lower-case name that JSON and SQL use."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is publicly said of an account.

    Parameters
    ----------
    name :
        As registered, 1 to 200 characters.
    kind :
        What the account is.
    facts :
        Further public facts, text by name: sector, province, credit code, permit.

    Raises
    ------
    DocumentMalformed :
        A name or fact that is empty, too long or not printable; too many facts; no kind.
    """

    name: str
    kind: AccountKind
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind is AccountKind.NONE:
            raise DocumentMalformed(reason="a profile has a kind")
        if len(self.facts) > FACTS_MAX:
            raise DocumentMalformed(reason="too many facts", facts=len(self.facts), facts_max=FACTS_MAX)
        for text in (self.name, *self.facts, *self.facts.values()):
            if not isinstance(text, str) or not 0 < len(text) <= NAME_MAX_CHARS or not text.isprintable():
                raise DocumentMalformed(reason="a text of the profile", text=ascii(text)[:80])

    def content(self) -> bytes:
        """Return the profile as it is stored and hashed."""
        facts: dict[str, Json] = dict(self.facts)
        return canonical({"facts": facts, "kind": self.kind.text, "name": self.name, "version": _VERSION})

    @classmethod
    def read(cls, content: bytes) -> Profile:
        """Read a stored profile; raises DocumentMalformed."""
        document = parse(content)
        if not isinstance(document, dict) or set(document) != {"facts", "kind", "name", "version"}:
            raise DocumentMalformed(reason="fields of a profile")
        if document["version"] != _VERSION or not isinstance(document["facts"], dict):
            raise DocumentMalformed(reason="version or facts of a profile")
        if not isinstance(document["kind"], str):
            raise DocumentMalformed(reason="account kind")
        return cls(document["name"], AccountKind.parse(document["kind"]), document["facts"])


def profile_hash(profile: Profile) -> bytes:
    """Return the 32 bytes that the chain carries for an account that is no person."""
    return sha256(profile.content())


def person_commitment(profile: Profile, salt: bytes) -> bytes:
    """Return the 32 bytes that the chain carries for a person: nothing without the 32 bytes of salt."""
    if len(salt) != 32:
        raise DocumentMalformed(reason="a salt has 32 bytes", size=len(salt))
    return hmac.digest(salt, profile.content(), "sha256")
