"""The Merkle-Patricia trie (yellow paper, appendix D), many changes at once.

py-evm's trie rewrites every node from the leaf to the root for each key; here a block's changes go down
together and each node is written once. A law in the tests holds the two together.

A node is a list: a branch has 17 items, a leaf or an extension two, of which the first is the path in
hex-prefix form. A reference to a node is its hash, or the node itself where that is shorter. Keys are
hashes, all of one length, so no key ends in a branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Protocol

from eth.constants import BLANK_ROOT_HASH

from chain.node.codec import decode, encode
from chain.node.hashing import keccak

Nibbles = bytes  # one nibble a byte
Change = tuple[Nibbles, bytes]  # an empty value removes the key
Node = list[Any]

_BLANK_NODE = encode(b"")


class NodeStore(Protocol):
    """Where nodes are, by their hash."""

    def __getitem__(self, key: bytes) -> bytes: ...
    def __setitem__(self, key: bytes, value: bytes) -> None: ...


class Trie:
    """Tries over one store of nodes. Roots are arguments: every old one stays readable."""

    def __init__(self, store: NodeStore, cached_nodes: int = 40_000) -> None:
        self._store = store
        self._cache: dict[bytes, Node] = {}  # nodes are never changed, only replaced
        self._cached_nodes = cached_nodes

    def get(self, root: bytes, key: bytes) -> bytes:
        """The value under `key`, empty if there is none."""
        if root == BLANK_ROOT_HASH:
            return b""
        path, at = nibbles(key), 0
        node: Node | None = self._load(root)
        while node is not None:
            if len(node) == 17:
                node = self._follow(node[path[at]])
                at += 1
                continue
            part, leaf = _unpack(node[0])
            if path[at : at + len(part)] != part:
                return b""
            at += len(part)
            if leaf:
                value: bytes = node[1]
                return value
            node = self._follow(node[1])
        return b""

    def proof(self, root: bytes, key: bytes) -> list[bytes]:
        """The nodes from the root towards `key`, encoded: all that shows its value, or that it has none.

        A node that is written within its parent is not listed again.
        """
        if root == BLANK_ROOT_HASH:
            return []
        path, at = nibbles(key), 0
        node: Node | None = self._load(root)
        found: list[bytes] = []
        reference: Any = root
        while node is not None:
            if isinstance(reference, bytes):
                found.append(encode(node))
            if len(node) == 17:
                reference = node[path[at]]
                at += 1
            else:
                part, leaf = _unpack(node[0])
                if leaf or path[at : at + len(part)] != part:
                    break
                at += len(part)
                reference = node[1]
            node = self._follow(reference)
        return found

    def update(self, root: bytes, changes: Mapping[bytes, bytes]) -> bytes:
        """The root after `changes`; an empty value removes its key. New nodes are in the store then."""
        if not changes:
            return root
        items = sorted((nibbles(key), value) for key, value in changes.items())
        node = None if root == BLANK_ROOT_HASH else self._load(root)
        node = self._change(node, items, 0)
        if node is None:
            return BLANK_ROOT_HASH
        return self._put(node, encode(node))

    def _load(self, digest: bytes) -> Node:
        node = self._cache.get(digest)
        if node is None:
            node = decode(self._store[digest])
            self._keep(digest, node)
        return node

    def _put(self, node: Node, encoded: bytes) -> bytes:
        digest = keccak(encoded)
        self._store[digest] = encoded
        self._keep(digest, node)
        return digest

    def _keep(self, digest: bytes, node: Node) -> None:
        self._cache[digest] = node
        if len(self._cache) > self._cached_nodes:
            for oldest in list(islice(self._cache, self._cached_nodes // 4)):
                del self._cache[oldest]

    def _follow(self, reference: Any) -> Node | None:
        if not reference:
            return None
        return reference if isinstance(reference, list) else self._load(reference)

    def _reference(self, node: Node | None) -> Any:
        if node is None:
            return b""
        encoded = encode(node)
        return node if len(encoded) < 32 else self._put(node, encoded)

    def _change(self, node: Node | None, items: Sequence[Change], depth: int) -> Node | None:
        if node is None:
            return self._build([item for item in items if item[1]], depth)
        if len(node) == 17:
            return self._change_branch(node, items, depth)
        path, leaf = _unpack(node[0])
        if leaf:
            return self._change_leaf(path, node[1], items, depth)
        return self._change_extension(path, node[1], items, depth)

    def _build(self, items: Sequence[Change], depth: int) -> Node | None:
        if not items:
            return None
        first = items[0][0]
        if len(items) == 1:
            return [_pack(first[depth:], leaf=True), items[0][1]]
        last, end = items[-1][0], depth
        while first[end] == last[end]:
            end += 1
        branch: Node = [b""] * 17
        for nibble, group in groupby(items, key=lambda item: item[0][end]):
            branch[nibble] = self._reference(self._build(list(group), end + 1))
        return self._below(first[depth:end], branch)

    def _change_branch(self, node: Node, items: Sequence[Change], depth: int) -> Node | None:
        changed = list(node)
        for nibble, group in groupby(items, key=lambda item: item[0][depth]):
            child = self._change(self._follow(node[nibble]), list(group), depth + 1)
            changed[nibble] = self._reference(child)
        used = [nibble for nibble in range(16) if changed[nibble]]
        if len(used) > 1:
            return changed
        if not used:
            return None
        return self._below(bytes(used), self._follow(changed[used[0]]))

    def _change_leaf(self, path: Nibbles, value: bytes, items: Sequence[Change], depth: int) -> Node | None:
        key = items[0][0][:depth] + path
        merged = {key: value, **dict(items)}
        return self._build(sorted((k, v) for k, v in merged.items() if v), depth)

    def _change_extension(
        self, path: Nibbles, reference: Any, items: Sequence[Change], depth: int
    ) -> Node | None:
        end = depth + len(path)
        # To remove what is not below this node changes nothing.
        items = [item for item in items if item[1] or item[0][depth:end] == path]
        if not items:
            return [_pack(path, leaf=False), reference]
        common = min(_common(path, item[0], depth) for item in items)
        if common == len(path):
            return self._below(path, self._change(self._follow(reference), items, end))
        branch: Node = [b""] * 17
        rest = path[common + 1 :]
        branch[path[common]] = self._reference([_pack(rest, leaf=False), reference]) if rest else reference
        return self._below(path[:common], self._change_branch(branch, items, depth + common))

    def _below(self, path: Nibbles, node: Node | None) -> Node | None:
        if node is None or not path:
            return node
        if len(node) == 17:
            return [_pack(path, leaf=False), self._reference(node)]
        rest, leaf = _unpack(node[0])
        return [_pack(path + rest, leaf=leaf), node[1]]


# Hexadecimal digits to half-bytes and back: the only loops over half-bytes that are not Python's own.
_DIGITS = b"0123456789abcdef"
_TO_NIBBLE = bytes.maketrans(_DIGITS, bytes(range(16)))
_TO_DIGIT = bytes.maketrans(bytes(range(16)), _DIGITS)


def nibbles(key: bytes) -> Nibbles:
    """The half-bytes of a key."""
    return key.hex().encode().translate(_TO_NIBBLE)


def _common(path: Nibbles, key: Nibbles, depth: int) -> int:
    for index, nibble in enumerate(path):
        if key[depth + index] != nibble:
            return index
    return len(path)


def _pack(path: Nibbles, *, leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    padded = bytes((flag + 1,)) + path if len(path) % 2 else bytes((flag, 0)) + path
    return bytes.fromhex(padded.translate(_TO_DIGIT).decode())


def _unpack(packed: bytes) -> tuple[Nibbles, bool]:
    spread = nibbles(packed)
    return spread[1 if spread[0] & 1 else 2 :], spread[0] >= 2
