"""The projection's tables.

Every row says which event made it, or changed it last: block, place in the block, transaction. So the proof
of any row is one look at the chain away (SOURCES 22, 26).

Accounts are EIP-55 text, units their text code (`chain.units`), `cash` the asset name of money, hashes and
request ids `0x` text, times Unix seconds. Tonnes `_t`, fen `_fen`, grams `_g` are 64-bit integers; a larger
number that somebody may write on chain (a reported tonnage, a time) is kept as 2^63 - 1.
"""

from __future__ import annotations

from typing import ClassVar, Final

from sqlalchemy import BigInteger, MetaData, String, Text
from sqlmodel import Field, SQLModel

CASH: Final = "cash"
POINTS: Final = "points"
POSITIONS_A_BLOCK: Final = 1_000_000

_ACCOUNT = String(42)
_UNIT = String(40)
_HASH = String(66)
_WORD = String(20)


class Table(SQLModel):
    """The root of the projection's tables, with a catalogue of their own."""

    metadata: ClassVar[MetaData] = MetaData()


class Sourced(Table):
    """A row and the event that made it, or changed it last."""

    block: int = Field(sa_type=BigInteger)
    log_index: int
    tx_hash: str = Field(sa_type=_HASH)
    timestamp_utc: int = Field(sa_type=BigInteger)


class Happening(Sourced):
    """A row that an event made and nothing changes: `position` is block x 1,000,000 + place in the block."""

    position: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})


# Accounts and units ----------------------------------------------------------------------------------------


class Account(Sourced, table=True):
    """Who may act, and as what; `kind` is the lower-case name of `registry.accounts.AccountKind`."""

    __tablename__ = "accounts"

    account: str = Field(primary_key=True, sa_type=_ACCOUNT)
    kind: str = Field(sa_type=_WORD, index=True)
    profile_hash: str = Field(sa_type=_HASH)
    frozen: bool


class Freeze(Happening, table=True):
    """An account was frozen or freed."""

    __tablename__ = "freezes"

    account: str = Field(sa_type=_ACCOUNT, index=True)
    frozen: bool
    request_id: str = Field(sa_type=_HASH)


class Unit(Sourced, table=True):
    """A kind of tonne: issued == held + surrendered + cancelled, always."""

    __tablename__ = "units"

    unit: str = Field(primary_key=True, sa_type=_UNIT)
    kind: str = Field(sa_type=_WORD)
    vintage: int
    project: int = Field(sa_type=BigInteger)
    batch: int = Field(sa_type=BigInteger)
    issued_t: int = Field(sa_type=BigInteger)
    surrendered_t: int = Field(sa_type=BigInteger)
    cancelled_t: int = Field(sa_type=BigInteger)


class Holding(Sourced, table=True):
    """Tonnes of a unit in a registry account; the Clearing contract's are those of all trading accounts."""

    __tablename__ = "holdings"

    account: str = Field(primary_key=True, sa_type=_ACCOUNT)
    unit: str = Field(primary_key=True, sa_type=_UNIT, index=True)
    quantity_t: int = Field(sa_type=BigInteger)


class Issuance(Happening, table=True):
    """Tonnes of a unit came into being in an account."""

    __tablename__ = "issuances"

    unit: str = Field(sa_type=_UNIT, index=True)
    account: str = Field(sa_type=_ACCOUNT, index=True)
    quantity_t: int = Field(sa_type=BigInteger)
    request_id: str = Field(sa_type=_HASH)


class Transfer(Happening, table=True):
    """An asset moved: a unit (tonnes), `cash` (fen) or `points` (grams); the zero account is outside."""

    __tablename__ = "transfers"

    item: int = Field(primary_key=True)
    asset: str = Field(sa_type=_UNIT)
    sender: str = Field(sa_type=_ACCOUNT, index=True)
    recipient: str = Field(sa_type=_ACCOUNT, index=True)
    amount: int = Field(sa_type=BigInteger)


class Cancellation(Happening, table=True):
    """A holder took tonnes out of circulation (注销)."""

    __tablename__ = "cancellations"

    unit: str = Field(sa_type=_UNIT)
    account: str = Field(sa_type=_ACCOUNT, index=True)
    quantity_t: int = Field(sa_type=BigInteger)
    reason: str = Field(sa_type=Text)
    request_id: str = Field(sa_type=_HASH, index=True)


# Compliance ------------------------------------------------------------------------------------------------


class Period(Sourced, table=True):
    """A compliance period and its published rules."""

    __tablename__ = "periods"

    period: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    deadline_utc: int = Field(sa_type=BigInteger)
    cap_t: int = Field(sa_type=BigInteger)
    offset_cap_ppm: int = Field(sa_type=BigInteger)
    penalty_multiple: int = Field(sa_type=BigInteger)
    cumulative: bool
    allocated_t: int = Field(sa_type=BigInteger)
    reference_price_fen: int | None = Field(default=None, sa_type=BigInteger)


class Allocation(Happening, table=True):
    """Allowances of a period went to an entity."""

    __tablename__ = "allocations"

    period: int = Field(index=True)
    entity: str = Field(sa_type=_ACCOUNT, index=True)
    quantity_t: int = Field(sa_type=BigInteger)
    request_id: str = Field(sa_type=_HASH, index=True)


