"""Which records of the state table a state root needs: its trie's nodes, the storage tries' and the code.

Values say by themselves what they are: an account is a list (nonce, balance, storage root, code hash), a
storage word is bytes. So nodes of both kinds of trie are walked alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3

from chain.node.codec import decode
from chain.refusals import Refusal

_ACCOUNT_FIELDS = 4


class StateMissing(Refusal):
    """A record that a state root needs is not there."""

    def __init__(self, key: bytes) -> None:
        super().__init__(record="0x" + key.hex())
        self.key = key


class Walk:
    """Visits every record that some roots need, each once however many roots share it.

    Parameters
    ----------
    get :
        Reads one record of the state table, None if it is not there.
    roots :
        Read as the walk comes to them.
    """

    def __init__(self, get: Callable[[bytes], bytes | None], roots: Iterable[bytes]) -> None:
        self._get = get
        self._roots = iter(roots)
        self._open: list[bytes] = []  # nodes that were seen and not read yet
        self.seen: set[bytes] = set()
        self.done = False

    def advance(self, records: int) -> int:
        """Read up to so many records; how many it read. `done` when there are no more.

        Raises
        ------
        StateMissing :
            If one is not there.
        """
        read = 0
        while read < records and (each := self._next()) is not None:
            read += 1
            self._read(each)
        return read

    def run(self) -> None:
        """Read all of them; raises StateMissing."""
        while not self.done:
            self.advance(10_000)

    def add(self, root: bytes) -> None:
        """Walk this root too."""
        self.done = False
        self._see(root)

    def _next(self) -> bytes | None:
        while not self._open:
            root = next(self._roots, None)
            if root is None:
                self.done = True
                return None
            self._see(root)
        return self._open.pop()

    def _see(self, key: bytes) -> None:
        if key != BLANK_ROOT_HASH and key not in self.seen:
            self.seen.add(key)
            self._open.append(key)

    def _read(self, key: bytes) -> None:
        encoded = self._get(key)
        if encoded is None:
            raise StateMissing(key)
        for reference, is_code in references(decode(encoded)):
            if not is_code:
                self._see(reference)
            elif reference not in self.seen:
                if self._get(reference) is None:
                    raise StateMissing(reference)
                self.seen.add(reference)


def references(node: Any) -> Iterator[tuple[bytes, bool]]:
    """The records that a decoded trie node refers to, and whether each is code."""
    if len(node) == 17:
        for child in node[:16]:
            yield from _child(child)
    elif node[0][0] & 0x20:  # a leaf (yellow paper, appendix C)
        value = decode(node[1])
        if isinstance(value, list) and len(value) == _ACCOUNT_FIELDS:
            yield value[2], False
            if value[3] != EMPTY_SHA3:
                yield value[3], True
    else:
        yield from _child(node[1])


def _child(reference: Any) -> Iterator[tuple[bytes, bool]]:
    if isinstance(reference, list):  # a node shorter than its hash lies in its parent
        yield from references(reference)
    elif reference:
        yield reference, False
