"""Reading eth_simulateV1's payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.node.blocks import Block
from chain.node.calls import read_access_list, read_call, refuse_foreign_types
from chain.node.errors import InvalidParams
from chain.node.formats import UINT64_MAX, read_address, read_bool, read_int, read_object
from chain.node.overrides import AccountOverride, BlockOverrides, read_accounts, read_block
from chain.node.simulation.errors import SimulatedNumberNotRising, SimulatedTimeNotRising, SimulationTooLarge
from chain.node.transactions import ACCESS_LIST, DYNAMIC_FEE, LEGACY, Transaction

MAX_BLOCKS = 256
MAX_CALLS = 10_000
BLOCK_TIME_S = 12
_MAX_WITHDRAWALS = 1_024


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction to be, and what it left open: its nonce and its gas."""

    transaction: Transaction
    nonce: int | None
    gas: int | None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Gwei that a block credits to an address (EIP-4895)."""

    index: int
    validator: int
    address: bytes
    amount_gwei: int


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A block to be simulated; its overrides hold a number and a time."""

    block: BlockOverrides
    accounts: Mapping[bytes, AccountOverride]
    calls: tuple[Call, ...]
    withdrawals: tuple[Withdrawal, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The blocks in order, without gaps, and how they are run and shown."""

    blocks: tuple[BlockPlan, ...]
    transfers: bool
    validation: bool
    full: bool


def read_plan(value: Any, base: Block, chain_id: int) -> Plan:
    """What a payload asks for on top of `base`.

    Raises
    ------
    InvalidParams :
        If it makes no sense.
    SimulatedNumberNotRising, SimulatedTimeNotRising, SimulationTooLarge :
        If its blocks do not follow one another, or it is too much.
    """
    fields = read_object(value, "payload")
    wanted = fields.get("blockStateCalls")
    if not isinstance(wanted, list) or not wanted:
        raise InvalidParams("blockStateCalls: expected a list of at least one block")
    blocks = [_block(each, chain_id) for each in wanted]
    count = sum(len(block.calls) for block in blocks)
    if count > MAX_CALLS:
        raise SimulationTooLarge(f"{count} calls, limit {MAX_CALLS}")
    return Plan(
        tuple(_in_order(blocks, base)),
        transfers=_flag(fields, "traceTransfers"),
        validation=_flag(fields, "validation"),
        full=_flag(fields, "returnFullTransactions"),
    )


def _in_order(blocks: list[BlockPlan], base: Block) -> list[BlockPlan]:
    """Every block with number and time; where a number was left out between two, an empty block."""
    placed: list[BlockPlan] = []
    number, time_utc = base.number, base.header.timestamp
    for plan in blocks:
        wanted = number + 1 if plan.block.number is None else plan.block.number
        if wanted <= number:
            raise SimulatedNumberNotRising(f"block numbers must be in order: {wanted} <= {number}")
        if wanted - base.number > MAX_BLOCKS:
            raise SimulationTooLarge(f"too many blocks: {wanted - base.number}, limit {MAX_BLOCKS}")
        for gap in range(number + 1, wanted):
            time_utc += BLOCK_TIME_S
            placed.append(BlockPlan(BlockOverrides(number=gap, time_utc=time_utc), {}, (), ()))
        time_wanted = time_utc + BLOCK_TIME_S if plan.block.time_utc is None else plan.block.time_utc
        if time_wanted <= time_utc:
            raise SimulatedTimeNotRising(f"block timestamps must be in order: {time_wanted} <= {time_utc}")
        if time_wanted > UINT64_MAX:
            raise SimulationTooLarge(f"block time {time_wanted} is beyond {UINT64_MAX}")
        number, time_utc = wanted, time_wanted
        placed.append(_placed(plan, number, time_utc))
    return placed


def _placed(plan: BlockPlan, number: int, time_utc: int) -> BlockPlan:
    block = plan.block
    overrides = BlockOverrides(
        number, time_utc, block.gas_limit, block.coinbase, block.randao, block.base_fee, block.blob_base_fee
    )
    return BlockPlan(overrides, plan.accounts, plan.calls, plan.withdrawals)


def _block(value: Any, chain_id: int) -> BlockPlan:
    fields = read_object(value, "blockStateCalls")
    overrides = read_object(fields.get("blockOverrides") or {}, "blockOverrides")
    calls = fields.get("calls")
    if not isinstance(calls, list | None):
        raise InvalidParams("calls: expected a list")
    return BlockPlan(
        read_block(overrides),
        read_accounts(fields.get("stateOverrides")),
        tuple(_call(each, chain_id) for each in calls or ()),
        _withdrawals(overrides.get("withdrawals")),
    )


def _call(value: Any, chain_id: int) -> Call:
    fields = read_object(value, "call")
    refuse_foreign_types(fields)
    transaction = read_call(fields)
    dynamic = fields.get("gasPrice") is None
    kind = DYNAMIC_FEE if dynamic else LEGACY
    if not dynamic and (read_access_list(fields.get("accessList")) or fields.get("type") in ("0x1", "0x01")):
        kind = ACCESS_LIST
    transaction.type_id, transaction.chain_id = kind, chain_id
    nonce, gas = fields.get("nonce"), fields.get("gas")
    return Call(
        transaction,
        None if nonce is None else read_int(nonce, "nonce", UINT64_MAX),
        None if gas is None else read_int(gas, "gas", UINT64_MAX),
    )


def _withdrawals(value: Any) -> tuple[Withdrawal, ...]:
    if not isinstance(value, list | None) or len(value or ()) > _MAX_WITHDRAWALS:
        raise InvalidParams(f"withdrawals: expected a list of at most {_MAX_WITHDRAWALS}")
    found = [read_object(each, "withdrawal") for each in value or ()]
    return tuple(
        Withdrawal(
            read_int(each.get("index"), "index", UINT64_MAX),
            read_int(each.get("validatorIndex"), "validatorIndex", UINT64_MAX),
            read_address(each.get("address")),
            read_int(each.get("amount"), "amount"),
        )
        for each in found
    )


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    return False if value is None else read_bool(value, name)
