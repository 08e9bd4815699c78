"""Found: "ride-1" and "RIDE-1" of one witness earned twice."""

from __future__ import annotations

from registry.personal.acts import GreenAct
from registry.personal.methods import method_for

METRO = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
NOON_UTC = 1_800_000_000


def test_upper_and_lower_case_are_one_number() -> None:
    for kind in ("shared-ebike", "online-meeting", "online-meeting-person"):
        method = method_for(kind, NOON_UTC)
        spelled = ("ride-1a", "RIDE-1A")
        small, large = (GreenAct(METRO, each, METRO, kind, 1, NOON_UTC) for each in spelled)
        assert small.nullifier(method) == large.nullifier(method)
        assert small.meeting() == large.meeting()
