"""One basic block of EVM bytecode as one Python function.

The function keeps stack items in local variables and touches the real stack only where the block takes
from it or leaves on it. Gas is charged once for a run of opcodes, before the first of them: an opcode
that can see the gas left (GAS, SSTORE, calls, everything that py-evm executes) ends the run, so what it
sees is exact. Running out of gas, or of stack, is then found at the beginning of a run and not in its
middle; either way the frame fails with all its gas and all its changes, which is all that can be observed.

Every stack item is an int. py-evm's opcodes also push bytes: they are turned into ints right after.

A generated function is `block(c, s, gm) -> pc`: computation, stack values, gas meter; the answer is where to
go on, or HALT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final, cast

from eth.abc import OpcodeAPI
from eth.exceptions import FullStack, Halt, InsufficientStack, InvalidJumpDestination, OutOfGas
from eth.vm.computation import BaseComputation
from eth.vm.gas_meter import GasMeter
from eth.vm.logic.invalid import InvalidOpcode
from eth.vm.memory import Memory
from eth.vm.opcode import Opcode
from eth_hash.auto import keccak

HALT: Final = -1
MAX_BLOCK_OPCODES: Final = 400
Block = Callable[[BaseComputation, list[int], GasMeter], int]

_WORD: Final = 2**256
_MAX: Final = _WORD - 1
_SIGN: Final = 2**255
_STACK_LIMIT: Final = 1024

# What each opcode takes from the stack and leaves on it (yellow paper, appendix H).
ARITY: Final[dict[int, tuple[int, int]]] = {
    0x00: (0, 0), **dict.fromkeys(range(0x01, 0x08), (2, 1)), 0x08: (3, 1), 0x09: (3, 1), 0x0A: (2, 1),
    0x0B: (2, 1), **dict.fromkeys(range(0x10, 0x15), (2, 1)), 0x15: (1, 1),
    **dict.fromkeys(range(0x16, 0x19), (2, 1)), 0x19: (1, 1), **dict.fromkeys(range(0x1A, 0x1E), (2, 1)),
    0x20: (2, 1), 0x30: (0, 1), 0x31: (1, 1), **dict.fromkeys(range(0x32, 0x35), (0, 1)), 0x35: (1, 1),
    0x36: (0, 1), 0x37: (3, 0), 0x38: (0, 1), 0x39: (3, 0), 0x3A: (0, 1), 0x3B: (1, 1), 0x3C: (4, 0),
    0x3D: (0, 1), 0x3E: (3, 0), 0x3F: (1, 1), 0x40: (1, 1), **dict.fromkeys(range(0x41, 0x49), (0, 1)),
    0x49: (1, 1), 0x4A: (0, 1), 0x50: (1, 0), 0x51: (1, 1), 0x52: (2, 0), 0x53: (2, 0), 0x54: (1, 1),
    0x55: (2, 0), 0x56: (1, 0), 0x57: (2, 0), **dict.fromkeys(range(0x58, 0x5B), (0, 1)), 0x5B: (0, 0),
    0x5C: (1, 1), 0x5D: (2, 0), 0x5E: (3, 0), **dict.fromkeys(range(0x5F, 0x80), (0, 1)),
    **{0x80 + n: (n + 1, n + 2) for n in range(16)}, **{0x90 + n: (n + 2, n + 2) for n in range(16)},
    **{0xA0 + n: (n + 2, 0) for n in range(5)}, 0xF0: (3, 1), 0xF1: (7, 1), 0xF2: (7, 1), 0xF3: (2, 0),
    0xF4: (6, 1), 0xF5: (4, 1), 0xFA: (6, 1), 0xFD: (2, 0), 0xFF: (1, 0),
}  # fmt: skip

_SIMPLE: Final = {
    0x01: "({a} + {b}) & MAX",
    0x02: "({a} * {b}) & MAX",
    0x03: "({a} - {b}) & MAX",
    0x04: "{a} // {b} if {b} else 0",
    0x05: "sdiv({a}, {b})",
    0x06: "{a} % {b} if {b} else 0",
    0x07: "smod({a}, {b})",
    0x08: "({a} + {b}) % {c} if {c} else 0",
    0x09: "({a} * {b}) % {c} if {c} else 0",
    0x0B: "signextend({a}, {b})",
    0x10: "1 if {a} < {b} else 0",
    0x11: "1 if {a} > {b} else 0",
    0x12: "1 if {a} ^ SIGN < {b} ^ SIGN else 0",
    0x13: "1 if {a} ^ SIGN > {b} ^ SIGN else 0",
    0x14: "1 if {a} == {b} else 0",
    0x15: "0 if {a} else 1",
    0x16: "{a} & {b}",
    0x17: "{a} | {b}",
    0x18: "{a} ^ {b}",
    0x19: "MAX - {a}",
    0x1A: "({b} >> (8 * (31 - {a}))) & 255 if {a} < 32 else 0",
    0x1B: "({b} << {a}) & MAX if {a} < 256 else 0",
    0x1C: "{b} >> {a} if {a} < 256 else 0",
    0x1D: "sar({a}, {b})",
    0x30: "integer(c.msg.storage_address)",
    0x33: "integer(c.msg.sender)",
    0x34: "c.msg.value",
    0x35: "calldata_word(c.msg, {a})",
    0x36: "len(c.msg.data)",
    0x3D: "len(c.return_data)",
}

_SELFDESTRUCT: Final = 0xFF
_ENDS: Final = frozenset((0x00, 0x56, 0x57, 0xF3, 0xFD, 0xFE, 0xFF))


def sdiv(a: int, b: int) -> int:
    """Signed division, towards zero."""
    if not b:
        return 0
    x, y = a - _WORD if a >= _SIGN else a, b - _WORD if b >= _SIGN else b
    quotient = abs(x) // abs(y)
    return (-quotient if (x < 0) != (y < 0) else quotient) & _MAX


def smod(a: int, b: int) -> int:
    """Signed remainder, with the sign of the dividend."""
    if not b:
        return 0
    x, y = a - _WORD if a >= _SIGN else a, b - _WORD if b >= _SIGN else b
    remainder = abs(x) % abs(y)
    return (-remainder if x < 0 else remainder) & _MAX


def signextend(size: int, value: int) -> int:
    """Extend the sign of a value of `size` + 1 bytes."""
    if size > 31:
        return value
    bit = 1 << (size * 8 + 7)
    return value | (_WORD - bit) if value & bit else value & (bit - 1)


def sar(shift: int, value: int) -> int:
    """Arithmetic shift to the right."""
    if value >= _SIGN:
        return ((value - _WORD) >> shift) & _MAX if shift < 256 else _MAX
    return value >> shift if shift < 256 else 0


def calldata_word(message: Any, start: int) -> int:
    """32 bytes of call data, zeros beyond its end."""
    word = bytes(message.data[start : start + 32])
    return int.from_bytes(word, "big") << (8 * (32 - len(word)))


def grow(memory: Memory, meter: GasMeter, start: int, size: int) -> bytearray:
    """Pay for memory up to `start` + `size` and have it (yellow paper, appendix H.1)."""
    if size:
        before, after = len(memory._bytes) >> 5, (start + size + 31) >> 5
        if after > before:
            meter.gas_remaining -= 3 * (after - before) + (after * after // 512) - (before * before // 512)
            if meter.gas_remaining < 0:
                meter.gas_remaining = 0
                raise OutOfGas("Out of gas: memory")
            memory.extend(start, size)
    return memory._bytes


def hash_memory(memory: Memory, meter: GasMeter, start: int, size: int) -> int:
    """Keccak-256 of memory, with its gas beyond the first 30."""
    data = grow(memory, meter, start, size)
    charge(meter, 6 * ((size + 31) >> 5))
    return int.from_bytes(keccak(bytes(data[start : start + size])), "big")


def exp(meter: GasMeter, base: int, exponent: int) -> int:
    """Power, with its gas beyond the first 10: 50 a byte of the exponent (EIP-160)."""
    charge(meter, 50 * ((exponent.bit_length() + 7) >> 3))
    return pow(base, exponent, _WORD)


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
    """Fail a frame whose stack is too small or too large for its block."""
    if depth < needed:
        raise InsufficientStack(f"Insufficient stack: wanted {needed} items, had {depth}")
    raise FullStack("Stack limit reached")


def bad_jump(_: int) -> None:
    """Fail a frame that jumps where no JUMPDEST is."""
    raise InvalidJumpDestination("Invalid Jump Destination")


_NAMES: Final[dict[str, Any]] = {
    "MAX": _MAX, "SIGN": _SIGN, "integer": lambda data: int.from_bytes(data, "big"), "sdiv": sdiv,
    "smod": smod, "signextend": signextend, "sar": sar, "calldata_word": calldata_word, "grow": grow,
    "hash_memory": hash_memory, "exp": exp, "charge": charge, "out_of_gas": out_of_gas,
    "bad_stack": bad_stack, "bad_jump": bad_jump, "Halt": Halt,
}  # fmt: skip


class BlockCompiler:
    """Compiles the blocks of one contract."""

    def __init__(self, code: bytes, destinations: frozenset[int], opcodes: Mapping[int, OpcodeAPI]) -> None:
        self._code = code
        self._destinations = destinations
        self._opcodes = opcodes
        self._names: dict[str, Any] = {**_NAMES, "destinations": destinations}

    def compile(self, start: int) -> Block:
        """The block that begins at `start`."""
        source = _Source(self._code, start, self._destinations, self._opcodes, self._names)
        compiled: CodeType = compile(source.text(), f"<block {start:#x}>", "exec")
        namespace: dict[str, Any] = {}
        exec(compiled, self._names, namespace)  # noqa: S102  (our own templates, filled with ints)
        block: Block = namespace["block"]
        return block


class _Source:
    """Writes the function of one block."""

    def __init__(
        self,
        code: bytes,
        start: int,
        destinations: frozenset[int],
        opcodes: Mapping[int, OpcodeAPI],
        names: dict[str, Any],
    ) -> None:
        self._code = code
        self._destinations = destinations
        self._opcodes = opcodes
        self._names = names
        self._lines: list[str] = []
        self._items: list[str] = []  # what lies on top of the real stack: variables and literals
        self._variables = 0
        self._gas_line = 0
        self._gas = 0
        self._memory_known = False
        self._height = self._needed = self._grown = 0
        self._begin_run()
        self._write(start)

    def text(self) -> str:
        """The whole function."""
        head = ["def block(c, s, gm):"]
        if self._needed or self._grown:
            head.append(" n = len(s)")
            bounds = [f"n < {self._needed}"] if self._needed else []
            bounds += [f"n > {_STACK_LIMIT - self._grown}"] if self._grown else []
            head.append(f" if {' or '.join(bounds)}: bad_stack(n, {self._needed})")
        return "\n".join([*head, *(line for line in self._lines if line)])

    def _write(self, start: int) -> None:
        pc = start
        for _ in range(MAX_BLOCK_OPCODES):
            if pc >= len(self._code):
                self._halt()
                return
            opcode = self._code[pc]
            if opcode == 0x5B and pc != start:
                break
            width = opcode - 0x5F if 0x5F < opcode < 0x80 else 0
            self._count(opcode)
            self._opcode(opcode, pc)
            if opcode in _ENDS or opcode not in self._opcodes:
                return
            pc += 1 + width
        self._leave(str(pc))

    def _count(self, opcode: int) -> None:
        taken, left = ARITY.get(opcode, (0, 0))
        self._needed = max(self._needed, taken - self._height)
        self._height += left - taken
        self._grown = max(self._grown, self._height)

    def _opcode(self, opcode: int, pc: int) -> None:
        if 0x5F <= opcode <= 0x7F:
            self._pay(opcode)
            data = self._code[pc + 1 : pc + 1 + opcode - 0x5F]
            self._items.append(str(int.from_bytes(data.ljust(opcode - 0x5F, b"\x00"), "big")))
        elif 0x80 <= opcode <= 0x8F:
            self._pay(opcode)
            self._duplicate(opcode - 0x7F)
        elif 0x90 <= opcode <= 0x9F:
            self._pay(opcode)
            self._swap(opcode - 0x8F)
        elif opcode in _SIMPLE:
            self._pay(opcode)
            taken = [self._pop() for _ in range(ARITY[opcode][0])]
            self._push(_SIMPLE[opcode].format(**dict(zip("abc", taken, strict=False))))
        elif opcode in _SPECIAL:
            _SPECIAL[opcode](self, opcode, pc)
        else:
            self._by_py_evm(opcode)

    # Opcodes that are neither simple nor py-evm's

    def _pop_op(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        self._pop()

    def _jumpdest(self, opcode: int, _: int) -> None:
        self._pay(opcode)

    def _counter(self, opcode: int, pc: int) -> None:
        self._pay(opcode)
        self._items.append(str({0x58: pc, 0x38: len(self._code)}[opcode]))

    def _gas_left(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        self._end_run()
        self._push("gm.gas_remaining")
        self._begin_run()

    def _exp(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        base, exponent = self._pop(), self._pop()
        self._push(f"exp(gm, {base}, {exponent})")

    def _hash(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        start, size = self._pop(), self._pop()
        self._push(f"hash_memory(c._memory, gm, {start}, {size})")
        self._memory_known = False

    def _memory_size(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        self._know_memory()
        self._push("len(m)")

    def _load(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        start = self._pop()
        self._reach(start, 32)
        self._push(f"integer(m[{start}:{start} + 32])")

    def _store(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        start, value = self._pop(), self._pop()
        self._reach(start, 32)
        self._line(f"m[{start}:{start} + 32] = ({value}).to_bytes(32, 'big')")

    def _store_byte(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        start, value = self._pop(), self._pop()
        self._reach(start, 1)
        self._line(f"m[{start}] = {value} & 255")

    def _jump(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        self._go(self._pop(), " ", conditional=False)

    def _jump_if(self, opcode: int, pc: int) -> None:
        self._pay(opcode)
        target, condition = self._pop(), self._pop()
        self._flush()
        self._end_run()
        self._line(f"if {condition}:")
        self._go(target, "  ", conditional=True)
        self._line(f"return {pc + 1}")

    def _stop(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        self._halt()

    def _return(self, opcode: int, _: int) -> None:
        self._pay(opcode)
        start, size = self._pop(), self._pop()
        self._end_run()
        self._line(f"m = grow(c._memory, gm, {start}, {size})")
        self._line(f"c._output = bytes(m[{start}:{start} + {size}])")
        self._line(f"return {HALT}")

    def _by_py_evm(self, opcode: int) -> None:
        self._flush()
        self._end_run()
        operation = self._opcodes.get(opcode) or InvalidOpcode(opcode)
        name = f"op_{opcode:02x}"
        self._names[name] = operation
        if opcode == _SELFDESTRUCT:
            self._line(f"try: {name}(computation=c)")
            self._line(f"except Halt: return {HALT}")
            return
        self._line(f"{name}(computation=c)")
        if ARITY.get(opcode, (0, 0))[1]:
            self._line("if s[-1].__class__ is bytes: s[-1] = integer(s[-1])")
        self._memory_known = False
        self._begin_run()

    # Gas

    def _begin_run(self) -> None:
        self._gas = 0
        self._gas_line = len(self._lines)
        self._lines.append("")

    def _end_run(self) -> None:
        if self._gas:
            self._lines[self._gas_line] = (
                f" gm.gas_remaining = g = gm.gas_remaining - {self._gas}\n if g < 0: out_of_gas(gm)"
            )

    def _pay(self, opcode: int) -> None:
        self._gas += cast(Opcode, self._opcodes[opcode]).gas_cost

    # Stack

    def _pop(self) -> str:
        if self._items:
            return self._items.pop()
        return self._assign("s.pop()")

    def _push(self, expression: str) -> None:
        self._items.append(self._assign(expression))

    def _assign(self, expression: str) -> str:
        name = f"t{self._variables}"
        self._variables += 1
        self._line(f"{name} = {expression}")
        return name

    def _duplicate(self, depth: int) -> None:
        if depth <= len(self._items):
            self._items.append(self._items[-depth])
        else:
            self._push(f"s[-{depth - len(self._items)}]")

    def _swap(self, depth: int) -> None:
        while len(self._items) <= depth:
            self._items.insert(0, self._assign("s.pop()"))
        self._items[-1], self._items[-1 - depth] = self._items[-1 - depth], self._items[-1]

    def _flush(self) -> None:
        if len(self._items) == 1:
            self._line(f"s.append({self._items[0]})")
        elif self._items:
            self._line(f"s += ({', '.join(self._items)})")
        self._items.clear()

    # Memory and control

    def _know_memory(self) -> None:
        if not self._memory_known:
            self._line("m = c._memory._bytes")
            self._memory_known = True

    def _reach(self, start: str, size: int) -> None:
        self._know_memory()
        self._line(f"if len(m) < {start} + {size}: m = grow(c._memory, gm, {start}, {size})")

    def _go(self, target: str, indent: str, *, conditional: bool) -> None:
        if not conditional:
            self._flush()
            self._end_run()
        if target.isdigit():
            if int(target) not in self._destinations:
                self._lines.append(f"{indent}bad_jump({target})")
            self._lines.append(f"{indent}return {target}")
        else:
            self._lines.append(f"{indent}if {target} not in destinations: bad_jump({target})")
            self._lines.append(f"{indent}return {target}")

    def _leave(self, target: str) -> None:
        self._flush()
        self._end_run()
        self._line(f"return {target}")

    def _halt(self) -> None:
        self._end_run()
        self._line(f"return {HALT}")

    def _line(self, text: str) -> None:
        self._lines.append(" " + text)


_SPECIAL: Final[dict[int, Callable[[_Source, int, int], None]]] = {
    0x00: _Source._stop, 0x0A: _Source._exp, 0x20: _Source._hash, 0x38: _Source._counter,
    0x50: _Source._pop_op, 0x51: _Source._load, 0x52: _Source._store, 0x53: _Source._store_byte,
    0x56: _Source._jump, 0x57: _Source._jump_if, 0x58: _Source._counter, 0x59: _Source._memory_size,
    0x5A: _Source._gas_left, 0x5B: _Source._jumpdest, 0xF3: _Source._return,
}  # fmt: skip
