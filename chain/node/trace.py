"""debug_traceTransaction: running a mined transaction again, step by step, within bounds.

The state is the one before the transaction's block, moved on by the transactions before it. Steps,
memory and time are capped: a trace of a long loop would otherwise take gigabytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from eth.abc import OpcodeAPI
from eth.exceptions import Halt, VMError
from eth.vm.computation import BaseComputation
from eth.vm.logic.invalid import InvalidOpcode
from eth.vm.stack import Stack

from chain.node.errors import LimitExceeded
from chain.node.execution import failure_text, run
from chain.node.fork import NodeComputation, NodeState
from chain.node.history import Place
from chain.node.node import Node

MAX_STEPS = 100_000
MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 10.0
_STEP_BYTES, _WORD_BYTES = 300, 100


@dataclass(slots=True)
class TraceOptions:
    """What each step shows, after geth's struct logger."""

    memory: bool = False
    stack: bool = True
    storage: bool = True


@dataclass(slots=True)
class Tracer:
    """Collects steps and counts what they cost."""

    options: TraceOptions
    steps: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0
    deadline: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)
    storage: dict[bytes, dict[str, str]] = field(default_factory=dict)

    def step(self, computation: BaseComputation, name: str) -> dict[str, Any]:
        """Record the machine before an opcode; its cost is filled in after."""
        if len(self.steps) >= MAX_STEPS:
            raise LimitExceeded(f"trace is longer than {MAX_STEPS} steps")
        if len(self.steps) % 256 == 0 and time.monotonic() > self.deadline:
            raise LimitExceeded(f"trace takes longer than {MAX_SECONDS:.0f} s")
        entry: dict[str, Any] = {
            "pc": max(0, computation.code.program_counter - 1),
            "op": name,
            "gas": computation._gas_meter.gas_remaining,
            "gasCost": 0,
            "depth": computation.msg.depth + 1,
        }
        size = _STEP_BYTES
        if self.options.stack:
            entry["stack"] = [_word(item) for item in _stack(computation)]
            size += _WORD_BYTES * len(entry["stack"])
        if self.options.memory:
            data = computation.memory_read_bytes(0, len(computation._memory)).hex()
            entry["memory"] = [data[at : at + 64] for at in range(0, len(data), 64)]
            size += _WORD_BYTES * len(entry["memory"])
        if self.options.storage:
            entry["storage"] = self._storage(computation, name)
            size += 2 * _WORD_BYTES * len(entry["storage"])
        self.size += size
        if self.size > MAX_BYTES:
            raise LimitExceeded(f"trace takes more than {MAX_BYTES} bytes")
        self.steps.append(entry)
        return entry

    def _storage(self, computation: BaseComputation, name: str) -> dict[str, str]:
        address = computation.msg.storage_address
        known = self.storage.setdefault(address, {})
        values = _stack(computation)
        if name == "SLOAD" and values:
            slot = int(_word(values[-1]), 16)
            known[f"{slot:064x}"] = f"{computation.state.get_storage(address, slot):064x}"
        elif name == "SSTORE" and len(values) > 1:
            known[_word(values[-1])] = _word(values[-2])
        return dict(known)


class TracingComputation(NodeComputation):
    """The same opcodes, each shown to a tracer before it runs."""

    tracer: Tracer | None = None

    def run_code(self) -> None:
        """py-evm's loop with a step recorded before each opcode."""
        assert self.tracer is not None
        _loop(self, self.tracer)


class TracingState(NodeState):
    """A state whose computations are traced."""

    computation_class = TracingComputation


def trace(node: Node, place: Place, options: TraceOptions) -> dict[str, Any]:
    """The steps of the transaction at `place`, as geth's struct logger writes them.

    Raises
    ------
    LimitExceeded :
        If the trace is longer, larger or slower than the caps.
    """
    block = node.history.at(place.block)
    assert block is not None
    state = node.state_before(block)
    for earlier in block.transactions[: place.index]:
        run(state, earlier)
    tracer = Tracer(options)
    with tracing(state, tracer):
        outcome = run(state, block.transactions[place.index])
    return {
        "gas": outcome.gas_used,
        "failed": outcome.error is not None,
        "returnValue": outcome.output.hex(),
        "structLogs": tracer.steps,
    }


def _loop(computation: BaseComputation, tracer: Tracer) -> None:
    meter = computation._gas_meter
    for opcode in computation.code:
        operation: OpcodeAPI = computation.opcodes.get(opcode) or InvalidOpcode(opcode)
        entry = tracer.step(computation, _name(operation, opcode))
        before = meter.gas_remaining
        try:
            operation(computation=computation)
        except Halt:
            entry["gasCost"] = before - meter.gas_remaining
            break
        except VMError as error:
            entry["error"] = failure_text(error)
            entry["gasCost"] = before - meter.gas_remaining
            raise
        entry["gasCost"] = before - meter.gas_remaining


def _name(operation: OpcodeAPI, opcode: int) -> str:
    name = getattr(operation, "mnemonic", None) or getattr(
        getattr(operation, "__wrapped__", None), "mnemonic", None
    )
    if name is None or isinstance(operation, InvalidOpcode):
        return "INVALID" if opcode == 0xFE else f"opcode {opcode:#x} not defined"
    return {"SHA3": "KECCAK256"}.get(str(name), str(name))


def _stack(computation: BaseComputation) -> list[int | bytes]:
    return cast(Stack, computation._stack).values


def _word(item: int | bytes) -> str:
    if isinstance(item, int):
        return f"{item:064x}"
    return bytes(item).hex().rjust(64, "0")


@contextmanager
def tracing(state: NodeState, tracer: Tracer) -> Iterator[None]:
    """Let `state` be traced inside the `with`."""
    # A class of its own for each trace: py-evm makes computations from the class, not from the state.
    kind = type("Traced", (TracingComputation,), {"tracer": tracer})
    state.computation_class = kind
    try:
        yield
    finally:
        state.computation_class = NodeComputation


__all__ = ["TraceOptions", "Tracer", "TracingState", "trace", "tracing"]
