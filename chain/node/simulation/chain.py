"""Running a plan block by block: each on what the one before left, with its own header, roots and hash."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from eth.abc import ExecutionContextAPI
from eth.constants import EMPTY_UNCLE_HASH
from eth.exceptions import Revert
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth_typing import Address, BlockNumber, Hash32

from chain.node.blocks import Block, Log, Receipt, logs_bloom
from chain.node.calls import CALL_GAS_LIMIT
from chain.node.codec import encode
from chain.node.evm.program import ExecutionTimeout
from chain.node.execution import Outcome, failure_text, receipt_of, revert_message, run
from chain.node.fork import execution_context
from chain.node.formats import checksum, hex_bytes, hex_int
from chain.node.hashing import keccak
from chain.node.node import Node
from chain.node.overrides import apply_accounts, overridden_context
from chain.node.raw import block_size, consensus_receipt, unsigned_raw
from chain.node.roots import ordered_root
from chain.node.simulation.errors import SimulatedBlockFull, SimulationTimeout, SimulationTooLarge
from chain.node.simulation.request import BlockPlan, Call, Plan, Withdrawal
from chain.node.simulation.world import ETHER, SimulatedState, check_intrinsic
from chain.node.store import StateDB
from chain.node.tracing.budget import Budget
from chain.node.transactions import LEGACY, Transaction
from chain.node.views import block_json, log_json
from chain.node.world import World

SIMULATION_SECONDS = 5.0
_REVERTED, _FAILED = 3, -32015
_WEI_PER_GWEI = 10**9


class Simulation:
    """One request: its world, which nobody else sees, and what it may still spend."""

    def __init__(self, node: Node, base: Block, plan: Plan) -> None:
        self._node, self._plan, self._base = node, plan, base
        node.state_after(base)  # refused here if it is not kept
        # Reads what is on disk; what it writes stays in memory and goes with it.
        self._world = World(StateDB(node.store), Hash32(base.header.state_root))
        self._parent = base
        self._hashes: list[Hash32] = [Hash32(base.hash)]
        self._gas = CALL_GAS_LIMIT
        self._budget = Budget(SIMULATION_SECONDS)

    def run(self) -> list[dict[str, Any]]:
        """The blocks, as the specification shows them.

        Raises
        ------
        RpcError :
            If a call could be in no block, or the simulation takes too much; see `simulation.errors`.
        """
        return [self._run_block(plan) for plan in self._plan.blocks]

    def _run_block(self, plan: BlockPlan) -> dict[str, Any]:
        context = self._context(plan)
        state = SimulatedState(self._world, context)
        state.validation, state.blob_fee = self._plan.validation, plan.block.blob_base_fee
        state.deadline = self._budget.deadline
        precompiles = apply_accounts(self._world, plan.accounts)
        if self._plan.transfers:
            state.tell_transfers(precompiles, self._budget)
        else:
            state.set_precompiles(precompiles)
        transactions: list[Transaction] = []
        outcomes: list[Outcome] = []
        used = 0
        for call in plan.calls:
            transaction = self._transaction(state, call, context.gas_limit - used)
            outcomes.append(self._run_call(state, transaction))
            transactions.append(transaction)
            used += outcomes[-1].gas_used
            self._gas -= outcomes[-1].gas_used
        for each in plan.withdrawals:
            state.delta_balance(Address(each.address), each.amount_gwei * _WEI_PER_GWEI)
        block = _assemble(self._parent, context, self._world.make_state_root(), transactions, outcomes, plan)
        self._parent = block
        self._hashes.insert(0, Hash32(block.hash))
        return self._shown(block, outcomes, plan)

    def _context(self, plan: BlockPlan) -> ExecutionContextAPI:
        number, time_utc = plan.block.number, plan.block.time_utc
        assert number is not None
        assert time_utc is not None
        context = execution_context(number, time_utc, self._node.settings.chain_id, self._previous_hashes())
        # What is not overridden goes on from the block before, as in geth.
        before, wanted = self._parent.header, plan.block
        limit = before.gas_limit if wanted.gas_limit is None else wanted.gas_limit
        coinbase = before.coinbase if wanted.coinbase is None else wanted.coinbase
        return overridden_context(context, replace(wanted, gas_limit=limit, coinbase=coinbase))

    def _previous_hashes(self) -> Iterator[Hash32]:
        yield from self._hashes
        yield from self._node.history.hashes_before(self._base.number)

    def _transaction(self, state: SimulatedState, call: Call, left: int) -> Transaction:
        transaction = call.transaction
        if call.gas is not None and call.gas > left:
            raise SimulatedBlockFull(f"block gas limit reached: {call.gas} wanted, {left} left")
        nonce = state.get_nonce(Address(transaction.sender)) if call.nonce is None else call.nonce
        wanted = left if call.gas is None else call.gas
        ready = replace(transaction, nonce=nonce, gas=min(wanted, self._gas))
        if not self._gas:
            raise SimulationTooLarge(f"the calls use more than {CALL_GAS_LIMIT} gas")
        check_intrinsic(ready)
        ready.raw = unsigned_raw(ready)
        ready.hash = keccak(ready.raw)
        return ready

    def _run_call(self, state: SimulatedState, transaction: Transaction) -> Outcome:
        if time.monotonic() > state.deadline:
            raise _late()
        try:
            return run(state, transaction)
        except ExecutionTimeout:
            raise _late() from None

    def _shown(self, block: Block, outcomes: list[Outcome], plan: BlockPlan) -> dict[str, Any]:
        header = block.header
        shown = block_json(block, full=self._plan.full)
        shown["size"] = hex_int(block_size(block, [_fields(each) for each in plan.withdrawals]))
        shown["withdrawals"] = [_withdrawal_json(each) for each in plan.withdrawals]
        if self._plan.full:
            base_fee = int(header.base_fee_per_gas or 0)
            for each, transaction in zip(shown["transactions"], block.transactions, strict=True):
                each["gasPrice"] = hex_int(_price(transaction, base_fee))
        calls: list[dict[str, Any]] = []
        first_log = 0
        for index, outcome in enumerate(outcomes):
            logs = [
                log_json(log, block, block.transactions[index], index, first_log + at)
                for at, log in enumerate(outcome.logs)
            ]
            first_log += len(logs)
            calls.append(_call_json(outcome, logs))
        return {**shown, "calls": calls}


def _assemble(
    parent: Block,
    context: ExecutionContextAPI,
    state_root: bytes,
    transactions: list[Transaction],
    outcomes: list[Outcome],
    plan: BlockPlan,
) -> Block:
    receipts: list[Receipt] = []
    gas, bloom = 0, 0
    for outcome in outcomes:
        receipts.append(receipt_of(replace(outcome, logs=_spoken(outcome.logs)), gas))
        gas = receipts[-1].cumulative_gas_used
        bloom |= logs_bloom(receipts[-1].logs)
    pairs = zip(transactions, receipts, strict=True)
    header = CancunBlockHeader(
        difficulty=0,
        block_number=BlockNumber(context.block_number),
        gas_limit=context.gas_limit,
        timestamp=context.timestamp,
        coinbase=context.coinbase,
        parent_hash=Hash32(parent.hash),
        uncles_hash=EMPTY_UNCLE_HASH,
        state_root=Hash32(state_root),
        transaction_root=Hash32(ordered_root([transaction.raw for transaction in transactions])),
        receipt_root=Hash32(ordered_root([consensus_receipt(t, r) for t, r in pairs])),
        bloom=bloom,
        gas_used=gas,
        extra_data=b"",
        mix_hash=context.mix_hash,
        nonce=b"\x00" * 8,
        base_fee_per_gas=context.base_fee_per_gas or 0,
        withdrawals_root=Hash32(ordered_root([encode(_fields(each)) for each in plan.withdrawals])),
        blob_gas_used=0,
        excess_blob_gas=0,
        parent_beacon_block_root=Hash32(b"\x00" * 32),
    )
    return Block(header, tuple(transactions), tuple(receipts))


def _spoken(logs: tuple[Log, ...]) -> tuple[Log, ...]:
    """Without the transfers of ether: no contract has said them, and no root knows them."""
    return tuple(log for log in logs if log.address != ETHER)


def _call_json(outcome: Outcome, logs: list[dict[str, Any]]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "returnData": hex_bytes(outcome.output),
        "logs": logs,
        "gasUsed": hex_int(outcome.gas_used),
        "maxUsedGas": hex_int(outcome.gas_used + outcome.refund),
        "status": "0x1",
    }
    if outcome.error is None:
        return shown
    if isinstance(outcome.error, Revert):
        data = hex_bytes(outcome.output)
        error = {"code": _REVERTED, "message": revert_message(outcome.output), "data": data}
    else:
        error = {"code": _FAILED, "message": f"vm execution error: {failure_text(outcome.error)}"}
    # What a failed call gave back is its error's data, not its return data.
    return {**shown, "status": "0x0", "returnData": "0x", "error": error}


def _price(transaction: Transaction, base_fee: int) -> int:
    if transaction.type_id == LEGACY:
        return transaction.max_fee_per_gas
    return min(transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas + base_fee)


def _fields(withdrawal: Withdrawal) -> list[Any]:
    return [withdrawal.index, withdrawal.validator, withdrawal.address, withdrawal.amount_gwei]


def _withdrawal_json(withdrawal: Withdrawal) -> dict[str, str]:
    return {
        "index": hex_int(withdrawal.index),
        "validatorIndex": hex_int(withdrawal.validator),
        "address": checksum(withdrawal.address),
        "amount": hex_int(withdrawal.amount_gwei),
    }


def _late() -> SimulationTimeout:
    return SimulationTimeout(f"simulation takes longer than {SIMULATION_SECONDS:g} s")
