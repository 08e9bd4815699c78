"""Measuring, reporting, verifying: numbers that anybody recomputes, statements that only one key can sign."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.keys import Keyring
from registry.documents import parse
from registry.manifest import EvidenceFile, Manifest
from registry.mrv.methods import CemsLine, EmissionFactorLine, MassBalanceLine, whole_tonnes
from registry.mrv.report import EmissionReport
from registry.mrv.statement import (
    EmissionStatement,
    ReductionStatement,
    StatementDomain,
    recover,
    sign,
    verify_report,
)
from registry.refusals import (
    DocumentMalformed,
    MeasurementRefused,
    NoReduction,
    ReportNotReproduced,
    StatementMismatch,
    StatementSignatureInvalid,
)
from tests.registry.world import FIRM

KEYS = Keyring(b"test seed of the registry tests.")
VERIFIER = KEYS.signer("verifier:1")
DOMAIN = StatementDomain(1337, "0x00000000000000000000000000000000000000D1")
COAL = EmissionFactorLine("coal", 1_000 * 10**6, 1_900_000, "IPCC 2006")
STACK = CemsLine("stack 1", ((150_000, 2_000_000), (140_000, 2_000_000)), "CEMS-17")
STEEL = MassBalanceLine("converter", 12_000_000, 3_000_000, "laboratory 4")
EVIDENCE = Manifest.of([EvidenceFile("activity.json", "application/json", b"{}")], b"s" * 32)
REPORT = EmissionReport.of(FIRM, 2026, (COAL, STACK, STEEL), EVIDENCE.root)
STATEMENT = EmissionStatement(
    b"1" * 32, b"2" * 32, FIRM, 2026, EVIDENCE.root, 5, REPORT.document_hash(), VERIFIER.address
)


def filed(report: EmissionReport = REPORT) -> dict[str, Any]:
    return {
        "reportId": "0x" + "02" * 32,
        "entity": report.entity,
        "period": report.period,
        "evidenceRoot": "0x" + report.evidence_root.hex(),
        "documentHash": "0x" + report.document_hash().hex(),
        "reportedT": report.reported_t,
    }


def verified(report: EmissionReport = REPORT, **other: Any) -> EmissionStatement:
    return verify_report(
        statement_id=b"\x01" * 32,
        report_id=b"\x02" * 32,
        report=report,
        manifest=other.get("manifest", EVIDENCE),
        filed=other.get("filed", filed(report)),
        verifier=VERIFIER.address,
    )


def test_an_emission_factor_multiplies() -> None:
    assert COAL.grams() == 1_900_000_000


def test_carbon_that_stays_becomes_forty_four_twelfths_of_its_mass() -> None:
    assert STEEL.grams() == 33_000_000
    assert MassBalanceLine("one gram", 1, 0, "x").grams() == Fraction(11, 3)


def test_a_stack_emits_concentration_times_flow() -> None:
    assert STACK.grams() == 580_000_000


def test_tonnes_are_rounded_once_half_up() -> None:
    half = EmissionFactorLine("half a tonne", 500_000, 1_000_000, "x")
    assert whole_tonnes([half]) == 1
    assert whole_tonnes([half, half]) == 1
    assert whole_tonnes([EmissionFactorLine("less", 499_999, 1_000_000, "x")]) == 0
    assert REPORT.reported_t == 1_900 + 580 + 33


@given(amounts=st.lists(st.integers(0, 10**15), min_size=1, max_size=6), factor_g=st.integers(0, 10**7))
def test_rounding_is_never_more_than_half_a_tonne_off(amounts: list[int], factor_g: int) -> None:
    lines = [EmissionFactorLine("x", amount, factor_g, "y") for amount in amounts]
    exact = Fraction(sum(amounts) * factor_g, 10**12)
    assert abs(whole_tonnes(lines) - exact) <= Fraction(1, 2)


def test_a_report_reads_back_as_written() -> None:
    assert EmissionReport.read(REPORT.content()) == REPORT


def test_a_verifier_s_signature_is_the_verifier_s() -> None:
    signature = sign(STATEMENT, DOMAIN, VERIFIER)
    assert recover(STATEMENT, DOMAIN, signature) == VERIFIER.address


def test_what_was_checked_is_what_is_signed() -> None:
    statement = verified()
    assert (statement.verified_t, statement.evidence_root) == (REPORT.reported_t, EVIDENCE.root)


@pytest.mark.parametrize(
    "change", [{"verified_t": 6}, {"entity": VERIFIER.address}, {"period": 2027}, {"report_id": b"3" * 32}]
)
def test_a_signature_for_other_facts_is_refused(change: dict[str, Any]) -> None:
    signature = sign(STATEMENT, DOMAIN, VERIFIER)
    with pytest.raises(StatementSignatureInvalid) as refusal:
        recover(replace(STATEMENT, **change), DOMAIN, signature)
    assert refusal.value.facts["claimed"] == VERIFIER.address


def test_a_signature_for_another_chain_or_contract_is_refused() -> None:
    signature = sign(STATEMENT, DOMAIN, VERIFIER)
    for domain in (replace(DOMAIN, chain_id=1), replace(DOMAIN, contract=FIRM)):
        with pytest.raises(StatementSignatureInvalid):
            recover(STATEMENT, domain, signature)


@pytest.mark.parametrize("signature", [b"", b"\0" * 65, b"\xff" * 65, b"\x01" * 64])
def test_bytes_that_are_no_signature_are_refused(signature: bytes) -> None:
    with pytest.raises(StatementSignatureInvalid):
        recover(STATEMENT, DOMAIN, signature)


def test_nobody_signs_in_another_s_name() -> None:
    with pytest.raises(StatementSignatureInvalid):
        sign(STATEMENT, DOMAIN, KEYS.signer("verifier:2"))


def test_a_verifier_does_not_sign_that_nothing_was_reduced() -> None:
    statement = ReductionStatement(
        b"1" * 32, 7, 2026, 1, EVIDENCE.root, 100, 60, 40, b"4" * 32, VERIFIER.address
    )
    with pytest.raises(NoReduction):
        sign(statement, DOMAIN, VERIFIER)
    signature = sign(replace(statement, leakage_t=39), DOMAIN, VERIFIER)
    assert recover(replace(statement, leakage_t=39), DOMAIN, signature) == VERIFIER.address


def test_a_report_whose_lines_give_other_tonnes_is_refused() -> None:
    with pytest.raises(ReportNotReproduced) as refusal:
        verified(replace(REPORT, reported_t=2_000))
    assert refusal.value.facts == {"reported_t": 2_000, "computed_t": 2_513}


def test_a_report_other_than_the_filed_one_is_refused() -> None:
    with pytest.raises(StatementMismatch) as refusal:
        verified(filed=filed() | {"reportedT": 1})
    assert refusal.value.facts["field"] == "reportedT"


def test_other_evidence_than_the_filed_is_refused() -> None:
    other = Manifest.of([EvidenceFile("activity.json", "application/json", b"[]")], b"s" * 32)
    with pytest.raises(StatementMismatch) as refusal:
        verified(manifest=other)
    assert refusal.value.facts["field"] == "evidenceRoot"
    report = replace(REPORT, evidence_root=other.root)
    with pytest.raises(StatementMismatch):
        verified(report, filed=filed(report) | {"evidenceRoot": "0x" + EVIDENCE.root.hex()})


@pytest.mark.parametrize(
    "make",
    [
        lambda: EmissionFactorLine("coal", -1, 1, "x"),
        lambda: EmissionFactorLine("coal", 1, 1, "x", scope=4),
        lambda: MassBalanceLine("steel", 1, 2, "x"),
        lambda: CemsLine("stack", ((1, -1),), "x"),
        lambda: EmissionFactorLine("coal", 10**30, 1, "x"),
    ],
)
def test_impossible_activity_data_is_refused(make: Any) -> None:
    with pytest.raises(MeasurementRefused):
        make()


def test_what_is_no_report_is_refused() -> None:
    document = parse(REPORT.content())
    for broken in (
        b"{}",
        REPORT.content().replace(b'"cems"', b'"cups"'),
        REPORT.content().replace(b'"reported_t":2513', b'"reported_t":"2513"'),
        REPORT.content().replace(b'"scope":1', b'"scope":true'),
        REPORT.content().replace(str(document["entity"]).encode(), b"0x12"),
    ):
        with pytest.raises(DocumentMalformed):
            EmissionReport.read(broken)
