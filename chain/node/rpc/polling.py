"""`eth_` filters: installed once, polled for what is new."""

from __future__ import annotations

from typing import Any

from chain.node.errors import InvalidParams
from chain.node.filters import Filters
from chain.node.formats import hex_int, param, read_int, read_object
from chain.node.node import Node
from chain.node.rpc.table import Method


def methods(node: Node) -> dict[str, Method]:
    """The methods over this node's filters."""
    filters = Filters(node)

    def new_filter(_: Node, params: list[Any]) -> str:
        query = dict(read_object(param(params, 0), "filter"))
        if query.get("blockHash") is not None:
            raise InvalidParams("filter: a block that is known has no news; ask eth_getLogs")
        return filters.new_log_filter(query)

    return {
        "eth_newFilter": new_filter,
        "eth_newBlockFilter": lambda _, params: filters.new_block_filter(),  # noqa: ARG005
        "eth_newPendingTransactionFilter": lambda _, params: filters.new_pending_filter(),  # noqa: ARG005
        "eth_getFilterChanges": lambda _, params: filters.changes(_name(params)),
        "eth_getFilterLogs": lambda _, params: filters.logs(_name(params)),
        "eth_uninstallFilter": lambda _, params: filters.remove(_name(params)),
    }


def _name(params: list[Any]) -> str:
    return hex_int(read_int(param(params, 0), "filter id"))
