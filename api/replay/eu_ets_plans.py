"""A country's published years become one plan a year.

Every installation receives what it was allocated, reports what was verified and surrenders what it
surrendered; the difference between surrendered and allocated is what it trades. The others stand for all that
the country's table does not show: auctions, other countries, international credits.

Where the years begin inside a phase, one opening period before them brings the balance of the phase's earlier
years through the same path, so that the running sums on chain are the phase's.
"""

from __future__ import annotations

from typing import Final

from api.cycle.plan import CyclePlan, FirmYear, last_second, utc
from api.replay.eu_ets_data import EuEtsData, Installation, phase_of

OTHERS: Final = "others:market"
# A tonne short costs 40 EUR in the first phase, 100 EUR since 2008 (Directive 2003/87/EC art. 16).
_FINE_CENTS: Final = (4_000, 10_000)


def label_of(installation: Installation) -> str:
    """Return the keyring label of an installation's operator holding account."""
    return f"firm:{installation.account_id}"


def plans_of(data: EuEtsData) -> list[CyclePlan]:
    """Return the cycles in order, the opening period first where there is one."""
    phase_start, _ = phase_of(data.first_year, data.last_year)
    opening = [_opening(data, phase_start)] if data.first_year > phase_start else []
    return opening + [_plan_of(data, year) for year in data.years]


def _plan_of(data: EuEtsData, year: int) -> CyclePlan:
    return _cycle(year, data.price_cents[year], tuple(_firm_year(each, year) for each in data.installations))


def _firm_year(installation: Installation, year: int) -> FirmYear:
    published = installation.years[year]
    allocated_t = published.allocated.tonnes or 0  # a word gives nothing; the report lists it
    surrendered_t = published.surrendered.tonnes or 0
    return FirmYear(
        label=label_of(installation),
        allocated_t=allocated_t,
        verified_t=published.verified.tonnes,
        wanted_t=surrendered_t - allocated_t,
        surrender_t=surrendered_t,
    )


def _opening(data: EuEtsData, phase_start: int) -> CyclePlan:
    firms = []
    for each in data.installations:
        earlier = [each.years[year] for year in range(phase_start, data.first_year)]
        verified = [year.verified.tonnes for year in earlier if year.verified.tonnes is not None]
        surrendered_t = sum(year.surrendered.tonnes or 0 for year in earlier)
        firms.append(
            FirmYear(
                label=label_of(each),
                allocated_t=surrendered_t,
                verified_t=sum(verified) if verified else None,
                surrender_t=surrendered_t,
            )
        )
    return _cycle(data.first_year - 1, data.price_cents[data.first_year], tuple(firms))


def _cycle(year: int, price_cents: int, firms: tuple[FirmYear, ...]) -> CyclePlan:
    return CyclePlan(
        period=year,
        starts_utc=utc(year + 1),
        deadline_utc=last_second(year + 1, 4, 30),
        price_fen=price_cents,
        penalty_price_fen=_FINE_CENTS[0 if year < 2008 else 1],
        penalty_multiple=1,
        offset_cap_ppm=0,
        cumulative=True,
        firms=firms,
        others=OTHERS,
    )
