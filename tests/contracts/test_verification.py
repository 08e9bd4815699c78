"""Verification: reports, statements, projects and the issue of reductions."""

from __future__ import annotations

import brownie
import pytest
from carat_world import (
    DEVELOPER,
    FIRM,
    PERIOD,
    PERSON,
    VERIFIER,
    World,
    allowance,
    fresh_id,
    offset,
    refusal,
    refused,
    root_of,
)
from eth_account import Account as Keys
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

ROGUE = Keys.from_key(keccak(text="not accredited"))


@pytest.fixture(scope="module")
def open_period(world: World) -> World:
    world.publish()
    return world


@pytest.fixture(scope="module")
def project(world: World) -> World:
    world.verification.registerProject(7, world.developer, root_of("design"), fresh_id(), world.office)
    return world


def accept(world: World, statement: tuple, signature: bytes) -> tuple:
    return refusal(world.verification.acceptEmissionStatements, [statement], [signature], by=world.stranger)


def test_a_signed_statement_becomes_the_amount_due(open_period: World) -> None:
    statement, signature = open_period.signed_statement(open_period.firm, 92_000)
    bring = {"from": open_period.stranger}  # anyone may bring it
    done = open_period.verification.acceptEmissionStatements([statement], [signature], bring)
    assert open_period.obligation(open_period.firm)["dueT"] == 92_000
    assert open_period.obligation(open_period.firm)["verified"]
    assert int(done.events["EmissionsVerified"]["verifiedT"]) == 92_000
    assert bytes(open_period.verification.statementOf(open_period.firm, PERIOD)) == statement[0]


def test_a_statement_sent_again_changes_nothing(open_period: World) -> None:
    statement, signature = open_period.signed_statement(open_period.firm, 92_000)
    for _ in range(2):
        done = open_period.verification.acceptEmissionStatements([statement], [signature], open_period.office)
    assert "EmissionsVerified" not in done.events


def test_many_statements_come_in_one_transaction_or_not_at_all(open_period: World) -> None:
    good = open_period.signed_statement(open_period.firm, 1)
    bad = open_period.signed_statement(open_period.other_firm, 2, reportId=root_of("never filed"))
    function = open_period.verification.acceptEmissionStatements
    got = refusal(function, [good[0], bad[0]], [good[1], bad[1]], by=open_period.admin)
    assert got == refused("VerificationReportUnknown", reportId=root_of("never filed"))
    other = open_period.signed_statement(open_period.other_firm, 2)
    function([good[0], other[0]], [good[1], other[1]], open_period.office)
    assert open_period.obligation(open_period.other_firm)["dueT"] == 2


def test_a_statement_without_its_signature_is_refused(open_period: World) -> None:
    statement, _ = open_period.signed_statement(open_period.firm, 1)
    got = refusal(open_period.verification.acceptEmissionStatements, [statement], [], by=open_period.admin)
    assert got == refused("VerificationSignatureMissing", statements=1, signatures=0)


def test_another_statement_under_a_used_id_is_refused(open_period: World) -> None:
    used = open_period.verify(open_period.firm, 10)
    statement, signature = open_period.signed_statement(open_period.other_firm, 10, statementId=used)
    name, facts = accept(open_period, statement, signature)
    assert (name, facts["requestId"]) == ("RequestIdReused", used)


def test_an_unaccredited_verifier_is_refused(open_period: World) -> None:
    statement = open_period.signed_statement(open_period.firm, 10, key=ROGUE, verifier=ROGUE.address)
    got = accept(open_period, *statement)
    assert got == refused("VerificationVerifierUnaccredited", verifier=ROGUE.address)


def test_a_signature_by_somebody_else_is_refused_with_who_signed(open_period: World) -> None:
    statement = open_period.signed_statement(open_period.firm, 10, key=ROGUE)
    got = accept(open_period, *statement)
    claimed = open_period.verifier.address
    assert got == refused("VerificationSignatureInvalid", claimed=claimed, recovered=ROGUE.address)


def test_a_signature_that_is_none_is_refused(open_period: World) -> None:
    statement, _ = open_period.signed_statement(open_period.firm, 10)
    for signature in (b"", b"\x01" * 65):
        name, facts = accept(open_period, statement, signature)
        assert (name, facts["claimed"]) == ("VerificationSignatureInvalid", open_period.verifier.address)


