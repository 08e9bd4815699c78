"""Replaying a country's published years of the EU ETS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlmodel import Session

from api.audit.report import AuditReport
from api.cycle.accounts import Participant
from api.cycle.market import Market
from api.cycle.outcome import PeriodSums, defaulted, epochs_settled, sums_by_period, totals_of
from api.cycle.runner import run_cycles
from api.cycle.system import Place, fresh_system
from api.replay.eu_ets_data import EuEtsData
from api.replay.eu_ets_plans import OTHERS, label_of, plans_of
from api.replay.statuses import ChainStatus, Compared, compare
from registry.accounts import AccountKind

_NAME_CHARACTERS_MAX = 200


def replay_eu_ets(
    data: EuEtsData,
    data_dir: Path | None = None,
    on_step: Callable[[str], None] = lambda _step: None,
    on_progress: Callable[[str, int], None] = lambda _what, _done: None,
    place: Place | None = None,
) -> dict[str, Any]:
    """Take a country's published years through the real system, and compare the statuses.

    With a `place`, on a chain that others run.

    Returns
    -------
    `installations`, `allocated_t`, `verified_t`, `surrendered_t` (the others' apart), `word_cells` that gave
    no number, `trades`, `epochs_settled`, `transactions`, `seconds`, `statuses`, `audit`.
    """
    plans = plans_of(data)
    run = f"eu-ets/{data.country}/{data.first_year}-{data.last_year}"
    with fresh_system(run, plans, data_dir, on_step, on_progress, place) as system:
        run_cycles(system.market, _participants(data), plans)
        report = system.audit()
        with system.projection().session() as session:
            sums = _sums(session, system.market, data)
            settled = epochs_settled(session)
            statuses = _statuses(session, system.market, data, report)
        return {
            "country": data.country,
            "years": [data.first_year, data.last_year],
            "installations": len(data.installations),
            **sums,
            "word_cells": _word_cells(data),
            "trades": report.looked_at["trades"],
            "epochs_settled": settled,
            "transactions": system.transactions(),
            "seconds": system.seconds(),
            "statuses": statuses,
            "audit": report.as_json(),
        }


def _participants(data: EuEtsData) -> list[Participant]:
    firms = [
        Participant(
            label_of(each),
            _printable(each.name) or f"Installation {each.account_id}",
            AccountKind.FIRM,
            {
                "account": str(each.account_id),
                "country": each.country,
                "activity": _printable(each.activity) or "-",
            },
        )
        for each in data.installations
    ]
    return [*firms, Participant(OTHERS, "Rest of the market", AccountKind.TRADER)]


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:_NAME_CHARACTERS_MAX].strip()


def _sums(session: Session, market: Market, data: EuEtsData) -> dict[str, int]:
    totals = totals_of(session, data.years)
    firms = [totals[market.address(label_of(each))] for each in data.installations
             if market.address(label_of(each)) in totals]  # fmt: skip
    return {
        "allocated_t": sum(firm.allocated_t for firm in firms),
        "verified_t": sum(firm.verified_t for firm in firms),
        "surrendered_t": sum(firm.surrendered_t for firm in firms),
    }


def _statuses(session: Session, market: Market, data: EuEtsData, report: AuditReport) -> dict[str, Any]:
    """Compare the chain's statuses with the published codes; the running sums are those of the contract."""
    sums, defaults = sums_by_period(session), defaulted(session)
    years = list(_compared(market, data, sums))
    for each, address in years:
        # The contract judged every installation whose emissions were verified; the sums must say the same.
        if each.derived.verified:
            in_default = (address, each.year) in defaults
            report.require(
                in_default == (each.derived.code == "B"),
                "statuses",
                f"{each.account_id} {each.year}: the contract and the sums of its events judge differently",
            )
    return compare(each for each, _ in years)


def _compared(
    market: Market, data: EuEtsData, sums: Mapping[tuple[str, int], PeriodSums]
) -> Iterator[tuple[Compared, str]]:
    nothing = PeriodSums(verified=False, verified_t=0, surrendered_t=0)
    for installation in data.installations:
        address = market.address(label_of(installation))
        opening = sums.get((address, data.first_year - 1), nothing)
        verified_t, surrendered_t = opening.verified_t, opening.surrendered_t
        for year in data.years:
            here = sums.get((address, year), nothing)
            verified_t += here.verified_t
            surrendered_t += here.surrendered_t
            status = ChainStatus(here.verified, verified_t, surrendered_t)
            yield (
                Compared(installation.account_id, installation.name, year, installation.years[year], status),
                address,
            )


def _word_cells(data: EuEtsData) -> dict[str, dict[str, int]]:
    """Count the cells that are words, by table and word; digits are shown as N."""
    words: dict[str, Counter[str]] = {"allocated": Counter(), "verified": Counter(), "surrendered": Counter()}
    for installation in data.installations:
        for year in data.years:
            published = installation.years[year]
            for table, counter in words.items():
                word = getattr(published, table).word
                if word is not None:
                    counter[" ".join("N" if part.isdigit() else part for part in word.split())] += 1
    return {table: dict(counter.most_common()) for table, counter in words.items()}
