"""The tape's root and the net deltas: pure functions of the trades."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.commands import CASH, OrderKind, Side
from exchange.netting import Delta, chunked, net
from exchange.reports import Trade
from exchange.tape import (
    EMPTY_ROOT,
    inclusion_proof,
    leaf,
    leaf_hash,
    merkle_root,
    names_hash,
    proves,
    tape_root,
)
from tests.exchange.world import ACCOUNTS, ANNA, BERT, CARL, OTHER_UNIT, UNIT, World, order_id

trades = st.builds(
    Trade,
    number=st.integers(1, 2**40),
    epoch=st.integers(1, 2**40),
    unit=st.sampled_from([UNIT, OTHER_UNIT]),
    price_fen=st.integers(1, 10**6),
    quantity_t=st.integers(1, 10**6),
    at_us=st.integers(0, 2**60),
    taker_side=st.sampled_from(Side),
    maker_order=st.integers(0, 2**128 - 1).map(order_id),
    taker_order=st.integers(0, 2**128 - 1).map(order_id),
    buyer=st.sampled_from(ACCOUNTS),
    seller=st.sampled_from(ACCOUNTS),
)


def test_three_trades_net_to_one_delta_an_account() -> None:
    world = World()
    world.give(ANNA, quantity_t=100)
    world.give(BERT, cash_fen=1_000_000)
    world.give(CARL, cash_fen=1_000_000)
    world.sell(ANNA, 30, 100)
    world.buy(BERT, 20, 100)
    world.buy(CARL, 10, 100)
    world.sell(BERT, 5, 90)
    world.buy(CARL, 5, 90)
    assert net(world.state.trades) == [
        Delta(ANNA, UNIT, -30, 3_000),
        Delta(BERT, UNIT, 15, -1_550),
        Delta(CARL, UNIT, 15, -1_450),
    ]


def test_a_tree_of_three_leaves_is_the_one_of_rfc_6962() -> None:
    one, two, three = (leaf_hash(name) for name in (b"a", b"b", b"c"))
    pair = sha256(b"\1" + one + two).digest()
    assert merkle_root([one, two, three]) == sha256(b"\1" + pair + three).digest()
    assert merkle_root([]) == EMPTY_ROOT == sha256(b"").digest()


def test_a_leaf_shows_the_trade_but_not_who_traded() -> None:
    world = World()
    world.give(ANNA, quantity_t=100)
    world.give(BERT, cash_fen=1_000_000)
    world.sell(ANNA, 30, 100)
    world.buy(BERT, 20, kind=OrderKind.MARKET)
    (trade,) = world.state.trades
    assert len(leaf(trade)) == 57 + 32
    assert ANNA not in leaf(trade)
    assert BERT not in leaf(trade)
    assert leaf(trade)[57:] == names_hash(trade)


@given(st.lists(trades, max_size=40))
def test_tonnes_and_cash_of_every_unit_sum_to_zero(tape: list[Trade]) -> None:
    deltas = net(tape)
    for unit in (UNIT, OTHER_UNIT):
        assert sum(delta.quantity_t for delta in deltas if delta.unit == unit) == 0
        assert sum(delta.cash_fen for delta in deltas if delta.unit == unit) == CASH
    keys = [(delta.unit, delta.account) for delta in deltas]
    assert keys == sorted(set(keys))


@given(st.lists(trades, max_size=40), st.integers(1, 7))
def test_chunks_are_the_whole_epoch_in_order(tape: list[Trade], size: int) -> None:
    deltas = net(tape)
    chunks = chunked(deltas, size)
    assert [delta for chunk in chunks for delta in chunk] == deltas
    assert len(chunks) >= 1
    assert all(len(chunk) <= size for chunk in chunks)


@given(st.lists(trades, min_size=1, max_size=40), st.data())
def test_every_trade_can_be_proven_and_no_other(tape: list[Trade], data: st.DataObject) -> None:
    hashes = [leaf_hash(leaf(trade)) for trade in tape]
    index = data.draw(st.integers(0, len(tape) - 1))
    path = inclusion_proof(hashes, index)
    root = tape_root(tape)
    assert proves(root, hashes[index], index, len(tape), path)
    assert not proves(root, leaf_hash(b"another"), index, len(tape), path)
    assert not proves(root, hashes[index], index, len(tape), [*path, bytes(32)])
    assert not proves(root, hashes[index], len(tape), len(tape), path)


@given(st.lists(trades, min_size=2, max_size=20), st.data())
def test_swapping_or_changing_a_trade_changes_the_root(tape: list[Trade], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(tape) - 2))
    swapped = [*tape[:index], tape[index + 1], tape[index], *tape[index + 2 :]]
    assert (tape_root(swapped) == tape_root(tape)) == (tape[index] == tape[index + 1])
    assert tape_root(tape[:-1]) != tape_root(tape)


def test_there_is_no_proof_for_a_leaf_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        inclusion_proof([bytes(32)], 1)
