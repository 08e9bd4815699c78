"""eth_getProof (EIP-1186): what an account holds, and the trie nodes that prove it by a state root."""

from __future__ import annotations

from typing import Any

from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3

from chain.node.blocks import Block
from chain.node.codec import decode
from chain.node.errors import InvalidParams, LimitExceeded
from chain.node.formats import checksum, hex_bytes, hex_int, hex_word, read_slot
from chain.node.hashing import keccak
from chain.node.node import Node
from chain.node.trie import Trie

MAX_SLOTS = 1_024


def prove(node: Node, block: Block, address: bytes, slots: Any) -> dict[str, Any]:
    """The account after `block`, and the words of `slots`, each with its proof; also of what is not there.

    Raises
    ------
    InvalidParams, LimitExceeded :
        If `slots` is no list of words, or longer than MAX_SLOTS.
    """
    if not isinstance(slots, list):
        raise InvalidParams("storage keys: expected a list")
    if len(slots) > MAX_SLOTS:
        raise LimitExceeded(f"{len(slots)} storage keys, limit {MAX_SLOTS}")
    node.state_after(block)  # refused here if it is not kept
    trie, key, root = node.store.state.trie, keccak(address), block.header.state_root
    record = trie.get(root, key)
    nonce, balance, storage, code = decode(record) if record else (b"", b"", BLANK_ROOT_HASH, EMPTY_SHA3)
    return {
        "address": checksum(address),
        "accountProof": [hex_bytes(each) for each in trie.proof(root, key)],
        "balance": hex_int(int.from_bytes(balance, "big")),
        "codeHash": hex_bytes(code),
        "nonce": hex_int(int.from_bytes(nonce, "big")),
        "storageHash": hex_bytes(storage),
        "storageProof": [_storage(trie, storage, slot) for slot in slots],
    }


def _storage(trie: Trie, root: bytes, name: Any) -> dict[str, Any]:
    slot = read_slot(name)
    key = keccak(slot.to_bytes(32, "big"))
    word = trie.get(root, key)
    return {
        # As it was asked for: a whole word, or a quantity.
        "key": hex_word(slot) if len(str(name)) == 66 else hex_int(slot),
        "value": hex_int(int.from_bytes(decode(word), "big") if word else 0),
        "proof": [hex_bytes(each) for each in trie.proof(root, key)],
    }
