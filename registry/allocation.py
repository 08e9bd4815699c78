"""Allocation: who gets how many allowances (碳排放配额) of a period.

Everything is whole tonnes, rounded down: rounding never makes a tonne. Pure. The contract `Compliance`
refuses allocations past the cap on chain; these rules say the same before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry.refusals import AllocationCapExceeded, AllocationRefused


def allocation_t(baseline_t: int, required_cut_t: int) -> int:
    """Return the allowances of an entity that has to cut a baseline by so much.

    Parameters
    ----------
    baseline_t, required_cut_t :
        Whole tonnes CO2e a year, 0 <= cut <= baseline.

    Raises
    ------
    AllocationRefused :
        A number is below zero, or the cut is larger than the baseline.

    Source
    ------
    SOURCES 1 (《元宇宙与碳中和》 1182-1192): 100,000 t with a cut of 3,000 t.
    """
    if not 0 <= required_cut_t <= baseline_t:
        raise AllocationRefused(baseline_t=baseline_t, required_cut_t=required_cut_t)
    return baseline_t - required_cut_t


def cut_by_rate_t(baseline_t: int, cut_ppm: int) -> int:
    """Return the allowances of an entity that has to cut a baseline by a share, rounded down.

    Raises
    ------
    AllocationRefused :
        A negative baseline, or a share outside 0 to 1,000,000 parts per million.
    """
    if baseline_t < 0 or not 0 <= cut_ppm <= 1_000_000:
        raise AllocationRefused(baseline_t=baseline_t, cut_ppm=cut_ppm)
    return baseline_t * (1_000_000 - cut_ppm) // 1_000_000


def share_of_cap(cap_t: int, baselines_t: Mapping[str, int]) -> dict[str, int]:
    """Return each entity's share of a cap, by baseline, rounded down; what rounding leaves is not allocated.

    Raises
    ------
    AllocationRefused :
        A number is below zero, or all baselines are zero.
    """
    total_t = sum(baselines_t.values())
    if cap_t < 0 or min(baselines_t.values(), default=0) < 0 or total_t == 0:
        raise AllocationRefused(cap_t=cap_t, baselines_t=total_t, entities=len(baselines_t))
    return {entity: cap_t * baseline_t // total_t for entity, baseline_t in baselines_t.items()}


def require_within_cap(cap_t: int, allocated_t: int, quantities_t: Mapping[str, int]) -> int:
    """Return what is allocated after these allocations, if that is within the cap.

    Raises
    ------
    AllocationRefused :
        A quantity is not above zero.
    AllocationCapExceeded :
        The sum would pass the cap.

    Source
    ------
    SOURCES 2 (《元宇宙与碳中和》 1196): the total is fixed and published by law.
    """
    for entity, quantity_t in quantities_t.items():
        if quantity_t <= 0:
            raise AllocationRefused(entity=entity, quantity_t=quantity_t)
    requested_t = sum(quantities_t.values())
    if allocated_t + requested_t > cap_t:
        raise AllocationCapExceeded(cap_t=cap_t, allocated_t=allocated_t, requested_t=requested_t)
    return allocated_t + requested_t
