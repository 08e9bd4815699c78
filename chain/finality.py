"""Finality: how deep a block must lie before what it holds counts as done.

On the embedded chain a block that is answered stays. Elsewhere the newest blocks may be replaced by others (a
reorganisation); an act counts once its block has so many blocks above it, or once the chain itself calls it
`safe` or `finalized` (execution-apis: block tags).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from chain.refusals import ChainUnreachable, FinalityUnknown
from chain.rpc import ChainRpc, RpcError

TAGS: Final = ("safe", "finalized")
BLOCKS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Finality:
    """So many `blocks` on top, or the chain's own `tag`; neither: a block is final when it is there."""

    blocks: int = 0
    tag: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a setting: a number of blocks, `safe` or `finalized`; raises FinalityUnknown."""
        if text in TAGS:
            return cls(tag=text)
        if text.isascii() and text.isdigit() and int(text) <= BLOCKS_MAX:
            return cls(blocks=int(text))
        raise FinalityUnknown(given=text[:40], allowed=f"0 to {BLOCKS_MAX}, {', '.join(TAGS)}")

    def __str__(self) -> str:
        return self.tag or str(self.blocks)

    @property
    def at_once(self) -> bool:
        """Whether a block is final as soon as it is there."""
        return not self.blocks and not self.tag

    def question(self) -> tuple[str, Sequence[Any]]:
        """Return the call whose answer `final_block` reads."""
        return ("eth_getBlockByNumber", [self.tag, False]) if self.tag else ("eth_blockNumber", [])

    def final_block(self, answer: Any) -> int:
        """Return the newest final block; -1 if none is.

        Raises
        ------
        FinalityUnknown :
            The chain does not know this tag.
        ChainUnreachable :
            The node answered with another error of its own.
        """
        if isinstance(answer, RpcError):
            if self.tag:
                raise FinalityUnknown(tag=self.tag, reason=answer.message[:200])
            raise ChainUnreachable(reason=answer.message[:200])
        if self.tag:
            return -1 if answer is None else int(answer["number"], 16)
        return int(answer, 16) - self.blocks

    def newest(self, rpc: ChainRpc) -> int:
        """Ask the chain for its newest final block; -1 if none is. Raises as `final_block`."""
        method, params = self.question()
        return max(-1, self.final_block(rpc.batch([(method, params)])[0]))


AT_ONCE: Final = Finality()
