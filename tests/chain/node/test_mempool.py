"""The pool: nonces in order, nothing lost, bounds kept."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.node import mempool
from chain.node.errors import RpcError, ServerError
from chain.node.mempool import Mempool, slots_of
from chain.node.node import DEFAULT_CHAIN_ID
from chain.node.replacing import (
    AccountLimitExceeded,
    Dropped,
    NonceTooHigh,
    PoolFull,
    Replaced,
    ReplacementUnderpriced,
)
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


@cache
def offering(fee: int, tip: int, *, key: int = 0, nonce: int = 0, **more: Any) -> Transaction:
    more = {"to": ADDRESSES[3], "gas": 100_000} | more
    to = more.pop("to")
    raw = signed(key, nonce, to, maxFeePerGas=fee, maxPriorityFeePerGas=tip, **more)
    return decode(raw, DEFAULT_CHAIN_ID)


def cancelling(fee: int = 0, *, nonce: int = 0, **more: Any) -> Transaction:
    return offering(fee, fee, nonce=nonce, to=ADDRESSES[0], **more)


class Dropping:
    """A pool, and what it has let go of."""

    def __init__(self, balance: int = 10**18, **more: Any) -> None:
        self.dropped: list[tuple[Transaction, type[RpcError]]] = []
        self.pool = Mempool(lambda _: 0, lambda _: balance, on_drop=self._drop, **more)

    def _drop(self, transaction: Transaction, reason: RpcError) -> None:
        self.dropped.append((transaction, type(reason)))


def test_a_replacement_takes_the_turn_of_what_it_replaces() -> None:
    market = Dropping()
    old, other, new = offering(100, 100), offering(0, 0, key=1), offering(110, 110)
    market.pool.add(old)
    market.pool.add(offering(0, 0, nonce=1))
    market.pool.add(other)
    assert market.pool.add(new) is True
    assert [each.hash for each in market.pool.take_ready()] == [
        new.hash, offering(0, 0, nonce=1).hash, other.hash,
    ]  # fmt: skip
    assert market.dropped == [(old, Replaced)]
    assert market.pool.get(old.hash) is None


@given(fees=st.tuples(*[st.integers(0, 300)] * 2), tips=st.tuples(*[st.integers(0, 300)] * 2))
def test_a_priced_transaction_gives_way_to_ten_percent_more_in_fee_and_tip(
    fees: tuple[int, int], tips: tuple[int, int]
) -> None:
    market = Dropping()
    market.pool.add(offering(fees[0], tips[0]))
    new = offering(fees[1], tips[1])
    if new.hash == offering(fees[0], tips[0]).hash:
        return
    rises = [b > a and b * 10 >= a * 11 for a, b in (fees, tips)]
    if all(rises):
        assert market.pool.add(new) is True
    else:
        with pytest.raises(ReplacementUnderpriced, match="replacement transaction underpriced"):
            market.pool.add(new)


def test_where_nobody_pays_only_a_cancellation_replaces() -> None:
    market = Dropping(balance=0)
    old = offering(0, 0)
    market.pool.add(old)
    with pytest.raises(ReplacementUnderpriced):
        market.pool.add(offering(0, 0, to=ADDRESSES[2]))
    assert market.pool.add(cancelling()) is True
    assert market.dropped == [(old, Replaced)]
    with pytest.raises(ReplacementUnderpriced):
        market.pool.add(cancelling(gas=50_000))


def test_what_waits_behind_a_gap_is_cancelled_too() -> None:
    market = Dropping()
    market.pool.add(offering(0, 0, nonce=5))
    assert market.pool.add(cancelling(nonce=5)) is False
    assert (market.pool.queued, len(market.pool)) == (1, 1)


def test_a_replacement_that_cannot_be_paid_drops_nothing() -> None:
    market = Dropping(balance=99_999)
    market.pool.add(offering(0, 0))
    with pytest.raises(ServerError, match="insufficient funds for gas \\* price \\+ value"):
        market.pool.add(offering(1, 1))
    assert market.dropped == []
    assert market.pool.add(offering(1, 1, gas=90_000)) is True


def test_too_many_behind_a_gap_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_QUEUED_PER_SENDER", 2)
    pool = Mempool(lambda _: 0)
    assert pool.add(transaction(0, 2)) is False
    assert pool.add(transaction(0, 3)) is False
    with pytest.raises(AccountLimitExceeded, match="account limit exceeded: 2 transactions"):
        pool.add(transaction(0, 4))
    assert pool.add(transaction(0, 2)) is False  # the same again
    assert pool.add(transaction(1, 2)) is False  # another's


def test_a_nonce_too_far_ahead_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_NONCE_GAP", 5)
    pool = Mempool(lambda _: 0)
    assert pool.add(transaction(0, 5)) is False
    with pytest.raises(NonceTooHigh, match="nonce too high: tx nonce 6, next nonce 0"):
        pool.add(transaction(0, 6))


def test_one_sender_fills_no_more_than_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_SLOTS_PER_SENDER", 2)
    pool = Mempool(lambda _: 0)
    pool.add(transaction(0, 0))
    pool.add(transaction(0, 1))
    with pytest.raises(AccountLimitExceeded, match="account limit exceeded"):
        pool.add(transaction(0, 2))
    pool.add(transaction(1, 0))


def test_large_calldata_takes_more_of_the_pool() -> None:
    large = offering(0, 0, data=b"\x01" * 10_000, gas=1_000_000)
    assert (slots_of(transaction(0, 0)), slots_of(large)) == (1, 3)


def test_in_a_full_pool_the_largest_holder_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_SLOTS", 4)
    market = Dropping()
    for nonce in range(4):
        market.pool.add(transaction(0, nonce))
    assert market.pool.add(transaction(1, 0)) is True
    assert market.pool.add(transaction(1, 1)) is True
    assert market.dropped == [(transaction(0, 3), Dropped), (transaction(0, 2), Dropped)]
    with pytest.raises(PoolFull, match="txpool is full: 4 of 4 slots"):
        market.pool.add(transaction(1, 2))  # nobody holds more than this sender would
    with pytest.raises(PoolFull):
        market.pool.add(transaction(0, 2))
    assert market.pool.next_nonce(transaction(0, 0).sender) == 2


def test_a_flood_behind_gaps_makes_room_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_QUEUED", 3)
    market = Dropping()
    market.pool.add(transaction(0, 0))
    for nonce in (2, 3, 4):
        market.pool.add(transaction(0, nonce))
    assert market.pool.add(transaction(1, 7)) is False
    assert market.dropped == [(transaction(0, 4), Dropped)]
    assert [each.nonce for each in market.pool.take_ready()] == [0]


def test_operators_make_no_room_and_always_find_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_SLOTS", 3)
    operator = transaction(0, 0).sender
    market = Dropping(operators=frozenset({operator}))
    market.pool.add(transaction(0, 0))
    market.pool.add(transaction(0, 1))
    market.pool.add(transaction(1, 0))
    with pytest.raises(PoolFull):
        market.pool.add(transaction(2, 0))
    assert market.pool.add(transaction(0, 2)) is True
    assert market.dropped == [(transaction(1, 0), Dropped)]


def test_senders_that_nobody_has_seen_yet_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_NEWCOMERS", 1)
    mined = {transaction(2, 0).sender: 3}
    pool = Mempool(lambda sender: mined.get(sender, 0))
    pool.add(transaction(0, 0))
    pool.add(transaction(0, 1))
    with pytest.raises(PoolFull, match="1 senders of whom nothing was mined yet"):
        pool.add(transaction(1, 0))
    assert pool.add(transaction(2, 3)) is True
    pool.settle([transaction(0, 0)], [])
    assert pool.add(transaction(1, 0)) is True


def test_by_turns_everybody_has_one_before_anybody_has_two() -> None:
    pool = Mempool(lambda _: 0)
    for key, nonce in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]:
        pool.add(transaction(key, nonce))
    assert [each.hash for each in pool.take_ready(by_turns=True)] == [
        transaction(key, nonce).hash for key, nonce in [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2)]
    ]


pool_acts = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3), st.integers(0, 9)),
    st.tuples(st.just("cancel"), st.just(0), st.integers(0, 9)),
    st.tuples(st.just("mine"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("refuse"), st.integers(0, 3), st.just(0)),
)


@given(st.lists(pool_acts, max_size=60))
def test_the_bounds_hold_whatever_comes_and_whoever_waited_hears_what_became_of_it(
    script: list[tuple[str, int, int]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, bound in (
            ("MAX_SLOTS", 8), ("MAX_QUEUED", 4), ("MAX_QUEUED_PER_SENDER", 3),
            ("MAX_SLOTS_PER_SENDER", 6), ("MAX_NONCE_GAP", 6), ("MAX_NEWCOMERS", 3),
        ):  # fmt: skip
            patch.setattr(mempool, name, bound)
        mined: dict[bytes, int] = {}
        gone: set[bytes] = set()
        taken: set[bytes] = set()

        def drop(each: Transaction, _: RpcError) -> None:
            taken.discard(each.hash)
            gone.add(each.hash)

        pool = Mempool(lambda sender: mined.get(sender, 0), on_drop=drop)
        for act, first, second in script:
            if act in ("add", "cancel"):
                each = transaction(first, second) if act == "add" else cancelling(nonce=second)
                try:
                    pool.add(each)
                except ServerError:
                    assert each.hash not in taken
                else:
                    taken.add(each.hash)
            else:
                chosen = pool.take_ready()[:first] if act == "mine" else pool.take_ready()[first : first + 1]
                if act == "mine":
                    mined |= {each.sender: each.nonce + 1 for each in chosen}
                pool.settle(chosen if act == "mine" else [], [] if act == "mine" else chosen)
                taken -= {each.hash for each in chosen}
            assert {each.hash for each in pool} == taken
            assert len(pool) <= 8
            assert pool.queued <= 4
            expected = dict(mined)
            for each in pool.take_ready():
                assert each.nonce == expected.get(each.sender, 0)
                expected[each.sender] = each.nonce + 1
