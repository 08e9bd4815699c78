"""Random programs: mostly sound, straight-line and short, with everything in them that a contract can do.

What is left out, as two nodes cannot agree on it: the value of PREVRANDAO (the other node draws it) and the
hashes of blocks (they hold PREVRANDAO); their gas is compared all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from tests.chain.differential import assembly as evm
from tests.chain.differential.assembly import Mark, Piece, Program, PushMark, init_code, ops, push
from tests.chain.differential.words import NOBODY, PRECOMPILES, noise, precompile_input, word

MAX_CODE_BYTES: Final = 24_576

# By operands; results: one each. Arithmetic, comparison, bits.
_UNARY: Final = (0x15, 0x19)
_BINARY: Final = (
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0A, 0x0B, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18,
    0x1A, 0x1B, 0x1C, 0x1D,
)  # fmt: skip
_TERNARY: Final = (0x08, 0x09)
# ADDRESS ORIGIN CALLER CALLVALUE CALLDATASIZE CODESIZE GASPRICE RETURNDATASIZE COINBASE TIMESTAMP NUMBER
# GASLIMIT CHAINID SELFBALANCE BASEFEE BLOBBASEFEE PC MSIZE GAS
_ENVIRONMENT: Final = (
    0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3A, 0x3D, 0x41, 0x42, 0x43, 0x45, 0x46, 0x47, 0x48, 0x4A, 0x58,
    0x59, 0x5A,
)  # fmt: skip
_FAR: Final = (2**16, 2**20, 2**32, 2**64, 2**256 - 1)

Snippet = Callable[["_Writer"], None]


def random_program(rng: Random, others: Sequence[bytes], length: int, *, creates: bool) -> Program:
    """A program of about `length` snippets. `others` are addresses that it may meet.

    One that `creates`, being init code, leaves a contract that only stops: chance might put PREVRANDAO there.
    """
    writer = _Writer(rng, others, creates)
    for _ in range(length):
        rng.choices(_SNIPPETS, _WEIGHTS)[0](writer)
    writer.finish()
    return tuple(writer.pieces)


def small_init_code(rng: Random) -> bytes:
    """Init code that fits into a word or two: every way in which a creation can end."""
    return rng.choice(
        (
            b"",
            ops(b"\x60", 0xEF, b"\x5f", evm.MSTORE8, push(1), b"\x5f", evm.RETURN),  # EIP-3541
            ops(push(rng.choice((MAX_CODE_BYTES, MAX_CODE_BYTES + 1))), b"\x5f", evm.RETURN),  # EIP-170
            ops(push(word(rng)), b"\x5f", evm.MSTORE, push(rng.randrange(33)), b"\x5f", evm.REVERT),
            ops(evm.CALLER, evm.SELFDESTRUCT),  # EIP-6780: in its own transaction, so it is gone
            ops(evm.INVALID),
            ops(push(word(rng)), push(rng.randrange(3)), evm.SSTORE, evm.STOP),
            init_code(small_runtime(rng)),
            init_code(small_runtime(rng)),
        )
    )


def small_runtime(rng: Random) -> bytes:
    """Code of a few bytes that something may call."""
    return rng.choice(
        (
            ops(evm.CALLER, evm.SELFDESTRUCT),
            ops(b"\x5f", evm.SLOAD, push(1), evm.ADD, b"\x5f", evm.SSTORE, evm.STOP),
            ops(evm.CALLDATASIZE, b"\x5f\x5f", evm.CALLDATACOPY, evm.CALLDATASIZE, b"\x5f", evm.REVERT),
            ops(evm.CALLDATASIZE, b"\x5f\x5f", evm.CALLDATACOPY, evm.CALLDATASIZE, b"\x5f", evm.RETURN),
            ops(evm.GAS, b"\x5f", evm.MSTORE, push(32), b"\x5f", evm.RETURN),
            ops(evm.CALLVALUE, b"\x5f", evm.TSTORE, b"\x5f", evm.TLOAD, b"\x5f\x5f", evm.LOG0 + 1),
        )
    )


class _Writer:
    """Writes a program piece by piece and knows how deep the stack is."""

    def __init__(self, rng: Random, others: Sequence[bytes], creates: bool) -> None:
        self.rng = rng
        self.others = others
        self._creates = creates
        self.pieces: list[Piece] = []
        self.depth = 0
        self._marks = 0

    def add(self, code: bytes, pops: int = 0, pushes: int = 0) -> None:
        self.pieces.append(code)
        self.depth += pushes - pops

    def mark(self) -> int:
        self._marks += 1
        return self._marks

    def operand(self) -> bytes:
        """Code that pushes something: a constant, or a word of the call's data."""
        if self.rng.randrange(4) == 0:
            return ops(push(32 * self.rng.randrange(4)), evm.CALLDATALOAD)
        number = push(word(self.rng))
        if self.rng.randrange(6) == 0:  # with zeros before it
            size = self.rng.randrange(len(number) - 1, 33) or 1
            return bytes((0x5F + size,)) + number[1:].rjust(size, b"\0")
        return number

    def offset(self) -> bytes:
        """Code that pushes a place in memory: near, seldom far beyond all gas."""
        if self.rng.randrange(120) == 0:
            return push(self.rng.choice(_FAR))
        return push(self.rng.randrange(300))

    def size(self) -> bytes:
        return push(self.rng.choice((0, 1, 4, 20, 31, 32, 33, 64, 100, 200)))

    def address(self) -> bytes:
        """Code that pushes an address."""
        kind = self.rng.randrange(12)
        if kind == 0:
            return ops(evm.ADDRESS)
        if kind == 1:
            return push(self.rng.choice(PRECOMPILES))
        if kind == 2:
            return push(int.from_bytes(self.rng.choice(NOBODY), "big"))
        if kind == 3:
            return push(word(self.rng))  # with dirty high bits
        if kind == 4 and self.depth:
            return bytes((evm.DUP1,))
        return push(int.from_bytes(self.rng.choice(self.others), "big"))

    def slot(self) -> bytes:
        return push(self.rng.choice((0, 1, 2, 3, 4, 5, 2**256 - 1)))

    def call_gas(self) -> bytes:
        return self.rng.choice((ops(evm.GAS), ops(evm.GAS), push(self.rng.randrange(120_000)), push(2**64)))

    def store_in_memory(self, data: bytes, at: int) -> None:
        for start in range(0, len(data), 32):
            chunk = data[start : start + 32].ljust(32, b"\0")
            self.add(ops(push(int.from_bytes(chunk, "big")), push(at + start), evm.MSTORE))

    def finish(self) -> None:
        """What is on the stack becomes storage, a log or memory, and the program ends somehow."""
        rng = self.rng
        for place in range(min(max(self.depth, 0), rng.randrange(4))):
            self.add(ops(push(8 + place), evm.SSTORE), pops=1)
        if self.depth > 0:
            self.add(ops(push(0x40), evm.MSTORE), pops=1)
        end = rng.randrange(20)
        size, offset = self.size(), push(rng.randrange(120))
        area = ops(size, offset)
        if end < 9:
            stops = ops(push(evm.STOP), offset, evm.MSTORE8) if self._creates else b""
            self.add(ops(stops, area, evm.RETURN))
        elif end < 12:
            self.add(ops(area, evm.REVERT))
        elif end < 13:
            self.add(ops(evm.INVALID))
        elif end < 14:
            self.add(ops(self.address(), evm.SELFDESTRUCT))
        elif end < 15:
            self.add(bytes((rng.choice((0x0C, 0x21, 0x4B, 0xA5, 0xEF, 0xF6)),)))  # no such opcode
        elif end < 16:
            self.add(bytes((evm.POP,)) * (self.depth + 1))  # stack underflow
        elif end < 17:
            self.add(ops(push(word(rng)), evm.JUMP))
        else:
            self.add(ops(evm.STOP))


