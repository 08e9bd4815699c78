"""The pool: nonces in order, nothing lost, bounds kept."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.node import mempool
from chain.node.errors import ServerError
from chain.node.mempool import Mempool
from chain.node.node import DEFAULT_CHAIN_ID
from chain.node.transactions import Transaction, decode
from tests.chain.node.programs import ADDRESSES, signed


@cache
def transaction(key: int, nonce: int) -> Transaction:
    return decode(signed(key, nonce, ADDRESSES[3]), DEFAULT_CHAIN_ID)


acts = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 1), st.integers(0, 7)),
    st.tuples(st.just("mine"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("refuse"), st.integers(0, 3), st.just(0)),
)


@given(st.lists(acts, max_size=40))
def test_nonces_run_without_gaps_and_nothing_is_lost(script: list[tuple[str, int, int]]) -> None:
    mined: dict[bytes, int] = {}
    pool = Mempool(lambda sender: mined.get(sender, 0))
    waiting: set[bytes] = set()
    for act, first, second in script:
        if act == "add":
            each = transaction(first, second)
            if second < mined.get(each.sender, 0):
                with pytest.raises(ServerError, match="nonce too low"):
                    pool.add(each)
            else:
                pool.add(each)
                waiting.add(each.hash)
        elif act == "mine":
            block = pool.take_ready()[:first]
            for each in block:
                assert each.nonce == mined.get(each.sender, 0)
                mined[each.sender] = each.nonce + 1
            pool.settle(block, [])
            waiting -= {each.hash for each in block}
        else:
            refused = pool.take_ready()[first : first + 1]
            pool.settle([], refused)
            waiting -= {each.hash for each in refused}
        assert {each.hash for each in pool} == waiting
        expected = dict(mined)
        for each in pool.take_ready():
            assert each.nonce == expected.get(each.sender, 0)
            expected[each.sender] = each.nonce + 1
        for each in pool.take_ready():
            assert pool.next_nonce(each.sender) == expected[each.sender]


def test_too_many_behind_a_gap_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_QUEUED_PER_SENDER", 2)
    pool = Mempool(lambda _: 0)
    assert pool.add(transaction(0, 2)) is False
    assert pool.add(transaction(0, 3)) is False
    with pytest.raises(ServerError, match="2 of 2 wait for this sender"):
        pool.add(transaction(0, 4))
    assert pool.add(transaction(0, 2)) is False  # the same again
    assert pool.add(transaction(1, 2)) is False  # another's


def test_a_full_pool_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_READY", 1)
    pool = Mempool(lambda _: 0)
    pool.add(transaction(0, 0))
    with pytest.raises(ServerError, match="txpool is full"):
        pool.add(transaction(1, 0))
