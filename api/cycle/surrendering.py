"""Surrender and its end: what firms pay with, and what the deadline finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from api.cycle.market import Market, chunks
from api.cycle.mrv import offset_unit
from api.cycle.plan import CyclePlan, FirmYear
from chain.abi import Call
from chain.transactor import Act
from chain.units import UnitId
from registry import acts

_ASSESSED_A_TRANSACTION: Final = 100


def surrender(market: Market, plan: CyclePlan) -> None:
    """Let every firm pay: its offsets first, then allowances as far as it holds them."""
    allowance = UnitId.allowance(plan.period)
    offset_payers = [firm for firm in plan.firms if firm.offsets_t]
    market.do(
        "surrender offsets",
        [_payment(market, plan, firm, offset_unit(plan.period), firm.offsets_t) for firm in offset_payers],
    )
    amounts_t = _allowances_to_surrender(market, plan, allowance)
    market.do(
        "surrender allowances",
        [
            _payment(market, plan, firm, allowance, amount_t)
            for firm, amount_t in zip(plan.firms, amounts_t, strict=True)
            if amount_t
        ],
    )


def close_periods(market: Market, plans: Sequence[CyclePlan]) -> None:
    """Let the deadlines pass, publish the prices that penalties follow, and assess who owes."""
    for plan in plans:
        market.clock.pass_deadline(plan.period, plan.deadline_utc)
    regulator = market.signer("regulator")
    prices = [
        acts.publish_reference_price(
            plan.period, plan.penalty_price_fen, market.id_of("reference price", plan.period)
        )
        for plan in plans
    ]
    market.do("publish the reference price", [(regulator, price) for price in prices])
    calls = [
        acts.assess(plan.period, batch)
        for plan in plans
        for batch in chunks(_liable(market, plan), _ASSESSED_A_TRANSACTION)
    ]
    market.do("assess obligations", [(regulator, call) for call in calls])


def _liable(market: Market, plan: CyclePlan) -> list[str]:
    return [market.address(firm.label) for firm in plan.firms if firm.verified_t is not None]


def _allowances_to_surrender(market: Market, plan: CyclePlan, allowance: UnitId) -> list[int]:
    """Return tonnes for each firm: what the plan says, or what is due on chain and held."""
    open_ended = [firm for firm in plan.firms if firm.surrender_t is None]
    addresses = [market.address(firm.label) for firm in open_ended]
    held = market.transactor.read_all(
        [Call("CarbonLedger", "balanceOf", (address, allowance.value)) for address in addresses]
    )
    obligations: list[dict[str, Any]] = market.transactor.read_all(
        [Call("Compliance", "obligationOf", (address, plan.period)) for address in addresses]
    )
    due = {
        firm.label: min(held_t, obligation["dueT"] - obligation["surrenderedT"])
        for firm, held_t, obligation in zip(open_ended, held, obligations, strict=True)
    }
    return [due[firm.label] if firm.surrender_t is None else firm.surrender_t for firm in plan.firms]


def _payment(market: Market, plan: CyclePlan, firm: FirmYear, unit: UnitId, amount_t: int) -> Act:
    request = market.id_of("surrender", plan.period, firm.label, unit.text)
    return market.signer(firm.label), acts.surrender(plan.period, unit, amount_t, request)
