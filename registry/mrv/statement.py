"""Statements: what a verifier signs (EIP-712), and what it checks before.

Domain: name "CARAT", version "1", the chain's id, the Verification contract's address. The types are those of
`contracts/interfaces/IVerification.sol`, field for field. Pure: signing takes the key that is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data

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

_DOMAIN_TYPE: Final = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_EMISSION_TYPE: Final = [
    {"name": "statementId", "type": "bytes32"},
    {"name": "reportId", "type": "bytes32"},
    {"name": "entity", "type": "address"},
    {"name": "period", "type": "uint16"},
    {"name": "evidenceRoot", "type": "bytes32"},
    {"name": "verifiedT", "type": "uint256"},
    {"name": "documentHash", "type": "bytes32"},
    {"name": "verifier", "type": "address"},
]
_REDUCTION_TYPE: Final = [
    {"name": "statementId", "type": "bytes32"},
    {"name": "projectId", "type": "uint32"},
    {"name": "vintage", "type": "uint16"},
    {"name": "batch", "type": "uint32"},
    {"name": "evidenceRoot", "type": "bytes32"},
    {"name": "baselineT", "type": "uint256"},
    {"name": "projectT", "type": "uint256"},
    {"name": "leakageT", "type": "uint256"},
    {"name": "documentHash", "type": "bytes32"},
    {"name": "verifier", "type": "address"},
]


@dataclass(frozen=True, slots=True)
class StatementDomain:
    """Where a statement is valid: one Verification contract on one chain."""

    chain_id: int
    verification: str

    def fields(self) -> dict[str, Any]:
        """Return the EIP-712 domain."""
        return {
            "name": "CARAT",
            "version": "1",
            "chainId": self.chain_id,
            "verifyingContract": self.verification,
        }


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

    def message(self, domain: StatementDomain) -> dict[str, Any]:
        """Return the full EIP-712 message, for any wallet to sign."""
        return _message(domain, "EmissionStatement", _EMISSION_TYPE, self.fields())


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

    def message(self, domain: StatementDomain) -> dict[str, Any]:
        """Return the full EIP-712 message, for any wallet to sign."""
        return _message(domain, "ReductionStatement", _REDUCTION_TYPE, self.fields())


def sign(statement: EmissionStatement | ReductionStatement, domain: StatementDomain, signer: Signer) -> bytes:
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


def recover(
    statement: EmissionStatement | ReductionStatement, domain: StatementDomain, signature: bytes
) -> str:
    """Return the account that signed; raises StatementSignatureInvalid when it is not the named verifier."""
    try:
        message = encode_typed_data(full_message=statement.message(domain))
        recovered = str(Account.recover_message(message, signature=signature))
    except Exception as error:  # the library has no root class for a signature that is none
        raise StatementSignatureInvalid(
            claimed=statement.verifier, recovered="", reason=type(error).__name__
        ) from error
    if recovered != statement.verifier:
        raise StatementSignatureInvalid(claimed=statement.verifier, recovered=recovered)
    return recovered


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


def _message(
    domain: StatementDomain, kind: str, kind_type: list[dict[str, str]], fields: dict[str, Any]
) -> dict[str, Any]:
    return {
        "types": {"EIP712Domain": _DOMAIN_TYPE, kind: kind_type},
        "primaryType": kind,
        "domain": domain.fields(),
        "message": fields,
    }
