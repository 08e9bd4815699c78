"""The contracts' language: acts become call data, logs become facts, reverts become refusals.

Read from the artifacts committed under `chain/artifacts`, so that running needs no compiler.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from eth_abi import encode
from eth_abi.codec import ABIDecoder
from eth_abi.decoding import StringDecoder
from eth_abi.exceptions import DecodingError, EncodingError
from eth_abi.registry import BaseEquals, registry
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.refusals import ContractRefusal, Fact

ARTIFACTS: Final = Path(__file__).parent / "artifacts"
BUSINESS_CONTRACTS: Final = (
    "CarbonLedger", "Verification", "Compliance", "Clearing", "SettlementCash", "MicroCarat",
)  # fmt: skip


def _forgiving_decoder() -> ABIDecoder:
    # Anyone may write bytes that are no UTF-8 where a text belongs: they must stop nobody.
    forgiving = registry.copy()  # type: ignore[no-untyped-call]
    forgiving.unregister_decoder("string")
    strings = StringDecoder(handle_string_errors="replace")  # type: ignore[no-untyped-call]
    is_string = BaseEquals("string")  # type: ignore[no-untyped-call]
    forgiving.register_decoder(is_string, strings, label="string")
    return ABIDecoder(forgiving)


decode: Final = _forgiving_decoder().decode

_PANICS: Final = {0x01: "assertion failed", 0x11: "overflow", 0x12: "division by zero", 0x32: "out of bounds"}


class ArgumentsMalformed(ValueError):
    """Our own mistake: these arguments do not fit the function."""


@dataclass(frozen=True, slots=True)
class Call:
    """An act on chain before anyone signs it: which contract, which function, with what.

    Structs are tuples or mappings by field name; addresses are EIP-55 text; bytes32 are bytes.
    """

    contract: str
    function: str
    args: tuple[Any, ...] = ()


class _Function:
    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        self.inputs: list[Mapping[str, Any]] = entry["inputs"]
        self.input_types = [collapse_if_tuple(dict(part)) for part in entry["inputs"]]
        self.output_parts: list[Mapping[str, Any]] = entry.get("outputs", [])
        self.output_types = [collapse_if_tuple(dict(part)) for part in self.output_parts]
        self.signature = f"{self.name}({','.join(self.input_types)})"
        self.selector = keccak(text=self.signature)[:4]


class _Event:
    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        inputs: list[Mapping[str, Any]] = entry["inputs"]
        types = [collapse_if_tuple(dict(part)) for part in inputs]
        self.topic = keccak(text=f"{self.name}({','.join(types)})")
        self.indexed = [(part, kind) for part, kind in zip(inputs, types, strict=True) if part["indexed"]]
        self.plain = [(part, kind) for part, kind in zip(inputs, types, strict=True) if not part["indexed"]]
        self.plain_types = [kind for _, kind in self.plain]
        self.order = [part["name"] for part in inputs]

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        facts = {}
        for (part, kind), topic in zip(self.indexed, topics[1:], strict=True):
            facts[part["name"]] = _readable(part, decode([kind], topic)[0])
        for (part, _), value in zip(self.plain, decode(self.plain_types, data), strict=True):
            facts[part["name"]] = _readable(part, value)
        return {name: facts[name] for name in self.order}


class ContractAbi:
    """One contract's functions, events and errors."""

    def __init__(self, name: str, artifacts: Path = ARTIFACTS) -> None:
        artifact = json.loads((artifacts / f"{name}.json").read_text(encoding="utf-8"))
        self.name = name
        self.bytecode = bytes.fromhex(artifact["bytecode"].removeprefix("0x"))
        self._entries: list[dict[str, Any]] = artifact["abi"]

    @cached_property
    def functions(self) -> dict[str, list[_Function]]:
        """Functions by name; overloads stand together."""
        found: dict[str, list[_Function]] = {}
        for entry in self._entries:
            if entry["type"] == "function":
                found.setdefault(entry["name"], []).append(_Function(entry))
        return found

    @cached_property
    def by_selector(self) -> dict[bytes, _Function]:
        """Functions by the first four bytes of their calls."""
        return {function.selector: function for same in self.functions.values() for function in same}

    @cached_property
    def events(self) -> dict[bytes, _Event]:
        """Events by topic."""
        found = (_Event(entry) for entry in self._entries if entry["type"] == "event")
        return {event.topic: event for event in found}

    @cached_property
    def errors(self) -> dict[bytes, _Function]:
        """Typed errors by the first four bytes of their data."""
        found = (_Function(entry) for entry in self._entries if entry["type"] == "error")
        return {error.selector: error for error in found}

    @property
    def constructor_inputs(self) -> list[Mapping[str, Any]]:
        """What the constructor asks for."""
        found = (entry["inputs"] for entry in self._entries if entry["type"] == "constructor")
        return next(found, [])

    def encode_constructor(self, args: Sequence[Any]) -> bytes:
        """Return the code that deploys the contract with these arguments."""
        types = [collapse_if_tuple(dict(part)) for part in self.constructor_inputs]
        return self.bytecode + encode(types, list(args))

    def function(self, name: str, arguments: int) -> _Function:
        """Return the function of this name that takes so many arguments."""
        fitting = [each for each in self.functions.get(name, []) if len(each.inputs) == arguments]
        if len(fitting) != 1:
            raise ArgumentsMalformed(f"{self.name}.{name} with {arguments} arguments: {len(fitting)} found")
        return fitting[0]


