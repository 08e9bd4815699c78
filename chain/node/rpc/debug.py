"""`debug_`: traces. Also without --test-methods: the caps of `trace` bound what a request can cost."""

from __future__ import annotations

from typing import Any

from chain.node import trace
from chain.node.errors import ServerError
from chain.node.formats import param, read_bool, read_hash, read_object
from chain.node.node import Node
from chain.node.rpc.table import Method


def trace_transaction(node: Node, params: list[Any]) -> dict[str, Any]:
    """The steps of a mined transaction. Options: disableStack, disableStorage, enableMemory."""
    place = node.history.find(read_hash(param(params, 0)))
    options = read_object(param(params, 1, None) or {}, "options")
    if place is None:
        raise ServerError("transaction not found")
    if options.get("tracer"):
        raise ServerError(f"tracer not supported: {options['tracer']}; only struct logs are")
    wanted = trace.TraceOptions(
        memory=_flag(options, "enableMemory", not _flag(options, "disableMemory", True)),
        stack=not _flag(options, "disableStack", False),
        storage=not _flag(options, "disableStorage", False),
    )
    return trace.trace(node, place, wanted)


def _flag(options: Any, name: str, default: bool) -> bool:
    return read_bool(options.get(name, default), name)


METHODS: dict[str, Method] = {"debug_traceTransaction": trace_transaction}
