"""eth_subscribe: one client's subscriptions to new heads, new logs, and transactions that enter the pool.

Whoever reads too slowly is cut off instead of being told half: it connects again and asks for what it missed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from chain.node.blocks import Block
from chain.node.errors import InvalidParams, LimitExceeded, MethodNotFound
from chain.node.formats import hex_bytes, param, read_bool, read_object
from chain.node.logs import LogFilter, logs_in, read_filter
from chain.node.node import Node
from chain.node.rpc.table import Method
from chain.node.transactions import Transaction
from chain.node.views import block_json, transaction_json

MAX_SUBSCRIPTIONS = 64
_KINDS = ("newHeads", "logs", "newPendingTransactions")
_NOT_IN_HEADS = ("transactions", "uncles", "withdrawals", "size", "totalDifficulty")


@dataclass(frozen=True, slots=True)
class _Pending:
    """Transactions as they enter the pool: their hashes, or all of them."""

    full: bool


@dataclass(frozen=True, slots=True)
class _Heads:
    """Headers as they become the head."""


_Wanted = _Heads | _Pending | LogFilter


class Subscriptions:
    """What one connection has asked to be told; `tell` takes each notification, and must not wait."""

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        self._tell = tell
        self._wanted: dict[str, _Wanted] = {}

    def methods(self) -> dict[str, Method]:
        """The methods that exist only where there is somebody to tell."""
        return {"eth_subscribe": self._subscribe, "eth_unsubscribe": self._unsubscribe}

    def on_block(self, block: Block) -> None:
        """Tell of a block that has just become the head."""
        for name, wanted in self._wanted.items():
            if isinstance(wanted, _Heads):
                self._notify(name, head_json(block))
            elif isinstance(wanted, LogFilter) and wanted.may_be_in(block.header.bloom):
                for log in logs_in(block, wanted):
                    self._notify(name, log)

    def on_pending(self, transaction: Transaction) -> None:
        """Tell of a transaction that has just entered the pool."""
        for name, wanted in self._wanted.items():
            if isinstance(wanted, _Pending):
                shown = transaction_json(transaction, None, 0) if wanted.full else hex_bytes(transaction.hash)
                self._notify(name, shown)

    def _subscribe(self, node: Node, params: list[Any]) -> str:  # noqa: ARG002
        kind = param(params, 0)
        if len(self._wanted) >= MAX_SUBSCRIPTIONS:
            raise LimitExceeded(f"{len(self._wanted)} subscriptions, limit {MAX_SUBSCRIPTIONS} a connection")
        wanted = _read(kind, param(params, 1, None))
        name = hex_bytes(secrets.token_bytes(16))
        self._wanted[name] = wanted
        return name

    def _unsubscribe(self, node: Node, params: list[Any]) -> bool:  # noqa: ARG002
        name = param(params, 0)
        return isinstance(name, str) and self._wanted.pop(name, self) is not self

    def _notify(self, name: str, result: Any) -> None:
        news = {"subscription": name, "result": result}
        self._tell(orjson.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": news}))


def _read(kind: Any, option: Any) -> _Wanted:
    if kind == "newHeads":
        return _Heads()
    if kind == "newPendingTransactions":
        return _Pending(full=False if option is None else read_bool(option, "full transactions"))
    if kind == "logs":
        return read_filter(read_object({} if option is None else option, "filter"))
    if isinstance(kind, str):
        raise MethodNotFound(f"no {kind[:40]} subscription: {', '.join(_KINDS)} are there")
    raise InvalidParams(f"subscription: expected one of {', '.join(_KINDS)}")


def head_json(block: Block) -> dict[str, Any]:
    """A block's header."""
    shown = block_json(block, full=False)
    for name in _NOT_IN_HEADS:
        del shown[name]
    return shown
