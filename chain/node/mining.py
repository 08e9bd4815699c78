"""When blocks are built: with each transaction, every so often, or when somebody asks."""

from __future__ import annotations

import asyncio
import logging

from chain.node.commit import build_block
from chain.node.node import Node

_log = logging.getLogger(__name__)


async def keep_mining(node: Node) -> None:
    """Build a block whenever the interval has passed, for ever; empty ones too, as Clique does."""
    changed = asyncio.Event()
    node.mining.on_change = changed.set
    while True:
        changed.clear()
        interval_ms = node.mining.interval_ms
        try:
            await asyncio.wait_for(changed.wait(), interval_ms / 1_000 if interval_ms else None)
        except TimeoutError:
            if changed.is_set():
                continue
            try:
                await build_block(node)
            except Exception:  # the next interval tries again  # noqa: BLE001
                _log.exception("no block this time")
