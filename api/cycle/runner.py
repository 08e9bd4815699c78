"""Running compliance cycles one after the other on one system."""

from __future__ import annotations

from collections.abc import Sequence

from api.cycle import mrv, surrendering, trading
from api.cycle.accounts import Participant, open_accounts
from api.cycle.market import Market, chunks
from api.cycle.plan import CyclePlan, ordered
from chain.transactor import Act
from registry import acts

_ALLOCATIONS_A_TRANSACTION = 100


def run_cycles(market: Market, participants: Sequence[Participant], plans: Sequence[CyclePlan]) -> None:
    """Open everyone's account, then take each period from allocation to its deadline.

    Raises
    ------
    Refusal :
        The first act that the system refuses; what was done before stays done.
    """
    offsets = any(plan.offsets_t for plan in plans)
    open_accounts(market, participants, offsets)
    if offsets:
        mrv.register_project(market)
    # Where deadlines are waited for, periods that do not count on one another are closed together at the end.
    together = market.clock.is_waited_for and not any(plan.cumulative for plan in plans)
    for plan in ordered(plans):
        run_until_surrender(market, plan)
        if not together:
            surrendering.close_periods(market, [plan])
    if together:
        surrendering.close_periods(market, ordered(plans))


def run_until_surrender(market: Market, plan: CyclePlan) -> None:
    """Take one period through its cycle as far as its deadline."""
    market.clock.begin(plan.starts_utc)
    _allocate(market, plan)
    mrv.report_and_verify(market, plan)
    mrv.issue_offsets(market, plan)
    trading.trade(market, plan)
    surrendering.surrender(market, plan)


def _allocate(market: Market, plan: CyclePlan) -> None:
    """Publish the period's rules and give everyone what the plan says."""
    regulator = market.signer("regulator")
    rules = acts.PeriodRules(
        period=plan.period,
        deadline_utc=market.clock.deadline_utc(plan.period, plan.deadline_utc),
        cap_t=plan.cap_t,
        offset_cap_ppm=plan.offset_cap_ppm,
        penalty_multiple=plan.penalty_multiple,
        cumulative=plan.cumulative,
    )
    given = [(market.address(firm.label), firm.allocated_t) for firm in plan.firms if firm.allocated_t]
    if plan.others is not None and plan.reserve_t:
        given.append((market.address(plan.others), plan.reserve_t))
    calls: list[Act] = [(regulator, acts.publish_period(rules))]
    calls += [
        (regulator, acts.allocate(plan.period, batch, market.id_of("allocate", plan.period, batch[0][0])))
        for batch in chunks(given, _ALLOCATIONS_A_TRANSACTION)
    ]
    market.do("publish the period and allocate", calls)
