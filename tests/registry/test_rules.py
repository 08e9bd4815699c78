"""The registry's pure rules: allocation, compliance, offsets, accounts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.units import UnitId
from registry.accounts import AccountKind, Profile, person_commitment, profile_hash
from registry.allocation import allocation_t, cut_by_rate_t, require_within_cap, share_of_cap
from registry.compliance import (
    CumulativeYear,
    Obligation,
    OffsetRule,
    SurrenderRules,
    cumulative_statuses,
    offset_allowance_t,
    penalty_fen,
    shortfall_t,
    surrender,
)
from registry.offsets import Project, offset_unit, reduction_t
from registry.refusals import (
    AllocationCapExceeded,
    AllocationRefused,
    DocumentMalformed,
    NegativeObligation,
    NoReduction,
    OffsetCapExceeded,
    SurrenderDeadlinePassed,
    SurrenderExceedsDue,
    VintageAhead,
)
from tests.registry.world import FIRM

FIVE_PERCENT = OffsetRule(cap_ppm=50_000)
RULES = SurrenderRules(period=2026, deadline_utc=1_000, offsets=FIVE_PERCENT)
ALLOWANCE = UnitId.allowance(2026)
OFFSET = UnitId.offset(2025, 7, 1)
TONNES = st.integers(0, 10**10)


# Allocation ------------------------------------------------------------------------------------------------


def test_a_baseline_less_the_required_cut_is_allocated() -> None:
    assert allocation_t(100_000, 3_000) == 97_000
    assert cut_by_rate_t(100_000, 30_000) == 97_000


def test_allocations_are_floored_to_whole_tonnes() -> None:
    assert cut_by_rate_t(33, 500_000) == 16
    assert share_of_cap(100, {"A": 1, "B": 1, "C": 1}) == {"A": 33, "B": 33, "C": 33}


@given(cap_t=TONNES, baselines_t=st.dictionaries(st.text(), st.integers(1, 10**9), min_size=1, max_size=10))
def test_shares_never_pass_the_cap(cap_t: int, baselines_t: dict[str, int]) -> None:
    shares = share_of_cap(cap_t, baselines_t)
    assert cap_t - len(shares) < sum(shares.values()) <= cap_t


def test_one_tonne_over_the_cap_is_refused() -> None:
    assert require_within_cap(100, 40, {"A": 60}) == 100
    with pytest.raises(AllocationCapExceeded) as refusal:
        require_within_cap(100, 40, {"A": 31, "B": 30})
    assert refusal.value.facts == {"cap_t": 100, "allocated_t": 40, "requested_t": 61}


@pytest.mark.parametrize(("baseline_t", "cut_t"), [(-1, 0), (10, -1), (10, 11)])
def test_an_impossible_cut_is_refused(baseline_t: int, cut_t: int) -> None:
    with pytest.raises(AllocationRefused):
        allocation_t(baseline_t, cut_t)
    with pytest.raises(AllocationRefused):
        require_within_cap(100, 0, {"A": min(baseline_t, cut_t, 0)})


# Compliance ------------------------------------------------------------------------------------------------


def test_five_percent_of_the_amount_due_may_be_offsets() -> None:
    assert offset_allowance_t(1_000_019, FIVE_PERCENT) == 50_000


@given(due_t=TONNES, cap_ppm=st.integers(0, 1_000_000))
def test_the_cap_never_exceeds_what_is_due(due_t: int, cap_ppm: int) -> None:
    assert 0 <= offset_allowance_t(due_t, OffsetRule(cap_ppm)) <= due_t


@given(due_t=TONNES, parts=st.lists(st.tuples(st.booleans(), st.integers(1, 10**9)), max_size=8))
def test_surrendered_never_passes_due_nor_offsets_their_cap(
    due_t: int, parts: list[tuple[bool, int]]
) -> None:
    obligation = Obligation(due_t)
    for is_offset, quantity_t in parts:
        try:
            obligation = surrender(obligation, RULES, OFFSET if is_offset else ALLOWANCE, quantity_t, 0)
        except (OffsetCapExceeded, SurrenderExceedsDue):
            continue
    assert obligation.surrendered_t <= due_t
    assert obligation.offsets_t <= offset_allowance_t(due_t, FIVE_PERCENT)
    assert shortfall_t(obligation) == due_t - obligation.surrendered_t


def test_one_tonne_of_offset_too_many_is_refused() -> None:
    with pytest.raises(OffsetCapExceeded) as refusal:
        surrender(Obligation(due_t=100), RULES, OFFSET, 6, now_utc=0)
    assert refusal.value.facts == {"allowed_t": 5, "requested_t": 6}


def test_one_tonne_more_than_due_is_refused() -> None:
    with pytest.raises(SurrenderExceedsDue) as refusal:
        surrender(Obligation(due_t=100, surrendered_t=90), RULES, ALLOWANCE, 11, now_utc=0)
    assert refusal.value.facts == {"outstanding_t": 10, "requested_t": 11}


def test_the_last_second_counts_and_the_next_is_refused() -> None:
    assert surrender(Obligation(1), RULES, ALLOWANCE, 1, now_utc=1_000).surrendered_t == 1
    with pytest.raises(SurrenderDeadlinePassed):
        surrender(Obligation(1), RULES, ALLOWANCE, 1, now_utc=1_001)


def test_borrowing_from_a_later_vintage_is_refused() -> None:
    with pytest.raises(VintageAhead) as refusal:
        surrender(Obligation(1), RULES, UnitId.allowance(2027), 1, now_utc=0)
    assert refusal.value.facts == {"period": 2026, "vintage": 2027}


def test_a_negative_obligation_is_refused() -> None:
    with pytest.raises(NegativeObligation):
        Obligation(due_t=-1)
    with pytest.raises(NegativeObligation):
        offset_allowance_t(-1, FIVE_PERCENT)


def test_ten_thousand_tonnes_short_at_eighty_cny_cost_four_million_cny() -> None:
    assert penalty_fen(10_000, reference_price_fen=8_000, multiple=5) == 400_000_000


def test_in_a_cumulative_scheme_a_surplus_pays_later_and_a_debt_stays() -> None:
    years = [CumulativeYear(2008, 100, 120), CumulativeYear(2009, 100, 70), CumulativeYear(2010, 100, 95)]
    statuses = list(cumulative_statuses(years))
    assert [status.compliant for status in statuses] == [True, False, False]
    assert [status.shortfall_t for status in statuses] == [0, 10, 15]
    assert [status.newly_short_t for status in statuses] == [0, 10, 5]


@given(years=st.lists(st.tuples(TONNES, TONNES), max_size=10))
def test_compliant_means_cumulative_surrendered_reaches_cumulative_verified(
    years: list[tuple[int, int]],
) -> None:
    run = [CumulativeYear(2000 + n, verified, paid) for n, (verified, paid) in enumerate(years)]
    for n, status in enumerate(cumulative_statuses(run)):
        verified_t = sum(verified for verified, _ in years[: n + 1])
        paid_t = sum(paid for _, paid in years[: n + 1])
        assert status.compliant == (paid_t >= verified_t)
        assert status.shortfall_t == max(0, verified_t - paid_t)


# Offsets and accounts --------------------------------------------------------------------------------------


def test_a_reduction_is_baseline_less_project_less_leakage() -> None:
    assert reduction_t(1_000, 300, 50) == 650
    assert offset_unit(project=7, vintage=2026, batch=1).text == "offset-2026-7-1"


@pytest.mark.parametrize("terms", [(100, 100, 0), (100, 90, 11), (0, 0, 0), (100, -1, 0)])
def test_no_reduction_is_refused_with_its_terms(terms: tuple[int, int, int]) -> None:
    with pytest.raises(NoReduction) as refusal:
        reduction_t(*terms)
    assert tuple(refusal.value.facts.values()) == terms


def test_a_project_and_a_profile_read_back_as_written() -> None:
    project = Project(7, "Wind farm", "CCER-01-002 v1", FIRM, {"province": "湖北"})
    assert Project.read(project.content()) == project
    profile = Profile("湖北某电厂", AccountKind.FIRM, {"sector": "power"})
    assert Profile.read(profile.content()) == profile
    assert len(profile_hash(profile)) == 32


def test_a_person_s_commitment_says_nothing_without_the_salt() -> None:
    person = Profile("张三", AccountKind.PERSON)
    assert person_commitment(person, b"1" * 32) != person_commitment(person, b"2" * 32)
    assert profile_hash(person) != person_commitment(person, b"1" * 32)
    with pytest.raises(DocumentMalformed):
        person_commitment(person, b"short")


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"facts":{},"kind":"king","name":"x","version":1}'])
def test_what_is_no_profile_is_refused(content: bytes) -> None:
    with pytest.raises(DocumentMalformed):
        Profile.read(content)
    with pytest.raises(DocumentMalformed):
        Project.read(content)


def test_account_kinds_are_those_of_the_contract() -> None:
    interface = Path(__file__).parents[2] / "contracts" / "interfaces" / "ICarbonLedger.sol"
    line = next(line for line in interface.read_text().splitlines() if "enum AccountKind" in line)
    names = line[line.index("{") + 1 : line.index("}")].replace(" ", "").split(",")
    assert [name.upper() for name in names] == [kind.name for kind in AccountKind]
