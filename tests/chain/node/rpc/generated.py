"""Values that a schema of the specification allows, drawn by hypothesis.

The specification's patterns bound no number and let data have half a byte at its end; no node takes either,
so numbers are drawn as large as the chain can mean them, and data in whole bytes.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.chain.node.programs import ADDRESSES, hexed
from tests.chain.node.rpc.specification import SCHEMAS

Values = st.SearchStrategy[Any]


def _digits(size: int) -> Values:
    return st.binary(min_size=size, max_size=size).map(hexed)


def _quantity(bits: int) -> Values:
    small = st.integers(0, 40)
    return st.one_of(small, small, st.integers(0, 2**bits - 1)).map(hex)


class Drawn:
    """Strategies by schema. `known` has values that mean something on the chain, by schema name."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        self._base: dict[str, Values] = {
            "address": st.one_of(st.sampled_from(known["address"]), _digits(20)),
            "hash32": st.one_of(st.sampled_from(known["hash32"]), _digits(32)),
            "bytes": st.binary(max_size=70).map(hexed),
            "bytesMax32": st.text("0123456789abcdef", max_size=64).map("0x".__add__),
            "byte": st.integers(0, 2).map(hex),
            "uint": _quantity(64),
            "uint32": _quantity(32),
            "uint64": _quantity(64),
            "uint256": _quantity(256),
            "bytes32": _digits(32),
            "bytes48": _digits(48),
            # Given as an array with the properties of its items.
            "BlockStateCalls": self._block_calls(),
        }

    def of(self, schema: Any) -> Values:
        """Values that the schema allows."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self._base[name] if name in self._base else self.of(SCHEMAS[name])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for some in ("oneOf", "anyOf"):
            if some in schema:
                return st.one_of([self.of(each) for each in schema[some]])
        return self._typed(schema)

    def _typed(self, schema: Any) -> Values:
        kinds: dict[str, Values] = {
            "null": st.none(),
            "boolean": st.booleans(),
            "number": st.one_of(st.integers(0, 100), st.floats(0, 100)),
            "integer": st.integers(0, 2**40),
            "string": st.just(""),
        }
        kind = schema.get("type", "object")
        if kind in kinds:
            return kinds[kind]
        if kind == "array":
            return st.lists(self.of(schema["items"]), max_size=3)
        return self._object(schema)

    def _object(self, schema: Any) -> Values:
        required = set(schema.get("required", ()))
        fields = {name: self.of(each) for name, each in schema.get("properties", {}).items()}
        fixed = st.fixed_dictionaries(
            {name: each for name, each in fields.items() if name in required},
            optional={name: each for name, each in fields.items() if name not in required},
        )
        patterns = schema.get("patternProperties") or {}
        others = schema.get("additionalProperties")
        for pattern, each in patterns.items():
            names = self._base["address"] if "{40}" in pattern else self._base["bytes32"]
            return st.dictionaries(names, self.of(each), max_size=3)
        if isinstance(others, dict):
            return st.dictionaries(self._base["address"], self.of(others), min_size=1, max_size=3)
        return fixed

    def _block_calls(self) -> Values:
        fields = {name: st.deferred(lambda name=name: self._named(name)) for name in _BLOCK_CALLS}
        return st.lists(st.fixed_dictionaries({}, optional=fields), min_size=1, max_size=3)

    def _named(self, name: str) -> Values:
        return self.of(SCHEMAS["BlockStateCalls"]["properties"][name])


_BLOCK_CALLS = tuple(SCHEMAS["BlockStateCalls"]["properties"])
KNOWN_ADDRESSES = [*ADDRESSES, "0x" + "00" * 19 + "01", "0x" + "77" * 20]
