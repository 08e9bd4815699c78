"""Acts: what somebody does in the registry, worded as a call of a contract.

Each builder names one act and gives a `chain.abi.Call`; who signs it is said in its docstring. Nothing is
sent here. Ids of requests are what the client made (`chain.ids.request_id`): the contract does each once.
Tonnes, fen and grams are integers; units are `chain.units.UnitId`; times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from eth_abi import encode

from chain.abi import Call
from chain.ids import request_id
from chain.units import UnitId
from registry.accounts import AccountKind
from registry.documents import bytes32
from registry.mrv.statement import EmissionStatement, ReductionStatement

RequestName: TypeAlias = UUID | str | bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """An account to open; `profile_hash` as `registry.accounts` makes it."""

    account: str
    kind: AccountKind
    profile_hash: bytes


@dataclass(frozen=True, slots=True)
class PeriodRules:
    """The rules of a compliance period, immutable once published; fields as `ICompliance.PeriodRules`."""

    period: int
    deadline_utc: int
    cap_t: int
    offset_cap_ppm: int
    penalty_multiple: int
    cumulative: bool = False


# The registrar ---------------------------------------------------------------------------------------------


def open_accounts(openings: Sequence[Opening]) -> Call:
    """Open accounts (role REGISTRAR). Repeating an opening exactly does nothing."""
    rows = [(opening.account, int(opening.kind), opening.profile_hash) for opening in openings]
    return Call("CarbonLedger", "openAccounts", (rows,))


def register_project(project: int, developer: str, document_hash: bytes, request: RequestName) -> Call:
    """Register an offset project of a developer (role REGISTRAR)."""
    args = (project, developer, document_hash, request_id(request))
    return Call("Verification", "registerProject", args)


# The regulator ---------------------------------------------------------------------------------------------


def publish_period(rules: PeriodRules) -> Call:
    """Publish a period's cap and rules (role REGULATOR), once and for good."""
    fields = {
        "period": rules.period,
        "deadline": rules.deadline_utc,
        "capT": rules.cap_t,
        "offsetCapPpm": rules.offset_cap_ppm,
        "penaltyMultiple": rules.penalty_multiple,
        "cumulative": rules.cumulative,
    }
    return Call("Compliance", "publishPeriod", (fields,))


def allocate(period: int, quantities_t: Sequence[tuple[str, int]], request: RequestName) -> Call:
    """Allocate allowances of a period to entities, tonnes each (role REGULATOR)."""
    return Call("Compliance", "allocate", (period, list(quantities_t), request_id(request)))


def publish_reference_price(period: int, price_fen: int, request: RequestName) -> Call:
    """Publish the price that penalties are a multiple of, fen per tonne (role REGULATOR), once a period."""
    return Call("Compliance", "publishReferencePrice", (period, price_fen, request_id(request)))


def assess(period: int, entities: Sequence[str]) -> Call:
    """Assess obligations after the deadline; anyone may ask."""
    return Call("Compliance", "assess", (period, list(entities)))


def accredit_verifier(verifier: str, until_utc: int, request: RequestName) -> Call:
    """Accredit a verifier up to a time (role REGULATOR)."""
    return Call("Verification", "accredit", (verifier, until_utc, request_id(request)))


def revoke_verifier(verifier: str, request: RequestName) -> Call:
    """Take a verifier's accreditation (role REGULATOR)."""
    return Call("Verification", "revoke", (verifier, request_id(request)))


def declare_conflict(verifier: str, entity: str, request: RequestName) -> Call:
    """Bar a verifier from an entity's reports (role REGULATOR; Law 13)."""
    return Call("Verification", "declareConflict", (verifier, entity, request_id(request)))


def accredit_provider(provider: str, accredited: bool, request: RequestName) -> Call:
    """Accredit a provider of green acts, or end that (role REGULATOR)."""
    return Call("MicroCarat", "accreditProvider", (provider, accredited, request_id(request)))


def set_frozen(account: str, frozen: bool, request: RequestName) -> Call:
    """Freeze an account or free it (role REGULATOR)."""
    return Call("CarbonLedger", "setFrozen", (account, frozen, request_id(request)))


# Firms, verifiers, developers ------------------------------------------------------------------------------


