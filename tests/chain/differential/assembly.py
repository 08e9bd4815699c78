"""EVM programs as lists of pieces: bytes, marks to jump to, and pushes of where a mark ended up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES

STOP, ADD, SUB, GT, ISZERO, AND, KECCAK256 = 0x00, 0x01, 0x03, 0x11, 0x15, 0x16, 0x20
ADDRESS, BALANCE, CALLER, CALLVALUE, CALLDATALOAD, CALLDATASIZE = 0x30, 0x31, 0x33, 0x34, 0x35, 0x36
CALLDATACOPY, CODECOPY, EXTCODESIZE, EXTCODECOPY, RETURNDATASIZE = 0x37, 0x39, 0x3B, 0x3C, 0x3D
RETURNDATACOPY, EXTCODEHASH, BLOCKHASH, NUMBER, PREVRANDAO = 0x3E, 0x3F, 0x40, 0x43, 0x44
POP, MLOAD, MSTORE, MSTORE8, SLOAD, SSTORE, JUMP, JUMPI = 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57
MSIZE, GAS, JUMPDEST, TLOAD, TSTORE, MCOPY = 0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x5E
DUP1, SWAP1, LOG0 = 0x80, 0x90, 0xA0
CREATE, CALL, CALLCODE, RETURN, DELEGATECALL, CREATE2 = 0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5
STATICCALL, REVERT, INVALID, SELFDESTRUCT = 0xFA, 0xFD, 0xFE, 0xFF


@dataclass(frozen=True, slots=True)
class Mark:
    """A place to jump to."""

    name: int


@dataclass(frozen=True, slots=True)
class PushMark:
    """Pushes where a mark is, or beyond all code if there is no such mark."""

    name: int


Piece = bytes | Mark | PushMark
Program = tuple[Piece, ...]


def push(number: int) -> bytes:
    """The shortest PUSH of a number (EIP-3855: PUSH0)."""
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes((0x5F + len(data),)) + data


def ops(*parts: int | bytes) -> bytes:
    """Opcodes and ready bytes, one after the other."""
    return b"".join(bytes((part,)) if isinstance(part, int) else part for part in parts)


def assemble(program: Sequence[Piece]) -> bytes:
    """The code of a program."""
    places: dict[int, int] = {}
    at = 0
    for piece in program:
        if isinstance(piece, Mark):
            places[piece.name] = at
        at += len(piece) if isinstance(piece, bytes) else 1 if isinstance(piece, Mark) else 3
    return b"".join(_code_of(piece, places) for piece in program)


def _code_of(piece: Piece, places: dict[int, int]) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, Mark):
        return bytes((JUMPDEST,))
    return b"\x61" + places.get(piece.name, 0xFFFF).to_bytes(2, "big")


def init_code(runtime: bytes) -> bytes:
    """Code that deploys `runtime`."""
    size = b"\x61" + len(runtime).to_bytes(2, "big")
    # PUSH2 size, DUP1, PUSH1 where it begins, PUSH0, CODECOPY, PUSH0, RETURN
    return ops(size, DUP1, b"\x60\x0a", b"\x5f", CODECOPY, b"\x5f", RETURN) + runtime


def disassembly(code: bytes) -> list[str]:
    """The code in words, an instruction a line."""
    lines: list[str] = []
    at = 0
    while at < len(code):
        opcode, size = code[at], max(0, code[at] - 0x5F) if code[at] <= 0x7F else 0
        name = getattr(CANCUN_OPCODES.get(opcode), "mnemonic", None) or f"0x{opcode:02x}"
        lines.append(f"{at:5}  {name} {'0x' + code[at + 1 : at + 1 + size].hex() if size else ''}".rstrip())
        at += 1 + size
    return lines