def _arithmetic(writer: _Writer) -> None:
    rng = writer.rng
    count = rng.choices((1, 2, 3), (2, 8, 2))[0]
    opcode = rng.choice((_UNARY, _BINARY, _TERNARY)[count - 1])
    missing = count if writer.depth < count or rng.randrange(2) else rng.randrange(count)
    for _ in range(missing):
        writer.add(writer.operand(), pushes=1)
    writer.add(bytes((opcode,)), pops=count, pushes=1)


def _environment(writer: _Writer) -> None:
    writer.add(bytes((writer.rng.choice(_ENVIRONMENT),)), pushes=1)


def _of_blocks(writer: _Writer) -> None:
    kind = writer.rng.randrange(4)
    if kind == 0:
        writer.add(ops(evm.PREVRANDAO, evm.POP))
    elif kind == 1:  # the block before has a hash, whatever it is
        writer.add(ops(push(1), evm.NUMBER, evm.SUB, evm.BLOCKHASH, evm.ISZERO), pushes=1)
    elif kind == 2:  # this and later blocks, and those long gone, have none
        writer.add(
            ops(push(writer.rng.choice((0, 1, 2**64, 2**255))), evm.NUMBER, evm.ADD, evm.BLOCKHASH), pushes=1
        )
    else:
        writer.add(ops(push(writer.rng.randrange(2)), 0x49), pushes=1)  # BLOBHASH


