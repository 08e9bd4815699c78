"""What compiled code calls: calculations, memory, storage, logs, and gas that depends on operands.

Each does what py-evm's opcode of that name does. Taking the last gas, or more, ends a frame at once.
"""

from __future__ import annotations

from typing import Any, Final

from eth.exceptions import FullStack, InsufficientStack, InvalidJumpDestination, OutOfGas, WriteProtection
from eth.vm.computation import BaseComputation
from eth.vm.forks.berlin.constants import COLD_SLOAD_COST, WARM_STORAGE_READ_COST
from eth.vm.forks.london.storage import GAS_SCHEDULE_EIP3529 as SSTORE_GAS
from eth.vm.gas_meter import GasMeter
from eth.vm.memory import Memory

from chain.node.hashing import keccak

WORD: Final = 2**256
MAX: Final = WORD - 1
SIGN: Final = 2**255
_SSTORE_STIPEND: Final = 2_300
_LOG_TOPIC_GAS: Final = 375
_LOG_BYTE_GAS: Final = 8


def integer(data: bytes) -> int:
    """Big-endian bytes as an int."""
    return int.from_bytes(data, "big")


def sdiv(a: int, b: int) -> int:
    """Signed division, towards zero."""
    if not b:
        return 0
    x, y = a - WORD if a >= SIGN else a, b - WORD if b >= SIGN else b
    quotient = abs(x) // abs(y)
    return (-quotient if (x < 0) != (y < 0) else quotient) & MAX


def smod(a: int, b: int) -> int:
    """Signed remainder, with the sign of the dividend."""
    if not b:
        return 0
    x, y = a - WORD if a >= SIGN else a, b - WORD if b >= SIGN else b
    remainder = abs(x) % abs(y)
    return (-remainder if x < 0 else remainder) & MAX


def signextend(size: int, value: int) -> int:
    """Extend the sign of a value of `size` + 1 bytes."""
    if size > 31:
        return value
    bit = 1 << (size * 8 + 7)
    return value | (WORD - bit) if value & bit else value & (bit - 1)


def sar(shift: int, value: int) -> int:
    """Arithmetic shift to the right."""
    if value >= SIGN:
        return ((value - WORD) >> shift) & MAX if shift < 256 else MAX
    return value >> shift if shift < 256 else 0


def calldata_word(message: Any, start: int) -> int:
    """32 bytes of call data, zeros beyond its end."""
    word = bytes(message.data[start : start + 32])
    return int.from_bytes(word, "big") << (8 * (32 - len(word)))


def grow(memory: Memory, meter: GasMeter, start: int, size: int) -> bytearray:
    """Pay for memory up to `start` + `size` and have it (yellow paper, appendix H.1)."""
    data = memory._bytes
    if size:
        before, after = len(data) >> 5, (start + size + 31) >> 5
        if after > before:
            charge(meter, 3 * (after - before) + (after * after // 512) - (before * before // 512))
            data.extend(bytes((after - before) << 5))
    return data


def hash_memory(memory: Memory, meter: GasMeter, start: int, size: int) -> int:
    """Keccak-256 of memory, with its gas beyond the first 30."""
    data = grow(memory, meter, start, size)
    charge(meter, 6 * ((size + 31) >> 5))
    return int.from_bytes(keccak(data[start : start + size]), "big")


def exp(meter: GasMeter, base: int, exponent: int) -> int:
    """Power, with its gas beyond the first 10: 50 a byte of the exponent (EIP-160)."""
    charge(meter, 50 * ((exponent.bit_length() + 7) >> 3))
    return pow(base, exponent, WORD)


def sload(computation: BaseComputation, meter: GasMeter, slot: int) -> int:
    """A storage word (EIP-2929)."""
    state, address = computation.state, computation.msg.storage_address
    if state.is_storage_warm(address, slot):
        charge(meter, WARM_STORAGE_READ_COST)
    else:
        state.mark_storage_warm(address, slot)
        charge(meter, COLD_SLOAD_COST)
    return state.get_storage(address, slot)


def sstore(computation: BaseComputation, meter: GasMeter, slot: int, value: int) -> None:
    """Write a storage word (EIP-2200, EIP-2929, EIP-3529)."""
    state, address = computation.state, computation.msg.storage_address
    if computation.msg.is_static:
        raise WriteProtection("Cannot modify state while inside of a STATICCALL context")
    if meter.gas_remaining <= _SSTORE_STIPEND:
        raise OutOfGas("Net-metered SSTORE always fails below 2300 gas, per EIP-2200")
    current = state.get_storage(address, slot)
    original = state.get_storage(address, slot, from_journal=False)
    gas, refund = _sstore_gas(original, current, value)
    if not state.is_storage_warm(address, slot):
        state.mark_storage_warm(address, slot)
        gas += COLD_SLOAD_COST
    charge(meter, gas)
    if refund:
        meter.refund_gas(refund)
    state.set_storage(address, slot, value)


def _sstore_gas(original: int, current: int, value: int) -> tuple[int, int]:
    if current == value:
        return SSTORE_GAS.sload_gas, 0
    if original == current:
        if not original:
            return SSTORE_GAS.sstore_set_gas, 0
        return SSTORE_GAS.sstore_reset_gas, 0 if value else SSTORE_GAS.sstore_clears_schedule
    refund = 0
    if original:
        if not current:
            refund -= SSTORE_GAS.sstore_clears_schedule
        if not value:
            refund += SSTORE_GAS.sstore_clears_schedule
    if original == value:
        whole = SSTORE_GAS.sstore_reset_gas if original else SSTORE_GAS.sstore_set_gas
        refund += whole - SSTORE_GAS.sload_gas
    return SSTORE_GAS.sload_gas, refund


def log(
    computation: BaseComputation, meter: GasMeter, start: int, size: int, topics: tuple[int, ...]
) -> None:
    """Write a log, with its gas beyond the first 375."""
    if computation.msg.is_static:
        raise WriteProtection("Cannot modify state while inside of a STATICCALL context")
    charge(meter, _LOG_TOPIC_GAS * len(topics) + _LOG_BYTE_GAS * size)
    data = grow(computation._memory, meter, start, size)  # type: ignore[arg-type]
    number = computation.transaction_context.get_next_log_counter()
    entry = (number, computation.msg.storage_address, topics, bytes(data[start : start + size]))
    computation._log_entries.append(entry)


def charge(meter: GasMeter, gas: int) -> None:
    """Take gas."""
    meter.gas_remaining -= gas
    if meter.gas_remaining < 0:
        out_of_gas(meter)


def out_of_gas(meter: GasMeter) -> None:
    """Fail a frame that has taken more than it had."""
    meter.gas_remaining = 0
    raise OutOfGas("Out of gas")


def bad_stack(depth: int, needed: int) -> None:
    """Fail a frame whose stack is too small or too large for what comes."""
    if depth < needed:
        raise InsufficientStack(f"Insufficient stack: wanted {needed} items, had {depth}")
    raise FullStack("Stack limit reached")


def bad_jump(_: int) -> None:
    """Fail a frame that jumps where no JUMPDEST is."""
    raise InvalidJumpDestination("Invalid Jump Destination")