def test_a_statement_changed_after_signing_is_refused(open_period: World) -> None:
    statement, signature = open_period.signed_statement(open_period.firm, 10)
    changed = (*statement[:5], 9, *statement[6:])
    assert accept(open_period, changed, signature)[0] == "VerificationSignatureInvalid"


def test_a_verifier_in_conflict_is_refused(open_period: World) -> None:
    verifier = open_period.verifier.address
    open_period.verification.declareConflict(verifier, open_period.firm, fresh_id(), open_period.office)
    got = accept(open_period, *open_period.signed_statement(open_period.firm, 10))
    assert got == refused("VerificationVerifierConflicted", verifier=verifier, entity=open_period.firm)
    assert open_period.verification.isConflicted(verifier, open_period.firm)
    open_period.verify(open_period.other_firm, 10)


def test_a_revoked_verifier_is_refused(open_period: World) -> None:
    verifier = open_period.verifier.address
    open_period.verification.revoke(verifier, fresh_id(), open_period.office)
    got = accept(open_period, *open_period.signed_statement(open_period.firm, 10))
    assert got == refused("VerificationVerifierUnaccredited", verifier=verifier)


def test_an_accreditation_ends(open_period: World) -> None:
    until = brownie.chain.time() + 1_000
    verifier = open_period.verifier.address
    open_period.verification.accredit(verifier, until, fresh_id(), open_period.office)
    statement = open_period.signed_statement(open_period.firm, 10)
    brownie.chain.mine(timestamp=until)
    assert open_period.verification.isAccredited(verifier)
    brownie.chain.mine(timestamp=until + 1)
    assert not open_period.verification.isAccredited(verifier)
    assert accept(open_period, *statement) == refused("VerificationVerifierUnaccredited", verifier=verifier)


def test_a_statement_on_an_unknown_report_is_refused(open_period: World) -> None:
    statement = open_period.signed_statement(open_period.firm, 10, reportId=root_of("another report"))
    assert accept(open_period, *statement) == refused(
        "VerificationReportUnknown", reportId=root_of("another report")
    )


def test_a_statement_on_the_report_of_somebody_else_is_refused(open_period: World) -> None:
    theirs = open_period.file_report(open_period.other_firm)
    statement = open_period.signed_statement(open_period.firm, 10, reportId=theirs)
    assert accept(open_period, *statement) == refused("VerificationReportUnknown", reportId=theirs)


@pytest.mark.parametrize("change", [{"period": PERIOD + 1}, {"evidenceRoot": root_of("other evidence")}])
def test_a_statement_about_other_facts_than_its_report_is_refused(open_period: World, change: dict) -> None:
    report_id = open_period.file_report(open_period.firm)
    statement, signature = open_period.signed_statement(open_period.firm, 10, reportId=report_id, **change)
    facts = {"period": PERIOD, "evidenceRoot": root_of("evidence")} | change
    expected = refused("VerificationStatementMismatch", reportId=report_id, entity=open_period.firm, **facts)
    assert accept(open_period, statement, signature) == expected


def test_a_statement_on_a_replaced_report_is_refused(open_period: World) -> None:
    first = open_period.file_report(open_period.firm)
    latest = open_period.file_report(open_period.firm, evidence="more evidence")
    statement = open_period.signed_statement(open_period.firm, 10, reportId=first)
    assert accept(open_period, *statement) == refused(
        "VerificationReportSuperseded", reportId=first, latest=latest
    )
    assert bytes(open_period.verification.latestReportOf(open_period.firm, PERIOD)) == latest


def test_one_period_is_verified_once(open_period: World) -> None:
    statement = open_period.signed_statement(open_period.firm, 11)
    report_id = statement[0][1]
    first, signature = open_period.signed_statement(open_period.firm, 10, reportId=report_id)
    open_period.verification.acceptEmissionStatements([first], [signature], open_period.office)
    expected = refused(
        "VerificationAlreadyVerified", entity=open_period.firm, period=PERIOD, statementId=first[0]
    )
    assert accept(open_period, *statement) == expected
    report = (fresh_id(), PERIOD, root_of("evidence"), root_of("report"), 0)
    assert refusal(open_period.verification.fileReport, *report, by=open_period.firm) == expected


def test_a_report_sent_again_changes_nothing_and_another_under_its_id_is_refused(open_period: World) -> None:
    world = open_period
    report = (fresh_id(), PERIOD, root_of("evidence"), root_of("report"), 92_000)
    for _ in range(2):
        filed = world.verification.fileReport(*report, {"from": world.firm})
    assert "ReportFiled" not in filed.events
    name, facts = refusal(world.verification.fileReport, *report[:-1], 91_000, by=world.firm)
    assert (name, facts["requestId"]) == ("RequestIdReused", report[0])
    world.verification.fileReport(*report, {"from": world.other_firm})  # an id of its own


