"""The evidence store against the hashes on chain: nothing missing, nothing altered."""

from __future__ import annotations

from sqlmodel import Session, select

from api.audit.report import AuditReport
from registry.evidence import EvidenceStore
from registry.projection.tables import Account, Project, Reduction, Report, Statement

_NO_PUBLIC_PROFILE = frozenset({"person", "contract"})


def check_evidence(report: AuditReport, session: Session, store: EvidenceStore) -> None:
    """Check every file that an accepted hash on chain leads to, then every file of the store.

    What was filed and no verifier accepted may name anything: only what it leads to is looked at.
    """
    statements = session.exec(select(Statement)).all()
    reductions = session.exec(select(Reduction)).all()
    roots = {row.evidence_root for row in statements} | {row.evidence_root for row in reductions}
    documents = {row.document_hash for row in statements} | {row.document_hash for row in reductions}
    verified = {(row.entity, row.report_id) for row in statements}
    for filed in session.exec(select(Report)):
        if (filed.entity, filed.report_id) in verified:
            documents.add(filed.document_hash)
        else:
            report.count("reports without a statement")
    documents |= {row.document_hash for row in session.exec(select(Project))}
    profiles = session.exec(select(Account).where(Account.kind.not_in(_NO_PUBLIC_PROFILE)))  # type: ignore[attr-defined]
    documents |= {row.profile_hash for row in profiles}
    report.count("evidence bundles", len(roots))
    report.count("documents", len(documents))
    wrong = {str(each) for each in store.check_commitments(sorted(roots), sorted(documents))}
    wrong |= {str(each) for each in store.check()}
    for each in sorted(wrong):
        report.require(False, "evidence", each)