@cache
def abi_of(contract: str) -> ContractAbi:
    """Return the committed description of a contract, read once."""
    return ContractAbi(contract)


@cache
def _all_errors() -> dict[bytes, _Function]:
    # A revert may come from a contract deeper in the call than the one that was called.
    names = [path.stem for path in sorted(ARTIFACTS.glob("*.json"))]
    return {selector: error for name in names for selector, error in abi_of(name).errors.items()}


def encode_call(call: Call) -> bytes:
    """Return the call data of an act; raises ArgumentsMalformed."""
    function = abi_of(call.contract).function(call.function, len(call.args))
    values = [_positional(part, value) for part, value in zip(function.inputs, call.args, strict=True)]
    try:
        return function.selector + encode(function.input_types, values)
    except EncodingError as error:
        raise ArgumentsMalformed(f"{call.contract}.{function.signature}: {error}") from error


def decode_call(contract: str, data: bytes) -> Call | None:
    """Return the act that call data asks of a contract, or None where it asks nothing known.

    Structs come back as mappings by field name, bytes as `0x` text, addresses as EIP-55.
    """
    function = abi_of(contract).by_selector.get(data[:4])
    if function is None:
        return None
    try:
        values = decode(function.input_types, data[4:])
    except (DecodingError, OverflowError):
        return None
    args = tuple(_readable(part, value) for part, value in zip(function.inputs, values, strict=True))
    return Call(contract, function.name, args)


def decode_output(call: Call, data: bytes) -> Any:
    """Return what a read call answered: one value, or a mapping by name where there are several."""
    function = abi_of(call.contract).function(call.function, len(call.args))
    values = decode(function.output_types, data)
    parts = [_readable(part, value) for part, value in zip(function.output_parts, values, strict=True)]
    if len(parts) == 1:
        return parts[0]
    return {part["name"]: value for part, value in zip(function.output_parts, parts, strict=True)}


def decode_error(data: bytes) -> ContractRefusal:
    """Return the refusal that a revert's data says; data that says nothing known is shown as it is."""
    selector = data[:4]
    try:
        if selector == bytes.fromhex("08c379a0"):
            return ContractRefusal("Error", {"reason": decode(["string"], data[4:])[0]})
        if selector == bytes.fromhex("4e487b71"):
            code = decode(["uint256"], data[4:])[0]
            return ContractRefusal("Panic", {"panic": code, "reason": _PANICS.get(code, "panic")})
        error = _all_errors().get(selector)
        if error is not None:
            values = decode(error.input_types, data[4:])
            facts: dict[str, Fact] = {
                part["name"]: _readable(part, value) for part, value in zip(error.inputs, values, strict=True)
            }
            return ContractRefusal(error.name, facts)
    except (DecodingError, OverflowError):
        pass
    return ContractRefusal("ContractReverted", {"data": "0x" + data.hex()[:200]})


def _positional(part: Mapping[str, Any], value: Any) -> Any:
    kind: str = part["type"]
    if not kind.startswith("tuple"):
        return value
    if kind == "tuple":
        fields = part["components"]
        if isinstance(value, Mapping):
            if set(value) != {field["name"] for field in fields}:
                raise ArgumentsMalformed(f"fields {sorted(value)} for {[field['name'] for field in fields]}")
            value = [value[field["name"]] for field in fields]
        return tuple(_positional(field, item) for field, item in zip(fields, value, strict=True))
    element = {**part, "type": kind[: kind.rindex("[")]}
    return [_positional(element, item) for item in value]


def _plain(kind: str) -> Callable[[Any], Any]:
    if kind == "address":
        return to_checksum_cached
    if kind.startswith("bytes"):
        return lambda value: "0x" + value.hex()
    return lambda value: value


@lru_cache(maxsize=65_536)
def to_checksum_cached(address: str) -> str:
    """Return the EIP-55 form; the same few thousand accounts come again and again."""
    return str(to_checksum_address(address))


def _readable(part: Mapping[str, Any], value: Any) -> Any:
    kind: str = part["type"]
    if kind.endswith("]"):
        element = {**part, "type": kind[: kind.rindex("[")]}
        return [_readable(element, item) for item in value]
    if kind == "tuple":
        return {
            field["name"]: _readable(field, item)
            for field, item in zip(part["components"], value, strict=True)
        }
    return _plain(kind)(value)
