"""What an audit found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: which check found it, and what is wrong with its numbers."""

    check: str
    what: str


@dataclass(slots=True)
class AuditReport:
    """All findings, and how much was looked at, so that an audit of nothing is seen to be one."""

    findings: list[Finding] = field(default_factory=list)
    looked_at: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.findings

    def count(self, what: str, number: int = 1) -> None:
        """Remember how much was looked at."""
        self.looked_at[what] += number

    def require(self, holds: bool, check: str, what: str) -> None:
        """Record a finding unless the sentence holds."""
        if not holds:
            self.findings.append(Finding(check, what))

    def as_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        return {
            "ok": self.ok,
            "looked_at": dict(sorted(self.looked_at.items())),
            "findings": [{"check": each.check, "what": each.what} for each in self.findings],
        }
