"""What each event changes in the tables: one small function an event.

Events come in the order of the chain; a function trusts the contracts' rules and checks none again. An event
that no function knows is an error of ours: the contracts and this table are deployed together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from chain.events import ChainEvent
from chain.units import UnitId, UnitMalformed
from registry.accounts import AccountKind
from registry.projection import tables
from registry.projection.changes import Changes, Key, Row, fit
from registry.projection.tables import CASH, POINTS, POSITIONS_A_BLOCK, Table

Handler: TypeAlias = Callable[[Changes, ChainEvent], None]

ZERO_ACCOUNT: Final = "0x" + "0" * 40
UNKNOWN_UNIT: Final = "unknown"
_TEXT_MAX_CHARS: Final = 2_000


class UnknownEventError(AssertionError):
    """The chain tells something that this projection has no table for: our own mistake."""


def apply(changes: Changes, event: ChainEvent) -> None:
    """Work one event into the changes; raises UnknownEventError."""
    handler = HANDLERS.get((event.contract, event.name))
    if handler is None:
        raise UnknownEventError(f"{event.contract}.{event.name} at {event.block}/{event.log_index}")
    handler(changes, event)


# Helpers ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65_536)
def _unit(value: int) -> str:
    return UnitId.of(value).text


def _source(event: ChainEvent) -> Row:
    return {
        "block": event.block,
        "log_index": event.log_index,
        "tx_hash": event.tx_hash,
        "timestamp_utc": event.timestamp_utc,
    }


def _happened(event: ChainEvent) -> Row:
    return {"position": event.block * POSITIONS_A_BLOCK + event.log_index, **_source(event)}


def _plus(row: Row, column: str, amount: int) -> None:
    row[column] = fit(row[column] + amount)


def _mark(row: Row, event: ChainEvent) -> None:
    row["block"] = event.block
    row["log_index"] = event.log_index
    row["tx_hash"] = event.tx_hash
    row["timestamp_utc"] = event.timestamp_utc


@dataclass(frozen=True, slots=True)
class _Balance:
    """A table of balances: the names of its key, and the number that moves."""

    model: type[Table]
    key: tuple[str, ...]
    column: str


_HOLDINGS: Final = _Balance(tables.Holding, ("account", "unit"), "quantity_t")
_CASH_HOLDINGS: Final = _Balance(tables.CashHolding, ("account",), "amount_fen")
_POINTS_HOLDINGS: Final = _Balance(tables.PointsHolding, ("account",), "amount_g")
_TRADING_BALANCES: Final = _Balance(tables.TradingBalance, ("account", "asset"), "amount")


def _add(changes: Changes, event: ChainEvent, balance: _Balance, key: Key, amount: int) -> None:
    """Add to a balance; one that is not there yet begins at zero."""
    row = changes.find(balance.model, key)
    if row is None:
        fresh = {**dict(zip(balance.key, key, strict=True)), balance.column: 0}
        row = changes.put(balance.model, key, fresh)
    _plus(row, balance.column, amount)
    _mark(row, event)


def _move(
    changes: Changes, event: ChainEvent, balance: _Balance, asset: str, amount: int, *, item: int = 0
) -> None:
    """Move an asset between two accounts; the zero account is outside and holds nothing."""
    if amount == 0:
        return  # anybody may transfer nothing of anything: it says nothing
    sender, recipient = event.args["from"], event.args["to"]
    for account, change in ((sender, -amount), (recipient, amount)):
        if account != ZERO_ACCOUNT:
            key = (account, asset) if balance is _HOLDINGS else (account,)
            _add(changes, event, balance, key, change)
    moved = {"item": item, "asset": asset, "sender": sender, "recipient": recipient, "amount": amount}
    changes.append(tables.Transfer, {**_happened(event), **moved})


# CarbonLedger ----------------------------------------------------------------------------------------------


def _account_opened(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = {
        "account": args["account"],
        "kind": AccountKind(args["kind"]).text,
        "profile_hash": args["profileHash"],
        "frozen": False,
    }
    changes.put(tables.Account, (args["account"],), {**row, **_source(event)})


def _account_frozen(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = changes.get(tables.Account, (args["account"],))
    row["frozen"] = args["frozen"]
    _mark(row, event)
    freeze = {"account": args["account"], "frozen": args["frozen"], "request_id": args["requestId"]}
    changes.append(tables.Freeze, {**_happened(event), **freeze})


def _units_issued(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    unit = UnitId.of(args["unitId"])
    row = changes.find(tables.Unit, (unit.text,))
    if row is None:
        kind = "offset" if unit.is_offset else "allowance"
        parts = {"vintage": unit.vintage, "project": unit.project, "batch": unit.batch}
        counts = {"issued_t": 0, "surrendered_t": 0, "cancelled_t": 0}
        row = changes.put(tables.Unit, (unit.text,), {"unit": unit.text, "kind": kind, **parts, **counts})
    _plus(row, "issued_t", args["quantityT"])
    _mark(row, event)
    issuance = {
        "unit": unit.text,
        "account": args["to"],
        "quantity_t": args["quantityT"],
        "request_id": args["requestId"],
    }
    changes.append(tables.Issuance, {**_happened(event), **issuance})


def _units_retired(changes: Changes, event: ChainEvent) -> None:
    row = changes.get(tables.Unit, (_unit(event.args["unitId"]),))
    _plus(row, "surrendered_t", event.args["quantityT"])
    _mark(row, event)


def _units_cancelled(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = changes.get(tables.Unit, (_unit(args["unitId"]),))
    _plus(row, "cancelled_t", args["quantityT"])
    _mark(row, event)
    cancellation = {
        "unit": row["unit"],
        "account": args["account"],
        "quantity_t": args["quantityT"],
        "reason": args["reason"].replace("\0", "\ufffd")[:_TEXT_MAX_CHARS],
        "request_id": args["requestId"],
    }
    changes.append(tables.Cancellation, {**_happened(event), **cancellation})


def _transfer_single(changes: Changes, event: ChainEvent) -> None:
    amount = event.args["value"]
    if amount:
        _move(changes, event, _HOLDINGS, _unit(event.args["id"]), amount)


def _transfer_batch(changes: Changes, event: ChainEvent) -> None:
    pairs = zip(event.args["ids"], event.args["values"], strict=True)
    for item, (unit, amount) in enumerate(pairs):
        if amount:
            _move(changes, event, _HOLDINGS, _unit(unit), amount, item=item)


# Compliance ------------------------------------------------------------------------------------------------


def _period_published(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = {
        "period": args["period"],
        "deadline_utc": args["deadline"],
        "cap_t": args["capT"],
        "offset_cap_ppm": args["offsetCapPpm"],
        "penalty_multiple": args["penaltyMultiple"],
        "cumulative": args["cumulative"],
        "allocated_t": 0,
        "reference_price_fen": None,
    }
    changes.put(tables.Period, (args["period"],), {**row, **_source(event)})


def _allowances_allocated(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = changes.get(tables.Period, (args["period"],))
    _plus(row, "allocated_t", args["quantityT"])
    _mark(row, event)
    allocation = {
        "period": args["period"],
        "entity": args["entity"],
        "quantity_t": args["quantityT"],
        "request_id": args["requestId"],
    }
    changes.append(tables.Allocation, {**_happened(event), **allocation})


def _reference_price_published(changes: Changes, event: ChainEvent) -> None:
    row = changes.get(tables.Period, (event.args["period"],))
    row["reference_price_fen"] = event.args["priceFen"]
    _mark(row, event)


def _obligation(changes: Changes, event: ChainEvent) -> Row:
    """Return the obligation that the event is about, marked by it; one that is new owes nothing yet."""
    key = (event.args["entity"], event.args["period"])
    row = changes.find(tables.Obligation, key)
    if row is None:
        row = {"entity": key[0], "period": key[1], "report_id": None, "status": "reported"}
        row |= {"due_t": 0, "surrendered_t": 0, "offsets_t": 0, "shortfall_t": 0, "penalty_fen": 0}
        row |= {"verified": False, "assessed": False}
        changes.put(tables.Obligation, key, row)
    _mark(row, event)
    return row


def _obligation_recorded(changes: Changes, event: ChainEvent) -> None:
    due = {"due_t": event.args["dueT"], "verified": True, "status": "due"}
    _obligation(changes, event).update(due)


def _units_surrendered(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    unit = UnitId.of(args["unitId"])
    row = _obligation(changes, event)
    _plus(row, "surrendered_t", args["quantityT"])
    if unit.is_offset:
        _plus(row, "offsets_t", args["quantityT"])
    surrender = {
        "entity": args["entity"],
        "period": args["period"],
        "unit": unit.text,
        "quantity_t": args["quantityT"],
        "request_id": args["requestId"],
    }
    changes.append(tables.Surrender, {**_happened(event), **surrender})


def _obligation_met(changes: Changes, event: ChainEvent) -> None:
    _obligation(changes, event).update({"assessed": True, "status": "met"})


def _default_recorded(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    short = {"shortfall_t": args["shortfallT"], "penalty_fen": args["penaltyFen"]}
    _obligation(changes, event).update({"assessed": True, "status": "default", **short})
    totals = {"due_t": args["dueT"], "surrendered_t": args["surrenderedT"]}
    which = {"entity": args["entity"], "period": args["period"]}
    changes.append(tables.Default, {**_happened(event), **which, **totals, **short})


# Verification ----------------------------------------------------------------------------------------------


def _verifier_accredited(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = {"verifier": args["verifier"], "until_utc": args["until"], "revoked": False}
    changes.put(tables.Verifier, (args["verifier"],), {**row, **_source(event)})


def _verifier_revoked(changes: Changes, event: ChainEvent) -> None:
    row = {"verifier": event.args["verifier"], "until_utc": 0, "revoked": True}
    changes.put(tables.Verifier, (row["verifier"],), {**row, **_source(event)})


def _conflict_declared(changes: Changes, event: ChainEvent) -> None:
    key = (event.args["verifier"], event.args["entity"])
    row = {"verifier": key[0], "entity": key[1], **_source(event)}
    changes.put(tables.Conflict, key, row)


def _report_filed(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    obligation = _obligation(changes, event)
    if obligation["report_id"] is not None:
        earlier = changes.get(tables.Report, (args["entity"], obligation["report_id"]))
        earlier["status"] = "superseded"
        _mark(earlier, event)
    obligation["report_id"] = args["reportId"]
    row = {
        "entity": args["entity"],
        "report_id": args["reportId"],
        "period": args["period"],
        "evidence_root": args["evidenceRoot"],
        "document_hash": args["documentHash"],
        "reported_t": args["reportedT"],
        "status": "filed",
    }
    changes.put(tables.Report, (args["entity"], args["reportId"]), {**row, **_source(event)})


def _emissions_verified(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    report = changes.get(tables.Report, (args["entity"], args["reportId"]))
    report["status"] = "verified"
    _mark(report, event)
    statement = {
        "statement_id": args["statementId"],
        "report_id": args["reportId"],
        "entity": args["entity"],
        "period": args["period"],
        "evidence_root": args["evidenceRoot"],
        "verified_t": args["verifiedT"],
        "document_hash": args["documentHash"],
        "verifier": args["verifier"],
    }
    changes.append(tables.Statement, {**_happened(event), **statement})


def _project_registered(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = {
        "project": args["projectId"],
        "developer": args["developer"],
        "document_hash": args["documentHash"],
        "request_id": args["requestId"],
    }
    changes.put(tables.Project, (args["projectId"],), {**row, **_source(event)})


def _reductions_verified(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    reduction = {
        "statement_id": args["statementId"],
        "project": args["projectId"],
        "vintage": args["vintage"],
        "batch": args["batch"],
        "evidence_root": args["evidenceRoot"],
        "baseline_t": args["baselineT"],
        "project_t": args["projectT"],
        "leakage_t": args["leakageT"],
        "document_hash": args["documentHash"],
        "verifier": args["verifier"],
        "unit": _unit(args["unitId"]),
        "issued_t": args["issuedT"],
    }
    changes.append(tables.Reduction, {**_happened(event), **reduction})


# SettlementCash and Clearing -------------------------------------------------------------------------------


def _cash_transfer(changes: Changes, event: ChainEvent) -> None:
    _move(changes, event, _CASH_HOLDINGS, CASH, event.args["value"])


def _cash_moved(kind: str, account: str) -> Handler:
    def handle(changes: Changes, event: ChainEvent) -> None:
        args = event.args
        movement = {
            "kind": kind,
            "account": args[account],
            "amount_fen": args["amountFen"],
            "request_id": args["requestId"],
        }
        changes.append(tables.CashMovement, {**_happened(event), **movement})

    return handle


def _trading(changes: Changes, event: ChainEvent, asset: str, amount: int) -> None:
    if amount:
        _add(changes, event, _TRADING_BALANCES, (event.args["account"], asset), amount)


def _in_or_out(model: type[Table], sign: int) -> Handler:
    def handle(changes: Changes, event: ChainEvent) -> None:
        args = event.args
        units = "unitId" in args
        asset = _unit(args["unitId"]) if units else CASH
        amount = args["quantityT"] if units else args["amountFen"]
        _trading(changes, event, asset, sign * amount)
        movement = {"account": args["account"], "asset": asset, "amount": amount}
        changes.append(model, {**_happened(event), **movement, "request_id": args["requestId"]})

    return handle


def _settled_unit(value: int) -> str:
    if value == 0:
        return CASH  # a delta of cash alone
    try:
        return _unit(value)
    except UnitMalformed:  # a chunk that can never close may name anything
        return UNKNOWN_UNIT


def _account_settled(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    unit = _settled_unit(args["unitId"])
    _trading(changes, event, unit, args["quantityT"])
    _trading(changes, event, CASH, args["cashFen"])
    settlement = {
        "epoch": args["epoch"],
        "account": args["account"],
        "unit": unit,
        "quantity_t": args["quantityT"],
        "cash_fen": args["cashFen"],
    }
    changes.append(tables.Settlement, {**_happened(event), **settlement})


def _epoch_settled(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = {"epoch": args["epoch"], "tape_root": args["tapeRoot"], "chunks": args["chunks"]}
    changes.put(tables.Epoch, (args["epoch"],), {**row, **_source(event)})


def _epoch_unwound(changes: Changes, event: ChainEvent) -> None:
    unwinding = {"epoch": event.args["epoch"], "chunks_left": event.args["chunksLeft"]}
    changes.append(tables.Unwinding, {**_happened(event), **unwinding})


def _exit_requested(changes: Changes, event: ChainEvent) -> None:
    row = {"account": event.args["account"], "at_utc": event.args["at"]}
    changes.put(tables.ExitRequest, (row["account"],), {**row, **_source(event)})


# MicroCarat ------------------------------------------------------------------------------------------------


def _provider_accredited(changes: Changes, event: ChainEvent) -> None:
    row = {"provider": event.args["provider"], "accredited": event.args["accredited"]}
    changes.put(tables.Provider, (row["provider"],), {**row, **_source(event)})


def _points_epoch_published(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = {
        "epoch": args["epoch"],
        "root": args["root"],
        "total_g": args["totalG"],
        "people": args["people"],
        "batches_root": args["batchesRoot"],
        "claimed_g": 0,
    }
    changes.put(tables.PointsEpoch, (args["epoch"],), {**row, **_source(event)})


def _points_claimed(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    row = changes.get(tables.PointsEpoch, (args["epoch"],))
    _plus(row, "claimed_g", args["quantityG"])
    _mark(row, event)
    claim = {"epoch": args["epoch"], "person": args["person"], "quantity_g": args["quantityG"]}
    changes.append(tables.PointsClaim, {**_happened(event), **claim})


def _points_redeemed(changes: Changes, event: ChainEvent) -> None:
    args = event.args
    redemption = {
        "person": args["person"],
        "quantity_g": args["quantityG"],
        "reward_id": args["rewardId"],
        "request_id": args["requestId"],
    }
    changes.append(tables.PointsRedemption, {**_happened(event), **redemption})


def _points_transfer(changes: Changes, event: ChainEvent) -> None:
    _move(changes, event, _POINTS_HOLDINGS, POINTS, event.args["value"])


# The table -------------------------------------------------------------------------------------------------


def _nothing(_changes: Changes, _event: ChainEvent) -> None:
    """Take note of what changes no table: permissions and approvals, which are read from the chain itself."""


HANDLERS: Final[Mapping[tuple[str, str], Handler]] = {
    ("CarbonLedger", "AccountOpened"): _account_opened,
    ("CarbonLedger", "AccountFrozen"): _account_frozen,
    ("CarbonLedger", "UnitsIssued"): _units_issued,
    ("CarbonLedger", "UnitsRetired"): _units_retired,
    ("CarbonLedger", "UnitsCancelled"): _units_cancelled,
    ("CarbonLedger", "TransferSingle"): _transfer_single,
    ("CarbonLedger", "TransferBatch"): _transfer_batch,
    ("CarbonLedger", "ApprovalForAll"): _nothing,
    ("CarbonLedger", "URI"): _nothing,
    ("CarbonLedger", "AuthorityUpdated"): _nothing,
    ("Compliance", "PeriodPublished"): _period_published,
    ("Compliance", "AllowancesAllocated"): _allowances_allocated,
    ("Compliance", "ReferencePricePublished"): _reference_price_published,
    ("Compliance", "ObligationRecorded"): _obligation_recorded,
    ("Compliance", "UnitsSurrendered"): _units_surrendered,
    ("Compliance", "ObligationMet"): _obligation_met,
    ("Compliance", "DefaultRecorded"): _default_recorded,
    ("Compliance", "AuthorityUpdated"): _nothing,
    ("Verification", "VerifierAccredited"): _verifier_accredited,
    ("Verification", "VerifierRevoked"): _verifier_revoked,
    ("Verification", "ConflictDeclared"): _conflict_declared,
    ("Verification", "ReportFiled"): _report_filed,
    ("Verification", "EmissionsVerified"): _emissions_verified,
    ("Verification", "ProjectRegistered"): _project_registered,
    ("Verification", "ReductionsVerified"): _reductions_verified,
    ("Verification", "EIP712DomainChanged"): _nothing,
    ("Verification", "AuthorityUpdated"): _nothing,
    ("SettlementCash", "CashMinted"): _cash_moved("minted", "to"),
    ("SettlementCash", "CashRedeemed"): _cash_moved("redeemed", "from"),
    ("SettlementCash", "Transfer"): _cash_transfer,
    ("SettlementCash", "Approval"): _nothing,
    ("SettlementCash", "AuthorityUpdated"): _nothing,
    ("Clearing", "UnitsDeposited"): _in_or_out(tables.Deposit, +1),
    ("Clearing", "CashDeposited"): _in_or_out(tables.Deposit, +1),
    ("Clearing", "UnitsWithdrawn"): _in_or_out(tables.Withdrawal, -1),
    ("Clearing", "CashWithdrawn"): _in_or_out(tables.Withdrawal, -1),
    ("Clearing", "AccountSettled"): _account_settled,
    ("Clearing", "EpochSettled"): _epoch_settled,
    ("Clearing", "EpochUnwound"): _epoch_unwound,
    ("Clearing", "ExitRequested"): _exit_requested,
    ("Clearing", "AuthorityUpdated"): _nothing,
    ("MicroCarat", "ProviderAccredited"): _provider_accredited,
    ("MicroCarat", "EpochPublished"): _points_epoch_published,
    ("MicroCarat", "PointsClaimed"): _points_claimed,
    ("MicroCarat", "PointsRedeemed"): _points_redeemed,
    ("MicroCarat", "Transfer"): _points_transfer,
    ("MicroCarat", "Approval"): _nothing,
    ("MicroCarat", "AuthorityUpdated"): _nothing,
}
