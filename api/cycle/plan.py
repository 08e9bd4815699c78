"""What is to happen in one compliance cycle, before anything happens.

Pure: a scenario file or a published year becomes a plan, and the runner carries the plan out. A plan says
what each participant brings and wants; what comes of it is read from the chain afterwards, never from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class FirmYear:
    """What one firm brings to a cycle.

    Attributes
    ----------
    label :
        The firm's key in the keyring and the root of its request ids.
    allocated_t :
        Allowances that it is given.
    verified_t :
        What its report says and the verifier signs, or None where it files none.
    wanted_t :
        Tonnes of allowance to trade: above zero it buys, below it sells.
    offsets_t :
        Offsets that it surrenders first.
    surrender_t :
        Allowances that it surrenders, or None to pay what is due as far as its holding goes.
    """

    label: str
    allocated_t: int
    verified_t: int | None
    wanted_t: int = 0
    offsets_t: int = 0
    surrender_t: int | None = None


@dataclass(frozen=True, slots=True)
class CyclePlan:
    """One period and everything that its participants do in it.

    `starts_utc` and `deadline_utc` are moments of the chain's clock. Orders are limited at `price_fen`; a
    tonne short costs `penalty_multiple` times `penalty_price_fen`. `others` takes the other side of what
    the firms' own orders leave open; what it must sell it is given from the cap's reserve.
    """

    period: int
    starts_utc: int
    deadline_utc: int
    price_fen: int
    penalty_price_fen: int
    penalty_multiple: int
    offset_cap_ppm: int
    cumulative: bool
    firms: tuple[FirmYear, ...]
    others: str | None

    @property
    def sold_t(self) -> int:
        """Tonnes that firms offer."""
        return -sum(firm.wanted_t for firm in self.firms if firm.wanted_t < 0)

    @property
    def bought_t(self) -> int:
        """Tonnes that firms ask for."""
        return sum(firm.wanted_t for firm in self.firms if firm.wanted_t > 0)

    @property
    def reserve_t(self) -> int:
        """Allowances that the others must have to sell what the firms do not offer each other."""
        return max(0, self.bought_t - self.sold_t) if self.others else 0

    @property
    def left_over_t(self) -> int:
        """Tonnes that the others buy because no firm does."""
        return max(0, self.sold_t - self.bought_t) if self.others else 0

    @property
    def cap_t(self) -> int:
        """Allowances of the period in all."""
        return sum(firm.allocated_t for firm in self.firms) + self.reserve_t

    @property
    def offsets_t(self) -> int:
        """Offsets that must be issued before the firms can surrender them."""
        return sum(firm.offsets_t for firm in self.firms)


def utc(year: int, month: int = 1, day: int = 1) -> int:
    """Return the first second of a day, Unix seconds."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


def last_second(year: int, month: int, day: int) -> int:
    """Return the last second of a day, Unix seconds."""
    return utc(year, month, day) + 86_399


def ordered(plans: Sequence[CyclePlan]) -> list[CyclePlan]:
    """Return the plans in the order of time; their cycles must not overlap."""
    in_order = sorted(plans, key=lambda plan: plan.period)
    for earlier, later in pairwise(in_order):
        assert earlier.deadline_utc < later.starts_utc, "cycles follow one another on one clock"
    return in_order
