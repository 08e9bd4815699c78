"""Statements: what a verifier signs (EIP-712), and what it checks before.

The domain (`registry.signing`) is that of the Verification contract; the types are those of
`contracts/interfaces/IVerification.sol`, field for field. Pure: signing takes the key that is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chain.keys import Signer
from registry.documents import sha256
from registry.manifest import Manifest
from registry.mrv.report import EmissionReport
from registry.offsets import reduction_t
from registry.refusals import (
    ReportNotReproduced,
    StatementMismatch,
    StatementSignatureInvalid,
)
from registry.signing import Domain, TypedMessage, signer_of, typed_message

StatementDomain = Domain  # of the Verification contract

_EMISSION_FIELDS: Final = (
    ("statementId", "bytes32"),
    ("reportId", "bytes32"),
    ("entity", "address"),
    ("period", "uint16"),
    ("evidenceRoot", "bytes32"),
    ("verifiedT", "uint256"),
    ("documentHash", "bytes32"),
    ("verifier", "address"),
)
_REDUCTION_FIELDS: Final = (
    ("statementId", "bytes32"),
    ("projectId", "uint32"),
    ("vintage", "uint16"),
    ("batch", "uint32"),
    ("evidenceRoot", "bytes32"),
    ("baselineT", "uint256"),
    ("projectT", "uint256"),
    ("leakageT", "uint256"),
    ("documentHash", "bytes32"),
    ("verifier", "address"),
)


@dataclass(frozen=True, slots=True)
class EmissionStatement:
    """A verifier's word on a firm's emissions of a period: `IVerification.EmissionStatement`."""

    statement_id: bytes
    report_id: bytes
    entity: str
    period: int
    evidence_root: bytes
    verified_t: int
    document_hash: bytes
    verifier: str

    def fields(self) -> dict[str, Any]:
        """Return the fields by their Solidity names."""
        return {
            "statementId": self.statement_id,
            "reportId": self.report_id,
            "entity": self.entity,
            "period": self.period,
            "evidenceRoot": self.evidence_root,
            "verifiedT": self.verified_t,
            "documentHash": self.document_hash,
            "verifier": self.verifier,
        }

    def message(self, domain: Domain) -> TypedMessage:
        """Return the full EIP-712 message, for any wallet to sign."""
        return typed_message(domain, "EmissionStatement", _EMISSION_FIELDS, self.fields())


@dataclass(frozen=True, slots=True)
class ReductionStatement:
    """A verifier's word on a project's reductions: `IVerification.ReductionStatement`."""

    statement_id: bytes
    project: int
    vintage: int
    batch: int
    evidence_root: bytes
    baseline_t: int
    project_t: int
    leakage_t: int
    document_hash: bytes
    verifier: str

    def fields(self) -> dict[str, Any]:
        """Return the fields by their Solidity names."""
        return {
            "statementId": self.statement_id,
            "projectId": self.project,
            "vintage": self.vintage,
            "batch": self.batch,
            "evidenceRoot": self.evidence_root,
            "baselineT": self.baseline_t,
            "projectT": self.project_t,
            "leakageT": self.leakage_t,
            "documentHash": self.document_hash,
            "verifier": self.verifier,
        }

    def message(self, domain: Domain) -> TypedMessage:
        """Return the full EIP-712 message, for any wallet to sign."""
        return typed_message(domain, "ReductionStatement", _REDUCTION_FIELDS, self.fields())


def sign(statement: EmissionStatement | ReductionStatement, domain: Domain, signer: Signer) -> bytes:
    """Return the verifier's 65-byte signature.

    Raises
    ------
    StatementSignatureInvalid :
        The statement names another verifier than the key's owner.
    NoReduction :
        It states that a project reduced nothing.
    """
    if isinstance(statement, ReductionStatement):
        reduction_t(statement.baseline_t, statement.project_t, statement.leakage_t)
    if signer.address != statement.verifier:
        raise StatementSignatureInvalid(claimed=statement.verifier, recovered=signer.address)
    return signer.sign_typed(statement.message(domain))


def recover(statement: EmissionStatement | ReductionStatement, domain: Domain, signature: bytes) -> str:
    """Return the account that signed; raises StatementSignatureInvalid when it is not the named verifier."""
    recovered = signer_of(statement.message(domain), signature)
    if recovered != statement.verifier:
        raise StatementSignatureInvalid(claimed=statement.verifier, recovered=recovered or "")
    return statement.verifier


def verify_report(
    *,
    statement_id: bytes,
    report_id: bytes,
    report: EmissionReport,
    manifest: Manifest,
    filed: Mapping[str, Any],
    verifier: str,
) -> EmissionStatement:
    """Check a filed report as a verifier does, and return the statement to sign.

    Parameters
    ----------
    filed :
        The `ReportFiled` event's arguments: what the chain says was filed.
    manifest :
        The evidence behind it, as the verifier has seen it.

    Raises
    ------
    StatementMismatch :
        The report or its evidence is not what was filed.
    ReportNotReproduced :
        The report's activity data gives another number of tonnes.
    """
    seen = {
        "reportId": "0x" + report_id.hex(),
        "entity": report.entity,
        "period": report.period,
        "evidenceRoot": "0x" + manifest.root.hex(),
        "documentHash": "0x" + sha256(report.content()).hex(),
        "reportedT": report.reported_t,
    }
    for name, value in seen.items():
        if filed[name] != value:
            raise StatementMismatch(field=name, filed=str(filed[name]), seen=str(value))
    if report.evidence_root != manifest.root:
        raise StatementMismatch(
            field="evidenceRoot", filed="0x" + report.evidence_root.hex(), seen="0x" + manifest.root.hex()
        )
    computed_t = report.computed_t()
    if computed_t != report.reported_t:
        raise ReportNotReproduced(reported_t=report.reported_t, computed_t=computed_t)
    return EmissionStatement(
        statement_id=statement_id,
        report_id=report_id,
        entity=report.entity,
        period=report.period,
        evidence_root=manifest.root,
        verified_t=computed_t,
        document_hash=sha256(report.content()),
        verifier=verifier,
    )
