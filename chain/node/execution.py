"""Running transactions and calls on a state, and saying why one failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from eth.abc import ComputationAPI, SignedTransactionAPI
from eth.exceptions import (
    ContractCreationCollision,
    FullStack,
    InsufficientStack,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfBoundsRead,
    OutOfGas,
    ReservedBytesInCode,
    Revert,
    StackDepthLimit,
    VMError,
    WriteProtection,
)

from chain.node.blocks import Log, Receipt, logs_bloom
from chain.node.errors import ExecutionReverted, RpcError, ServerError
from chain.node.fork import NodeState
from chain.node.transactions import Transaction

_MAX_REFUND_QUOTIENT = 5
_ERROR_SELECTOR, _PANIC_SELECTOR = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")
_FAILURES: tuple[tuple[type[VMError], str], ...] = (
    (OutOfGas, "out of gas"),
    (InvalidInstruction, "invalid opcode"),
    (InvalidJumpDestination, "invalid jump destination"),
    (WriteProtection, "write protection"),
    (InsufficientStack, "stack underflow"),
    (FullStack, "stack limit reached"),
    (StackDepthLimit, "max call depth exceeded"),
    (ContractCreationCollision, "contract address collision"),
    (OutOfBoundsRead, "return data out of bounds"),
    (ReservedBytesInCode, "invalid code: must not begin with 0xef"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What running a transaction gave: gas used after refunds, gas refunded, logs, output, error."""

    gas_used: int
    refund: int
    logs: tuple[Log, ...]
    output: bytes
    error: VMError | None
    created: bytes | None


def run(state: NodeState, transaction: Transaction) -> Outcome:
    """Apply `transaction` to `state`.

    Raises
    ------
    ServerError :
        If it cannot be part of a block at all: nonce, balance, sender. The state is then unchanged.
    """
    state.world.lock_changes()
    computation = apply(state, transaction)
    gas_left = computation.get_gas_remaining()
    consumed = transaction.gas - gas_left
    refund = min(computation.get_gas_refund(), consumed // _MAX_REFUND_QUOTIENT)
    logs = tuple(
        Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), data)
        for address, topics, data in computation.get_log_entries()
    )
    error = computation.error if computation.is_error else None
    created = None if transaction.to else bytes(computation.msg.storage_address)
    return Outcome(consumed - refund, refund, logs, bytes(computation.output), error, created)


def apply(state: NodeState, transaction: Transaction) -> ComputationAPI:
    """The computation of a transaction, on py-evm's executor."""
    try:
        return state.apply_transaction(cast(SignedTransactionAPI, transaction))
    except VMError as error:
        # Raised outside a computation: the value of a call that the sender does not have.
        raise ServerError(f"insufficient funds for transfer: {error}") from None


def receipt_of(outcome: Outcome, gas_before: int) -> Receipt:
    """The receipt of a transaction in a block that had used `gas_before` so far."""
    return Receipt(
        status=0 if outcome.error is not None else 1,
        gas_used=outcome.gas_used,
        cumulative_gas_used=gas_before + outcome.gas_used,
        logs=outcome.logs,
        created=outcome.created,
        bloom=logs_bloom(outcome.logs),
    )


def failure(outcome: Outcome) -> RpcError:
    """The JSON-RPC error of a call that failed: a revert with its data, or the EVM's complaint."""
    assert outcome.error is not None
    if isinstance(outcome.error, Revert):
        return ExecutionReverted(revert_message(outcome.output), "0x" + outcome.output.hex())
    return ServerError(failure_text(outcome.error))


def failure_text(error: VMError) -> str:
    """An EVM error in the words that tools look for."""
    if isinstance(error, Revert):
        return "execution reverted"
    for kind, text in _FAILURES:
        if isinstance(error, kind):
            return text
    return str(error)


def revert_message(output: bytes) -> str:
    """`execution reverted`, with the reason where the data is Error(string) or Panic(uint256)."""
    if output[:4] not in (_ERROR_SELECTOR, _PANIC_SELECTOR):
        return "execution reverted"
    # Read late: its grammar takes a while, and a node may run long before anybody needs it.
    from eth_abi.abi import decode as abi_decode  # noqa: PLC0415
    from eth_abi.exceptions import DecodingError  # noqa: PLC0415

    try:
        if output[:4] == _ERROR_SELECTOR:
            return f"execution reverted: {abi_decode(['string'], output[4:])[0]}"
        return f"execution reverted: panic code {abi_decode(['uint256'], output[4:])[0]:#x}"
    except (DecodingError, UnicodeDecodeError, OverflowError):
        pass
    return "execution reverted"
