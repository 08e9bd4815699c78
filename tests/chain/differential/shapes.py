"""Programs of a given shape: ways of creating, destroying and calling that chance would seldom find."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.chain.differential import assembly as evm
from tests.chain.differential.assembly import Mark, PushMark, assemble, init_code, ops, push
from tests.chain.differential.programs import MAX_CODE_BYTES, small_init_code

LONGEST_INIT_BYTES: Final = 49_152


def create_then(init: bytes, then: bytes) -> bytes:
    """Init code that creates a contract from `init` with the value it got, and goes on with its address."""
    head = bytes(3 + 1 + 3 + 1 + 1 + 3)
    for _ in range(2):  # the second time with the right size
        head = ops(
            b"\x61", len(init).to_bytes(2, "big"), evm.DUP1, b"\x61",
            (len(head) + len(then)).to_bytes(2, "big"), b"\x5f", evm.CODECOPY, b"\x5f", evm.CALLVALUE,
            evm.CREATE,
        )  # fmt: skip
    return head + then + init


def call_top(opcode: int = evm.CALL) -> bytes:
    """Calls the address on the stack, which stays, without data; the answer is on top of it."""
    zeros = 5 if opcode in (evm.CALL, evm.CALLCODE) else 4
    return ops(b"\x5f" * zeros, evm.DUP1 + zeros, evm.GAS, opcode)


def destroyed(rng: Random) -> bytes:
    """A contract that is created, destroyed, looked at and called again in one transaction (EIP-6780)."""
    heir = rng.choice((ops(evm.CALLER), ops(evm.ADDRESS), push(0xDEAD)))
    look = ops(
        call_top(), evm.POP, evm.DUP1, evm.EXTCODEHASH, b"\x5f", evm.SSTORE, evm.DUP1, evm.BALANCE, push(1),
        evm.SSTORE, call_top(), push(2), evm.SSTORE, evm.STOP,
    )  # fmt: skip
    return create_then(init_code(ops(heir, evm.SELFDESTRUCT)), look)


def recursion(rng: Random) -> bytes:
    """A contract that calls itself as deep as the gas goes: each call leaves a 64th behind (EIP-150)."""
    opcode = rng.choice((evm.CALL, evm.DELEGATECALL, evm.STATICCALL, evm.CALLCODE))
    zeros = 5 if opcode in (evm.CALL, evm.CALLCODE) else 4
    itself = assemble(
        (
            ops(b"\x5f" * zeros, evm.ADDRESS, evm.GAS, opcode), PushMark(1), bytes((evm.JUMPI,)),
            ops(evm.GAS, b"\x5f", evm.MSTORE, push(32), b"\x5f", rng.choice((evm.REVERT, evm.RETURN))),
            Mark(1), ops(evm.GAS, b"\x5f", evm.MSTORE, push(32), b"\x5f", evm.RETURN),
        )
    )  # fmt: skip
    told = ops(
        call_top(), evm.POP, evm.RETURNDATASIZE, b"\x5f\x5f", evm.RETURNDATACOPY, b"\x5f", evm.MLOAD, b"\x5f"
    )
    return create_then(init_code(itself), ops(told, evm.SSTORE, evm.STOP))


def reentrance(rng: Random) -> bytes:
    """A contract that counts, calls itself again, and lets every second frame revert on its way back."""
    slot = push(rng.randrange(3))
    itself = assemble(
        (
            ops(slot, evm.SLOAD, push(1), evm.ADD, evm.DUP1, slot, evm.SSTORE, push(40), evm.GT),
            PushMark(1), ops(evm.JUMPI, evm.STOP), Mark(1),
            ops(b"\x5f" * 5, evm.ADDRESS, push(60_000), evm.GAS, evm.SUB, evm.CALL, evm.POP),
            ops(slot, evm.SLOAD, push(1), evm.AND), PushMark(2), ops(evm.JUMPI, b"\x5f\x5f", evm.REVERT),
            Mark(2), ops(evm.STOP),
        )
    )  # fmt: skip
    return create_then(init_code(itself), ops(call_top(), evm.STOP))


def collision(rng: Random) -> bytes:
    """The same CREATE2 twice: the second finds the address taken."""
    inner = int.from_bytes(small_init_code(rng)[:32].ljust(32, b"\0"), "big")
    once = ops(push(5), push(32), b"\x5f\x5f", evm.CREATE2)
    store = ops(once, b"\x5f", evm.SSTORE, once, push(1), evm.SSTORE, evm.STOP)
    return ops(push(inner), b"\x5f", evm.MSTORE, store)


def code_too_dear(rng: Random) -> tuple[bytes, int]:
    """Init code whose contract is there but not the gas to keep it, often; and the gas."""
    size = rng.randrange(1_000, MAX_CODE_BYTES)
    return ops(push(size), b"\x5f", evm.RETURN), 56_000 + 200 * rng.randrange(size * 2)
