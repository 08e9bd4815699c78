"""The EVM's rules on this chain: Cancun, a constant gas limit, no fees unless someone offers them.

Cancun and not Prague: OpenZeppelin 5 needs Cancun, the consortium engines run it, and without EIP-7702
no account that signs can also be a contract.

py-evm supplies state, opcodes and the transaction executor. What is overridden here is only what a
single authority does not need: the beacon root contract, and checks that the mempool has already made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import cast

from eth._utils.address import generate_contract_address
from eth.abc import (
    ComputationAPI,
    ExecutionContextAPI,
    MessageAPI,
    SignedTransactionAPI,
    StateAPI,
    TransactionContextAPI,
)
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.typing import JournalDBCheckpoint
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.state import CancunState, CancunTransactionExecutor
from eth.vm.message import Message
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.logging import get_extended_debug_logger

from chain.node.errors import ServerError
from chain.node.evm.opcodes import OPCODES
from chain.node.evm.precompiles import PRECOMPILES, is_too_slow
from chain.node.evm.program import ExecutionTimeout, program_of
from chain.node.world import World

BLOCK_GAS_LIMIT = 500_000_000
COINBASE = Address(b"\x00" * 20)
PREVRANDAO = Hash32(b"\x00" * 32)


class NodeExecutor(CancunTransactionExecutor):
    """Runs one transaction. What the mempool has checked is not checked again."""

    def validate_transaction(self, transaction: SignedTransactionAPI) -> None:
        """Check what depends on the state.

        Raises
        ------
        ServerError :
            On a wrong nonce, too small a balance, or a sender that is a contract (EIP-3607).
        """
        state, sender = self.vm_state, transaction.sender
        nonce = state.get_nonce(sender)
        if transaction.nonce != nonce:
            word = "low" if transaction.nonce < nonce else "high"
            raise ServerError(f"nonce too {word}: next nonce {nonce}, tx nonce {transaction.nonce}")
        cost = transaction.value + transaction.gas * transaction.max_fee_per_gas
        if cost:
            balance = state.get_balance(sender)
            if balance < cost:
                raise ServerError(
                    f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}"
                )
        if state.get_code(sender):
            raise ServerError("sender not an eoa: its address holds code")

    def build_evm_message(self, transaction: SignedTransactionAPI) -> MessageAPI:
        """Take fee and nonce, and make the outermost message (py-evm's, without its long log lines)."""
        state, sender = self.vm_state, transaction.sender
        fee = transaction.gas * state.get_gas_price(transaction)
        if fee:
            state.delta_balance(sender, -fee)
        nonce = state.get_nonce(sender)
        state.increment_nonce(sender)
        creates = transaction.to == CREATE_CONTRACT_ADDRESS
        return Message(
            gas=transaction.gas - transaction.intrinsic_gas,
            to=transaction.to,
            sender=sender,
            value=transaction.value,
            data=b"" if creates else transaction.data,
            code=transaction.data if creates else state.get_code(transaction.to),
            create_address=generate_contract_address(sender, nonce) if creates else None,  # type: ignore[arg-type]
        )


class CallExecutor(NodeExecutor):
    """Runs a call: nothing is checked, as nobody has signed it."""

    def validate_transaction(self, transaction: SignedTransactionAPI) -> None:
        """A call has no nonce and pays nothing."""


class NodeComputation(CancunComputation):
    """Cancun's opcodes and precompiles, run block by block (`evm`) and not opcode by opcode."""

    opcodes = OPCODES
    _precompiles = PRECOMPILES

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """py-evm's `BaseComputation.apply_computation` with `run_code` where its loop is."""
        with cls(state, message, transaction_context) as entered:
            computation = cast(NodeComputation, entered)
            if computation.is_origin_computation:
                computation.contracts_created = []
                if message.is_create:
                    cls.consume_initcode_gas_cost(computation)
            if parent_computation is not None:
                computation.contracts_created = parent_computation.contracts_created
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            precompile = computation.precompiles.get(message.code_address)
            if precompile is None:
                computation.run_code()
            else:
                computation.refuse_slow_precompile()
                precompile(computation)
        return computation

    def run_code(self) -> None:
        """Run the frame's code to its end."""
        program_of(self.msg.code).run(self, cast(NodeState, self.state).deadline)

    def refuse_slow_precompile(self) -> None:
        """Give up before a precompile that nothing can interrupt.

        Raises
        ------
        ExecutionTimeout :
            If time is up, or would be long before it ends.
        """
        late = time.monotonic() > cast(NodeState, self.state).deadline
        if late or is_too_slow(self.precompiles.get(self.msg.code_address), bytes(self.msg.data)):
            raise ExecutionTimeout


class NodeState(CancunState):
    """The world during a block. `deadline`, of the monotonic clock, is when running code is given up."""

    logger = get_extended_debug_logger("chain.node.state")
    deadline = math.inf
    computation_class: type[CancunComputation] = NodeComputation
    transaction_executor_class = NodeExecutor

    def __init__(self, world: World, context: ExecutionContextAPI) -> None:
        # Not py-evm's own: it would build its AccountDB, and look for the beacon roots' contract (EIP-4788).
        self.execution_context = context
        self.world = world
        self._account_db = world

    def snapshot(self) -> tuple[Hash32, JournalDBCheckpoint]:
        """A point to come back to, within a transaction."""
        return self.world.state_root, self.world.record()

    def revert(self, snapshot: tuple[Hash32, JournalDBCheckpoint]) -> None:
        """Come back to it."""
        self.world.discard(snapshot[1])

    def commit(self, snapshot: tuple[Hash32, JournalDBCheckpoint]) -> None:
        """Forget it."""
        self.world.commit(snapshot[1])

    def get_transient_storage(self, address: Address, slot: int) -> bytes:
        """EIP-1153."""
        return self.world.get_transient(address, slot)

    def set_transient_storage(self, address: Address, slot: int, value: bytes) -> None:
        """EIP-1153."""
        self.world.set_transient(address, slot, value)

    def clear_transient_storage(self) -> None:
        """The transaction is over."""
        self.world.clear_transient()


class CallState(NodeState):
    """The world as a call sees it."""

    transaction_executor_class = CallExecutor


def execution_context(
    number: int, timestamp_utc: int, chain_id: int, previous_hashes: Iterable[Hash32]
) -> ExecutionContext:
    """What the opcodes NUMBER, TIMESTAMP, CHAINID, BLOCKHASH, ... answer in block `number`."""
    return ExecutionContext(
        coinbase=COINBASE,
        timestamp=timestamp_utc,
        block_number=BlockNumber(number),
        difficulty=0,
        mix_hash=PREVRANDAO,
        gas_limit=BLOCK_GAS_LIMIT,
        prev_hashes=previous_hashes,
        chain_id=chain_id,
        base_fee_per_gas=0,
        excess_blob_gas=0,
    )
