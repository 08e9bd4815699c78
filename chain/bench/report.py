"""What a benchmark says: rows with a target, the measured value, the peers' values; and the machine's facts.

A row passes when its value meets its target and its ratio to a peer meets the least ratio asked for. Where
a peer could not be had, its part of the row is not judged, and the row says so.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

AT_LEAST: Final = "at least"
AT_MOST: Final = "at most"


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for: `value` at least or at most; `aim` is hoped for and not judged."""

    value: float
    sense: str = AT_LEAST
    aim: float | None = None

    def met_by(self, value: float) -> bool:
        """Whether a measured value is good enough."""
        return value >= self.value if self.sense == AT_LEAST else value <= self.value

    def ratio(self, value: float, peer: float) -> float:
        """How many times better than the peer's a value is; above 1 is better, whatever the sense."""
        better, worse = (value, peer) if self.sense == AT_LEAST else (peer, value)
        return better / worse if worse else 0.0


@dataclass(frozen=True, slots=True)
class Peer:
    """What another program did with the same work. `ratio_min` is asked for; None where it only informs."""

    name: str
    value: float | None
    ratio_min: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    `details` are further figures, each named with its unit; `method` says in words what was done.
    """

    name: str
    title: str
    unit: str
    target: Target
    value: float | None
    method: str
    peers: Sequence[Peer] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the target and every ratio that could be measured are met."""
        if self.value is None or not self.target.met_by(self.value):
            return False
        return all(self._meets(peer) for peer in self.peers)

    def ratio_to(self, peer: Peer) -> float | None:
        """How many times better than this peer; None where either was not measured."""
        if self.value is None or peer.value is None:
            return None
        return self.target.ratio(self.value, peer.value)

    def _meets(self, peer: Peer) -> bool:
        ratio = self.ratio_to(peer)
        return ratio is None or peer.ratio_min is None or ratio >= peer.ratio_min

    def as_json(self) -> dict[str, Any]:
        """The row as one JSON object."""
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "target": {"sense": self.target.sense, "value": self.target.value, "aim": self.target.aim},
            "value": _rounded(self.value),
            "passed": self.passed,
            "peers": [
                {
                    "name": peer.name,
                    "value": _rounded(peer.value),
                    "ratio": _rounded(self.ratio_to(peer)),
                    "ratio_min": peer.ratio_min,
                    "note": peer.note,
                }
                for peer in self.peers
            ],
            "details": dict(self.details),
            "method": self.method,
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """One run: when, where, how long, and its rows."""

    subject: str
    began: datetime
    seconds: float
    machine: Mapping[str, Any]
    rows: Sequence[Row]
    quick: bool = False

    @property
    def passed(self) -> bool:
        """Whether every row passed."""
        return all(row.passed for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {
            "subject": self.subject,
            "began_utc": self.began.astimezone(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "quick": self.quick,
            "passed": self.passed,
            "machine": dict(self.machine),
            "rows": [row.as_json() for row in self.rows],
        }


def machine_facts(directory: Path) -> dict[str, Any]:
    """What the figures depend on: processor, memory, Python, load, and the file system of `directory`."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "file_system": _file_system(directory),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _file_system(directory: Path) -> str:
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    path = directory.resolve()
    best = ("", "unknown")
    for line in mounts:
        _, point, kind, *_ = line.split()
        if path.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def _rounded(value: float | None) -> float | None:
    if value is None:
        return None
    return round(value, 4 if abs(value) < 10 else 1)
