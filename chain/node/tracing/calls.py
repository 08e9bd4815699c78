"""The call tracer: who called whom, with what, and what came of it, as geth's callTracer writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from eth.abc import ComputationAPI, MessageAPI
from eth.constants import GAS_CREATE, GAS_SHA3WORD
from eth.exceptions import Revert, VMError
from eth.vm.computation import BaseComputation

from chain.node.execution import Outcome, failure_text, revert_message
from chain.node.formats import checksum, hex_bytes, hex_int, hex_word
from chain.node.tracing.budget import Budget
from chain.node.tracing.machine import CALLS, CREATES, Tracer, peek, peek_address, refused_gas, stipend_of
from chain.node.transactions import Transaction

_FRAME_BYTES = 500
_DEPTH_LIMIT = 1_024
_INITCODE_WORD_GAS = 2
# Where on the stack a call's value and its input are, by opcode.
_VALUE_AT = {"CALL": 2, "CALLCODE": 2, "CREATE": 0, "CREATE2": 0}
_INPUT_AT = {"CALL": 3, "CALLCODE": 3, "DELEGATECALL": 2, "STATICCALL": 2, "CREATE": 1, "CREATE2": 1}


@dataclass(slots=True)
class _Frame:
    kind: str
    sender: bytes
    to: bytes | None
    value: int | None
    gas: int
    data: bytes
    gas_used: int = 0
    output: bytes = b""
    error: VMError | str | None = None
    calls: list[_Frame] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class _Asked:
    """A calling opcode that runs, with gas and memory as it found them; `told` once its frame has begun."""

    frame: _Frame
    gas: int
    memory: int
    stipend: int
    told: bool = False


class CallTracer(Tracer):
    """Collects frames; with `logs` what they said, with `top` only the outermost."""

    def __init__(self, budget: Budget, transaction: Transaction, *, top: bool, logs: bool) -> None:
        super().__init__(budget)
        self._transaction = transaction
        self._top, self._logs = top, logs
        self._root: _Frame | None = None
        self._open: list[_Frame] = []
        self._asked: list[_Asked] = []
        self._said: list[dict[str, Any]] = []

    def enter(self, message: MessageAPI, parent: BaseComputation | None) -> None:
        """A frame begins."""
        kind = "CREATE" if message.is_create else "CALL"
        sender, value = message.sender, message.value
        if parent is not None and self._asked:
            asked = self._asked[-1]
            asked.told = True
            kind = asked.frame.kind
            if kind in ("DELEGATECALL", "CALLCODE"):
                sender = parent.msg.storage_address
        to = message.storage_address if message.is_create else message.code_address
        data = message.code if message.is_create else bytes(message.data)
        self.budget.take(_FRAME_BYTES + 2 * len(data))
        frame = _Frame(kind, sender, to, None if kind == "STATICCALL" else value, message.gas, data)
        if self._open:
            self._open[-1].calls.append(frame)
        else:
            self._root = frame
        self._open.append(frame)

    def leave(self, computation: ComputationAPI) -> None:
        """It has ended."""
        frame = self._open.pop()
        frame.gas_used = frame.gas - computation.get_gas_remaining()
        frame.output = bytes(computation.output)
        self.budget.take(2 * len(frame.output))
        if computation.is_error:
            frame.error = computation.error
            _forget_logs(frame)

    def step(self, computation: BaseComputation, name: str) -> None:
        """Note a call before it pops its arguments."""
        if name in CALLS or name in CREATES:
            self._asked.append(self._asked_of(computation, name))
        elif name == "SELFDESTRUCT":
            address = computation.msg.storage_address
            balance = computation.state.get_balance(address)
            self._open[-1].calls.append(_Frame(name, address, peek_address(computation, 0), balance, 0, b""))
            self.budget.take(_FRAME_BYTES)

    def stepped(self, computation: BaseComputation, name: str, error: VMError | None) -> None:
        """Note a call that was refused without a frame, and a log."""
        if name in CALLS or name in CREATES:
            asked = self._asked.pop()
            if error is None and not asked.told:
                _refuse(asked, computation)
                self._open[-1].calls.append(asked.frame)
                self.budget.take(_FRAME_BYTES + 2 * len(asked.frame.data))
        elif name == "SELFDESTRUCT" and error is not None:
            self._open[-1].calls.pop()
        elif self._logs and error is None and name.startswith("LOG"):
            self._log(computation)

    def result(self, outcome: Outcome) -> orjson.Fragment:
        """The tree, with the whole transaction's gas at its root, as JSON."""
        root, transaction = self._root, self._transaction
        if root is None:  # refused before its frame: the address of a creation was taken
            kind = "CALL" if transaction.to else "CREATE"
            root = _Frame(kind, transaction.sender, transaction.to, transaction.value, 0, transaction.data)
            root.error = outcome.error
        root.gas, root.gas_used = transaction.gas, outcome.gas_used
        for index, log in enumerate(filter(None, self._said)):
            log["index"] = hex_int(index)
        parts: list[bytes] = []
        _write(root, parts, top=self._top)
        return orjson.Fragment(b"".join(parts))

    def _frame_of(self, computation: BaseComputation, name: str) -> _Frame:
        at = _INPUT_AT[name]
        start, size = peek(computation, at), peek(computation, at + 1)
        memory = len(computation._memory)
        held = (
            bytes(computation.memory_read_bytes(start, min(size, memory - start))) if start < memory else b""
        )
        data = held.ljust(size, b"\0") if size <= memory + 4_096 else held
        value = peek(computation, _VALUE_AT[name]) if name in _VALUE_AT else None
        if name == "DELEGATECALL":
            value = computation.msg.value
        to = peek_address(computation, 1) if name in CALLS else None
        gas = peek(computation, 0) if name in CALLS else 0
        return _Frame(name, computation.msg.storage_address, to, value, gas, data)

    def _asked_of(self, computation: BaseComputation, name: str) -> _Asked:
        frame = self._frame_of(computation, name)
        stipend = stipend_of(computation, name)
        return _Asked(frame, computation._gas_meter.gas_remaining, len(computation._memory), stipend)

    def _log(self, computation: BaseComputation) -> None:
        _, address, topics, data = computation._log_entries[-1]
        self.budget.take(_FRAME_BYTES + 2 * len(data))
        frame = self._open[-1]
        log = {
            "address": checksum(address),
            "topics": [hex_word(topic) for topic in topics],
            "data": hex_bytes(data),
            "position": hex_int(len(frame.calls)),
        }
        frame.logs.append(log)
        self._said.append(log)


