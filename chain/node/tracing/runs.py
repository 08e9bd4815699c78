"""Tracing a mined transaction, a whole block, or a call: the world as it was, moved on to where it begins."""

from __future__ import annotations

import time
from typing import Any

from chain.node import calls
from chain.node.blocks import Block
from chain.node.errors import LimitExceeded, ServerError
from chain.node.evm.program import ExecutionTimeout
from chain.node.execution import run
from chain.node.fork import NodeState
from chain.node.formats import hex_bytes
from chain.node.history import Place
from chain.node.node import Node
from chain.node.overrides import Overrides
from chain.node.tracing.budget import Budget
from chain.node.tracing.calls import CallTracer
from chain.node.tracing.machine import Tracer, tracing
from chain.node.tracing.options import TraceOptions
from chain.node.tracing.prestate import PrestateTracer
from chain.node.tracing.structlogs import StructLogger
from chain.node.transactions import Transaction, needed_gas

MAX_REPLAY_SECONDS = 30.0


def trace_transaction(node: Node, place: Place, options: TraceOptions) -> Any:
    """What the tracer says of the transaction at `place`.

    Raises
    ------
    LimitExceeded :
        If the trace is longer, larger or slower than its budget, or what ran before it takes too long.
    """
    block = node.history.at(place.block)
    assert block is not None
    state = node.state_before(block)
    _replay(state, block, place.index)
    return _traced(state, block.transactions[place.index], options, Budget(options.seconds))


def trace_block(node: Node, block: Block, options: TraceOptions) -> list[dict[str, Any]]:
    """What the tracer says of each transaction of the block; one budget for all.

    Raises
    ------
    ServerError :
        If it is the genesis: there is nothing before it.
    LimitExceeded :
        As `trace_transaction`.
    """
    if block.number == 0:
        raise ServerError("genesis is not traceable")
    state, budget = node.state_before(block), Budget(options.seconds)
    return [
        {
            "txHash": hex_bytes(transaction.hash),
            "result": _traced(state, transaction, options, budget),
        }
        for transaction in block.transactions
    ]


def trace_call(
    node: Node, transaction: Transaction, block: Block, overrides: Overrides, options: TraceOptions
) -> Any:
    """What the tracer says of a call on top of `block`.

    Raises
    ------
    ServerError, LimitExceeded :
        If its gas is below the intrinsic gas; as `trace_transaction`.
    """
    if transaction.gas < needed_gas(transaction):
        raise ServerError(f"intrinsic gas too low: have {transaction.gas}, want {needed_gas(transaction)}")
    with calls.prepared(node, block, overrides) as state:
        return _traced(state, calls.free(transaction), options, Budget(options.seconds))


def _replay(state: NodeState, block: Block, count: int) -> None:
    state.deadline = time.monotonic() + MAX_REPLAY_SECONDS
    try:
        for index, earlier in enumerate(block.transactions[:count]):
            if time.monotonic() > state.deadline:
                raise LimitExceeded(
                    f"the {count} transactions before it take longer than {MAX_REPLAY_SECONDS:g} s "
                    f"to run again: {index} have run"
                )
            run(state, earlier)
    except ExecutionTimeout:
        raise LimitExceeded(f"what ran before it takes longer than {MAX_REPLAY_SECONDS:g} s") from None


def _traced(state: NodeState, transaction: Transaction, options: TraceOptions, budget: Budget) -> Any:
    tracer = _tracer(state, transaction, options, budget)
    with tracing(state, tracer):
        outcome = run(state, transaction)
    return tracer.result(outcome)


def _tracer(state: NodeState, transaction: Transaction, options: TraceOptions, budget: Budget) -> Tracer:
    if options.tracer == "callTracer":
        return CallTracer(budget, transaction, top=options.top, logs=options.logs)
    if options.tracer == "prestateTracer":
        return PrestateTracer(budget, state, transaction, diff=options.diff)
    return StructLogger(budget, options.struct)
