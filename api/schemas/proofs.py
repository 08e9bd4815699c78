"""What a proof of a record shows."""

from __future__ import annotations

from typing import Any

from api.fields import Schema
from chain.abi import Call


class TransactionProof(Schema):
    """The transaction that made the record, and the sealed block that it is in."""

    hash: str
    block: int
    block_hash: str
    state_root: str
    timestamp_utc: int
    index: int
    sender: str
    to: str | None
    succeeded: bool


class CallProof(Schema):
    """What the transaction asked for: structs by field name, bytes as `0x` text."""

    contract: str
    function: str
    args: list[Any]

    @classmethod
    def of(cls, call: Call) -> CallProof:
        """Return a decoded call as it is shown."""
        return cls(contract=call.contract, function=call.function, args=list(call.args))


class EventProof(Schema):
    """An event of the transaction."""

    contract: str
    name: str
    args: dict[str, Any]
    log_index: int


class EvidenceFileProof(Schema):
    """A file of the evidence; `state` is intact, EvidenceMissing or EvidenceAltered, checked just now."""

    name: str
    media_type: str
    sha256: str
    size: int
    state: str


class EvidenceProof(Schema):
    """The evidence behind the record, checked against the root on chain just now."""

    root: str
    manifest: str
    """intact, EvidenceMissing or EvidenceAltered."""
    document: str | None
    """Of the report itself, likewise."""
    files: list[EvidenceFileProof]


class StatementProof(Schema):
    """The verifier's statement as it was brought, and who signed it by recovery."""

    fields: dict[str, Any]
    signature: str
    recovered: str | None


class RecordProof(Schema):
    """Everything behind a record: anyone with a node can check it."""

    kind: str
    id: str
    records: list[dict[str, Any]]
    transaction: TransactionProof
    call: CallProof | None
    events: list[EventProof]
    evidence: EvidenceProof | None
    statement: StatementProof | None