def test_only_an_open_account_files_a_report(open_period: World) -> None:
    report = (fresh_id(), PERIOD, root_of("evidence"), root_of("report"), 0)
    got = refusal(open_period.verification.fileReport, *report, by=open_period.stranger)
    assert got == refused("LedgerAccountUnknown", account=open_period.stranger)


def test_only_a_firm_files_a_report(open_period: World) -> None:
    report = (fresh_id(), PERIOD, root_of("evidence"), root_of("report"), 0)
    for account, kind in ((open_period.person, PERSON), (open_period.developer, DEVELOPER)):
        got = refusal(open_period.verification.fileReport, *report, by=account)
        assert got == refused("VerificationNotAFirm", account=account, kind=kind)
    opening = (open_period.stranger, VERIFIER, root_of("a verifier"))
    open_period.ledger.openAccounts([opening], open_period.office)
    got = refusal(open_period.verification.fileReport, *report, by=open_period.stranger)
    assert got == refused("VerificationNotAFirm", account=open_period.stranger, kind=VERIFIER)


def test_a_report_for_an_unpublished_period_is_refused(open_period: World) -> None:
    assert open_period.compliance.isPublished(PERIOD)
    for period in (0, 1999, PERIOD + 1):
        assert not open_period.compliance.isPublished(period)
        report = (fresh_id(), period, root_of("evidence"), root_of("report"), 0)
        got = refusal(open_period.verification.fileReport, *report, by=open_period.firm)
        assert got == refused("CompliancePeriodUnknown", period=period)


def test_a_firm_that_is_a_verifier_too_does_not_verify_itself(open_period: World) -> None:
    """Even accredited: the chain does not ask for a verifier's kind, only for the accreditation."""
    key = Keys.from_key(keccak(text="a firm that verifies"))
    open_period.ledger.openAccounts([(key.address, FIRM, root_of("firm"))], open_period.office)
    accredit = (key.address, open_period.deadline, fresh_id())
    open_period.verification.accredit(*accredit, open_period.office)
    assert open_period.verification.isConflicted(key.address, key.address)
    itself = file_by_key(open_period, key)
    statement = open_period.signed_statement(key, 10, key=key, verifier=key.address, reportId=itself)
    got = accept(open_period, *statement)
    assert got == refused("VerificationVerifierConflicted", verifier=key.address, entity=key.address)
    statement = open_period.signed_statement(open_period.firm, 10, key=key, verifier=key.address)
    open_period.verification.acceptEmissionStatements([statement[0]], [statement[1]], open_period.office)
    statement = open_period.signed_statement(key, 10, reportId=itself)
    open_period.verification.acceptEmissionStatements([statement[0]], [statement[1]], open_period.office)


def file_by_key(world: World, key: LocalAccount) -> bytes:
    """A report of an account that brownie does not hold the key of."""
    account = brownie.accounts.add(key.key)
    try:
        return world.file_report(account)
    finally:
        brownie.accounts.remove(account)


def test_reductions_are_issued_to_the_developer_as_be_less_pe_less_le(project: World) -> None:
    statement, signature = project.signed_reduction(baselineT=1_000, projectT=300, leakageT=50)
    done = project.verification.acceptReductionStatement(statement, signature, {"from": project.stranger})
    assert project.ledger.balanceOf(project.developer, offset()) == 650
    assert project.supply(offset()) == (650, 0, 0)
    assert int(done.events["ReductionsVerified"]["issuedT"]) == 650
    assert int(done.events["ReductionsVerified"]["unitId"]) == offset()


def test_a_reduction_statement_sent_again_issues_nothing(project: World) -> None:
    statement = project.signed_reduction()
    for _ in range(2):
        project.verification.acceptReductionStatement(*statement, project.office)
    assert project.supply(offset()) == (650, 0, 0)


def test_a_second_issue_under_a_used_statement_id_is_refused(project: World) -> None:
    first = project.signed_reduction()
    project.verification.acceptReductionStatement(*first, project.office)
    second = project.signed_reduction(statementId=first[0][0], batch=2)
    name, facts = refusal(project.verification.acceptReductionStatement, *second, by=project.admin)
    assert (name, facts["requestId"]) == ("RequestIdReused", first[0][0])