def file_report(
    report: RequestName, period: int, evidence_root: bytes, document_hash: bytes, reported_t: int
) -> Call:
    """File the caller's emission report of a period; a later one replaces an unverified one (the firm)."""
    args = (request_id(report), period, evidence_root, document_hash, reported_t)
    return Call("Verification", "fileReport", args)


def accept_statements(signed: Sequence[tuple[EmissionStatement, bytes]]) -> Call:
    """Bring verifiers' signed emission statements, all or none; anyone may."""
    statements = [statement.fields() for statement, _ in signed]
    signatures = [signature for _, signature in signed]
    return Call("Verification", "acceptEmissionStatements", (statements, signatures))


def accept_reduction(statement: ReductionStatement, signature: bytes) -> Call:
    """Bring a verifier's signed reduction statement: it issues BE - PE - LE to the developer; anyone may."""
    return Call("Verification", "acceptReductionStatement", (statement.fields(), signature))


def surrender(period: int, unit: UnitId, quantity_t: int, request: RequestName) -> Call:
    """Pay the caller's obligation of a period (清缴) with tonnes of one unit (the firm)."""
    return Call("Compliance", "surrender", (period, unit.value, quantity_t, request_id(request)))


def cancel_units(unit: UnitId, quantity_t: int, reason: str, request: RequestName) -> Call:
    """Take the caller's tonnes out of circulation (注销), for neutrality or at the authority's demand."""
    return Call("CarbonLedger", "cancel", (unit.value, quantity_t, reason, request_id(request)))


def transfer_units(owner: str, to: str, unit: UnitId, quantity_t: int) -> Call:
    """Transfer the caller's tonnes to another registry account. The contract knows no request id here."""
    return Call("CarbonLedger", "safeTransferFrom", (owner, to, unit.value, quantity_t, b""))


# Trading accounts and cash ---------------------------------------------------------------------------------


def deposit_units(owner: str, clearing: str, unit: UnitId, quantity_t: int, request: RequestName) -> Call:
    """Move the caller's tonnes from the registry account to the trading account at `clearing`."""
    args = (owner, clearing, unit.value, quantity_t, _deposit_data(request))
    return Call("CarbonLedger", "safeTransferFrom", args)


def deposit_cash(clearing: str, amount_fen: int, request: RequestName) -> Call:
    """Move the caller's cash to the trading account at `clearing`."""
    return Call("SettlementCash", "transferAndCall", (clearing, amount_fen, _deposit_data(request)))


def request_exit() -> Call:
    """Ask to take everything out when the exchange is silent (the account's owner)."""
    return Call("Clearing", "requestExit")


def exit_clearing(units: Sequence[UnitId]) -> Call:
    """Take cash and these units out after the exit's time has come (the account's owner)."""
    return Call("Clearing", "exit", ([unit.value for unit in units],))


def mint_cash(credits_fen: Sequence[tuple[str, int]], request: RequestName) -> Call:
    """Credit tokenised cash to accounts against real money (role BANK)."""
    return Call("SettlementCash", "mint", (list(credits_fen), request_id(request)))


def redeem_cash(amount_fen: int, request: RequestName) -> Call:
    """Give the caller's cash back to the bank, which pays out."""
    return Call("SettlementCash", "redeem", (amount_fen, request_id(request)))


# People ----------------------------------------------------------------------------------------------------


def publish_points_epoch(epoch: int, root: bytes, total_g: int, people: int, batches_root: bytes) -> Call:
    """Publish what everyone earned in a points epoch (role POINTS); the first epoch is 1."""
    return Call("MicroCarat", "publishEpoch", (epoch, root, total_g, people, batches_root))


def claim_points(epoch: int, index: int, quantity_g: int, proof: Sequence[tuple[bytes, int]]) -> Call:
    """Claim the caller's grams of an epoch, once; `proof` as `registry.personal.merkle_sum` gives it."""
    nodes: list[Any] = [(node, sum_g) for node, sum_g in proof]
    return Call("MicroCarat", "claim", (epoch, index, quantity_g, nodes))


def redeem_points(quantity_g: int, reward: bytes | str, request: RequestName) -> Call:
    """Burn the caller's grams for a reward, named by 32 bytes."""
    return Call("MicroCarat", "redeem", (quantity_g, bytes32(reward), request_id(request)))


def _deposit_data(request: RequestName) -> bytes:
    return encode(["bytes32"], [request_id(request)])
