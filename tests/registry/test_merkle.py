"""Merkle trees: what is in the list can be proven, what is not cannot."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import merkle

VALUES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def numbers(count: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(count)]


def test_the_format_is_that_of_rfc_6962() -> None:
    a, b, c = (sha256(b"\x00" + value).digest() for value in numbers(3))
    left = sha256(b"\x01" + a + b).digest()
    assert merkle.root(numbers(1)) == a
    assert merkle.root(numbers(3)) == sha256(b"\x01" + left + c).digest()


@given(values=VALUES, data=st.data())
def test_every_value_of_a_list_can_be_proven(values: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(values) - 1))
    proof = merkle.prove(values, index)
    assert merkle.verify(merkle.root(values), values[index], proof)


@given(values=VALUES, other=st.binary(min_size=32, max_size=32), data=st.data())
def test_no_other_value_can_be_proven(values: list[bytes], other: bytes, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(values) - 1))
    root, proof = merkle.root(values), merkle.prove(values, index)
    assert merkle.verify(root, other, proof) == (other == values[index])
    longer = replace(proof, siblings=(*proof.siblings, b"\0" * 32))
    assert not merkle.verify(root, values[index], longer)
    if proof.siblings:
        assert not merkle.verify(root, values[index], replace(proof, siblings=proof.siblings[:-1]))


@given(values=st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=20))
def test_a_node_is_no_leaf(values: list[bytes]) -> None:
    leaves = [sha256(b"\x00" + value).digest() for value in values]
    assert merkle.root(values) != merkle.root(leaves)


def test_two_lists_never_share_a_root_by_doubling_a_leaf() -> None:
    assert merkle.root(numbers(3)) != merkle.root([*numbers(3), numbers(3)[-1]])


def test_an_empty_list_and_a_short_value_are_our_mistakes() -> None:
    with pytest.raises(ValueError, match="commits to something"):
        merkle.root([])
    with pytest.raises(ValueError, match="32 bytes"):
        merkle.root([b"short"])
    with pytest.raises(ValueError, match="no leaf 3 of 3"):
        merkle.prove(numbers(3), 3)
