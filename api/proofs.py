"""The proof of a record: from a row of the tables back to the chain, the evidence and the signature.

Nothing is taken from the row but the hashes that it names: transaction, call, events, evidence and
statement are read from the chain and the evidence store again, and checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import String, or_
from sqlmodel import Session, select

from api.fields import INT63_MAX
from api.problems import NotFound
from api.queries import primary_key
from api.schemas.proofs import (
    CallProof,
    EventProof,
    EvidenceFileProof,
    EvidenceProof,
    RecordProof,
    StatementProof,
    TransactionProof,
)
from chain.abi import Call, decode_call
from chain.events import EventReader
from chain.transactor import Transactor
from registry.documents import bytes32
from registry.evidence import EvidenceStore
from registry.mrv.statement import EmissionStatement, ReductionStatement
from registry.projection import tables
from registry.projection.changes import table_of
from registry.refusals import EvidenceAltered, EvidenceMissing
from registry.signing import Domain, signer_of

# By kind of record: its table, and the columns that may name it. `position` names any happening.
KINDS: Final[dict[str, tuple[type[tables.Sourced], tuple[str, ...]]]] = {
    "account": (tables.Account, ("account",)),
    "allocation": (tables.Allocation, ("request_id", "position")),
    "cancellation": (tables.Cancellation, ("request_id", "position")),
    "cash-movement": (tables.CashMovement, ("request_id", "position")),
    "default": (tables.Default, ("entity", "position")),
    "deposit": (tables.Deposit, ("request_id", "position")),
    "epoch": (tables.Epoch, ("epoch",)),
    "freeze": (tables.Freeze, ("request_id", "position")),
    "issuance": (tables.Issuance, ("request_id", "position")),
    "period": (tables.Period, ("period",)),
    "points-claim": (tables.PointsClaim, ("person", "position")),
    "points-epoch": (tables.PointsEpoch, ("epoch",)),
    "points-redemption": (tables.PointsRedemption, ("request_id", "position")),
    "project": (tables.Project, ("project",)),
    "reduction": (tables.Reduction, ("statement_id", "position")),
    "report": (tables.Report, ("report_id",)),
    "settlement": (tables.Settlement, ("position",)),
    "statement": (tables.Statement, ("statement_id", "report_id", "position")),
    "surrender": (tables.Surrender, ("request_id", "position")),
    "transfer": (tables.Transfer, ("position",)),
    "withdrawal": (tables.Withdrawal, ("request_id", "position")),
}
_ROWS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Prover:
    """Makes proofs for one deployment."""

    transactor: Transactor
    evidence: EvidenceStore

    def prove(self, session: Session, kind: str, name: str) -> RecordProof:
        """Return the proof of the records of this name.

        Parameters
        ----------
        kind :
            A key of `KINDS`.
        name :
            One of the kind's names: a request or statement id, an account, a number.

        Raises
        ------
        NotFound :
            No such record.
        ChainUnreachable :
            The chain does not answer.
        """
        table, columns = KINDS[kind]
        rows = _rows(session, table, columns, name)
        if not rows:
            raise NotFound(what=kind, id=name)
        transaction, calls, events = self._transaction(rows[0].tx_hash)
        shown = [row.model_dump() for row in rows if row.tx_hash == rows[0].tx_hash]
        return RecordProof(
            kind=kind,
            id=name,
            records=shown,
            transaction=transaction,
            call=calls,
            events=events,
            evidence=self._evidence(shown[0]),
            statement=self._statement(calls, shown[0]),
        )

    def _transaction(self, tx_hash: str) -> tuple[TransactionProof, CallProof | None, list[EventProof]]:
        rpc = self.transactor.rpc
        transaction, receipt = (
            rpc.call(method, tx_hash) for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt")
        )
        if transaction is None or receipt is None:
            raise NotFound(what="transaction", id=tx_hash)
        block_number = int(receipt["blockNumber"], 16)
        block = rpc.call("eth_getBlockByNumber", hex(block_number), False)
        shown = TransactionProof(
            hash=tx_hash,
            block=block_number,
            block_hash=block["hash"],
            state_root=block["stateRoot"],
            timestamp_utc=int(block["timestamp"], 16),
            index=int(receipt["transactionIndex"], 16),
            sender=transaction["from"],
            to=transaction["to"],
            succeeded=int(receipt["status"], 16) == 1,
        )
        call = self._call(transaction["to"], transaction["input"])
        reader = EventReader(rpc, self.transactor.deployment)
        events = [
            EventProof(contract=each.contract, name=each.name, args=dict(each.args), log_index=each.log_index)
            for each in reader.read(block_number, block_number)
            if each.tx_hash == tx_hash
        ]
        return shown, None if call is None else CallProof.of(call), events

    def _call(self, to: str | None, data: str) -> Call | None:
        addresses = self.transactor.deployment.addresses
        for contract, address in addresses.items():
            if to is not None and address.lower() == to.lower():
                return decode_call(contract, bytes.fromhex(data[2:]))
        return None

    def _evidence(self, row: dict[str, Any]) -> EvidenceProof | None:
        root = row.get("evidence_root")
        if root is None:
            return None
        try:
            entries = self.evidence.manifest(root).entries
        except (EvidenceMissing, EvidenceAltered) as refusal:
            return EvidenceProof(root=root, manifest=refusal.code, document=None, files=[])
        files = [
            EvidenceFileProof(
                name=entry.name,
                media_type=entry.media_type,
                sha256=entry.sha256,
                size=entry.size,
                state=self._state(entry.sha256),
            )
            for entry in entries
        ]
        document = row.get("document_hash")
        return EvidenceProof(
            root=root,
            manifest="intact",
            document=None if document is None else self._state(document),
            files=files,
        )

    def _state(self, digest: str) -> str:
        try:
            self.evidence.get(digest)
        except (EvidenceMissing, EvidenceAltered) as refusal:
            return refusal.code
        return "intact"

    def _statement(self, call: CallProof | None, row: dict[str, Any]) -> StatementProof | None:
        """Find the signed statement in the call that brought it, and recover who signed it."""
        if call is None or "statement_id" not in row:
            return None
        brought: list[tuple[dict[str, Any], str]] = []
        if call.function == "acceptEmissionStatements":
            brought = list(zip(call.args[0], call.args[1], strict=False))
        elif call.function == "acceptReductionStatement":
            brought = [(call.args[0], call.args[1])]
        for fields, signature in brought:
            if fields["statementId"] == row["statement_id"]:
                message = _statement_of(fields).message(self._domain())
                return StatementProof(
                    fields=fields,
                    signature=signature,
                    recovered=signer_of(message, bytes.fromhex(signature[2:])),
                )
        return None

    def _domain(self) -> Domain:
        deployment = self.transactor.deployment
        return Domain(deployment.chain_id, deployment.addresses["Verification"])


def _rows(
    session: Session, table: type[tables.Sourced], columns: tuple[str, ...], name: str
) -> list[tables.Sourced]:
    wanted = []
    for each in columns:
        column = table_of(table).c[each]
        if isinstance(column.type, String):
            wanted.append(column == name)
        elif name.isascii() and name.isdigit() and int(name) <= INT63_MAX:
            wanted.append(column == int(name))
    if not wanted:
        return []
    query = select(table).where(or_(*wanted)).order_by(*primary_key(table)).limit(_ROWS_MAX)
    return list(session.exec(query))


def _statement_of(fields: dict[str, Any]) -> EmissionStatement | ReductionStatement:
    common = {
        "statement_id": bytes32(fields["statementId"]),
        "evidence_root": bytes32(fields["evidenceRoot"]),
        "document_hash": bytes32(fields["documentHash"]),
        "verifier": fields["verifier"],
    }
    if "reportId" in fields:
        return EmissionStatement(
            report_id=bytes32(fields["reportId"]),
            entity=fields["entity"],
            period=fields["period"],
            verified_t=fields["verifiedT"],
            **common,
        )
    return ReductionStatement(
        project=fields["projectId"],
        vintage=fields["vintage"],
        batch=fields["batch"],
        baseline_t=fields["baselineT"],
        project_t=fields["projectT"],
        leakage_t=fields["leakageT"],
        **common,
    )
