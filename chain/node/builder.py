"""Building a block: one pass over the ready transactions, one state root at the end.

py-evm's own mining computes a state root, copies the header and validates again for every transaction;
here a transaction costs only its execution. The result is the same block.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from chain.node.blocks import Block, Receipt, seal
from chain.node.errors import InternalError, RpcError
from chain.node.execution import receipt_of, run
from chain.node.fork import BLOCK_GAS_LIMIT, NodeState
from chain.node.transactions import Transaction


class Unexecutable(Exception):
    """A transaction made py-evm itself fail: our bug or its. The block has to be built without it."""

    def __init__(self, transaction: Transaction, cause: Exception) -> None:
        super().__init__(f"transaction 0x{transaction.hash.hex()}: {cause!r}")
        self.transaction = transaction
        self.refusal = InternalError(f"transaction cannot be executed: {type(cause).__name__}")


@dataclass(slots=True)
class Built:
    """A block, the transactions that could not be part of it, and whether some did not fit."""

    block: Block
    refused: list[tuple[Transaction, RpcError]] = field(default_factory=list)
    left: int = 0


def build(state: NodeState, parent: Block, timestamp_utc: int, transactions: Iterable[Transaction]) -> Built:
    """Run `transactions` on `state` (the parent's, in the new block's context) and seal what ran.

    A transaction whose gas does not fit any more is left for the next block, and with it everything
    after: the order of a pool is the order of its blocks.

    Raises
    ------
    Unexecutable :
        If a transaction makes py-evm fail; `state` is then useless.
    """
    included: list[Transaction] = []
    receipts: list[Receipt] = []
    refused: list[tuple[Transaction, RpcError]] = []
    skipped: set[bytes] = set()
    gas, left = 0, 0
    for transaction in transactions:
        if left or gas + transaction.gas > BLOCK_GAS_LIMIT:
            left += 1
            continue
        if transaction.sender in skipped:
            continue
        try:
            outcome = run(state, transaction)
        except RpcError as error:
            refused.append((transaction, error))
            skipped.add(transaction.sender)
            continue
        except Exception as error:
            raise Unexecutable(transaction, error) from error
        receipt = receipt_of(outcome, gas)
        gas = receipt.cumulative_gas_used
        included.append(transaction)
        receipts.append(receipt)
    state.persist()
    root = state.state_root
    block = seal(
        parent.number + 1, parent.hash, timestamp_utc, root, transactions=included, receipts=receipts
    )
    return Built(block, refused, left)
