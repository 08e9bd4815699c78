"""A contract's code as the node runs it: hot blocks compiled, the others by py-evm's own opcodes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, cast

from eth.abc import OpcodeAPI
from eth.exceptions import Halt
from eth.vm.code_stream import CodeStream
from eth.vm.computation import BaseComputation
from eth.vm.gas_meter import GasMeter
from eth.vm.logic.invalid import InvalidOpcode
from eth.vm.stack import Stack

from chain.node.evm.codegen import HALT, Block, BlockCompiler
from chain.node.evm.opcodes import OPCODES

HOT = 12
MAX_PATHS: Final = 2_000  # of one contract; code made to be compiled endlessly stays interpreted
_CHECK_EVERY: Final = 512
_JUMPDEST: Final = 0x5B
_JUMPS: Final = (0x56, 0x57)


class ExecutionTimeout(Exception):
    """A frame has run past its deadline. Not a VMError: no contract can catch it."""


class Program:
    """The blocks of one contract, by where they begin."""

    def __init__(self, code: bytes, opcodes: Mapping[int, OpcodeAPI]) -> None:
        self._code = code
        self._opcodes = opcodes
        self._compiler = BlockCompiler(code, jump_destinations(code), opcodes)
        self._blocks: dict[int, Block] = {}
        self._heat: dict[int, int] = {}

    def run(self, computation: BaseComputation, deadline: float) -> None:
        """Run a frame to its end.

        Raises
        ------
        VMError :
            As py-evm's own loop does: `computation` is to catch it.
        ExecutionTimeout :
            If it is still running at `deadline` (of `time.monotonic`).
        """
        blocks = self._blocks
        stack = cast(list[int], cast(Stack, computation._stack).values)
        meter = cast(GasMeter, computation._gas_meter)
        pc, left = 0, _CHECK_EVERY
        while pc != HALT:
            block = blocks.get(pc)
            pc = self._step(computation, stack, pc) if block is None else block(computation, stack, meter)
            left -= 1
            if not left:
                if time.monotonic() > deadline:
                    raise ExecutionTimeout
                left = _CHECK_EVERY

    def _step(self, computation: BaseComputation, stack: list[int], pc: int) -> int:
        heat = self._heat_of(pc) + 1
        if heat >= HOT and len(self._blocks) < MAX_PATHS:
            self._blocks[pc] = self._compiler.compile(pc, self._heat_of)
            return pc
        self._heat[pc] = heat
        return self._interpret(computation, stack, pc)

    def _heat_of(self, pc: int) -> int:
        return HOT if pc in self._blocks else self._heat.get(pc, 0)

    def _interpret(self, computation: BaseComputation, stack: list[int], pc: int) -> int:
        code, opcodes = self._code, self._opcodes
        stream = cast(CodeStream, computation.code)
        while True:
            if pc >= len(code):
                return HALT
            opcode = code[pc]
            stream.program_counter = pc + 1
            operation = opcodes.get(opcode) or InvalidOpcode(opcode)
            try:
                operation(computation=computation)
            except Halt:
                return HALT
            if stack and stack[-1].__class__ is not int:
                stack[-1] = int.from_bytes(cast(bytes, stack[-1]), "big")
            pc = stream.program_counter
            if opcode in _JUMPS or (pc < len(code) and code[pc] == _JUMPDEST):
                return pc


@lru_cache(maxsize=128)
def program_of(code: bytes) -> Program:
    """The program of this code, shared by all its runs."""
    return Program(code, OPCODES)


def jump_destinations(code: bytes) -> frozenset[int]:
    """Where a JUMPDEST is that is not the data of a PUSH."""
    found: list[int] = []
    at = 0
    while at < len(code):
        opcode = code[at]
        if opcode == _JUMPDEST:
            found.append(at)
        at += opcode - 0x5E if 0x60 <= opcode <= 0x7F else 1
    return frozenset(found)
