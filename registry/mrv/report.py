"""Emission reports: what a firm says it emitted in a period, and from what.

A report is a canonical JSON document. Its SHA-256 is the chain's `documentHash`, its evidence is a bundle
whose root it names; whoever has both recomputes the tonnes. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from eth_utils.address import is_checksum_address

from registry.documents import Json, bytes32, canonical, parse, sha256
from registry.mrv.methods import (
    ActivityLine,
    CemsLine,
    EmissionFactorLine,
    MassBalanceLine,
    whole_tonnes,
)
from registry.refusals import DocumentMalformed

LINES_MAX: Final = 10_000
TEXT_MAX_CHARS: Final = 400
_VERSION: Final = 1
_METHODS: Final[Mapping[str, type[ActivityLine]]] = {
    "emission-factor": EmissionFactorLine,
    "mass-balance": MassBalanceLine,
    "cems": CemsLine,
}
_NAMES: Final = {kind: name for name, kind in _METHODS.items()}


@dataclass(frozen=True, slots=True)
class EmissionReport:
    """A firm's report of one period.

    Parameters
    ----------
    entity :
        The firm's account, EIP-55.
    period :
        Year of the period.
    lines :
        The activity data, each with its method; at least one.
    evidence_root :
        Root of the bundle with the records behind the lines.
    reported_t :
        Whole tonnes of CO2e that the firm reports. That they follow from the lines is the verifier's check.

    Raises
    ------
    DocumentMalformed :
        A field that is none.
    """

    entity: str
    period: int
    lines: tuple[ActivityLine, ...]
    evidence_root: bytes
    reported_t: int

    def __post_init__(self) -> None:
        if not is_checksum_address(self.entity):
            raise DocumentMalformed(reason="entity", entity=str(self.entity)[:60])
        if not 0 < self.period < 2**16 or self.reported_t < 0:
            raise DocumentMalformed(reason="numbers", period=self.period, reported_t=self.reported_t)
        if not 0 < len(self.lines) <= LINES_MAX:
            raise DocumentMalformed(reason="number of lines", lines=len(self.lines), lines_max=LINES_MAX)
        bytes32(self.evidence_root)

    @classmethod
    def of(
        cls, entity: str, period: int, lines: tuple[ActivityLine, ...], evidence_root: bytes
    ) -> EmissionReport:
        """Return the report that says what its lines give."""
        return cls(entity, period, lines, evidence_root, whole_tonnes(lines))

    def computed_t(self) -> int:
        """Return the tonnes that the lines give."""
        return whole_tonnes(self.lines)

    def content(self) -> bytes:
        """Return the report as it is stored and hashed."""
        lines: list[Json] = [_line_document(line) for line in self.lines]
        return canonical(
            {
                "entity": self.entity,
                "evidence_root": "0x" + self.evidence_root.hex(),
                "lines": lines,
                "period": self.period,
                "reported_t": self.reported_t,
                "version": _VERSION,
            }
        )

    def document_hash(self) -> bytes:
        """Return the 32 bytes that the chain carries."""
        return sha256(self.content())

    @classmethod
    def read(cls, content: bytes) -> EmissionReport:
        """Read a stored report; raises DocumentMalformed, MeasurementRefused."""
        document = parse(content)
        fields = {"entity", "evidence_root", "lines", "period", "reported_t", "version"}
        if not isinstance(document, dict) or set(document) != fields or document["version"] != _VERSION:
            raise DocumentMalformed(reason="fields of a report")
        for name in ("period", "reported_t"):
            if type(document[name]) is not int:
                raise DocumentMalformed(reason="not an integer", field=name)
        if not isinstance(document["lines"], list) or not isinstance(document["evidence_root"], str):
            raise DocumentMalformed(reason="lines or evidence root of a report")
        if not isinstance(document["entity"], str):
            raise DocumentMalformed(reason="entity")
        lines = tuple(_read_line(line) for line in document["lines"])
        root = bytes32(document["evidence_root"])
        return cls(document["entity"], document["period"], lines, root, document["reported_t"])


def _line_document(line: ActivityLine) -> dict[str, Json]:
    return {"method": _NAMES[type(line)], **asdict(line)}


def _read_line(document: Any) -> ActivityLine:
    if not isinstance(document, dict) or document.get("method") not in _METHODS:
        raise DocumentMalformed(reason="method of a line")
    kind = _METHODS[document["method"]]
    fields = {name: value for name, value in document.items() if name != "method"}
    for name in ("what", "source"):
        text = fields.get(name)
        if not isinstance(text, str) or not 0 < len(text) <= TEXT_MAX_CHARS:
            raise DocumentMalformed(reason="text of a line", field=name)
    if type(fields.get("scope")) is not int:
        raise DocumentMalformed(reason="scope of a line")
    try:
        if kind is CemsLine:
            fields["readings"] = tuple((mean, flow) for mean, flow in fields["readings"])
        return kind(**fields)
    except (TypeError, ValueError, KeyError) as error:
        raise DocumentMalformed(reason=f"fields of a line: {error}"[:200]) from error
