"""The node's own codec, trie and world do exactly what the libraries' slower ones do."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from eth.db.account import AccountDB
from eth.db.atomic import AtomicDB
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from chain.node.codec import Malformed, decode, encode
from chain.node.trie import Trie
from chain.node.world import World

items: st.SearchStrategy[Any] = st.recursive(
    st.binary(max_size=80), lambda inner: st.lists(inner, max_size=20), max_leaves=30
)
# Few keys, so that they meet: hashes, and hand-made ones with long common beginnings.
keys = st.one_of(
    st.integers(0, 12).map(lambda n: keccak(bytes((n,)))),
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(
        lambda ends: bytes((ends[0],)) * 31 + bytes((ends[1],))
    ),
)
trie_values = st.one_of(st.just(b""), st.binary(min_size=1, max_size=50))


@given(items)
def test_rlp_is_written_and_read_like_the_library_does(item: Any) -> None:
    assert encode(item) == rlp.encode(item)
    assert decode(encode(item)) == item == rlp.decode(encode(item))


@given(st.binary(max_size=60))
def test_rlp_refuses_what_has_another_canonical_form(data: bytes) -> None:
    try:
        item = decode(data)
    except Malformed:
        return
    assert encode(item) == data


def test_rlp_that_is_nested_too_deep_is_refused() -> None:
    data = b""
    for _ in range(1000):
        data = encode([data]) if not data else encode_list(data)
    with pytest.raises(Malformed):
        decode(data)


def encode_list(body: bytes) -> bytes:
    """A list around an encoded item."""
    return rlp.codec.length_prefix(len(body), 0xC0) + body


@settings(max_examples=200)
@given(st.lists(st.dictionaries(keys, trie_values, max_size=8), max_size=5))
def test_many_changes_at_once_give_the_root_of_one_after_the_other(rounds: list[dict[bytes, bytes]]) -> None:
    store: dict[bytes, bytes] = {}
    ours, theirs = Trie(store), HexaryTrie({})
    root = theirs.root_hash
    model: dict[bytes, bytes] = {}
    roots = [(root, dict(model))]
    for changes in rounds:
        root = ours.update(root, changes)
        for key, value in changes.items():
            theirs[key] = value
        model |= changes
        assert root == theirs.root_hash
        roots.append((root, dict(model)))
    for old_root, old_model in roots:  # every old root stays readable
        for key in [*model, keccak(b"never")]:
            assert ours.get(old_root, key) == old_model.get(key, b"")


addresses = st.integers(1, 4).map(lambda n: bytes((n,)) * 20)
slots = st.integers(0, 3)
words = st.sampled_from([0, 1, 2**255])
acts = st.one_of(
    st.tuples(st.just("set_storage"), addresses, slots, words),
    st.tuples(st.just("set_balance"), addresses, words),
    st.tuples(st.just("increment_nonce"), addresses),
    st.tuples(st.just("set_code"), addresses, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("touch_account"), addresses),
    st.tuples(st.just("mark_storage_warm"), addresses, slots),
    st.tuples(st.just("mark_address_warm"), addresses),
    st.tuples(st.sampled_from(["record", "discard", "commit"])),
    st.tuples(st.just("end")),
    st.tuples(st.just("delete_account"), addresses),
    st.tuples(st.just("persist")),
)


def everything(db: Any) -> list[Any]:
    """All that can be read."""
    seen: list[Any] = []
    for n in range(1, 5):
        address = bytes((n,)) * 20
        seen += [db.get_balance(address), db.get_nonce(address), db.get_code(address)]
        seen += [db.account_exists(address), db.account_is_empty(address), db.is_address_warm(address)]
        for slot in range(4):
            seen += [db.get_storage(address, slot), db.get_storage(address, slot, from_journal=False)]
            seen.append(db.is_storage_warm(address, slot))
    return seen


@settings(max_examples=150, deadline=None)
@given(st.lists(acts, max_size=30))
def test_the_world_is_py_evm_s_account_database(script: list[tuple[Any, ...]]) -> None:
    database = AtomicDB()
    ours, theirs = World(database), AccountDB(AtomicDB())
    open_points: list[tuple[Any, Any]] = []

    def end_transaction() -> None:
        while open_points:
            mine, other = open_points.pop()
            ours.commit(mine)
            theirs.commit(other)
        ours.lock_changes()
        theirs.lock_changes()

    for act, *arguments in script:
        if act == "record":
            open_points.append((ours.record(), theirs.record()))
        elif act in ("discard", "commit"):
            if open_points:
                mine, other = open_points.pop()
                getattr(ours, act)(mine)
                getattr(theirs, act)(other)
        elif act == "end":
            end_transaction()
        elif act == "delete_account":
            # As py-evm's executor does it: at a transaction's end, when nothing can be undone.
            end_transaction()
            ours.delete_account(*arguments)
            theirs.delete_account(*arguments)
            end_transaction()
        elif act == "persist":
            end_transaction()
            ours.persist()
            theirs.persist()
            assert ours.state_root == theirs.state_root
        else:
            getattr(ours, act)(*arguments)
            getattr(theirs, act)(*arguments)
        assert everything(ours) == everything(theirs)
    end_transaction()
    assert ours.make_state_root() == theirs.make_state_root()
    again = World(database, ours.state_root)
    assert everything(again) == everything(ours)


@given(st.lists(acts.filter(lambda act: act[0] not in ("record", "discard", "commit", "end", "persist"))))
def test_a_call_leaves_no_trace(script: list[tuple[Any, ...]]) -> None:
    world = World(AtomicDB())
    world.set_storage(b"\x01" * 20, 1, 7)
    world.set_balance(b"\x02" * 20, 5)
    world.make_state_root()
    before, root = everything(world), world.state_root
    for act, *arguments in script:
        getattr(world, act)(*arguments)
    world.undo_transaction()
    assert everything(world) == before
    assert world.make_state_root() == root
