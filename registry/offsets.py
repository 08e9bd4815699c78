"""Offsets (CCER): what a project reduced becomes tonnes that may be traded and surrendered.

`ER = BE - PE - LE` (SOURCES 14): baseline emissions less project emissions less leakage. Pure; the contract
`Verification` has the same rule on chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eth_utils.address import is_checksum_address

from chain.units import UnitId
from registry.documents import Json, canonical, parse, sha256
from registry.refusals import DocumentMalformed, NoReduction

TEXT_MAX_CHARS: Final = 400
FACTS_MAX: Final = 40
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Project:
    """The design document of an offset project, as far as the registry reads it.

    Parameters
    ----------
    project :
        Its number, part of every unit id it will ever give; 1 to 2^32 - 1.
    name, methodology :
        As registered; the methodology with its version.
    developer :
        The developer's account, EIP-55: who receives the tonnes.
    facts :
        Further public facts, text by name: province, crediting period.

    Raises
    ------
    DocumentMalformed :
        A field that is none.
    """

    project: int
    name: str
    methodology: str
    developer: str
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if type(self.project) is not int or not 0 < self.project < 2**32:
            raise DocumentMalformed(reason="project number", project=str(self.project)[:40])
        if not isinstance(self.developer, str) or not is_checksum_address(self.developer):
            raise DocumentMalformed(reason="developer", developer=str(self.developer)[:60])
        if len(self.facts) > FACTS_MAX:
            raise DocumentMalformed(reason="too many facts", facts=len(self.facts), facts_max=FACTS_MAX)
        for text in (self.name, self.methodology, *self.facts, *self.facts.values()):
            if not isinstance(text, str) or not 0 < len(text) <= TEXT_MAX_CHARS or not text.isprintable():
                raise DocumentMalformed(reason="a text of the project", text=ascii(text)[:80])

    def content(self) -> bytes:
        """Return the document as it is stored and hashed."""
        facts: dict[str, Json] = dict(self.facts)
        return canonical(
            {
                "developer": self.developer,
                "facts": facts,
                "methodology": self.methodology,
                "name": self.name,
                "project": self.project,
                "version": _VERSION,
            }
        )

    def document_hash(self) -> bytes:
        """Return the 32 bytes that the chain carries."""
        return sha256(self.content())

    @classmethod
    def read(cls, content: bytes) -> Project:
        """Read a stored document; raises DocumentMalformed."""
        document = parse(content)
        names = {"developer", "facts", "methodology", "name", "project", "version"}
        if not isinstance(document, dict) or set(document) != names or document["version"] != _VERSION:
            raise DocumentMalformed(reason="fields of a project")
        if not isinstance(document["facts"], dict):
            raise DocumentMalformed(reason="facts of a project")
        del document["version"]
        return cls(**document)


def reduction_t(baseline_t: int, project_t: int, leakage_t: int) -> int:
    """Return the tonnes that a monitoring period reduced: BE - PE - LE.

    Raises
    ------
    NoReduction :
        A term is below zero, or nothing is left.

    Source
    ------
    SOURCES 14 (《元宇宙与碳中和》 2361).
    """
    left_t = baseline_t - project_t - leakage_t
    if min(baseline_t, project_t, leakage_t) < 0 or left_t <= 0:
        raise NoReduction(baseline_t=baseline_t, project_t=project_t, leakage_t=leakage_t)
    return left_t


def offset_unit(project: int, vintage: int, batch: int) -> UnitId:
    """Return the unit that a batch of a project's reductions of one year becomes; raises UnitMalformed."""
    return UnitId.offset(vintage, project, batch)
