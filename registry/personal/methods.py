"""Methods: how many grams of CO2e a green act is worth.

Each method is a ratio of integers, rounded down an act, with its source and the time in which it is in force;
an act counts by the method in force when it happened. Only acts for which a source gives a number have one:
for walking, cycling, metro and off-peak charging the sources name the act but no rate (SOURCES 31, 32). Pure.

The caps a person and day are ours: no source gives one. They bound what a faulty or dishonest provider can
make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from registry.refusals import ActRefused, MethodUnknown

DAY_S: Final = 24 * 3600
_CHINA_OFFSET_S: Final = 8 * 3600
_SINCE_2024: Final = 1_704_038_400  # 2024-01-01 00:00 in Beijing


class Claim(Enum):
    """Who may claim an act: once for all, a meeting as a whole, or each of its people once."""

    ACT = "act"
    MEETING = "meeting"
    MEETING_PERSON = "meeting-person"


@dataclass(frozen=True, slots=True)
class Method:
    """One way of counting.

    Parameters
    ----------
    kind, version :
        The kind of act, and the version of the method.
    unit :
        What `quantity` of an act counts.
    grams, per :
        So many grams for so many units.
    quantity_max :
        Most units in one act.
    day_cap_g :
        Most grams for one person and day by this method.
    from_utc, to_utc :
        In force from the first second up to, but not including, the second; None without end.
    """

    kind: str
    version: int
    unit: str
    grams: int
    per: int
    quantity_max: int
    day_cap_g: int
    source: str
    from_utc: int = _SINCE_2024
    to_utc: int | None = None
    claim: Claim = Claim.ACT

    def grams_of(self, quantity: int) -> int:
        """Return the grams of an act of this quantity, rounded down.

        Raises
        ------
        ActRefused :
            The quantity is not within 1 to `quantity_max`.
        """
        if not 0 < quantity <= self.quantity_max:
            raise ActRefused(
                reason="quantity", kind=self.kind, quantity=quantity, quantity_max=self.quantity_max
            )
        return quantity * self.grams // self.per

    def in_force(self, at_utc: int) -> bool:
        """Say whether the method counts acts of that second."""
        return self.from_utc <= at_utc and (self.to_utc is None or at_utc < self.to_utc)


METHODS: Final[tuple[Method, ...]] = (
    Method(
        kind="custom-bus",
        version=1,
        unit="one-way trips",
        grams=1_270_000,
        per=700,
        quantity_max=8,
        day_cap_g=8 * 1_814,
        source="《元宇宙与碳中和》 1717; 数字碳中和白皮书 392: 1.27 t for 700 one-way trips",
    ),
    Method(
        kind="shared-ebike",
        version=1,
        unit="m",
        grams=105_000,
        per=4_000_000,
        quantity_max=100_000,
        day_cap_g=2_625,
        source="《元宇宙与碳中和》 1681: 105 kg over 4,000 km",
    ),
    Method(
        kind="electricity-saved",
        version=1,
        unit="Wh",
        grams=1_000,
        per=1_000,
        quantity_max=50_000,
        day_cap_g=50_000,
        source="《元宇宙与碳中和》 2367: 1 kWh not used is 1 kg CO2",
    ),
    Method(
        kind="online-meeting",
        version=1,
        unit="meetings",
        grams=27_932,
        per=1,
        quantity_max=1,
        day_cap_g=2 * 27_932,
        source="《元宇宙与碳中和》 1907: 27.932 kg a meeting",
        claim=Claim.MEETING,
    ),
    Method(
        kind="online-meeting-person",
        version=1,
        unit="people",
        grams=2_202,
        per=1,
        quantity_max=1,
        day_cap_g=4 * 2_202,
        source="《元宇宙与碳中和》 1907: 2.202 kg a person",
        claim=Claim.MEETING_PERSON,
    ),
)


def method_for(kind: str, at_utc: int, methods: Sequence[Method] = METHODS) -> Method:
    """Return the method in force for this kind of act at that time; raises MethodUnknown."""
    for method in methods:
        if method.kind == kind and method.in_force(at_utc):
            return method
    raise MethodUnknown(kind=kind[:60], at_utc=at_utc)


def day_of(at_utc: int) -> int:
    """Return the number of the day in Beijing, from 1970-01-01: the day that caps count by."""
    return (at_utc + _CHINA_OFFSET_S) // DAY_S