def _other_account(writer: _Writer) -> None:
    opcode = writer.rng.choice((evm.BALANCE, evm.EXTCODESIZE, evm.EXTCODEHASH))
    writer.add(ops(writer.address(), opcode), pushes=1)


def _memory(writer: _Writer) -> None:
    kind = writer.rng.randrange(6)
    if kind == 0:
        writer.add(ops(writer.offset(), evm.MLOAD), pushes=1)
    elif kind == 1:
        writer.add(ops(writer.size(), writer.offset(), writer.offset(), evm.MCOPY))
    elif kind == 2:
        writer.add(ops(writer.size(), writer.offset(), evm.KECCAK256), pushes=1)
    elif kind == 3:
        writer.add(ops(writer.operand(), writer.offset(), evm.MSTORE8))
    else:
        writer.add(ops(writer.operand(), writer.offset(), evm.MSTORE))


def _copy(writer: _Writer) -> None:
    opcode = writer.rng.choice((evm.CALLDATACOPY, evm.CODECOPY, evm.EXTCODECOPY, evm.RETURNDATACOPY))
    if opcode == evm.RETURNDATACOPY:  # reading beyond the end fails the frame (EIP-211)
        beyond = writer.rng.randrange(40) == 0
        size = push(1) if beyond else ops(evm.RETURNDATASIZE)
        source = ops(evm.RETURNDATASIZE) if beyond else b"\x5f"
        writer.add(ops(size, source, writer.offset(), opcode))
        return
    last = writer.address() if opcode == evm.EXTCODECOPY else b""
    source = writer.rng.choice((push(writer.rng.randrange(200)), push(2**64), push(word(writer.rng))))
    writer.add(ops(writer.size(), source, writer.offset(), last, opcode))


def _storage(writer: _Writer) -> None:
    kind = writer.rng.randrange(5)
    if kind == 0:
        writer.add(ops(writer.slot(), evm.SLOAD), pushes=1)
    elif kind == 1:  # set and cleared again: refunds
        slot = writer.slot()
        writer.add(ops(writer.operand(), slot, evm.SSTORE, b"\x5f", slot, evm.SSTORE))
    else:
        writer.add(ops(push(writer.rng.choice((0, 0, 1, 2, word(writer.rng)))), writer.slot(), evm.SSTORE))


def _transient(writer: _Writer) -> None:
    slot = writer.slot()
    writer.add(ops(writer.operand(), slot, evm.TSTORE))
    writer.add(ops(writer.slot(), evm.TLOAD), pushes=1)


def _stack(writer: _Writer) -> None:
    if writer.depth < 2 or writer.rng.randrange(3) == 0:
        writer.add(writer.operand(), pushes=1)
        return
    place = writer.rng.randrange(min(writer.depth, 16))
    if writer.rng.randrange(2):
        writer.add(bytes((evm.DUP1 + place,)), pushes=1)
    elif place:
        writer.add(bytes((evm.SWAP1 + place - 1,)))
    else:
        writer.add(bytes((evm.POP,)), pops=1)


def _deep_stack(writer: _Writer) -> None:
    for number in range(17):
        writer.add(push(number), pushes=1)
    for _ in range(6):
        place, opcode = writer.rng.randrange(16), writer.rng.choice((evm.DUP1, evm.SWAP1))
        writer.add(bytes((opcode + place,)), pushes=1 if opcode == evm.DUP1 else 0)


def _log(writer: _Writer) -> None:
    topics = writer.rng.randrange(5)
    writer.add(
        ops(*[writer.operand() for _ in range(topics)], writer.size(), writer.offset(), evm.LOG0 + topics)
    )


def _call(writer: _Writer) -> None:
    rng = writer.rng
    opcode = rng.choice((evm.CALL, evm.CALL, evm.CALL, evm.CALLCODE, evm.DELEGATECALL, evm.STATICCALL))
    value = b""
    if opcode in (evm.CALL, evm.CALLCODE):
        value = push(rng.choice((0, 0, 0, 1, 7, 2**128)))
    areas = ops(writer.size(), writer.offset(), writer.size(), writer.offset())
    writer.add(ops(areas, value, writer.address(), writer.call_gas(), opcode), pushes=1)
    _keep_answer(writer)


