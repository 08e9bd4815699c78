"""Real reorganisations on an embedded node with its test methods: go back, and grow another branch."""

from __future__ import annotations

from chain.rpc import ChainRpc


class Branches:
    """The node's newest blocks, to be replaced."""

    def __init__(self, rpc: ChainRpc) -> None:
        self._rpc = rpc
        self._snapshot = ""

    @property
    def head(self) -> int:
        """The newest block."""
        return int(self._rpc.call("eth_blockNumber"), 16)

    def mine(self, blocks: int) -> None:
        """Add empty blocks."""
        for _ in range(blocks):
            self._rpc.call("evm_mine")

    def fork_here(self) -> None:
        """Remember this block: what comes now will be replaced."""
        self._snapshot = self._rpc.call("evm_snapshot")

    def replace(self, more: int = 1) -> int:
        """Drop what came since `fork_here`, and grow a branch that is longer; returns the blocks dropped."""
        before = self.head
        assert self._rpc.call("evm_revert", self._snapshot) is True
        dropped = before - self.head
        self._rpc.call("evm_increaseTime", 1)  # or the blocks would be the same ones again
        self.mine(dropped + more)
        return dropped
