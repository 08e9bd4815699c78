"""eth_subscribe: one client's subscriptions to new heads and new logs.

Whoever reads too slowly is cut off instead of being told half: it connects again and asks for what it missed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import orjson

from chain.node.blocks import Block
from chain.node.errors import InvalidParams, LimitExceeded, MethodNotFound
from chain.node.formats import hex_bytes, param, read_object
from chain.node.logs import LogFilter, logs_in, read_filter
from chain.node.node import Node
from chain.node.rpc.table import Method
from chain.node.views import block_json

MAX_SUBSCRIPTIONS = 64
_NOT_IN_HEADS = ("transactions", "uncles", "withdrawals", "size", "totalDifficulty")


class Subscriptions:
    """What one connection has asked to be told; `tell` takes each notification, and must not wait."""

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        self._tell = tell
        self._wanted: dict[str, LogFilter | None] = {}  # None: heads

    def methods(self) -> dict[str, Method]:
        """The methods that exist only where there is somebody to tell."""
        return {"eth_subscribe": self._subscribe, "eth_unsubscribe": self._unsubscribe}

    def on_block(self, block: Block) -> None:
        """Tell of a block that has just become the head."""
        for name, wanted in self._wanted.items():
            if wanted is None:
                self._notify(name, head_json(block))
            elif wanted.may_be_in(block.header.bloom):
                for log in logs_in(block, wanted):
                    self._notify(name, log)

    def _subscribe(self, node: Node, params: list[Any]) -> str:  # noqa: ARG002
        kind = param(params, 0)
        if len(self._wanted) >= MAX_SUBSCRIPTIONS:
            raise LimitExceeded(f"{len(self._wanted)} subscriptions, limit {MAX_SUBSCRIPTIONS} a connection")
        if kind == "newHeads":
            wanted = None
        elif kind == "logs":
            wanted = read_filter(read_object(param(params, 1, None) or {}, "filter"))
        elif isinstance(kind, str):
            raise MethodNotFound(f"no {kind[:40]} subscription: newHeads and logs are there")
        else:
            raise InvalidParams("subscription: expected newHeads or logs")
        name = hex_bytes(secrets.token_bytes(16))
        self._wanted[name] = wanted
        return name

    def _unsubscribe(self, node: Node, params: list[Any]) -> bool:  # noqa: ARG002
        name = param(params, 0)
        return isinstance(name, str) and self._wanted.pop(name, self) is not self

    def _notify(self, name: str, result: dict[str, Any]) -> None:
        news = {"subscription": name, "result": result}
        self._tell(orjson.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": news}))


def head_json(block: Block) -> dict[str, Any]:
    """A block's header."""
    shown = block_json(block, full=False)
    for name in _NOT_IN_HEADS:
        del shown[name]
    return shown