def _precompile(writer: _Writer) -> None:
    rng = writer.rng
    number = rng.choices(PRECOMPILES, (3, 3, 3, 3, 3, 3, 3, 0.25, 3, 0.6))[0]
    data = precompile_input(rng, number)
    writer.store_in_memory(data, 0x80)
    opcode = rng.choice((evm.CALL, evm.STATICCALL, evm.DELEGATECALL, evm.CALLCODE))
    value = push(rng.choice((0, 0, 1))) if opcode in (evm.CALL, evm.CALLCODE) else b""
    gas = rng.choice((ops(evm.GAS), push(200_000), push(rng.randrange(4_000))))
    areas = ops(push(rng.choice((0, 32, 64))), push(0x20), push(len(data)), push(0x80))
    writer.add(ops(areas, value, push(number), gas, opcode), pushes=1)
    _keep_answer(writer)


def _keep_answer(writer: _Writer) -> None:
    """Sometimes what came back goes into a log: success, size, data."""
    if writer.rng.randrange(3) == 0:
        copied = ops(evm.RETURNDATASIZE, b"\x5f", push(0x100), evm.RETURNDATACOPY)
        writer.add(ops(copied, evm.RETURNDATASIZE, evm.RETURNDATASIZE, push(0x100), evm.LOG0 + 1))


def _create(writer: _Writer) -> None:
    rng = writer.rng
    code = small_init_code(rng)
    writer.store_in_memory(code, 0)
    salt = push(rng.randrange(3)) if (two := rng.randrange(2)) else b""
    size = push(rng.choice((len(code),) * 12 + (49_152, 49_153)))  # EIP-3860
    writer.add(
        ops(salt, size, b"\x5f", push(rng.choice((0, 0, 1))), evm.CREATE2 if two else evm.CREATE), pushes=1
    )
    _keep_answer(writer)
    if rng.randrange(2):  # and called at once, at the address that was answered
        area = ops(push(32), push(0x60), push(rng.choice((0, 32))), push(0))
        writer.add(ops(area, push(0), bytes((evm.DUP1 + 5,)), evm.GAS, evm.CALL), pushes=1)


def _jump(writer: _Writer) -> None:
    """Over some bytes: plain ones, or such as look like a JUMPDEST inside a PUSH."""
    rng, mark = writer.rng, writer.mark()
    conditional = rng.randrange(2)
    if conditional:
        writer.pieces += [writer.operand(), PushMark(mark), bytes((evm.JUMPI,))]
        writer.add(ops(evm.CALLER, evm.POP))
    else:
        writer.pieces += [PushMark(mark), bytes((evm.JUMP,)), rng.choice((b"\x60\x5b", noise(rng, 6)))]
        # A PUSH that swallows what follows would swallow the mark: the bytes in between end it.
        writer.pieces.append(bytes(32))
    writer.pieces.append(Mark(mark))


def _loop(writer: _Writer) -> None:
    mark, slot = writer.mark(), writer.slot()
    writer.pieces += [push(writer.rng.choice((1, 2, 5, 30))), Mark(mark)]
    writer.add(ops(slot, evm.SLOAD, push(1), evm.ADD, slot, evm.SSTORE))
    writer.add(ops(evm.GAS, push(0x20), evm.MSTORE))
    again = ops(push(1), evm.SWAP1, evm.SUB, evm.DUP1)
    writer.pieces += [again, PushMark(mark), bytes((evm.JUMPI,))]
    writer.add(bytes((evm.POP,)))


def _spend_all(writer: _Writer) -> None:
    """A loop without end: all gas is gone, of this frame."""
    if writer.rng.randrange(12) == 0:
        mark = writer.mark()
        writer.pieces += [Mark(mark), PushMark(mark), bytes((evm.JUMP,))]


_KINDS: Final[tuple[tuple[Snippet, float], ...]] = (
    (_arithmetic, 20),
    (_environment, 8),
    (_of_blocks, 1),
    (_other_account, 4),
    (_memory, 9),
    (_copy, 5),
    (_storage, 9),
    (_transient, 2),
    (_stack, 6),
    (_deep_stack, 0.5),
    (_log, 4),
    (_call, 6),
    (_precompile, 2),
    (_create, 3),
    (_jump, 3),
    (_loop, 1),
    (_spend_all, 0.3),
)
_SNIPPETS: Final = tuple(snippet for snippet, _ in _KINDS)
_WEIGHTS: Final = tuple(weight for _, weight in _KINDS)
