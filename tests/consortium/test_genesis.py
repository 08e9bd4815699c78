"""The first block names the authorities, in the way each engine reads it."""

from __future__ import annotations

import pytest
from consortium_tools import genesis
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

AUTHORITIES = [to_checksum_address("0x" + f"{place:02x}" * 20) for place in (4, 2, 3, 1)]
addresses = st.lists(
    st.binary(min_size=20, max_size=20).map(to_checksum_address), min_size=1, max_size=30, unique=True
)


def test_the_extra_data_of_qbft_is_rlp_of_vanity_validators_vote_round_and_seals() -> None:
    # Laid out by hand: lists 0xf87a and 0xf854, strings of 32 and 20 bytes, an empty list, 0, an empty list.
    expected = "f87a" + "a0" + "00" * 32 + "f854"
    expected += "".join("94" + f"{place:02x}" * 20 for place in (1, 2, 3, 4)) + "c0" + "80" + "c0"
    assert genesis.qbft_extra_data(AUTHORITIES) == "0x" + expected


def test_the_extra_data_of_clique_is_vanity_signers_and_room_for_a_seal() -> None:
    expected = "00" * 32 + "".join(f"{place:02x}" * 20 for place in (1, 2, 3, 4)) + "00" * 65
    assert genesis.clique_extra_data(AUTHORITIES) == "0x" + expected


@given(addresses)
def test_who_may_seal_is_read_back_in_the_order_of_addresses(named: list[str]) -> None:
    in_order = sorted(named, key=lambda each: int(each, 16))
    assert genesis.qbft_validators(genesis.qbft_extra_data(named)) == in_order
    assert genesis.clique_signers(genesis.clique_extra_data(named)) == in_order


@pytest.mark.parametrize(
    "extra_data",
    [genesis.clique_extra_data(AUTHORITIES), "0x", "0xc0", genesis.qbft_extra_data(AUTHORITIES)[:-2] + "01"],
)
def test_other_extra_data_is_not_taken_for_that_of_qbft(extra_data: str) -> None:
    with pytest.raises(ValueError, match="not the extra data of a QBFT genesis"):
        genesis.qbft_validators(extra_data)


def test_half_an_address_is_no_clique_signer() -> None:
    with pytest.raises(ValueError, match="whole number of addresses"):
        genesis.clique_signers("0x" + "00" * (32 + 10 + 65))


def test_gas_is_free_in_both() -> None:
    clique = genesis.clique_genesis(7, AUTHORITIES, 1, 0)
    qbft = genesis.qbft_genesis(7, AUTHORITIES, 1, 0, 4)
    assert clique["baseFeePerGas"] == "0x0"
    assert qbft["config"]["zeroBaseFee"] is True
    assert clique["alloc"] == qbft["alloc"] == {}
