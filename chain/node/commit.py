"""Group commit: transactions that arrive together share a block, and are answered when it is on disk."""

from __future__ import annotations

import asyncio

from chain.node.blocks import Block
from chain.node.node import Node

_TURNS = 3


class Committer:
    """Builds blocks for whoever waits, one round at a time."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._round: asyncio.Task[None] | None = None

    async def durable(self) -> None:
        """Return when every transaction that was ready before the call is in a block on disk, or refused."""
        if self._round is None:
            self._round = asyncio.create_task(self._build())
        await asyncio.shield(self._round)

    async def _build(self) -> None:
        # While the last block was built, requests have arrived. The loop reads every socket in one turn
        # and starts their handlers in the next: two turns, and all of them are in the pool.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self._round = None
        # Between two blocks others are answered; what comes meanwhile has a round of its own.
        mark = self._node.pool.arrived
        while self._node.pool.has_ready(mark):
            await build_block(self._node)
            await asyncio.sleep(0)


async def build_block(node: Node) -> Block:
    """Build one block from what is ready, empty or not, and answer who reads meanwhile."""
    building = node.begin_block()
    while not building.done:
        building.advance()
        await _let_others_in()
    return building.block()


async def _let_others_in() -> None:
    # Bytes that have arrived are read in one turn, answered in the next, written in the one after.
    for _ in range(_TURNS):
        await asyncio.sleep(0)
