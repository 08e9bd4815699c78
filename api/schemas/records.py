"""What the registry's tables tell: one answer a record, each with the transaction that made it.

Read straight from the projection (`registry.projection.tables`), whose names these are; `id` is the 32
bytes under which the chain knows the act.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, ConfigDict, Field

from api.fields import Schema


class Record(Schema):
    """A row of the projection, and the event that made it or changed it last."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    block: int
    tx_hash: str
    timestamp_utc: int


class Named(Record):
    """A record of an act that its actor named."""

    id: str = Field(validation_alias=AliasChoices("id", "request_id"))
    """The request id on chain: the client's UUID, right-aligned in 32 bytes."""


class AccountRecord(Record):
    """An account of the registry."""

    account: str
    kind: str
    frozen: bool
    profile_hash: str


class ProfileRecord(Schema):
    """What is publicly said of an account."""

    account: str
    kind: str
    name: str
    facts: dict[str, str]


class FreezeRecord(Named):
    """An account was frozen or freed."""

    account: str
    frozen: bool


class UnitRecord(Record):
    """A kind of tonne: issued is held, surrendered and cancelled together."""

    unit: str
    kind: str
    vintage: int
    project: int
    batch: int
    issued_t: int
    surrendered_t: int
    cancelled_t: int


class HoldingRecord(Record):
    """Tonnes in a registry account."""

    account: str
    unit: str
    quantity_t: int


class TradingBalanceRecord(Record):
    """What a trading account holds on chain: tonnes of a unit, or fen of `cash`."""

    account: str
    asset: str
    amount: int


class TransferRecord(Record):
    """An asset moved; the zero account is outside."""

    asset: str
    sender: str
    recipient: str
    amount: int


class CancellationRecord(Named):
    """Tonnes went out of circulation."""

    unit: str
    account: str
    quantity_t: int
    reason: str


class PeriodRecord(Record):
    """A period, its cap and rules."""

    period: int
    deadline_utc: int
    cap_t: int
    offset_cap_ppm: int
    penalty_multiple: int
    cumulative: bool
    allocated_t: int
    reference_price_fen: int | None


class AllocationRecord(Named):
    """Allowances went to one entity."""

    period: int
    entity: str
    quantity_t: int


class EntityTonnesRecord(Schema):
    """Tonnes of one entity."""

    entity: str
    quantity_t: int


class AllocationDone(Named):
    """An allocation, whole."""

    period: int
    allocations: list[EntityTonnesRecord]


class ReportRecord(Record):
    """An emission report as filed: filed, superseded or verified."""

    id: str = Field(validation_alias=AliasChoices("id", "report_id"))
    entity: str
    period: int
    evidence_root: str
    document_hash: str
    reported_t: int
    status: str


class StatementRecord(Record):
    """A verifier's accepted statement on emissions."""

    id: str = Field(validation_alias=AliasChoices("id", "statement_id"))
    report_id: str
    entity: str
    period: int
    evidence_root: str
    verified_t: int
    document_hash: str
    verifier: str


class ReductionRecord(Record):
    """A verifier's accepted statement on reductions, and what it issued."""

    id: str = Field(validation_alias=AliasChoices("id", "statement_id"))
    project: int
    vintage: int
    batch: int
    evidence_root: str
    baseline_t: int
    project_t: int
    leakage_t: int
    document_hash: str
    verifier: str
    unit: str
    issued_t: int


class ObligationRecord(Record):
    """What an entity owes and paid for a period: reported, due, met or default."""

    entity: str
    period: int
    due_t: int
    surrendered_t: int
    offsets_t: int
    verified: bool
    assessed: bool
    shortfall_t: int
    penalty_fen: int
    status: str


class StatusRecord(Schema):
    """What the public sees of an obligation."""

    model_config = ConfigDict(from_attributes=True)

    entity: str
    period: int
    status: str


class SurrenderRecord(Named):
    """An entity paid tonnes for a period."""

    entity: str
    period: int
    unit: str
    quantity_t: int


class DefaultRecord(Record):
    """The public default record."""

    entity: str
    period: int
    due_t: int
    surrendered_t: int
    shortfall_t: int
    penalty_fen: int


class VerifierRecord(Record):
    """A verifier and how long it is accredited; `until_utc` 0 once revoked."""

    verifier: str
    until_utc: int
    revoked: bool


class ConflictRecord(Record):
    """A verifier that may not judge an entity."""

    verifier: str
    entity: str


class ProjectRecord(Record):
    """A registered offset project."""

    project: int
    developer: str
    document_hash: str


class CashMovementRecord(Named):
    """Real money came in (minted) or went out (redeemed)."""

    kind: str
    account: str
    amount_fen: int


class CreditRecord(Schema):
    """Cash of one account."""

    account: str
    amount_fen: int


class MintDone(Named):
    """A mint, whole."""

    credits: list[CreditRecord]


class AssetMovementRecord(Named):
    """A deposit to, or a withdrawal from, a trading account, as the chain has it."""

    account: str
    asset: str
    amount: int


class SettlementRecord(Record):
    """What an epoch gave (+) to or took (-) from one account."""

    epoch: int
    account: str
    unit: str
    quantity_t: int
    cash_fen: int


class EpochRecord(Record):
    """An epoch of trades that is settled on chain, and the root of its tape."""

    epoch: int
    tape_root: str


class ProviderRecord(Record):
    """A provider of green acts."""

    provider: str
    accredited: bool


class PointsEpochRecord(Record):
    """A points epoch: what everyone earned, under one root."""

    epoch: int
    root: str
    total_g: int
    people: int
    batches_root: str
    claimed_g: int


class PointsClaimRecord(Record):
    """A person claimed an epoch's grams."""

    epoch: int
    person: str
    quantity_g: int


class PointsRedemptionRecord(Named):
    """A person gave grams for a reward."""

    person: str
    quantity_g: int
    reward_id: str


# Answers made of several rows ------------------------------------------------------------------------------


class UnitBalance(Schema):
    """Tonnes of one unit: in the registry account and in the trading account on chain."""

    unit: str
    held_t: int
    trading_t: int


class Balances(Schema):
    """Everything that an account has on chain."""

    account: str
    units: list[UnitBalance]
    cash_held_fen: int
    cash_trading_fen: int
    points_g: int


class UnitTotalRecord(Schema):
    """Where all tonnes of a unit are. issued = held + trading + surrendered + cancelled."""

    model_config = ConfigDict(from_attributes=True)

    unit: str
    issued_t: int
    held_t: int
    trading_t: int
    surrendered_t: int
    cancelled_t: int


class CashTotalRecord(Schema):
    """Where all cash is. minted - redeemed = held + trading."""

    model_config = ConfigDict(from_attributes=True)

    minted_fen: int
    redeemed_fen: int
    held_fen: int
    trading_fen: int


class Totals(Schema):
    """The whole registry in sums."""

    units: list[UnitTotalRecord]
    cash: CashTotalRecord
    accounts: dict[str, int]
    """How many accounts there are of each kind."""


class Health(Schema):
    """Whether the parts answer. `behind_blocks` is how far the tables are from the chain's head."""

    status: Literal["ok", "degraded"]
    chain_block: int | None
    projection_block: int
    behind_blocks: int | None
    exchange: bool
    trouble: str | None
