"""`txpool_`: what waits."""

from __future__ import annotations

from typing import Any

from chain.node.formats import hex_int
from chain.node.node import Node
from chain.node.rpc.table import Method


def status(node: Node, params: list[Any]) -> dict[str, str]:  # noqa: ARG001
    """How many transactions may run in the next block, and how many wait behind a gap."""
    queued = node.pool.queued
    return {"pending": hex_int(len(node.pool) - queued), "queued": hex_int(queued)}


METHODS: dict[str, Method] = {"txpool_status": status}
