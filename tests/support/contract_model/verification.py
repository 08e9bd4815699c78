"""Verification: accredited verifiers and what they signed: the only way to verified emissions and offsets."""

# ruff: noqa: ARG002 - every function is given its message, as on chain
from __future__ import annotations

from typing import Any

from eth_keys import keys
from eth_keys.exceptions import BadSignature, ValidationError
from eth_utils import keccak

from tests.support.contract_model import units
from tests.support.contract_model.compliance import Compliance
from tests.support.contract_model.ledger import FIRM, NONE, CarbonLedger
from tests.support.contract_model.machine import ZERO, ZERO_ADDRESS, Address, Model, Msg, Refused, digest
from tests.support.contract_model.managed import Managed, restricted
from tests.support.contract_model.once import Once

_EMISSION = (
    "bytes32 statementId,bytes32 reportId,address entity,uint16 period,"
    "bytes32 evidenceRoot,uint256 verifiedT,bytes32 documentHash,address verifier"
)
_REDUCTION = (
    "bytes32 statementId,uint32 projectId,uint16 vintage,uint32 batch,bytes32 evidenceRoot,"
    "uint256 baselineT,uint256 projectT,uint256 leakageT,bytes32 documentHash,address verifier"
)
_EMISSION_TYPE = keccak(text=f"EmissionStatement({_EMISSION})")
_REDUCTION_TYPE = keccak(text=f"ReductionStatement({_REDUCTION})")
_EMISSION_TYPES = ["bytes32", *(part.split()[0] for part in _EMISSION.split(","))]
_REDUCTION_TYPES = ["bytes32", *(part.split()[0] for part in _REDUCTION.split(","))]
_DOMAIN_TYPE = keccak(
    text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

Statement = tuple[Any, ...]


class Verification(Managed, Once):
    """Each entity and period has at most one accepted statement, each batch at most one issuance."""

    name = "Verification"

    def __init__(
        self, model: Model, address: Address, authority: Address, ledger: CarbonLedger, compliance: Compliance
    ) -> None:
        super().__init__(model, address, authority)
        self._ledger = ledger
        self._compliance = compliance
        self._domain = domain(model.chain_id, address)
        self.accredited_until = self.table(0, lambda verifier: ("isAccredited", verifier))
        self.conflicts = self.table(False, lambda key: ("isConflicted", *key))
        self.reports = self.table(None)
        self.latest = self.table(ZERO, lambda key: ("latestReportOf", *key))
        self.verified_by = self.table(ZERO, lambda key: ("statementOf", *key))
        self.developers = self.table(ZERO_ADDRESS, lambda project: ("developerOf", project))

    # Offices

    @restricted
    def accredit(self, msg: Msg, verifier: Address, until: int, request_id: bytes) -> None:
        facts = (msg.function.selector, msg.sender, verifier, until)
        if not self.once(request_id, facts, _accredit_digest):
            return
        self.accredited_until[verifier] = until
        self.emit("VerifierAccredited", verifier, until, request_id)

    @restricted
    def revoke(self, msg: Msg, verifier: Address, request_id: bytes) -> None:
        if not self.once(request_id, (msg.function.selector, msg.sender, verifier), _revoke_digest):
            return
        self.accredited_until[verifier] = 0
        self.emit("VerifierRevoked", verifier, request_id)

    @restricted
    def declare_conflict(self, msg: Msg, verifier: Address, entity: Address, request_id: bytes) -> None:
        facts = (msg.function.selector, msg.sender, verifier, entity)
        if not self.once(request_id, facts, _conflict_digest):
            return
        self.conflicts[verifier, entity] = True
        self.emit("ConflictDeclared", verifier, entity, request_id)

    @restricted
    def register_project(
        self, msg: Msg, project: int, developer: Address, document: bytes, request_id: bytes
    ) -> None:
        facts = (msg.function.selector, msg.sender, project, developer, document)
        if not self.once(request_id, facts, _project_digest):
            return
        if project == 0:
            raise Refused("VerificationProjectUnknown", project)
        if self.developers[project] != ZERO_ADDRESS:
            raise Refused("VerificationProjectExists", project, self.developers[project])
        if self._ledger.accounts[developer].kind == NONE:
            raise Refused("LedgerAccountUnknown", developer)
        self.developers[project] = developer
        self.emit("ProjectRegistered", project, developer, document, request_id)

    # Reports and statements

    def file_report(
        self, msg: Msg, report_id: bytes, period: int, evidence: bytes, document: bytes, reported_t: int
    ) -> None:
        facts = (period, evidence, document, reported_t)
        if not self.once_by(msg.sender, report_id, facts, _report_digest):
            return
        kind = self._ledger.accounts[msg.sender].kind
        if kind == NONE:
            raise Refused("LedgerAccountUnknown", msg.sender)
        if kind != FIRM:
            raise Refused("VerificationNotAFirm", msg.sender, kind)
        if self._compliance.rules[period].deadline == 0:
            raise Refused("CompliancePeriodUnknown", period)
        self._require_unverified(msg.sender, period)
        self.reports[msg.sender, report_id] = (period, evidence)
        self.latest[msg.sender, period] = report_id
        self.emit("ReportFiled", report_id, msg.sender, period, evidence, document, reported_t)

    def accept_emission_statements(
        self, msg: Msg, statements: list[Statement], signatures: list[bytes]
    ) -> None:
        if len(statements) != len(signatures):
            raise Refused("VerificationSignatureMissing", len(statements), len(signatures))
        for statement, signature in zip(statements, signatures, strict=True):
            self._accept_emissions(tuple(statement), signature)

    def _accept_emissions(self, statement: Statement, signature: bytes) -> None:
        """In order of precedence: retry, report, match, latest, verified, verifier, conflict, signature."""
        statement_id, report_id, entity, period, evidence, verified_t, document, verifier = statement
        if not self.once_by(self.address, statement_id, statement, emission_hash):
            return
        filed = self.reports[entity, report_id]
        if filed is None:
            raise Refused("VerificationReportUnknown", report_id)
        if filed != (period, evidence):
            raise Refused("VerificationStatementMismatch", report_id, entity, period, evidence)
        if self.latest[entity, period] != report_id:
            raise Refused("VerificationReportSuperseded", report_id, self.latest[entity, period])
        self._require_unverified(entity, period)
        self._require_signed(verifier, entity, emission_hash(statement), signature)
        self.verified_by[entity, period] = statement_id
        self.emit(
            "EmissionsVerified",
            statement_id,
            report_id,
            entity,
            period,
            evidence,
            verified_t,
            document,
            verifier,
        )
        self.ask(self._compliance.address, "recordVerified", entity, period, verified_t)

    def accept_reduction_statement(self, msg: Msg, statement: Statement, signature: bytes) -> None:
        """In order of precedence: retry, project, verifier, conflict, signature, reduction, batch."""
        statement = tuple(statement)
        statement_id, project, vintage, batch, _, baseline_t, project_t, leakage_t, _, verifier = statement
        if not self.once_by(self.address, statement_id, statement, reduction_hash):
            return
        developer = self.developers[project]
        if developer == ZERO_ADDRESS:
            raise Refused("VerificationProjectUnknown", project)
        self._require_signed(verifier, developer, reduction_hash(statement), signature)
        reduction_t = baseline_t - project_t - leakage_t
        if reduction_t <= 0:
            raise Refused("VerificationNoReduction", baseline_t, project_t, leakage_t)
        unit = units.offset(vintage, project, batch)
        if self._ledger.supplies[unit].issued_t != 0:
            raise Refused("VerificationBatchIssued", unit)
        self.emit("ReductionsVerified", *statement, unit, reduction_t)
        self.ask(self._ledger.address, "issue", unit, ((developer, reduction_t),), statement_id)

    def _require_unverified(self, entity: Address, period: int) -> None:
        statement_id = self.verified_by[entity, period]
        if statement_id != ZERO:
            raise Refused("VerificationAlreadyVerified", entity, period, statement_id)

    def _require_signed(
        self, verifier: Address, about: Address, struct_hash: bytes, signature: bytes
    ) -> None:
        if not self._is_accredited(verifier):
            raise Refused("VerificationVerifierUnaccredited", verifier)
        if self._is_conflicted(verifier, about):
            raise Refused("VerificationVerifierConflicted", verifier, about)
        signed = keccak(b"\x19\x01" + self._domain + struct_hash)
        contract = self.model.contracts.get(verifier)
        if contract is None:
            recovered = recovered_from(signed, signature)
            if recovered == verifier:
                return
        else:
            recovered = recovered_from(signed, signature)
            if "isValidSignature" in contract.interface.by_name and contract.is_valid(signed, signature):
                return
        raise Refused("VerificationSignatureInvalid", verifier, recovered)

    def _is_accredited(self, verifier: Address) -> bool:
        return bool(self.now <= self.accredited_until[verifier])

    def _is_conflicted(self, verifier: Address, entity: Address) -> bool:
        return bool(verifier == entity or self.conflicts[verifier, entity])

    # Views

    def is_accredited(self, verifier: Address) -> bool:
        return self._is_accredited(verifier)

    def is_conflicted(self, verifier: Address, entity: Address) -> bool:
        return self._is_conflicted(verifier, entity)

    def latest_report_of(self, entity: Address, period: int) -> bytes:
        return bytes(self.latest[entity, period])

    def statement_of(self, entity: Address, period: int) -> bytes:
        return bytes(self.verified_by[entity, period])

    def developer_of(self, project: int) -> Address:
        return str(self.developers[project])

    def ledger(self) -> Address:
        return self._ledger.address

    def compliance(self) -> Address:
        return self._compliance.address

    def eip712_domain(self) -> tuple[Any, ...]:
        return b"\x0f", "CARAT", "1", self.model.chain_id, self.address, ZERO, ()


def domain(chain_id: int, address: Address) -> bytes:
    """Return the EIP-712 domain that a signature is good for: this chain, this contract."""
    return digest(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        (_DOMAIN_TYPE, keccak(text="CARAT"), keccak(text="1"), chain_id, address),
    )


def emission_hash(statement: Statement) -> bytes:
    """Return the EIP-712 struct hash of an emission statement."""
    return digest(_EMISSION_TYPES, (_EMISSION_TYPE, *statement))


def reduction_hash(statement: Statement) -> bytes:
    """Return the EIP-712 struct hash of a reduction statement."""
    return digest(_REDUCTION_TYPES, (_REDUCTION_TYPE, *statement))


def recovered_from(signed: bytes, signature: bytes) -> Address:
    """Return who signed; address zero for what is no signature in its one proper form (65 bytes, low s)."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return ZERO_ADDRESS
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return ZERO_ADDRESS
    try:
        given = keys.Signature(signature[:64] + bytes([signature[64] - 27]))
        return str(given.recover_public_key_from_msg_hash(signed).to_address())
    except (BadSignature, ValidationError):
        return ZERO_ADDRESS


def _accredit_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "address", "uint64"], facts)


def _revoke_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "address"], facts)


def _conflict_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "address", "address"], facts)


def _project_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "uint32", "address", "bytes32"], facts)


def _report_digest(facts: tuple[Any, ...]) -> bytes:
    period, evidence, document, reported_t = facts
    about = digest(["uint16", "bytes32"], (period, evidence))
    return digest(["bytes32", "bytes32", "uint256"], (about, document, reported_t))
