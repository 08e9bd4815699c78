"""Running a scenario: the page goes in, the chain's answer comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from api.cycle.accounts import Participant
from api.cycle.outcome import FirmTotals, epochs_settled, totals_of
from api.cycle.runner import run_cycles
from api.cycle.system import Place, fresh_system
from api.scenario.file import Scenario
from api.scenario.plans import firm_label, plans_of
from registry.accounts import AccountKind


def run_scenario(
    scenario: Scenario,
    data_dir: Path | None = None,
    on_step: Callable[[str], None] = lambda _step: None,
    on_progress: Callable[[str, int], None] = lambda _what, _done: None,
    place: Place | None = None,
) -> dict[str, Any]:
    """Run a scenario on a fresh system; with a `place`, on a chain that others run.

    Returns
    -------
    `name`; `firms` by name with their totals; `others` likewise; `epochs_settled`; `transactions`; `seconds`;
    `audit`. Tonnes and fen, all read from the projection of the chain.
    """
    plans = plans_of(scenario)
    participants = [Participant(firm_label(firm.name), firm.name) for firm in scenario.firms]
    others = next((plan.others for plan in plans if plan.others is not None), None)
    if others is not None and scenario.others is not None:
        participants.append(Participant(others, scenario.others.name, AccountKind.TRADER))
    with fresh_system(f"scenario/{scenario.name}", plans, data_dir, on_step, on_progress, place) as system:
        run_cycles(system.market, participants, plans)
        report = system.audit()
        with system.projection().session() as session:
            totals = totals_of(session, scenario.years)
            settled = epochs_settled(session)
        sums = {
            each.name: asdict(totals.get(system.market.address(each.label), FirmTotals()))
            for each in participants
        }
        firms = {firm.name: sums.pop(firm.name) for firm in scenario.firms}
        return {
            "name": scenario.name,
            "firms": firms,
            "others": sums,
            "epochs_settled": settled,
            "transactions": system.transactions(),
            "seconds": system.seconds(),
            "audit": report.as_json(),
        }
