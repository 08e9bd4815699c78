"""The ground the modelled contracts stand on: a call happens whole or not at all, and leaves events.

State is kept in tables of immutable values. A journal remembers what each write replaced: a refused call
is taken back by it, at whatever depth, and after a call it tells which rows to look at on the real
chain.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from eth_abi import encode
from eth_utils import keccak

from tests.support.contract_model.interface import (
    Function,
    Interface,
    error_selector,
    error_types,
    interface,
)

Address = str
ZERO_ADDRESS: Address = "0x" + "00" * 20
ZERO = bytes(32)
UINT256_MAX = 2**256 - 1
OVERFLOW = 0x11  # Panic code of checked arithmetic


class Refused(Exception):
    """A call reverts with this typed error; without a name it reverts without data."""

    def __init__(self, name: str = "", *facts: Any) -> None:
        super().__init__(name, facts)
        self.name = name
        self.facts = facts

    @property
    def data(self) -> bytes:
        """The revert data, byte for byte."""
        if not self.name:
            return b""
        return error_selector(self.name) + encode(error_types(self.name), self.facts)


class Event(NamedTuple):
    """What a contract said. `args` are in the order of the interface."""

    address: Address
    contract: str
    name: str
    args: tuple[Any, ...]


class Msg:
    """What a contract sees of the call that it is in."""

    __slots__ = ("_data", "args", "function", "sender", "value")

    def __init__(
        self,
        sender: Address,
        function: Function,
        args: tuple[Any, ...],
        value: int = 0,
        data: bytes | None = None,
    ) -> None:
        self.sender = sender
        self.function = function
        self.args = args
        self.value = value
        self._data = data

    @property
    def data(self) -> bytes:
        """The call's bytes, made when somebody hashes them."""
        if self._data is None:
            self._data = self.function.calldata(self.args)
        return self._data


class Table:
    """A mapping that starts full of one value. `shown(key)`: the view that shows a row, with arguments."""

    __slots__ = ("contract", "default", "journal", "rows", "shown")

    def __init__(
        self, contract: Contract, default: Any, shown: Callable[[Any], tuple[Any, ...]] | None
    ) -> None:
        self.contract = contract
        self.default = default
        self.shown = shown
        self.journal = contract.model.journal
        self.rows: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        return self.rows.get(key, self.default)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.journal.append((self, key, self.rows.get(key, _ABSENT)))
        self.rows[key] = value


_ABSENT = object()


class Model:
    """All modelled contracts at their addresses, the time, and the calls between them."""

    def __init__(self, now: int, chain_id: int = 1) -> None:
        self.now = now
        self.chain_id = chain_id
        self.contracts: dict[Address, Contract] = {}
        self.journal: list[tuple[Table, Any, Any]] = []
        self.events: list[Event] = []
        self.heard: Callable[[Address, Function, str], None] = lambda _sender, _function, _outcome: None

    def begin(self) -> None:
        """Forget the journal and the events of the call before."""
        self.journal.clear()
        self.events = []

    def call(
        self,
        sender: Address,
        to: Address,
        function: Function,
        args: tuple[Any, ...],
        value: int = 0,
        data: bytes | None = None,
    ) -> tuple[Any, ...]:
        """Make one call, from outside or from a contract; raises Refused, and then nothing has happened.

        `data` are the call's bytes, where they are known already.
        """
        written, said = len(self.journal), len(self.events)
        try:
            result = self.contracts[to].answer(Msg(sender, function, args, value, data))
        except Refused as refused:
            self._take_back(written)
            del self.events[said:]
            self.heard(sender, function, refused.name or "(no word)")
            raise
        self.heard(sender, function, "done")
        return result

    def has_code(self, address: Address) -> bool:
        return address in self.contracts

    def _take_back(self, length: int) -> None:
        journal = self.journal
        while len(journal) > length:
            table, key, before = journal.pop()
            if before is _ABSENT:
                table.rows.pop(key, None)
            else:
                table.rows[key] = before


class Contract:
    """A modelled contract: its methods are the contract's functions, by their names in Python's spelling."""

    name = ""

    def __init__(self, model: Model, address: Address) -> None:
        self.model = model
        self.address = address
        self.interface: Interface = interface(self.name)
        self.tables: list[Table] = []
        self._methods = {
            selector: getattr(self, python_name(function.name))
            for selector, function in self.interface.functions.items()
        }
        model.contracts[address] = self

    def table(self, default: Any = 0, shown: Callable[[Any], tuple[Any, ...]] | None = None) -> Table:
        table = Table(self, default, shown)
        self.tables.append(table)
        return table

    def answer(self, msg: Msg) -> tuple[Any, ...]:
        """Run the function, return its results. Views do not ask who asks; only `payable` takes ether."""
        function = msg.function
        method = self._methods.get(function.selector)
        if method is None or function.contract != self.name or (msg.value and not function.payable):
            raise Refused
        result = method(msg, *msg.args) if function.changes_state else method(*msg.args)
        if not function.outputs:
            return ()
        return (result,) if len(function.outputs) == 1 else result

    def answer_view(self, function: Function, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what a view answers, whoever asks, without anybody hearing of it."""
        return self.answer(Msg(ZERO_ADDRESS, function, args))

    def ask(self, to: Address, name: str, *args: Any) -> Any:
        """Call another contract from this one; a single result comes as it is."""
        target = self.model.contracts[to]
        result = self.model.call(self.address, to, target.interface.function(name, len(args)), args)
        return result[0] if len(result) == 1 else result

    def emit(self, name: str, *args: Any) -> None:
        self.model.events.append(Event(self.address, self.name, name, args))

    @property
    def now(self) -> int:
        return self.model.now


@cache
def python_name(name: str) -> str:
    """Return `setFrozen` as `set_frozen`, `onERC1155Received` as `on_erc1155_received`."""
    if name == "name":  # a contract's name is the contract's: the token's is another
        return "token_name"
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def digest(types: list[str], values: tuple[Any, ...]) -> bytes:
    """Return keccak256(abi.encode(...))."""
    return keccak(encode(types, values))


def require_fits(value: int, bits: int) -> int:
    """OpenZeppelin's SafeCast to an unsigned integer."""
    if value >> bits:
        raise Refused("SafeCastOverflowedUintDowncast", bits, value)
    return value
