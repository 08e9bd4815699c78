"""A block that is being built: a little at a time, so that whoever reads is answered meanwhile.

While it is under way its node is still at the block before. Whatever changes something (a transaction that is
sent, a snapshot, the clock) has it finished first, at once: so nothing ever meets half a block.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from chain.node.blocks import Block

T = TypeVar("T")


def returned(steps: Generator[None, None, T]) -> T:
    """What a generator returns, without its pauses."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value


class Building:
    """The steps of one block; whoever began it asks for the block, anybody may finish it."""

    def __init__(self, steps: Generator[None, None, Block]) -> None:
        self._steps = steps
        self._block: Block | None = None
        self._error: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether there is a block, or none will be."""
        return self._block is not None or self._error is not None

    def advance(self) -> None:
        """Take one step; what goes wrong is for whoever asks for the block."""
        if self.done:
            return
        try:
            next(self._steps)
        except StopIteration as end:
            self._block = end.value
        except BaseException as error:  # it is raised by `block`  # noqa: BLE001
            self._error = error

    def finish(self) -> None:
        """Take all the steps that are left."""
        while not self.done:
            self.advance()

    def block(self) -> Block:
        """The block; raises what went wrong."""
        self.finish()
        if self._error is not None:
            raise self._error
        assert self._block is not None
        return self._block