def _refuse(asked: _Asked, computation: BaseComputation) -> None:
    """Say why a call got no frame, and what gas it would have had."""
    frame = asked.frame
    left = computation._gas_meter.gas_remaining
    if computation.msg.depth + 1 > _DEPTH_LIMIT:
        frame.error = "max call depth exceeded"
    elif (frame.value or 0) > computation.state.get_balance(computation.msg.storage_address):
        frame.error = "insufficient balance for transfer"
    else:
        frame.error = "contract address collision"
    if frame.kind in CREATES:
        left = asked.gas - _creation_cost(asked, len(computation._memory))
        frame.gas = left - left // 64
        frame.gas_used = frame.gas if frame.error == "contract address collision" else 0
        return
    frame.gas = refused_gas(frame.gas, asked.stipend, left)


def _creation_cost(asked: _Asked, memory: int) -> int:
    words = (len(asked.frame.data) + 31) // 32
    hashing = GAS_SHA3WORD * words if asked.frame.kind == "CREATE2" else 0
    return (
        GAS_CREATE + _INITCODE_WORD_GAS * words + hashing + _memory_cost(memory) - _memory_cost(asked.memory)
    )


def _memory_cost(size: int) -> int:
    words = size // 32
    return 3 * words + words * words // 512


def _forget_logs(frame: _Frame) -> None:
    for log in frame.logs:
        log.clear()
    frame.logs.clear()
    for each in frame.calls:
        if each.error is None:
            _forget_logs(each)


def _write(frame: _Frame, parts: list[bytes], *, top: bool) -> None:
    # Written as it is walked: calls may be nested deeper than a JSON encoder goes.
    parts.append(orjson.dumps(_shown(frame))[:-1])
    if frame.calls and not top:
        parts.append(b',"calls":[')
        for at, call in enumerate(frame.calls):
            if at:
                parts.append(b",")
            _write(call, parts, top=False)
        parts.append(b"]")
    parts.append(b"}")


def _shown(frame: _Frame) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": frame.kind,
        "from": checksum(frame.sender),
        "gas": hex_int(frame.gas),
        "gasUsed": hex_int(frame.gas_used),
        "input": hex_bytes(frame.data),
    }
    failed_creation = frame.error is not None and frame.kind in CREATES
    if frame.to is not None and not failed_creation:
        shown["to"] = checksum(frame.to)
    if frame.value is not None:
        shown["value"] = hex_int(frame.value)
    _say_end(shown, frame)
    if frame.logs:
        shown["logs"] = frame.logs
    return shown


def _say_end(shown: dict[str, Any], frame: _Frame) -> None:
    error = frame.error
    if error is None:
        if frame.output:
            shown["output"] = hex_bytes(frame.output)
        return
    shown["error"] = error if isinstance(error, str) else failure_text(error)
    if isinstance(error, Revert) and frame.output:
        shown["output"] = hex_bytes(frame.output)
        _, _, reason = revert_message(frame.output).partition(": ")
        if reason:
            shown["revertReason"] = reason
