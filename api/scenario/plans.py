"""A scenario becomes one plan a year."""

from __future__ import annotations

from api.cycle.plan import CyclePlan, FirmYear, last_second, utc
from api.scenario.file import Scenario, ScenarioFirm


def plans_of(scenario: Scenario) -> list[CyclePlan]:
    """Return the scenario's compliance cycles in order.

    A period's cycle runs in the calendar year after it: reports, verification, trading and, by 31 December,
    surrender (the national calendar of MARKET_RULES, section 1: issue in September, surrender by year's end).
    """
    return [_plan_of(scenario, year) for year in scenario.years]


def firm_label(firm: str) -> str:
    """Return the keyring label of a scenario's firm."""
    return f"firm:{firm}"


def _plan_of(scenario: Scenario, year: int) -> CyclePlan:
    others = scenario.others
    return CyclePlan(
        period=year,
        starts_utc=utc(year + 1),
        deadline_utc=last_second(year + 1, 12, 30),
        price_fen=scenario.price_fen_per_t,
        penalty_price_fen=scenario.price_fen_per_t,
        penalty_multiple=scenario.penalty_multiple,
        offset_cap_ppm=scenario.offset_cap_ppm,
        cumulative=False,
        firms=tuple(_firm_year(firm) for firm in scenario.firms),
        others=f"others:{others.name}" if others is not None and others.buys_and_sells else None,
    )


def _firm_year(firm: ScenarioFirm) -> FirmYear:
    needed_t = firm.emitted_t - firm.offsets_t
    return FirmYear(
        label=firm_label(firm.name),
        allocated_t=firm.allocated_t,
        verified_t=firm.emitted_t,
        wanted_t=needed_t - firm.allocated_t if firm.trades else 0,
        offsets_t=firm.offsets_t,
    )
