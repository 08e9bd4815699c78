"""The execution-apis specification, as its committed extract says it: what answers and errors must look like.

CARAT_EXECUTION_APIS may name a checkout; its fresh extract is used then, and must equal the committed one.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

HERE = Path(__file__).parent
CHECKOUT = os.environ.get("CARAT_EXECUTION_APIS")

# What JSON-RPC 2.0 and EIP-1474 give to every method; the specification has EIP-1474's as a group.
COMMON_CODES = frozenset((-32700, -32600, -32601, -32602, -32000, -32001, -32003, -32004, -32005))


def committed() -> dict[str, Any]:
    """The extract in the tree."""
    extract: dict[str, Any] = json.loads((HERE / "openrpc.json").read_text())
    return extract


def extractor() -> Any:
    """scripts/extract_openrpc as a module."""
    path = HERE.parents[3] / "scripts" / "extract_openrpc"
    loader = importlib.machinery.SourceFileLoader("extract_openrpc", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def fresh(checkout: str) -> dict[str, Any]:
    """The extract of a checkout."""
    extract: dict[str, Any] = extractor().extracted(Path(checkout))
    return extract


@cache
def specification() -> dict[str, Any]:
    """The extract that the tests use."""
    return fresh(CHECKOUT) if CHECKOUT else committed()


METHODS: dict[str, Any] = specification()["methods"]


def _schemas() -> dict[str, Any]:
    schemas = json.loads(json.dumps(specification()["schemas"]))
    # An empty list is a list of hashes and a list of logs: exactly one of them it cannot be.
    schemas["FilterResults"] = {"anyOf": schemas["FilterResults"]["oneOf"]}
    return schemas  # type: ignore[no-any-return]


SCHEMAS = _schemas()


def ref(name: str) -> dict[str, str]:
    """A schema of the specification."""
    return {"$ref": f"#/schemas/{name}"}


_TEXT = {"type": "string"}
_BLOCK_COUNT = {"oneOf": [ref("notFound"), ref("uint")]}
# Methods that are served and not in the specification, in its words.
_RAW = {"oneOf": [ref("notFound"), ref("bytes")]}
BEYOND: dict[str, Any] = {
    "debug_traceCall": METHODS["debug_traceTransaction"]["result"],
    "eth_getRawTransactionByHash": _RAW,
    "eth_getRawTransactionByBlockNumberAndIndex": _RAW,
    "eth_getRawTransactionByBlockHashAndIndex": _RAW,
    "eth_getUncleCountByBlockHash": _BLOCK_COUNT,
    "eth_getUncleCountByBlockNumber": _BLOCK_COUNT,
    "net_listening": {"type": "boolean"},
    "net_peerCount": ref("uint"),
    "web3_clientVersion": _TEXT,
    "web3_sha3": ref("hash32"),
    "txpool_inspect": {
        "type": "object",
        "required": ["pending", "queued"],
        "additionalProperties": {
            "type": "object",
            "additionalProperties": {"type": "object", "additionalProperties": _TEXT},
        },
    },
}
# A waiting transaction has no block. TransactionInfo leaves no room for that; PendingTransactionInfo does.
ALSO: dict[str, Any] = {"eth_getTransactionByHash": ref("PendingTransactionInfo")}
_ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "additionalProperties": False,
    "properties": {"code": {"type": "integer"}, "message": {"type": "string", "minLength": 1}, "data": {}},
}


@cache
def validator(method: str, schema_name: str | None = None) -> Any:
    """What checks a method's result, or a schema of the specification."""
    if schema_name is not None:
        schema: Any = ref(schema_name)
    elif method in METHODS:
        schema = METHODS[method]["result"]
    else:
        schema = BEYOND[method]
    if method in ALSO:
        schema = {"anyOf": [schema, ALSO[method]]}
    return jsonschema_rs.Draft202012Validator({**schema, "schemas": SCHEMAS})


def problems(method: str, result: Any, schema_name: str | None = None) -> list[str]:
    """What is wrong with a result; nothing is."""
    return [f"{each.instance_path}: {each.message[:300]}" for each in _errors(method, result, schema_name)]


def _errors(method: str, result: Any, schema_name: str | None) -> Iterator[Any]:
    yield from validator(method, schema_name).iter_errors(result)


def check_error(method: str, error: Any) -> None:
    """An error is of JSON-RPC's shape, and its code one that the specification knows for this method."""
    found = [each.message for each in jsonschema_rs.Draft202012Validator(_ERROR).iter_errors(error)]
    assert not found, (method, error, found)
    allowed = COMMON_CODES | {each["code"] for each in METHODS.get(method, {}).get("errors", [])}
    if method == "debug_traceCall":
        allowed |= {each["code"] for each in METHODS["eth_call"]["errors"]}
    if method == "eth_fillTransaction":
        allowed |= {each["code"] for each in METHODS["eth_estimateGas"]["errors"]}
    # The specification lets eth_simulateV1 fail internally; this node never means to.
    assert error["code"] in allowed - {-32603}, (method, error)