def test_a_batch_is_issued_once(project: World) -> None:
    project.verification.acceptReductionStatement(*project.signed_reduction(), project.office)
    again = project.signed_reduction(baselineT=2_000)
    got = refusal(project.verification.acceptReductionStatement, *again, by=project.admin)
    assert got == refused("VerificationBatchIssued", unitId=offset())
    project.verification.acceptReductionStatement(*project.signed_reduction(batch=2), project.office)
    assert project.supply(offset(batch=2)) == (650, 0, 0)


@pytest.mark.parametrize(
    ("baseline_t", "project_t", "leakage_t"),
    [(350, 300, 50), (349, 300, 50), (10, 11, 0), (10, 0, 2**256 - 1), (0, 0, 0)],
)
def test_no_reduction_issues_nothing(project: World, baseline_t: int, project_t: int, leakage_t: int) -> None:
    amounts = {"baselineT": baseline_t, "projectT": project_t, "leakageT": leakage_t}
    statement = project.signed_reduction(**amounts)
    got = refusal(project.verification.acceptReductionStatement, *statement, by=project.admin)
    assert got == refused("VerificationNoReduction", **amounts)


def test_an_unregistered_project_issues_nothing(world: World) -> None:
    got = refusal(
        world.verification.acceptReductionStatement, *world.signed_reduction(projectId=8), by=world.admin
    )
    assert got == refused("VerificationProjectUnknown", projectId=8)


def test_a_reduction_signed_by_an_unaccredited_verifier_is_refused(project: World) -> None:
    project.verification.revoke(project.verifier.address, fresh_id(), project.office)
    got = refusal(
        project.verification.acceptReductionStatement, *project.signed_reduction(), by=project.admin
    )
    assert got == refused("VerificationVerifierUnaccredited", verifier=project.verifier.address)


def test_a_verifier_in_conflict_with_the_developer_is_refused(project: World) -> None:
    verifier = project.verifier.address
    project.verification.declareConflict(verifier, project.developer, fresh_id(), project.office)
    got = refusal(
        project.verification.acceptReductionStatement, *project.signed_reduction(), by=project.admin
    )
    assert got == refused("VerificationVerifierConflicted", verifier=verifier, entity=project.developer)


def test_a_developer_that_is_a_verifier_too_does_not_verify_its_project(project: World) -> None:
    verifier = project.verifier.address
    project.verification.registerProject(8, verifier, root_of("design"), fresh_id(), project.office)
    statement = project.signed_reduction(projectId=8)
    got = refusal(project.verification.acceptReductionStatement, *statement, by=project.admin)
    assert got == refused("VerificationVerifierConflicted", verifier=verifier, entity=verifier)


def test_a_project_has_one_developer(project: World) -> None:
    function = project.verification.registerProject
    got = refusal(function, 7, project.firm, root_of("design"), fresh_id(), by=project.admin)
    assert got == refused("VerificationProjectExists", projectId=7, developer=project.developer)
    got = refusal(function, 8, project.stranger, root_of("design"), fresh_id(), by=project.admin)
    assert got == refused("LedgerAccountUnknown", account=project.stranger)
    got = refusal(function, 0, project.firm, root_of("design"), fresh_id(), by=project.admin)
    assert got == refused("VerificationProjectUnknown", projectId=0)
    assert project.verification.developerOf(7) == project.developer


def test_a_contract_account_signs_by_erc_1271(open_period: World) -> None:
    """The verifier is a contract that accepts every signature; accounts of two people come later."""
    agreeable = bytes.fromhex(
        "631626ba7e60e01b60005260206000f3"
    )  # returns the magic value, whatever is asked
    creation = bytes.fromhex(f"60{len(agreeable):02x}600c60003960{len(agreeable):02x}6000f3") + agreeable
    account = open_period.admin.transfer(data="0x" + creation.hex()).contract_address
    open_period.verification.accredit(account, open_period.deadline, fresh_id(), open_period.office)
    statement, _ = open_period.signed_statement(open_period.firm, 10, verifier=account)
    open_period.verification.acceptEmissionStatements([statement], [b"two people agreed"], open_period.office)
    assert open_period.obligation(open_period.firm)["dueT"] == 10


def test_an_allowance_is_no_reduction(project: World) -> None:
    assert allowance() != offset()
    assert project.supply(allowance()) == (0, 0, 0)
