"""py-evm's loop with somebody listening: before and after each opcode, at the start and end of each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from eth.abc import ComputationAPI, MessageAPI, OpcodeAPI, StateAPI, TransactionContextAPI
from eth.constants import GAS_CALLSTIPEND
from eth.exceptions import Halt, VMError
from eth.vm.computation import BaseComputation
from eth.vm.logic.invalid import InvalidOpcode
from eth.vm.stack import Stack

from chain.node.evm.program import ExecutionTimeout
from chain.node.fork import NodeComputation, NodeState
from chain.node.tracing.budget import Budget

CALLS = frozenset(("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"))
CREATES = frozenset(("CREATE", "CREATE2"))


class Tracer:
    """Listens to one transaction. What it does not override costs nothing but the call."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def enter(self, message: MessageAPI, parent: BaseComputation | None) -> None:
        """A frame begins; `parent` is None for the outermost."""

    def leave(self, computation: ComputationAPI) -> None:
        """The frame that began last has ended, with or without an error."""

    def step(self, computation: BaseComputation, name: str) -> None:
        """The opcode `name` is about to run; `stack_of(computation)` is what it will find."""

    def stepped(self, computation: BaseComputation, name: str, error: VMError | None) -> None:
        """The opcode whose `step` was told last in this frame has run."""

    def result(self, outcome: Any) -> Any:
        """What the client is to be answered; `outcome` is an `execution.Outcome`."""
        raise NotImplementedError


class TracingComputation(NodeComputation):
    """The same frames and opcodes, told to a tracer."""

    tracer: Tracer

    @classmethod
    def apply_message(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """A frame; that of a creation is already told by `apply_create_message`."""
        apply = super().apply_message
        if message.is_create:
            return apply(state, message, transaction_context, parent_computation)
        return cls._tell(apply, state, message, transaction_context, parent_computation)

    @classmethod
    def apply_create_message(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """The frame of a creation, with the storing of the code."""
        apply = super().apply_create_message
        return cls._tell(apply, state, message, transaction_context, parent_computation)

    @classmethod
    def _tell(
        cls,
        apply: Callable[..., ComputationAPI],
        state: StateAPI,
        message: MessageAPI,
        context: TransactionContextAPI,
        parent: ComputationAPI | None,
    ) -> ComputationAPI:
        cls.tracer.enter(message, cast(BaseComputation | None, parent))
        computation = apply(state, message, context, parent)
        cls.tracer.leave(computation)
        return computation

    def run_code(self) -> None:
        """py-evm's own loop; where there is no code nothing runs, not even a STOP."""
        if not self.msg.code:
            return
        tracer, opcodes = self.tracer, self.opcodes
        budget = tracer.budget
        for opcode in self.code:
            operation: OpcodeAPI = opcodes.get(opcode) or InvalidOpcode(opcode)
            name = _name(operation, opcode)
            budget.step()
            tracer.step(self, name)
            try:
                operation(computation=self)
            except Halt:
                tracer.stepped(self, name, None)
                break
            except VMError as error:
                tracer.stepped(self, name, error)
                raise
            tracer.stepped(self, name, None)


@contextmanager
def tracing(state: NodeState, tracer: Tracer) -> Iterator[None]:
    """Let `tracer` listen to what runs on `state` inside the `with`.

    Raises
    ------
    LimitExceeded :
        If it runs past the tracer's budget.
    """
    # A class of its own for each trace: py-evm makes computations from the class, not from the state.
    original = state.computation_class
    kinds = (TracingComputation,) if original is NodeComputation else (TracingComputation, original)
    state.computation_class = type("Traced", kinds, {"tracer": tracer})
    state.deadline = tracer.budget.deadline
    try:
        yield
    except ExecutionTimeout:
        raise tracer.budget.late() from None
    finally:
        state.computation_class = original


def program_counter(computation: BaseComputation) -> int:
    """Where the opcode is that runs."""
    return max(0, computation.code.program_counter - 1)


def stack_of(computation: BaseComputation) -> list[int]:
    """The stack, its top last."""
    values: list[int | bytes] = cast(Stack, computation._stack).values
    return [item if isinstance(item, int) else int.from_bytes(item, "big") for item in values]


def peek(computation: BaseComputation, depth: int) -> int:
    """The stack's item `depth` below the top, 0 where there is none."""
    values: list[int | bytes] = cast(Stack, computation._stack).values
    if depth >= len(values):
        return 0
    item = values[-1 - depth]
    return item if isinstance(item, int) else int.from_bytes(item, "big")


def peek_address(computation: BaseComputation, depth: int) -> bytes:
    """The address in the stack's item `depth` below the top."""
    return (peek(computation, depth) & (2**160 - 1)).to_bytes(20, "big")


def stipend_of(computation: BaseComputation, name: str) -> int:
    """The gas that a call about to run is given on top, as it sends ether."""
    return GAS_CALLSTIPEND if name in ("CALL", "CALLCODE") and peek(computation, 2) else 0


def refused_gas(wanted: int, stipend: int, left: int) -> int:
    """The gas of a call that was refused, stipend included; it has come back and is part of `left`."""
    most = left - stipend
    return min(wanted, most - most // 64) + stipend


def _name(operation: OpcodeAPI, opcode: int) -> str:
    if isinstance(operation, InvalidOpcode):
        return "INVALID" if opcode == 0xFE else f"opcode {opcode:#x} not defined"
    return _known_name(operation)


@cache
def _known_name(operation: OpcodeAPI) -> str:
    name = getattr(operation, "mnemonic", None) or operation.__wrapped__.mnemonic  # type: ignore[attr-defined]
    return {"SHA3": "KECCAK256", "DIFFICULTY": "PREVRANDAO"}.get(str(name), str(name))