class Report(Sourced, table=True):
    """An emission report as filed; `status` is filed, superseded or verified."""

    __tablename__ = "reports"

    entity: str = Field(primary_key=True, sa_type=_ACCOUNT)
    report_id: str = Field(primary_key=True, sa_type=_HASH, index=True)
    period: int = Field(index=True)
    evidence_root: str = Field(sa_type=_HASH)
    document_hash: str = Field(sa_type=_HASH)
    reported_t: int = Field(sa_type=BigInteger)
    status: str = Field(sa_type=_WORD)


class Statement(Happening, table=True):
    """A verifier's accepted statement on emissions."""

    __tablename__ = "statements"

    statement_id: str = Field(sa_type=_HASH, index=True)
    report_id: str = Field(sa_type=_HASH)
    entity: str = Field(sa_type=_ACCOUNT, index=True)
    period: int
    evidence_root: str = Field(sa_type=_HASH)
    verified_t: int = Field(sa_type=BigInteger)
    document_hash: str = Field(sa_type=_HASH)
    verifier: str = Field(sa_type=_ACCOUNT, index=True)


class Obligation(Sourced, table=True):
    """What an entity owes and paid for a period.

    `status`: reported (nothing verified yet), due, met, default. `report_id` is the latest report's.
    """

    __tablename__ = "obligations"

    entity: str = Field(primary_key=True, sa_type=_ACCOUNT)
    period: int = Field(primary_key=True, index=True)
    report_id: str | None = Field(default=None, sa_type=_HASH)
    due_t: int = Field(sa_type=BigInteger)
    surrendered_t: int = Field(sa_type=BigInteger)
    offsets_t: int = Field(sa_type=BigInteger)
    verified: bool
    assessed: bool
    shortfall_t: int = Field(sa_type=BigInteger)
    penalty_fen: int = Field(sa_type=BigInteger)
    status: str = Field(sa_type=_WORD)


class Surrender(Happening, table=True):
    """An entity paid tonnes of a unit for a period (清缴)."""

    __tablename__ = "surrenders"

    entity: str = Field(sa_type=_ACCOUNT, index=True)
    period: int = Field(index=True)
    unit: str = Field(sa_type=_UNIT)
    quantity_t: int = Field(sa_type=BigInteger)
    request_id: str = Field(sa_type=_HASH, index=True)


class Default(Happening, table=True):
    """The public default record."""

    __tablename__ = "defaults"

    entity: str = Field(sa_type=_ACCOUNT, index=True)
    period: int = Field(index=True)
    due_t: int = Field(sa_type=BigInteger)
    surrendered_t: int = Field(sa_type=BigInteger)
    shortfall_t: int = Field(sa_type=BigInteger)
    penalty_fen: int = Field(sa_type=BigInteger)


# Verifiers and projects ------------------------------------------------------------------------------------


class Verifier(Sourced, table=True):
    """A verifier's accreditation; `until_utc` 0 once revoked."""

    __tablename__ = "verifiers"

    verifier: str = Field(primary_key=True, sa_type=_ACCOUNT)
    until_utc: int = Field(sa_type=BigInteger)
    revoked: bool


class Conflict(Sourced, table=True):
    """A verifier that may not judge an entity."""

    __tablename__ = "conflicts"

    verifier: str = Field(primary_key=True, sa_type=_ACCOUNT)
    entity: str = Field(primary_key=True, sa_type=_ACCOUNT)


class Project(Sourced, table=True):
    """A registered offset project."""

    __tablename__ = "projects"

    project: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    developer: str = Field(sa_type=_ACCOUNT, index=True)
    document_hash: str = Field(sa_type=_HASH)
    request_id: str = Field(sa_type=_HASH)


class Reduction(Happening, table=True):
    """A verifier's accepted statement on a project's reductions, and what it issued."""

    __tablename__ = "reductions"

    statement_id: str = Field(sa_type=_HASH, index=True)
    project: int = Field(sa_type=BigInteger, index=True)
    vintage: int
    batch: int = Field(sa_type=BigInteger)
    evidence_root: str = Field(sa_type=_HASH)
    baseline_t: int = Field(sa_type=BigInteger)
    project_t: int = Field(sa_type=BigInteger)
    leakage_t: int = Field(sa_type=BigInteger)
    document_hash: str = Field(sa_type=_HASH)
    verifier: str = Field(sa_type=_ACCOUNT)
    unit: str = Field(sa_type=_UNIT)
    issued_t: int = Field(sa_type=BigInteger)


# Cash and trading accounts ---------------------------------------------------------------------------------


class CashHolding(Sourced, table=True):
    """Tokenised cash in a registry account; the Clearing contract's is that of all trading accounts."""

    __tablename__ = "cash_holdings"

    account: str = Field(primary_key=True, sa_type=_ACCOUNT)
    amount_fen: int = Field(sa_type=BigInteger)


