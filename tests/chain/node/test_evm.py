"""Compiled blocks do what py-evm's opcode loop does, on programs that nobody has written."""

from __future__ import annotations

import time
from typing import Any

import pytest
from eth.db.atomic import AtomicDB
from eth.exceptions import InvalidInstruction
from eth.vm.computation import BaseComputation
from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES
from eth.vm.message import Message
from eth_typing import Address
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chain.node.evm import program
from chain.node.evm.codegen import ARITY
from chain.node.evm.program import ExecutionTimeout, Program
from chain.node.fork import NodeState, execution_context
from chain.node.tracing.budget import Budget
from chain.node.tracing.machine import Tracer, tracing
from chain.node.world import World

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT:DeprecationWarning")

CONTRACT, CALLEE, SENDER = (Address(bytes((n,)) * 20) for n in (0xC0, 0xCA, 0x5E))
# What is called: reverts with its data where that is long, else counts and logs.
CALLEE_CODE = bytes.fromhex(
    "36601f10600f57366000600037366000fd5b60005460010180600055600052602060006000a160206000f3"
)


def push(number: int) -> bytes:
    data = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")
    return bytes((0x5F + len(data),)) + data


def call(opcode: int) -> bytes:
    """A call of CALLEE with what is in memory."""
    value = push(0) if opcode == 0xF1 else b""
    return (
        push(32) + push(0) + push(40) + push(0) + value + b"\x73" + CALLEE + push(60_000) + bytes((opcode,))
    )


numbers = st.one_of(
    st.integers(0, 300),
    st.sampled_from([2**255, 2**256 - 1, 2**255 - 1, 2**160, 2**64]),
    st.integers(0, 2**256 - 1),
)
opcodes = st.sampled_from(sorted(set(CANCUN_OPCODES) - {0xFF}))
instructions = st.one_of(
    numbers.map(push),
    st.integers(0, 40).map(push),
    opcodes.map(lambda op: bytes((op,))),
    st.sampled_from(sorted(set(range(0x01, 0x21)) & set(CANCUN_OPCODES))).map(lambda op: bytes((op,))),
    st.sampled_from([0x51, 0x52, 0x53, 0x54, 0x55, 0x5A, 0x5B, 0x80, 0x81, 0x90, 0x91]).map(
        lambda op: bytes((op,))
    ),
    st.just(b"\x5b"),
    st.sampled_from([0xF1, 0xF4, 0xFA]).map(call),
)
programs = st.lists(instructions, max_size=40)


def state_for(kind: type[NodeState]) -> NodeState:
    world = World(AtomicDB())
    world.set_code(CALLEE, CALLEE_CODE)
    world.set_balance(CONTRACT, 1_000)
    world.set_storage(CONTRACT, 1, 17)
    world.make_state_root()
    return kind(world, execution_context(9, 1_000, 5, (b"\x11" * 32,)))


def outcome(state: NodeState, code: bytes, gas: int, data: bytes) -> list[Any]:
    message = Message(gas=gas, to=CONTRACT, sender=SENDER, value=3, data=data, code=code)
    context = state.get_transaction_context_class()(gas_price=0, origin=SENDER)
    state.world.set_balance(SENDER, 10)
    state.world.lock_changes()
    computation: Any = state.computation_class.apply_message(state, message, context)
    # Which exceptional halt it was cannot be observed: all take the whole gas and undo everything.
    return [
        computation.is_success, computation.should_burn_gas, computation.get_gas_remaining(),
        computation.output, computation.get_gas_refund(), computation.get_log_entries(),
        state.make_state_root(),
    ]  # fmt: skip


def both(code: bytes, gas: int = 200_000, data: bytes = b"") -> tuple[list[Any], list[Any]]:
    reference = state_for(NodeState)
    with tracing(reference, Tracer(Budget())):
        expected = outcome(reference, code, gas, data)
    return outcome(state_for(NodeState), code, gas, data), expected


