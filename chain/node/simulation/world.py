"""The world of a simulation: its checks depend on `validation`, and it can tell of every transfer of ether.

A transfer is told as if ether were a token at 0xeee...e: as a log of the frame that gets it, so that a frame
that fails takes it back.
"""

from __future__ import annotations

from eth.abc import MessageAPI, SignedTransactionAPI, StateAPI, TransactionContextAPI
from eth.vm.computation import BaseComputation
from eth_typing import Address

from chain.node.errors import ServerError
from chain.node.fork import CallExecutor
from chain.node.formats import UINT64_MAX, checksum
from chain.node.hashing import keccak
from chain.node.overrides import OverriddenState, Precompiles
from chain.node.simulation.errors import (
    SimulatedFeeTooLow,
    SimulatedFundsTooLow,
    SimulatedGasTooLow,
    SimulatedInitcodeTooLong,
    SimulatedNonceTooHigh,
    SimulatedNonceTooLow,
)
from chain.node.tracing.budget import Budget
from chain.node.tracing.machine import Tracer, TracingComputation, peek_address
from chain.node.transactions import Transaction, needed_gas

ETHER = Address(b"\xee" * 20)
_TRANSFER = int.from_bytes(keccak(b"Transfer(address,address,uint256)"), "big")
_MAX_INITCODE_BYTES = 49_152


class SimulatedExecutor(CallExecutor):
    """Runs one call of a simulation. Its sender may be a contract: nobody has signed."""

    def validate_transaction(self, transaction: SignedTransactionAPI) -> None:
        """Refuse what could be in no block; without `validation` neither nonce nor a fee of zero matter."""
        state = self.vm_state
        assert isinstance(state, SimulatedState)
        sender, fee = transaction.sender, transaction.max_fee_per_gas
        tip, base_fee = transaction.max_priority_fee_per_gas, state.execution_context.base_fee_per_gas or 0
        who = checksum(sender)
        if state.validation:
            nonce = state.get_nonce(sender)
            if transaction.nonce < nonce:
                raise SimulatedNonceTooLow(
                    f"nonce too low: {who}: tx nonce {transaction.nonce}, state {nonce}"
                )
            if transaction.nonce > nonce:
                raise SimulatedNonceTooHigh(
                    f"nonce too high: {who}: tx nonce {transaction.nonce}, state {nonce}"
                )
            if nonce >= UINT64_MAX:
                raise SimulatedNonceTooHigh(f"nonce has max value: {who}")
        if state.validation or fee or tip:
            if tip > fee:
                raise ServerError(
                    f"max priority fee per gas higher than max fee per gas: tip {tip}, fee {fee}"
                )
            if fee < base_fee:
                raise SimulatedFeeTooLow(
                    f"max fee per gas less than block base fee: {who}: maxFeePerGas {fee}, baseFee {base_fee}"
                )
        have, want = state.get_balance(sender), transaction.gas * fee + transaction.value
        if have < want:
            raise SimulatedFundsTooLow(
                f"insufficient funds for gas * price + value: {who}: have {have}, want {want}"
            )


class SimulatedState(OverriddenState):
    """A block of a simulation."""

    transaction_executor_class = SimulatedExecutor
    validation = False

    def tell_transfers(self, precompiles: Precompiles, budget: Budget) -> None:
        """Let every transfer of ether be told as a log."""
        members = {"_precompiles": precompiles, "tracer": _Farewells(budget)}
        self.computation_class = type("Telling", (TellingComputation,), members)


class TellingComputation(TracingComputation):
    """Frames that begin with a log of the ether they got."""

    def __init__(
        self, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI
    ) -> None:
        super().__init__(state, message, transaction_context)
        if message.value and message.should_transfer_value:
            _tell(self, message.sender, message.storage_address, message.value)


class _Farewells(Tracer):
    """Tells of the ether that a contract leaves behind when it destroys itself."""

    def step(self, computation: BaseComputation, name: str) -> None:
        """Before it is gone."""
        if name == "SELFDESTRUCT":
            address = computation.msg.storage_address
            balance = computation.state.get_balance(address)
            if balance:
                _tell(computation, address, peek_address(computation, 0), balance)


def _tell(computation: BaseComputation, sender: bytes, to: bytes, value: int) -> None:
    topics = (_TRANSFER, int.from_bytes(sender, "big"), int.from_bytes(to, "big"))
    computation.add_log_entry(ETHER, topics, value.to_bytes(32, "big"))


def check_intrinsic(transaction: Transaction) -> None:
    """Refuse a call whose gas cannot pay for it to begin, or whose init code is too long."""
    needed = needed_gas(transaction)
    if transaction.gas < needed:
        raise SimulatedGasTooLow(f"intrinsic gas too low: have {transaction.gas}, want {needed}")
    if not transaction.to and len(transaction.data) > _MAX_INITCODE_BYTES:
        raise SimulatedInitcodeTooLong(
            f"max initcode size exceeded: code size {len(transaction.data)}, limit {_MAX_INITCODE_BYTES}"
        )
