"""What the contracts' interfaces say: functions, errors and events, read from the committed artifacts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak

ARTIFACTS = Path(__file__).resolve().parents[3] / "chain" / "artifacts"
PUPPET = Path(__file__).with_name("Puppet.json")

BUSINESS = ("CarbonLedger", "Compliance", "Verification", "SettlementCash", "Clearing", "MicroCarat")
CONTRACTS = ("AccessManager", *BUSINESS)

# Solidity's own two errors, which no interface lists.
_BUILT_IN = {"Panic": ("uint256",), "Error": ("string",)}


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """One external function; overloads are functions of their own."""

    contract: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    changes_state: bool
    payable: bool
    selector: bytes

    @property
    def title(self) -> str:
        """Its name for people: overloads are told apart by their number of arguments."""
        return f"{self.contract}.{self.name}/{len(self.inputs)}"

    def __deepcopy__(self, _memo: dict[int, Any]) -> Function:
        return self  # never changes, and is compared by identity

    def calldata(self, args: tuple[Any, ...]) -> bytes:
        return self.selector + encode(self.inputs, args)

    def read(self, data: bytes) -> tuple[Any, ...]:
        return decode(self.outputs, data)

    def result(self, values: tuple[Any, ...]) -> bytes:
        return encode(self.outputs, values)


@dataclass(frozen=True, slots=True, eq=False)
class EventType:
    """One event: what goes into topics and what into data."""

    name: str
    inputs: tuple[tuple[str, bool], ...]
    topic: bytes

    def log(self, args: tuple[Any, ...]) -> tuple[tuple[bytes, ...], bytes]:
        """Return the topics and the data of such a log."""
        topics, types, values = [self.topic], [], []
        for (kind, indexed), value in zip(self.inputs, args, strict=True):
            if indexed:
                topics.append(encode([kind], [value]))
            else:
                types.append(kind)
                values.append(value)
        return tuple(topics), encode(types, values)


def _type_of(part: dict[str, Any]) -> str:
    kind: str = part["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type_of(inner) for inner in part['components'])}){kind[5:]}"


def _types_of(parts: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(_type_of(part) for part in parts)


class Interface:
    """One contract's functions by selector and by name, and its errors and events."""

    def __init__(self, name: str, path: Path) -> None:
        artifact = json.loads(path.read_text(encoding="utf-8"))
        self.name = name
        self.bytecode = bytes.fromhex(artifact["bytecode"][2:])
        self.functions: dict[bytes, Function] = {}
        self.by_name: dict[str, list[Function]] = {}
        self.errors: dict[str, tuple[str, ...]] = {}
        self.events: dict[str, EventType] = {}
        for part in artifact["abi"]:
            if part["type"] == "function":
                self._add(part)
            elif part["type"] == "error":
                self.errors[part["name"]] = _types_of(part["inputs"])
            elif part["type"] == "event":
                topic = keccak(text=f"{part['name']}({','.join(_types_of(part['inputs']))})")
                inputs = tuple((_type_of(given), given["indexed"]) for given in part["inputs"])
                self.events[part["name"]] = EventType(part["name"], inputs, topic)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Interface:
        return self

    def _add(self, part: dict[str, Any]) -> None:
        inputs = _types_of(part["inputs"])
        function = Function(
            contract=self.name,
            name=part["name"],
            inputs=inputs,
            outputs=_types_of(part["outputs"]),
            changes_state=part["stateMutability"] in ("nonpayable", "payable"),
            payable=part["stateMutability"] == "payable",
            selector=keccak(text=f"{part['name']}({','.join(inputs)})")[:4],
        )
        self.functions[function.selector] = function
        self.by_name.setdefault(function.name, []).append(function)

    def function(self, name: str, arguments: int | None = None) -> Function:
        """Return the function of this name; of overloads the one with so many arguments."""
        found = self.by_name[name]
        if len(found) == 1:
            return found[0]
        return next(one for one in found if len(one.inputs) == arguments)


@cache
def interface(name: str) -> Interface:
    """Return a contract's interface."""
    return Interface(name, PUPPET if name == "Puppet" else ARTIFACTS / f"{name}.json")


@cache
def error_types(name: str) -> tuple[str, ...]:
    """Return the types of an error's facts: one name means one thing in all contracts."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for contract in (*CONTRACTS, "Puppet"):
        if name in interface(contract).errors:
            return interface(contract).errors[name]
    raise KeyError(name)


@cache
def error_selector(name: str) -> bytes:
    """Return the first four bytes of an error's data."""
    return keccak(text=f"{name}({','.join(error_types(name))})")[:4]


@cache
def _names_by_selector() -> dict[bytes, str]:
    names = set(_BUILT_IN)
    for contract in (*CONTRACTS, "Puppet"):
        names |= set(interface(contract).errors)
    return {error_selector(name): name for name in names}


def shown_error(data: bytes) -> str:
    """Return a refusal's data as one reads it."""
    if not data:
        return "(refused without a word)"
    name = _names_by_selector().get(data[:4])
    if name is None:
        return f"0x{data.hex()}"
    facts = decode(error_types(name), data[4:])
    return f"{name}{tuple(fact.hex() if isinstance(fact, bytes) else fact for fact in facts)}"