@pytest.fixture(autouse=True, params=["falls through", "jumps", "either"])
def _everything_is_compiled(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Compile at once; where a path may go two ways, go this one."""
    heat = {"falls through": lambda _: 0, "jumps": lambda pc: pc, "either": lambda pc: pc * 7 % 5}[
        request.param
    ]
    monkeypatch.setattr(program, "HOT", 1)
    monkeypatch.setattr(Program, "_heat_of", lambda _, pc: heat(pc))
    program.program_of.cache_clear()


@settings(max_examples=400, deadline=None)
@given(parts=programs, gas=st.one_of(st.just(200_000), st.integers(0, 3_000)), data=st.binary(max_size=40))
def test_compiled_code_does_what_py_evm_does(parts: list[bytes], gas: int, data: bytes) -> None:
    ours, expected = both(b"".join(parts), gas, data)
    assert ours == expected


@settings(max_examples=100, deadline=None)
@given(body=programs, times=st.integers(1, 6))
def test_a_loop_does_what_py_evm_does(body: list[bytes], times: int) -> None:
    # times; JUMPDEST; body; 1 SWAP SUB; DUP; loop if not zero
    code = push(times) + b"\x5b" + b"".join(body) + bytes.fromhex("60019003806001") + b"\x57"
    assume(len(code) < 250)
    ours, expected = both(code.replace(b"\x60\x01\x57", push(len(push(times))) + b"\x57"))
    assert ours == expected


@settings(max_examples=100, deadline=None)
@given(
    operation=st.sampled_from(sorted(set(range(0x01, 0x1E)) & set(CANCUN_OPCODES))),
    args=st.lists(numbers, min_size=3, max_size=3),
)
def test_every_calculation_gives_py_evm_s_number(operation: int, args: list[int]) -> None:
    taken = ARITY[operation][0]
    code = b"".join(map(push, args[:taken])) + bytes((operation,)) + bytes.fromhex("60005260206000f3")
    ours, expected = both(code)
    assert ours == expected
    # The same with operands that are not known when the block is compiled.
    loads = b"".join(push(32 * n) + b"\x35" for n in range(taken))
    code = loads + bytes((operation,)) + bytes.fromhex("60005260206000f3")
    ours, expected = both(code, data=b"".join(n.to_bytes(32, "big") for n in args))
    assert ours == expected


@pytest.mark.parametrize("interpreted", [True, False])
def test_an_endless_loop_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch, interpreted: bool) -> None:
    monkeypatch.setattr(program, "HOT", 10**9 if interpreted else 1)
    state = state_for(NodeState)
    state.deadline = time.monotonic()
    with pytest.raises(ExecutionTimeout):
        outcome(state, bytes.fromhex("5b600056"), 10**9, b"")


def test_each_opcode_has_the_arity_that_py_evm_gives_it() -> None:
    for opcode in set(CANCUN_OPCODES) - {0x00, 0xF3, 0xFD, 0xFF, 0x56, 0x57}:
        state = state_for(NodeState)
        message = Message(gas=10**6, to=CONTRACT, sender=SENDER, value=0, data=b"", code=bytes((opcode,)))
        context = state.get_transaction_context_class()(gas_price=0, origin=SENDER)
        computation: BaseComputation = state.computation_class(state, message, context)  # type: ignore[assignment]
        computation.contracts_created = []
        values: list[int] = computation._stack.values  # type: ignore[attr-defined]
        values += [0] * 20
        try:
            CANCUN_OPCODES[opcode](computation=computation)
        except InvalidInstruction:
            continue
        taken, left = ARITY[opcode]
        assert len(values) - 20 == left - taken, hex(opcode)


def test_a_program_is_made_once() -> None:
    assert program.program_of(b"\x00") is program.program_of(bytes(bytearray(b"\x00")))
    assert isinstance(program.program_of(b"\x00"), Program)
