"""States beside the chain's own: where a verification executes a chain whose old states were pruned.

A store in a temporary directory, pruned to the last state as it grows, so that it takes the room of one
state and not of all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chain.node.pruning import Kept
from chain.node.store import StateDB, Store


class ScratchState(StateDB):
    """Trie nodes and code of one chain's execution, kept as long as the head needs them."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._scratch = store
        store.state = self
        self._root: bytes | None = None
        store.keep_only(self._kept)

    def check_written(self, block: int, root: bytes) -> None:  # noqa: ARG002
        """Write what a block has written; there is nothing to hold it against."""
        self._scratch.commit({}, {})
        self._root = root

    def _kept(self) -> Kept:
        return Kept(0, [] if self._root is None else [self._root])


@contextmanager
def scratch_state() -> Iterator[ScratchState]:
    """A scratch store for the length of a `with`."""
    with tempfile.TemporaryDirectory(prefix="carat-verify-") as directory:
        store = Store(Path(directory), fsync=False)
        try:
            yield ScratchState(store)
        finally:
            store.close()
