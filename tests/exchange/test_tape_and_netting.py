"""The tape's root and the net deltas: pure functions of the trades."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.core.codes import Side
from exchange.netting import Delta, chunked, net
from exchange.tape import (
    EMPTY_ROOT,
    TapeTrade,
    inclusion_proof,
    leaf,
    leaf_hash,
    merkle_root,
    names_hash,
    proves,
    tape_root,
)

UNIT, OTHER_UNIT = 1 << 80 | 2026 << 64, 1 << 80 | 2027 << 64
ANNA, BERT, CARL, DORA = ACCOUNTS = tuple(bytes([letter]) * 20 for letter in b"ABCD")
NOBODY = bytes(20)

FEES_FEN = st.one_of(st.just(0), st.integers(1, 2**100))


def trade(
    buyer: bytes, seller: bytes, quantity_t: int, price_fen: int, *, fees: tuple[int, int] = (0, 0)
) -> TapeTrade:
    """Return a trade whose buyer came to the seller's order; Dora collects both fees."""
    return TapeTrade(
        number=3,
        epoch=1,
        unit=UNIT,
        price_fen=price_fen,
        quantity_t=quantity_t,
        at_us=1_780_000_000_000_000,
        taker_side=Side.BUY,
        maker_order=b"m" * 16,
        taker_order=b"t" * 16,
        buyer=buyer,
        seller=seller,
        buyer_fee_fen=fees[0],
        seller_fee_fen=fees[1],
        buyer_fee_to=DORA if fees[0] else NOBODY,
        seller_fee_to=DORA if fees[1] else NOBODY,
    )


trades = st.builds(
    TapeTrade,
    number=st.integers(1, 2**40),
    epoch=st.integers(1, 2**40),
    unit=st.sampled_from([UNIT, OTHER_UNIT]),
    price_fen=st.integers(1, 10**6),
    quantity_t=st.integers(1, 10**6),
    at_us=st.integers(0, 2**60),
    taker_side=st.sampled_from(Side),
    maker_order=st.binary(min_size=16, max_size=16),
    taker_order=st.binary(min_size=16, max_size=16),
    buyer=st.sampled_from(ACCOUNTS),
    seller=st.sampled_from(ACCOUNTS),
    buyer_fee_fen=FEES_FEN,
    seller_fee_fen=FEES_FEN,
    buyer_fee_to=st.sampled_from(ACCOUNTS),
    seller_fee_to=st.sampled_from(ACCOUNTS),
)


def test_three_trades_net_to_one_delta_an_account() -> None:
    tape = [trade(BERT, ANNA, 20, 100), trade(CARL, ANNA, 10, 100), trade(CARL, BERT, 5, 90)]
    assert net(tape) == [
        Delta(ANNA, UNIT, -30, 3_000),
        Delta(BERT, UNIT, 15, -1_550),
        Delta(CARL, UNIT, 15, -1_450),
    ]


def test_fees_go_from_buyer_and_seller_to_who_collects_them() -> None:
    assert net([trade(BERT, ANNA, 20, 100, fees=(10, 4))]) == [
        Delta(ANNA, UNIT, -20, 2_000 - 4),
        Delta(BERT, UNIT, 20, -2_000 - 10),
        Delta(DORA, UNIT, 0, 14),
    ]


def test_who_collects_his_own_fee_pays_none() -> None:
    assert net([trade(DORA, ANNA, 20, 100, fees=(10, 0))]) == [
        Delta(ANNA, UNIT, -20, 2_000),
        Delta(DORA, UNIT, 20, -2_000),
    ]


def test_two_fees_may_go_to_different_collectors() -> None:
    one = trade(BERT, ANNA, 20, 100, fees=(10, 4))._replace(seller_fee_to=CARL)
    assert net([one])[2:] == [Delta(CARL, UNIT, 0, 4), Delta(DORA, UNIT, 0, 10)]


def test_an_account_that_ends_where_it_began_has_no_delta() -> None:
    assert net([trade(BERT, ANNA, 20, 100), trade(ANNA, BERT, 20, 100)]) == []


def test_a_tree_of_three_leaves_is_the_one_of_rfc_6962() -> None:
    one, two, three = (leaf_hash(name) for name in (b"a", b"b", b"c"))
    pair = sha256(b"\1" + one + two).digest()
    assert merkle_root([one, two, three]) == sha256(b"\1" + pair + three).digest()
    assert merkle_root([]) == EMPTY_ROOT == sha256(b"").digest()


def test_a_leaf_shows_the_trade_but_not_who_traded() -> None:
    one = trade(BERT, ANNA, 20, 100, fees=(10, 4))
    public = b"".join(
        (
            (3).to_bytes(8, "big"),
            (1).to_bytes(8, "big"),
            UNIT.to_bytes(16, "big"),
            (100).to_bytes(8, "big"),
            (20).to_bytes(8, "big"),
            (1_780_000_000_000_000).to_bytes(8, "big"),
            b"\1",
        )
    )
    private = b"".join(
        (b"m" * 16, b"t" * 16, BERT, ANNA, (10).to_bytes(16, "big"), (4).to_bytes(16, "big"), DORA, DORA)
    )
    assert len(public) == 57
    assert leaf(one) == public + sha256(private).digest()
    assert names_hash(one) == sha256(private).digest()


@given(st.lists(trades, max_size=40))
def test_tonnes_and_cash_of_every_unit_sum_to_zero(tape: list[TapeTrade]) -> None:
    deltas = net(tape)
    for unit in (UNIT, OTHER_UNIT):
        assert sum(delta.quantity_t for delta in deltas if delta.unit == unit) == 0
        assert sum(delta.cash_fen for delta in deltas if delta.unit == unit) == 0
    keys = [(delta.unit, delta.account) for delta in deltas]
    assert keys == sorted(set(keys))


@given(st.lists(trades, max_size=40), st.integers(1, 7))
def test_chunks_are_the_whole_epoch_in_order(tape: list[TapeTrade], size: int) -> None:
    deltas = net(tape)
    chunks = chunked(deltas, size)
    assert [delta for chunk in chunks for delta in chunk] == deltas
    assert len(chunks) >= 1
    assert all(len(chunk) <= size for chunk in chunks)


@given(st.lists(trades, min_size=1, max_size=40), st.data())
def test_every_trade_can_be_proven_and_no_other(tape: list[TapeTrade], data: st.DataObject) -> None:
    hashes = [leaf_hash(leaf(one)) for one in tape]
    index = data.draw(st.integers(0, len(tape) - 1))
    path = inclusion_proof(hashes, index)
    root = tape_root(tape)
    assert proves(root, hashes[index], index, len(tape), path)
    assert not proves(root, leaf_hash(b"another"), index, len(tape), path)
    assert not proves(root, hashes[index], index, len(tape), [*path, bytes(32)])
    assert not proves(root, hashes[index], len(tape), len(tape), path)


@given(st.lists(trades, min_size=2, max_size=20), st.data())
def test_swapping_or_changing_a_trade_changes_the_root(tape: list[TapeTrade], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(tape) - 2))
    swapped = [*tape[:index], tape[index + 1], tape[index], *tape[index + 2 :]]
    assert (tape_root(swapped) == tape_root(tape)) == (tape[index] == tape[index + 1])
    assert tape_root(tape[:-1]) != tape_root(tape)
    dearer = tape[index]._replace(buyer_fee_fen=tape[index].buyer_fee_fen + 1)
    assert tape_root([*tape[:index], dearer, *tape[index + 1 :]]) != tape_root(tape)


def test_there_is_no_proof_for_a_leaf_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        inclusion_proof([bytes(32)], 1)
