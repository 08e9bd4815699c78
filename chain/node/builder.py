"""Building a block: one pass over the ready transactions, one state root at the end.

py-evm's own mining computes a state root, copies the header and validates again for every transaction;
here a transaction costs only its execution. The result is the same block.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from chain.node.blocks import Block, Receipt, assemble
from chain.node.errors import InternalError, LimitExceeded, RpcError
from chain.node.evm.program import ExecutionTimeout
from chain.node.execution import receipt_of, run
from chain.node.fork import BLOCK_GAS_LIMIT, NodeState
from chain.node.transactions import Transaction

# Gas bounds work, but not in pure Python's seconds: one that runs on and on would hold up everybody.
TRANSACTION_SECONDS = 20.0
# Who sends is not answered while a block is built: after this, what waits is left for the next one.
BLOCK_SECONDS = 2.0
# Who reads is: after this at the latest, unless one transaction takes longer.
TURN_SECONDS = 0.003
_SHORT_SECONDS = 0.001


class Unexecutable(Exception):
    """A transaction takes too long, or makes py-evm itself fail. The block has to be built without it."""

    def __init__(self, transaction: Transaction, refusal: RpcError, work_ms: int) -> None:
        super().__init__(f"transaction 0x{transaction.hash.hex()}: {refusal.message}")
        self.transaction = transaction
        self.refusal = refusal
        self.work_ms = work_ms


@dataclass(slots=True)
class Built:
    """A block, the transactions that could not be part of it, and how many did not fit.

    `work_ms` is what each transaction of the block took of the processor.
    """

    block: Block
    work_ms: list[int] = field(default_factory=list)
    refused: list[tuple[Transaction, RpcError]] = field(default_factory=list)
    left: int = 0


def build(
    state: NodeState,
    parent: Block,
    timestamp_utc: int,
    transactions: Iterable[Transaction],
    extra_data: bytes = b"",
) -> Generator[None, None, Built]:
    """Run `transactions` on `state` (the parent's, in the new block's context) and make a block of what ran.

    A transaction whose gas does not fit any more, or whose turn comes when BLOCK_SECONDS are over, is left
    for the next block, and with it everything after: the order of a pool is the order of its blocks. One
    transaction is taken in any case.

    A generator: it pauses every few milliseconds, so that others can be answered, and returns the block.

    Raises
    ------
    Unexecutable :
        If a transaction takes too long or makes py-evm fail; `state` is then useless.
    """
    included: list[Transaction] = []
    receipts: list[Receipt] = []
    refused: list[tuple[Transaction, RpcError]] = []
    work_ms: list[int] = []
    skipped: set[bytes] = set()
    gas, left = 0, 0
    began = turn = time.monotonic()
    for transaction in transactions:
        now = time.monotonic()
        if now - turn > TURN_SECONDS:
            yield
            turn = now = time.monotonic()
        late = bool(included) and now - began > BLOCK_SECONDS
        if left or late or gas + transaction.gas > BLOCK_GAS_LIMIT:
            left += 1
            continue
        if transaction.sender in skipped:
            continue
        state.deadline = now + TRANSACTION_SECONDS
        worked = time.thread_time_ns()
        try:
            outcome = run(state, transaction)
        except RpcError as error:
            refused.append((transaction, error))
            skipped.add(transaction.sender)
            continue
        except ExecutionTimeout as error:
            message = f"execution takes longer than {TRANSACTION_SECONDS:.0f} s"
            raise Unexecutable(transaction, LimitExceeded(message), _ms_since(worked)) from error
        except Exception as error:
            refusal = InternalError(f"transaction cannot be executed: {type(error).__name__}")
            raise Unexecutable(transaction, refusal, _ms_since(worked)) from error
        receipt = receipt_of(outcome, gas)
        gas = receipt.cumulative_gas_used
        included.append(transaction)
        receipts.append(receipt)
        work_ms.append(_ms_since(worked))
    if time.monotonic() - turn > _SHORT_SECONDS:
        yield
    turn = time.monotonic()
    state.persist()
    if time.monotonic() - turn > _SHORT_SECONDS:
        yield
    turn = time.monotonic()
    root = state.state_root
    block = assemble(
        parent.number + 1,
        parent.hash,
        timestamp_utc,
        root,
        transactions=included,
        receipts=receipts,
        extra_data=extra_data,
    )
    if time.monotonic() - turn > _SHORT_SECONDS:
        yield
    return Built(block, work_ms, refused, left)


def _ms_since(thread_time_ns: int) -> int:
    return (time.thread_time_ns() - thread_time_ns) // 1_000_000