class CashMovement(Happening, table=True):
    """Real money came in (`kind` minted) or went out (redeemed)."""

    __tablename__ = "cash_movements"

    kind: str = Field(sa_type=_WORD)
    account: str = Field(sa_type=_ACCOUNT, index=True)
    amount_fen: int = Field(sa_type=BigInteger)
    request_id: str = Field(sa_type=_HASH, index=True)


class TradingBalance(Sourced, table=True):
    """What a trading account holds at Clearing: `amount` is tonnes of a unit, or fen of `cash`."""

    __tablename__ = "trading_balances"

    account: str = Field(primary_key=True, sa_type=_ACCOUNT)
    asset: str = Field(primary_key=True, sa_type=_UNIT, index=True)
    amount: int = Field(sa_type=BigInteger)


class Deposit(Happening, table=True):
    """An asset went from a registry account to its trading account."""

    __tablename__ = "deposits"

    account: str = Field(sa_type=_ACCOUNT, index=True)
    asset: str = Field(sa_type=_UNIT)
    amount: int = Field(sa_type=BigInteger)
    request_id: str = Field(sa_type=_HASH, index=True)


class Withdrawal(Happening, table=True):
    """An asset went from a trading account to its registry account."""

    __tablename__ = "withdrawals"

    account: str = Field(sa_type=_ACCOUNT, index=True)
    asset: str = Field(sa_type=_UNIT)
    amount: int = Field(sa_type=BigInteger)
    request_id: str = Field(sa_type=_HASH, index=True)


class ExitRequest(Sourced, table=True):
    """A trading account's latest request to leave without the exchange."""

    __tablename__ = "exit_requests"

    account: str = Field(primary_key=True, sa_type=_ACCOUNT)
    at_utc: int = Field(sa_type=BigInteger)


class Settlement(Happening, table=True):
    """What an epoch gave (+) to or took (-) from one account, in one unit and its cash; or `cash` alone."""

    __tablename__ = "settlements"

    epoch: int = Field(sa_type=BigInteger, index=True)
    account: str = Field(sa_type=_ACCOUNT, index=True)
    unit: str = Field(sa_type=_UNIT)
    quantity_t: int = Field(sa_type=BigInteger)
    cash_fen: int = Field(sa_type=BigInteger)


class Epoch(Sourced, table=True):
    """An epoch of trades that is wholly settled."""

    __tablename__ = "epochs"

    epoch: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    tape_root: str = Field(sa_type=_HASH)
    chunks: int = Field(sa_type=BigInteger)


class Unwinding(Happening, table=True):
    """A chunk of an epoch that could not close was taken back; its settlements stand with opposite signs."""

    __tablename__ = "unwindings"

    epoch: int = Field(sa_type=BigInteger, index=True)
    chunks_left: int = Field(sa_type=BigInteger)


# People ----------------------------------------------------------------------------------------------------


class Provider(Sourced, table=True):
    """A provider of green acts."""

    __tablename__ = "providers"

    provider: str = Field(primary_key=True, sa_type=_ACCOUNT)
    accredited: bool


class PointsEpoch(Sourced, table=True):
    """A published points epoch: what everyone earned, under one root."""

    __tablename__ = "points_epochs"

    epoch: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: str = Field(sa_type=_HASH)
    total_g: int = Field(sa_type=BigInteger)
    people: int = Field(sa_type=BigInteger)
    batches_root: str = Field(sa_type=_HASH)
    claimed_g: int = Field(sa_type=BigInteger)


class PointsClaim(Happening, table=True):
    """A person claimed an epoch's grams."""

    __tablename__ = "points_claims"

    epoch: int = Field(sa_type=BigInteger, index=True)
    person: str = Field(sa_type=_ACCOUNT, index=True)
    quantity_g: int = Field(sa_type=BigInteger)


class PointsRedemption(Happening, table=True):
    """A person gave grams for a reward."""

    __tablename__ = "points_redemptions"

    person: str = Field(sa_type=_ACCOUNT, index=True)
    quantity_g: int = Field(sa_type=BigInteger)
    reward_id: str = Field(sa_type=_HASH)
    request_id: str = Field(sa_type=_HASH, index=True)


class PointsHolding(Sourced, table=True):
    """Grams in an account."""

    __tablename__ = "points_holdings"

    account: str = Field(primary_key=True, sa_type=_ACCOUNT)
    amount_g: int = Field(sa_type=BigInteger)


# The place in the chain ------------------------------------------------------------------------------------


class Block(Table, table=True):
    """A block in which something happened."""

    __tablename__ = "blocks"

    block: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    timestamp_utc: int = Field(sa_type=BigInteger)


class Cursor(Table, table=True):
    """The one row that says which chain this is, and up to which block it was read, inclusive."""

    __tablename__ = "projection_cursor"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    identity: str = Field(sa_type=String(120))
    layout: str = Field(sa_type=_HASH)
    block: int = Field(sa_type=BigInteger)
    block_hash: str = Field(sa_type=_HASH)


class Kept(Table, table=True):
    """One of the newest blocks, and how to undo what it changed; null where it cannot be undone any more."""

    __tablename__ = "projection_history"

    block: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    block_hash: str = Field(sa_type=_HASH)
    undo: str | None = Field(default=None, sa_type=Text)
