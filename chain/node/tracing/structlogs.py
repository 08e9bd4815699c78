"""The struct logger: the machine before each opcode, as the execution-apis specification writes it.

A step becomes JSON as soon as it has run: as Python objects a trace would take several times its size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
from eth.abc import ComputationAPI, MessageAPI
from eth.exceptions import OutOfGas, VMError
from eth.vm.computation import BaseComputation

from chain.node.execution import Outcome, failure_text
from chain.node.formats import hex_bytes, hex_word
from chain.node.tracing.budget import Budget
from chain.node.tracing.machine import (
    CALLS,
    CREATES,
    Tracer,
    peek,
    program_counter,
    refused_gas,
    stack_of,
    stipend_of,
)

_NEEDED = re.compile(r"Out of gas: Needed (\d+) ")
_WORD, _SLOT_BYTES = 32, 140


@dataclass(frozen=True, slots=True)
class StructLogOptions:
    """What each step shows. `limit`: how many steps are shown, 0 for all; the others run unseen."""

    memory: bool = False
    stack: bool = True
    storage: bool = True
    return_data: bool = False
    limit: int = 0


@dataclass(slots=True)
class _Frame:
    """A frame that runs: its step that runs, and what gas was refunded outside of it and below it so far."""

    refund_before: int
    refund_below: int = 0
    place: int = -1
    entry: dict[str, Any] | None = None
    gas_before: int = 0
    gas_cost: int | None = None
    slot: tuple[int, int] | None = None
    asked: tuple[int, int] = (0, 0)


class StructLogger(Tracer):
    """Collects steps."""

    def __init__(self, budget: Budget, options: StructLogOptions) -> None:
        super().__init__(budget)
        self._options = options
        self._steps: list[bytes] = []
        self._frames: list[_Frame] = []
        self._storage: dict[bytes, dict[str, str]] = {}
        self._memory: tuple[bytes, orjson.Fragment] = (b"", orjson.Fragment(b"[]"))

    def enter(self, message: MessageAPI, parent: BaseComputation | None) -> None:
        """The cost of the calling opcode is known now: with the gas of a call, without that of a creation."""
        refund = 0
        if self._frames and parent is not None:
            caller = self._frames[-1]
            spent = caller.gas_before - parent._gas_meter.gas_remaining
            caller.gas_cost = spent - message.gas if message.is_create else spent
            refund = self._refund(caller, parent)
        self._frames.append(_Frame(refund))

    def leave(self, computation: ComputationAPI) -> None:
        """What the frame refunded counts for its caller, unless it failed."""
        self._frames.pop()
        if self._frames:
            self._frames[-1].refund_below += computation.get_gas_refund()

    def step(self, computation: BaseComputation, name: str) -> None:
        """Note the machine."""
        frame = self._frames[-1]
        if self._options.limit and len(self._steps) >= self._options.limit:
            frame.entry = None
            return
        frame.gas_before = computation._gas_meter.gas_remaining
        frame.gas_cost = None
        if name in CALLS:
            frame.asked = peek(computation, 0), stipend_of(computation, name)
        entry: dict[str, Any] = {
            "pc": program_counter(computation),
            "op": name,
            "gas": frame.gas_before,
            "gasCost": 0,
            "depth": computation.msg.depth + 1,
            "refund": self._refund(frame, computation),
        }
        if self._options.stack:
            entry["stack"] = [hex(item) for item in stack_of(computation)]
        if self._options.memory:
            entry["memory"] = self._memory_of(computation)
        if self._options.return_data:
            entry["returnData"] = hex_bytes(computation.return_data)
        if self._options.storage and name in ("SLOAD", "SSTORE"):
            frame.slot = self._slot_of(computation, name)
        frame.entry, frame.place = entry, len(self._steps)
        self._steps.append(b"")

    def stepped(self, computation: BaseComputation, name: str, error: VMError | None) -> None:
        """Fill in what it cost, and write it down."""
        frame = self._frames[-1]
        entry = frame.entry
        if entry is None:
            return
        if frame.gas_cost is None or name not in CALLS | CREATES:
            left = computation._gas_meter.gas_remaining
            frame.gas_cost = frame.gas_before - left + _lacking(error)
            if name in CALLS and error is None:  # refused: the gas of the call has come back
                frame.gas_cost += refused_gas(*frame.asked, left)
        entry["gasCost"] = max(0, frame.gas_cost)
        if frame.slot is not None:
            entry["storage"] = self._storage_of(computation, frame.slot, error)
            frame.slot = None
        if error is not None:
            entry["error"] = failure_text(error)
        # A copy: what orjson gives keeps the kilobytes that it was written in.
        text = bytes(memoryview(orjson.dumps(entry)))
        self.budget.take(len(text))
        self._steps[frame.place] = text
        frame.entry = None

    def result(self, outcome: Outcome) -> dict[str, Any]:
        """Gas, success, what came back, and the steps."""
        return {
            "gas": outcome.gas_used,
            "failed": outcome.error is not None,
            "returnValue": hex_bytes(outcome.output),
            "structLogs": orjson.Fragment(b"[" + b",".join(self._steps) + b"]"),
        }

    def _refund(self, frame: _Frame, computation: BaseComputation) -> int:
        return max(0, frame.refund_before + frame.refund_below + computation._gas_meter.gas_refunded)

    def _memory_of(self, computation: BaseComputation) -> orjson.Fragment:
        data = bytes(computation.memory_read_bytes(0, len(computation._memory)))
        known, text = self._memory
        if data != known:
            words = data.hex()
            size = 2 * _WORD
            text = orjson.Fragment(
                orjson.dumps(["0x" + words[at : at + size] for at in range(0, len(words), size)])
            )
            self._memory = data, text
        return text

    def _slot_of(self, computation: BaseComputation, name: str) -> tuple[int, int]:
        address, slot = computation.msg.storage_address, peek(computation, 0)
        value = peek(computation, 1) if name == "SSTORE" else computation.state.get_storage(address, slot)
        return slot, value

    def _storage_of(
        self, computation: BaseComputation, slot: tuple[int, int], error: VMError | None
    ) -> dict[str, str]:
        known = self._storage.setdefault(computation.msg.storage_address, {})
        if error is None:
            known[hex_word(slot[0])] = hex_word(slot[1])
        self.budget.take(_SLOT_BYTES * len(known))
        return dict(known)


def _lacking(error: VMError | None) -> int:
    """What the opcode was to cost that it could not pay; py-evm says so in words only."""
    found = _NEEDED.match(str(error)) if isinstance(error, OutOfGas) else None
    return int(found[1]) if found else 0
