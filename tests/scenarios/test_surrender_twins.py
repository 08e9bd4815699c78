"""The Python rules of compliance and the contract say the same, refusal for refusal and tonne for tonne."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from chain.refusals import ContractRefusal, Refusal
from chain.units import UnitId
from registry import acts
from registry.accounts import AccountKind
from registry.compliance import (
    CumulativeYear,
    Obligation,
    OffsetRule,
    SurrenderRules,
    cumulative_statuses,
    penalty_fen,
    shortfall_t,
    surrender,
)
from registry.refusals import (
    ComplianceRefused,
    OffsetCapExceeded,
    SurrenderDeadlinePassed,
    SurrenderExceedsDue,
    VintageAhead,
)
from tests.scenarios.registry_world import RegistryWorld, registry_world

YEAR = 2026
FIRMS = tuple(f"firm:{number}" for number in range(4))
DUE_T = (100, 999, 40, 7)
PRICE_FEN, MULTIPLE = 8_000, 5
OFFSETS = OffsetRule(cap_ppm=50_000)
A_DAY = 24 * 3600

# The name and the numbers of the same refusal on chain.
TWINS: dict[type[ComplianceRefused], tuple[str, dict[str, str]]] = {
    SurrenderDeadlinePassed: ("ComplianceDeadlinePassed", {"period": "period", "deadline_utc": "deadline"}),
    VintageAhead: ("ComplianceVintageAhead", {"period": "period", "vintage": "vintage"}),
    SurrenderExceedsDue: (
        "ComplianceExceedsDue",
        {"outstanding_t": "outstandingT", "requested_t": "requestedT"},
    ),
    OffsetCapExceeded: (
        "ComplianceOffsetCapExceeded",
        {"allowed_t": "allowedT", "requested_t": "requestedT"},
    ),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryWorld]:
    with registry_world(tmp_path_factory.mktemp("twins")) as made:
        made.open(*((label, AccountKind.FIRM) for label in FIRMS))
        yield made


def by_rule(
    obligation: Obligation, rules: SurrenderRules, unit: UnitId, quantity_t: int, now_utc: int
) -> object:
    try:
        return surrender(obligation, rules, unit, quantity_t, now_utc)
    except ComplianceRefused as refusal:
        return refusal


def by_contract(world: RegistryWorld, label: str, period: int, unit: UnitId, quantity_t: int) -> object:
    try:
        world.transactor.send(world.signer(label), acts.surrender(period, unit, quantity_t, world.name()))
    except ContractRefusal as refusal:
        return refusal
    return stored(world, label, period)


def stored(world: RegistryWorld, label: str, period: int) -> Obligation:
    found = world.read("Compliance", "obligationOf", world.signer(label).address, period)
    return Obligation(found["dueT"], found["surrenderedT"], found["offsetsT"])


def require_twins(ours: object, theirs: object) -> None:
    if isinstance(ours, Refusal):
        assert isinstance(ours, ComplianceRefused)
        assert isinstance(theirs, ContractRefusal), f"{ours} but the contract took it: {theirs}"
        code, names = TWINS[type(ours)]
        assert theirs.code == code
        assert {ours.facts[mine]: mine for mine in names} == {
            theirs.facts[other]: mine for mine, other in names.items()
        }
    else:
        assert ours == theirs


def test_a_period_from_allocation_to_penalty_is_the_same_in_both(world: RegistryWorld) -> None:
    deadline_utc = world.now_utc() + A_DAY
    rules = SurrenderRules(YEAR, deadline_utc, OFFSETS)
    period = acts.PeriodRules(YEAR, deadline_utc, 10_000, OFFSETS.cap_ppm, MULTIPLE)
    next_year = acts.PeriodRules(YEAR + 1, deadline_utc, 10_000, OFFSETS.cap_ppm, MULTIPLE)
    world.do("regulator", acts.publish_period(period), acts.publish_period(next_year))
    addresses = [world.signer(label).address for label in FIRMS]
    for year in (YEAR, YEAR + 1):
        given = [(address, 1_000) for address in addresses]
        world.do("regulator", acts.allocate(year, given, world.name()))
    world.issue_offsets(YEAR - 1, 1, 2_000)
    offset = UnitId.offset(YEAR - 1, 7, 1)
    shares = [acts.transfer_units(world.developer.address, address, offset, 500) for address in addresses]
    world.do("developer:1", *shares)
    world.verify(*(world.report(label, YEAR, due) for label, due in zip(FIRMS, DUE_T, strict=True)))

    random_source = random.Random(7)
    units = [UnitId.allowance(YEAR), UnitId.allowance(YEAR), offset, UnitId.allowance(YEAR + 1)]
    outcomes = set()
    for label in FIRMS[:3]:  # the last firm does nothing
        obligation = stored(world, label, YEAR)
        for _ in range(14):
            unit = random_source.choice(units)
            outstanding_t = obligation.due_t - obligation.surrendered_t
            quantities_t = [1, 2, obligation.due_t // 25, obligation.due_t // 9, outstanding_t + 1]
            quantity_t = random_source.choice(quantities_t)
            ours = by_rule(obligation, rules, unit, quantity_t, world.now_utc())
            require_twins(ours, by_contract(world, label, YEAR, unit, quantity_t))
            outcomes.add(type(ours))
            obligation = ours if isinstance(ours, Obligation) else obligation
    assert outcomes == {Obligation, VintageAhead, SurrenderExceedsDue, OffsetCapExceeded}

    world.pass_time(A_DAY + 10)
    late = by_rule(stored(world, FIRMS[3], YEAR), rules, units[0], 1, world.now_utc())
    assert isinstance(late, SurrenderDeadlinePassed)
    require_twins(late, by_contract(world, FIRMS[3], YEAR, units[0], 1))
    world.do("regulator", acts.publish_reference_price(YEAR, PRICE_FEN, world.name()))
    world.do("developer:1", acts.assess(YEAR, addresses))
    for address, label in zip(addresses, FIRMS, strict=True):
        short_t = shortfall_t(stored(world, label, YEAR))
        found = world.read("Compliance", "obligationOf", address, YEAR)
        assert found["assessed"]
        assert found["shortfallT"] == short_t
        assert found["penaltyFen"] == penalty_fen(short_t, PRICE_FEN, MULTIPLE)


def test_cumulative_balances_and_new_penalties_are_the_same_in_both(world: RegistryWorld) -> None:
    years = (2031, 2032, 2033)
    random_source = random.Random(11)
    addresses = [world.signer(label).address for label in FIRMS]
    history: dict[str, list[CumulativeYear]] = {label: [] for label in FIRMS}
    for year in years:
        deadline_utc = world.now_utc() + A_DAY
        period = acts.PeriodRules(year, deadline_utc, 10_000, 0, MULTIPLE, cumulative=True)
        world.do("regulator", acts.publish_period(period))
        world.do("regulator", acts.allocate(year, [(address, 500) for address in addresses], world.name()))
        statements = []
        for label in FIRMS:
            verified_t = random_source.randint(50, 150)
            statements.append(world.report(label, year, verified_t))
            paid_t = random_source.randint(30, 170)
            paying = acts.surrender(year, UnitId.allowance(year), paid_t, world.name())
            world.do(label, paying)
            history[label].append(CumulativeYear(year, verified_t, paid_t))
        world.verify(*statements)
        world.pass_time(A_DAY + 10)
        world.do("regulator", acts.publish_reference_price(year, PRICE_FEN, world.name()))
        world.do("developer:1", acts.assess(year, addresses))
    seen_short = False
    for label, address in zip(FIRMS, addresses, strict=True):
        for status in cumulative_statuses(history[label]):
            found = world.read("Compliance", "obligationOf", address, status.period)
            assert found["shortfallT"] == status.shortfall_t
            assert found["penaltyFen"] == penalty_fen(status.newly_short_t, PRICE_FEN, MULTIPLE)
            seen_short = seen_short or not status.compliant
    assert seen_short
