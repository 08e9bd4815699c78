"""A path through EVM bytecode as one Python function.

The path begins at a jump's target and goes on through jumps whose target is known, by the way that has been
taken more often; the other way leaves the function. Along it stack items are local variables: the real
stack is touched only where the path takes from below its beginning, and where it is left.

Gas is charged once for a run of opcodes, before the first of them. A run ends where the path may be left
and before any opcode that can see the gas left (GAS, SSTORE, whatever py-evm executes), so what they see is
exact. Running out of gas, or of stack, is then found at the beginning of a run and not in its middle;
either way the frame fails with all its gas and all its changes, which is all that can be observed.

Every stack item is an int. py-evm's opcodes also push bytes: they are turned into ints right after.

A generated function is `block(c, s, gm) -> pc`: computation, stack values, gas meter; the answer is where to
go on, or HALT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final, cast

from eth.abc import OpcodeAPI
from eth.exceptions import Halt
from eth.vm.computation import BaseComputation
from eth.vm.gas_meter import GasMeter
from eth.vm.logic.invalid import InvalidOpcode
from eth.vm.opcode import Opcode

from chain.node.evm import operations

HALT: Final = -1
MAX_PATH_OPCODES: Final = 300
Block = Callable[[BaseComputation, list[int], GasMeter], int]

_JUMPDEST: Final = 0x5B
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


_NAMES: Final[dict[str, Any]] = {
    "MAX": operations.MAX, "SIGN": operations.SIGN, "Halt": Halt,
    **{
        function.__name__: function
        for function in (
            operations.integer, operations.sdiv, operations.smod, operations.signextend, operations.sar,
            operations.calldata_word, operations.grow, operations.hash_memory, operations.exp,
            operations.sload, operations.sstore, operations.log, operations.out_of_gas,
            operations.bad_stack, operations.bad_jump,
        )
    },
}  # fmt: skip


class BlockCompiler:
    """Compiles paths through one contract."""

    def __init__(self, code: bytes, destinations: frozenset[int], opcodes: Mapping[int, OpcodeAPI]) -> None:
        self._code = code
        self._destinations = destinations
        self._opcodes = opcodes
        self._names: dict[str, Any] = {**_NAMES, "destinations": destinations}

    def compile(self, start: int, heat: Callable[[int], int]) -> Block:
        """The path from `start`; `heat` says how often a block has been entered."""
        source = _Source(self._code, start, self._destinations, self._opcodes, self._names, heat)
        compiled: CodeType = compile(source.text(), f"<block {start:#x}>", "exec")
        namespace: dict[str, Any] = {}
        exec(compiled, self._names, namespace)  # noqa: S102  (our own templates, filled with ints)
        block: Block = namespace["block"]
        return block


class _Source:
    """Writes the function of one path."""

    def __init__(
        self,
        code: bytes,
        start: int,
        destinations: frozenset[int],
        opcodes: Mapping[int, OpcodeAPI],
        names: dict[str, Any],
        heat: Callable[[int], int],
    ) -> None:
        self._code = code
        self._destinations = destinations
        self._opcodes = opcodes
        self._names = names
        self._heat = heat
        self._lines: list[str] = []
        self._items: list[str] = []  # what lies on top of the real stack: variables and literals
        self._variables = 0
        self._memory_known = False
        self._passed: set[int] = set()
        self._gas_line = self._stack_line = self._gas = 0
        # Relative to the stack's depth at the beginning: now; bounds of this part; bounds checked before.
        self._height = 0
        self._needed = self._grown = self._checked_needed = self._checked_grown = 0
        self._write(start)

    def text(self) -> str:
        """The whole function."""
        head = ["def block(c, s, gm):"]
        if self._checked_needed or self._checked_grown:
            head.append(" n = len(s)")
        return "\n".join([*head, *(line for line in self._lines if line)])

    def _write(self, start: int) -> None:
        """Follow the path; each opcode's method answers where it goes on, None where it ends."""
        self._begin_part(start)
        pc: int | None = start
        for _ in range(MAX_PATH_OPCODES):
            if pc is None:
                self._end_part()
                return
            if pc >= len(self._code):
                break
            opcode = self._code[pc]
            if opcode == _JUMPDEST and pc not in self._passed:
                self._end_part()
                self._begin_part(pc)
            self._count(opcode)
            pc = self._opcode(opcode, pc)
        if pc is not None:
            self._leave(str(pc) if pc < len(self._code) else str(HALT))
        self._end_part()

    # Parts: what runs without a way out, from its first opcode to its last

    def _begin_part(self, pc: int) -> None:
        self._passed.add(pc)
        self._stack_line = len(self._lines)
        self._lines.append("")
        self._needed = self._grown = 0
        self._begin_run()

    def _end_part(self) -> None:
        self._end_run()
        bounds: list[str] = []
        if self._needed > self._checked_needed:
            bounds.append(f"n < {self._needed}")
            self._checked_needed = self._needed
        if self._grown > self._checked_grown:
            bounds.append(f"n > {_STACK_LIMIT - self._grown}")
            self._checked_grown = self._grown
        if bounds:
            self._lines[self._stack_line] = f" if {' or '.join(bounds)}: bad_stack(n, {self._needed})"

    def _goes_on(self, target: str) -> bool:
        """Whether the path may follow a jump to here."""
        return target.isdigit() and int(target) in self._destinations and int(target) not in self._passed

    def _count(self, opcode: int) -> None:
        taken, left = ARITY.get(opcode, (0, 0))
        self._needed = max(self._needed, taken - self._height)
        self._height += left - taken
        self._grown = max(self._grown, self._height)

    def _opcode(self, opcode: int, pc: int) -> int | None:
        if opcode in _CONTROL:
            return _CONTROL[opcode](self, opcode, pc)
        width = 0
        if 0x5F <= opcode <= 0x7F:
            width = opcode - 0x5F
            self._pay(opcode)
            self._items.append(
                str(int.from_bytes(self._code[pc + 1 : pc + 1 + width].ljust(width, b"\x00"), "big"))
            )
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
            self._pay(opcode)
            _SPECIAL[opcode](self, opcode, pc)
        else:
            self._by_py_evm(opcode)
            if opcode not in self._opcodes:
                return None
        return pc + 1 + width

    # Opcodes that are neither simple nor py-evm's; their static gas is paid

    def _drop(self, _opcode: int, _pc: int) -> None:
        self._pop()

    def _nothing(self, _opcode: int, _pc: int) -> None:
        pass

    def _counter(self, _opcode: int, pc: int) -> None:
        self._items.append(str(pc))

    def _code_size(self, _opcode: int, _pc: int) -> None:
        self._items.append(str(len(self._code)))

    def _gas_left(self, _opcode: int, _pc: int) -> None:
        self._end_run()
        self._push("gm.gas_remaining")
        self._begin_run()

    def _exp(self, _opcode: int, _pc: int) -> None:
        base, exponent = self._pop(), self._pop()
        self._push(f"exp(gm, {base}, {exponent})")

    def _hash(self, _opcode: int, _pc: int) -> None:
        start, size = self._pop(), self._pop()
        self._push(f"hash_memory(c._memory, gm, {start}, {size})")

    def _memory_size(self, _opcode: int, _pc: int) -> None:
        self._know_memory()
        self._push("len(m)")

    def _load(self, _opcode: int, _pc: int) -> None:
        start = self._pop()
        self._reach(start, 32)
        self._push(f"integer(m[{start}:{start} + 32])")

    def _store(self, _opcode: int, _pc: int) -> None:
        start, value = self._pop(), self._pop()
        self._reach(start, 32)
        self._line(f"m[{start}:{start} + 32] = ({value}).to_bytes(32, 'big')")

    def _store_byte(self, _opcode: int, _pc: int) -> None:
        start, value = self._pop(), self._pop()
        self._reach(start, 1)
        self._line(f"m[{start}] = {value} & 255")

    def _load_storage(self, _opcode: int, _pc: int) -> None:
        self._push(f"sload(c, gm, {self._pop()})")

    def _store_storage(self, _opcode: int, _pc: int) -> None:
        slot, value = self._pop(), self._pop()
        self._end_run()
        self._line(f"sstore(c, gm, {slot}, {value})")
        self._begin_run()

    def _log(self, opcode: int, _pc: int) -> None:
        start, size, *topics = [self._pop() for _ in range(opcode - 0x9E)]
        self._line(f"log(c, gm, {start}, {size}, ({''.join(topic + ', ' for topic in topics)}))")

    def _by_py_evm(self, opcode: int) -> None:
        self._flush()
        self._end_run()
        name = f"op_{opcode:02x}"
        self._names[name] = self._opcodes.get(opcode) or InvalidOpcode(opcode)
        self._line(f"{name}(computation=c)")
        if ARITY.get(opcode, (0, 0))[1]:
            self._line("if s[-1].__class__ is bytes: s[-1] = integer(s[-1])")
        self._memory_known = False
        self._begin_run()

    # Opcodes that end a part: where the path goes on, or None

    def _jump(self, opcode: int, _pc: int) -> int | None:
        self._pay(opcode)
        target = self._pop()
        if self._goes_on(target):
            return int(target)
        self._flush()
        self._end_run()
        self._go(target, " ")
        return None

    def _jump_if(self, opcode: int, pc: int) -> int | None:
        self._pay(opcode)
        target, condition = self._pop(), self._pop()
        self._end_part()
        if self._goes_on(target) and self._heat(int(target)) > self._heat(pc + 1):
            self._line(f"if not {condition}:")
            self._flush("  ", keep=True)
            self._lines.append(f"  return {pc + 1}")
            return int(target)
        self._line(f"if {condition}:")
        self._flush("  ", keep=True)
        self._go(target, "  ")
        self._begin_part(pc + 1)
        return pc + 1

    def _stop(self, opcode: int, _pc: int) -> int | None:
        self._pay(opcode)
        self._end_run()
        self._line(f"return {HALT}")
        return None

    def _return(self, opcode: int, _pc: int) -> int | None:
        self._pay(opcode)
        start, size = self._pop(), self._pop()
        self._end_run()
        self._line(f"m = grow(c._memory, gm, {start}, {size})")
        self._line(f"c._output = bytes(m[{start}:{start} + {size}])")
        self._line(f"return {HALT}")
        return None

    def _revert(self, opcode: int, _pc: int) -> int | None:
        self._by_py_evm(opcode)
        return None

    def _self_destruct(self, opcode: int, _pc: int) -> int | None:
        self._flush()
        self._end_run()
        self._names["op_ff"] = self._opcodes[opcode]
        self._line("try: op_ff(computation=c)")
        self._line(f"except Halt: return {HALT}")
        return None

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

    def _flush(self, indent: str = " ", *, keep: bool = False) -> None:
        if len(self._items) == 1:
            self._lines.append(f"{indent}s.append({self._items[0]})")
        elif self._items:
            self._lines.append(f"{indent}s += ({', '.join(self._items)})")
        if not keep:
            self._items.clear()

    # Memory and control

    def _know_memory(self) -> None:
        if not self._memory_known:
            self._line("m = c._memory._bytes")
            self._memory_known = True

    def _reach(self, start: str, size: int) -> None:
        self._know_memory()
        self._line(f"if len(m) < {start} + {size}: m = grow(c._memory, gm, {start}, {size})")

    def _go(self, target: str, indent: str) -> None:
        if not target.isdigit():
            self._lines.append(f"{indent}if {target} not in destinations: bad_jump({target})")
        elif int(target) not in self._destinations:
            self._lines.append(f"{indent}bad_jump({target})")
        self._lines.append(f"{indent}return {target}")

    def _leave(self, target: str) -> None:
        self._flush()
        self._end_run()
        self._line(f"return {target}")

    def _line(self, text: str) -> None:
        self._lines.append(" " + text)


_SPECIAL: Final[dict[int, Callable[[_Source, int, int], None]]] = {
    0x0A: _Source._exp, 0x20: _Source._hash, 0x38: _Source._code_size, 0x50: _Source._drop,
    0x51: _Source._load, 0x52: _Source._store, 0x53: _Source._store_byte, 0x54: _Source._load_storage,
    0x55: _Source._store_storage, 0x58: _Source._counter, 0x59: _Source._memory_size,
    0x5A: _Source._gas_left, 0x5B: _Source._nothing, **dict.fromkeys(range(0xA0, 0xA5), _Source._log),
}  # fmt: skip
_CONTROL: Final[dict[int, Callable[[_Source, int, int], int | None]]] = {
    0x00: _Source._stop, 0x56: _Source._jump, 0x57: _Source._jump_if, 0xF3: _Source._return,
    0xFD: _Source._revert, 0xFF: _Source._self_destruct,
}  # fmt: skip
