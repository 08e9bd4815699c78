"""Filters that a client installs and polls: new blocks, new logs, new transactions.

Kept in memory only: a client whose filter is gone, after a restart or when too many are installed, is told
so and installs another.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import orjson

from chain.node.errors import ServerError
from chain.node.formats import hex_bytes, hex_int
from chain.node.logs import get_logs, read_filter
from chain.node.node import Node
from chain.node.tags import block_number
from chain.node.transactions import Transaction

MAX_FILTERS = 1_024
MAX_PENDING = 4_096
_ASKED = ("fromBlock", "toBlock", "address", "topics")


@dataclass(slots=True)
class _Filter:
    """What is asked for, and the last block that was answered. No query: blocks.

    `pending` holds the hashes of transactions that came since the last time, where these are asked for.
    """

    seen: int
    query: dict[str, Any] | None = None
    pending: deque[bytes] | None = None


class Filters:
    """The installed filters of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._filters: dict[str, _Filter] = {}
        self._count = 0
        node.on_pending.append(self._on_pending)

    def new_block_filter(self) -> str:
        """Hashes of the blocks to come."""
        return self._install(_Filter(self._node.head.number))

    def new_pending_filter(self) -> str:
        """Hashes of the transactions to come into the pool; the newest MAX_PENDING of them."""
        return self._install(_Filter(self._node.head.number, pending=deque(maxlen=MAX_PENDING)))

    def new_log_filter(self, query: dict[str, Any]) -> str:
        """Logs to come, from `fromBlock` on if it is given."""
        read_filter(query)
        block_number(self._node, query.get("toBlock"), "toBlock")
        start = block_number(self._node, query.get("fromBlock"), "fromBlock")
        seen = self._node.head.number if query.get("fromBlock") in (None, "latest", "pending") else start - 1
        # Nothing else of it: a filter stays, and whatever came with the question would stay with it.
        return self._install(_Filter(seen, {name: query[name] for name in _ASKED if name in query}))

    def changes(self, name: str) -> Any:
        """What has come since the last time."""
        found = self._find(name)
        head = self._node.head.number
        first, found.seen = min(found.seen, head) + 1, head
        if found.pending is not None:
            hashes = [hex_bytes(each) for each in found.pending]
            found.pending.clear()
            return hashes
        if first > head:
            return []
        if found.query is None:
            blocks = (self._node.history.at(number) for number in range(first, head + 1))
            return [hex_bytes(block.hash) for block in blocks if block is not None]
        return self._logs(found.query, first)

    def logs(self, name: str) -> Any:
        """All logs of a log filter, seen or not."""
        found = self._find(name)
        if found.query is None:
            raise ServerError("filter not found: not a log filter")
        return self._logs(found.query, block_number(self._node, found.query.get("fromBlock")))

    def remove(self, name: str) -> bool:
        """Forget a filter; whether there was one."""
        return self._filters.pop(name, None) is not None

    def _on_pending(self, transaction: Transaction) -> None:
        for each in self._filters.values():
            if each.pending is not None:
                each.pending.append(transaction.hash)

    def _logs(self, query: dict[str, Any], first: int) -> Any:
        last = block_number(self._node, query.get("toBlock"))
        if first > last:
            return orjson.Fragment(b"[]")
        return get_logs(self._node, {**query, "fromBlock": hex_int(first), "toBlock": hex_int(last)})

    def _install(self, wanted: _Filter) -> str:
        self._count += 1
        name = hex_int(self._count)
        self._filters[name] = wanted
        if len(self._filters) > MAX_FILTERS:
            del self._filters[next(iter(self._filters))]
        return name

    def _find(self, name: str) -> _Filter:
        found = self._filters.get(name)
        if found is None:
            raise ServerError("filter not found")
        return found
