"""An act: one call from outside, with everything that its outcome depends on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.support.contract_model.interface import Function
from tests.support.contract_model.machine import Address


@dataclass(slots=True)
class Act:
    """Who calls what, when, and how. `raw` replaces the call's bytes: such a call is no call, and refused."""

    at: int
    caller: Address
    to: Address
    function: Function
    args: tuple[Any, ...]
    value: int = 0
    raw: bytes | None = None
    _data: bytes | None = None

    @property
    def data(self) -> bytes:
        """The call's bytes."""
        if self.raw is not None:
            return self.raw
        if self._data is None:
            self._data = self.function.calldata(self.args)
        return self._data

    def by(self, caller: Address) -> Act:
        """Return the same by somebody else."""
        return replace(self, caller=caller)

    def shown(self, names: dict[Address, str]) -> str:
        """Return the act as one reads it."""
        args = ", ".join(_shown(arg, names) for arg in self.args)
        what = f"{self.function.title}({args})" if self.raw is None else f"0x{self.raw.hex()}"
        to = names.get(self.to, self.to)
        paid = f" with {self.value} wei" if self.value else ""
        return f"at {self.at} {names.get(self.caller, self.caller)} -> {to}: {what}{paid}"


def _shown(value: Any, names: dict[Address, str]) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_shown(part, names) for part in value)}]"
    return names.get(value, str(value)) if isinstance(value, str) else str(value)
