"""The client's name of an act and its 32 bytes on chain."""

from __future__ import annotations

from uuid import UUID

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.ids import request_id


@given(st.uuids())
def test_a_uuid_and_its_text_are_one_name(name: UUID) -> None:
    assert request_id(name) == request_id(str(name)) == bytes(16) + name.bytes


@given(st.binary(min_size=32, max_size=32))
def test_thirty_two_bytes_and_their_text_are_one_name(name: bytes) -> None:
    assert request_id(name) == request_id("0x" + name.hex()) == name


def test_any_other_text_is_hashed() -> None:
    assert request_id("surrender 7") == keccak(text="surrender 7")


def test_bytes_of_another_length_are_our_mistake() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        request_id(bytes(31))
