"""The registry on a real chain: from evidence to obligation, from acts to points, and back in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from api.audit.points import check_points
from api.audit.report import AuditReport
from chain.abi import Call
from chain.ids import request_id
from chain.refusals import ContractRefusal
from chain.units import UnitId
from registry import acts
from registry.accounts import AccountKind
from registry.mrv.statement import sign
from registry.personal.acts import ActBatch, GreenAct, sign_batch
from registry.personal.intake import PointsIntake
from registry.projection import digest, tables
from registry.projection.store import Projection, identity_of, open_engine
from registry.projection.totals import cash_total, unit_totals
from registry.signing import Domain
from tests.scenarios.registry_world import RegistryWorld, registry_world

YEAR = 2026
FIRM, OTHER, PERSON, PROVIDER = "firm:a", "firm:b", "person:anna", "provider:metro"
UNIT = UnitId.allowance(YEAR)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryWorld]:
    with registry_world(tmp_path_factory.mktemp("registry")) as made:
        firms = [(FIRM, AccountKind.FIRM), (OTHER, AccountKind.FIRM)]
        made.open(*firms, (PERSON, AccountKind.PERSON), (PROVIDER, AccountKind.PROVIDER))
        rules = acts.PeriodRules(YEAR, made.now_utc() + 10**6, 1_000, 50_000, 5)
        allocation = acts.allocate(YEAR, [(made.signer(FIRM).address, 600)], made.name())
        made.do("regulator", acts.publish_period(rules), allocation)
        yield made


@pytest.fixture(scope="module")
def projection(world: RegistryWorld) -> Projection:
    return Projection(open_engine("sqlite://"), identity_of(world.deployment))


def refused(world: RegistryWorld, label: str, call: Call) -> ContractRefusal:
    with pytest.raises(ContractRefusal) as refusal:
        world.transactor.send(world.signer(label), call)
    return refusal.value


def test_evidence_becomes_a_statement_and_the_statement_an_obligation(
    world: RegistryWorld, projection: Projection
) -> None:
    statement = world.report(FIRM, YEAR, 500)
    forged = replace(statement, verified_t=1)
    signature = sign(statement, world.domain, world.verifier)
    assert refused(world, FIRM, acts.accept_statements([(forged, signature)])).code == (
        "VerificationSignatureInvalid"
    )
    stranger = world.signer("verifier:stranger")
    unaccredited = replace(statement, verifier=stranger.address)
    theirs = sign(unaccredited, world.domain, stranger)
    assert refused(world, FIRM, acts.accept_statements([(unaccredited, theirs)])).code == (
        "VerificationVerifierUnaccredited"
    )
    world.verify(statement)
    world.do(FIRM, acts.surrender(YEAR, UNIT, 450, world.name()))
    projection.catch_up(world.reader)
    with projection.session() as session:
        obligation = session.get_one(tables.Obligation, (world.signer(FIRM).address, YEAR))
        assert (obligation.due_t, obligation.surrendered_t, obligation.status) == (500, 450, "due")
        report = session.exec(select(tables.Report)).one()
        roots, documents = [report.evidence_root], [report.document_hash]
        assert list(world.evidence.check_commitments(roots, documents)) == []


def test_deposits_stand_in_the_trading_account(world: RegistryWorld, projection: Projection) -> None:
    clearing = world.deployment.addresses["Clearing"]
    address = world.signer(FIRM).address
    world.do("bank", acts.mint_cash([(address, 5_000)], world.name()))
    world.do(
        FIRM,
        acts.deposit_units(address, clearing, UNIT, 40, world.name()),
        acts.deposit_cash(clearing, 3_000, world.name()),
        acts.cancel_units(UNIT, 10, "neutrality", world.name()),
        acts.redeem_cash(500, world.name()),
    )
    projection.catch_up(world.reader)
    with projection.session() as session:
        assert session.get_one(tables.TradingBalance, (address, UNIT.text)).amount == 40
        assert session.get_one(tables.TradingBalance, (address, "cash")).amount == 3_000
        assert session.get_one(tables.CashHolding, address).amount_fen == 1_500
        assert cash_total(session, clearing).balanced
        for total in unit_totals(session, clearing):
            assert total.balanced
            supply = world.read("CarbonLedger", "supplyOf", UnitId.parse(total.unit).value)
            assert supply == {
                "issuedT": total.issued_t,
                "surrenderedT": total.surrendered_t,
                "cancelledT": total.cancelled_t,
            }


def audited(world: RegistryWorld, projection: Projection, kept: Path) -> list[str]:
    report = AuditReport()
    with projection.session() as session:
        check_points(report, session, world.transactor, projection.block(), kept)
    assert report.looked_at["points epochs"] == 1
    return [finding.what for finding in report.findings]


def test_acts_become_points_that_are_claimed_by_proof_and_redeemed_once(
    world: RegistryWorld, projection: Projection, tmp_path: Path
) -> None:
    kept = tmp_path / "points.sqlite"
    provider, person = world.signer(PROVIDER), world.signer(PERSON).address
    world.do("regulator", acts.accredit_provider(provider.address, True, world.name()))
    domain = Domain(world.deployment.chain_id, world.deployment.addresses["MicroCarat"])
    intake = PointsIntake(open_engine(f"sqlite:///{kept}"), domain)
    now_utc = max(world.now_utc(), 1_800_000_000)
    people = [person, world.signer(FIRM).address, world.signer(OTHER).address]
    trips = tuple(
        GreenAct(provider.address, f"trip-{n}", who, "custom-bus", n + 1, now_utc)
        for n, who in enumerate(people)
    )
    batch = ActBatch(request_id("batch 1"), provider.address, trips)
    intake.accept(
        batch,
        sign_batch(batch, domain, provider),
        now_utc,
        lambda account: bool(world.read("MicroCarat", "isProvider", account)),
    )
    result = intake.close(1)
    publish = acts.publish_points_epoch(
        1, result.tree.root, result.tree.total_g, result.people, result.batches_root
    )
    world.do("points", publish)
    claim = result.claim_of(person)
    assert refused(world, OTHER, acts.claim_points(1, claim.index, claim.quantity_g, claim.proof)).code == (
        "MicroCaratProofInvalid"
    )
    world.do(PERSON, acts.claim_points(1, claim.index, claim.quantity_g, claim.proof))
    again = refused(world, PERSON, acts.claim_points(1, claim.index, claim.quantity_g, claim.proof))
    assert again.code == "MicroCaratAlreadyClaimed"
    redemption = acts.redeem_points(1_000, b"\x05" * 32, world.name())
    world.do(PERSON, redemption, redemption)
    projection.catch_up(world.reader)
    with projection.session() as session:
        assert session.get_one(tables.PointsHolding, person).amount_g == claim.quantity_g - 1_000
        assert session.get_one(tables.PointsEpoch, 1).total_g == 1_814 + 3_628 + 5_442
    assert audited(world, projection, kept) == []
    with sqlite3.connect(kept) as connection:  # a trip more than the provider signed
        connection.execute(
            """UPDATE intake_batches SET content = replace(content, '"quantity":1', '"quantity":9')"""
        )
    connection.close()
    (altered,) = audited(world, projection, kept)
    assert altered.startswith("the kept batches are not as signed: BatchSignatureInvalid")
    (missing,) = audited(world, projection, tmp_path / "gone.sqlite")
    assert missing == "gone.sqlite is missing, but 1 epochs are published"


def test_a_projection_rebuilt_from_the_real_chain_is_equal(
    world: RegistryWorld, projection: Projection
) -> None:
    projection.catch_up(world.reader)
    other = Projection(open_engine("sqlite://"), identity_of(world.deployment))
    other.catch_up(world.reader)
    assert digest.first_difference(projection.engine, other.engine) is None
    projection.rebuild(world.reader)
    assert digest.first_difference(projection.engine, other.engine) is None
