"""The first block of a network of several authorities, and the list of them inside it.

Source: EIP-225 (Clique); for the extra data of QBFT its formal specification
(github.com/ConsenSys/qbft-formal-spec-and-verification) and Besu's genesis reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import rlp  # type: ignore[import-untyped]
from eth_utils.address import to_canonical_address, to_checksum_address

VANITY_BYTES: Final = 32
SEAL_BYTES: Final = 65
# The mix digest by which QBFT knows its blocks.
QBFT_DIGEST: Final = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
# Blocks are packed by gas limits, which CARAT sets generously. A Clique block that uses more than half of
# this raises the base fee from 0, for ever.
CLIQUE_GAS_LIMIT: Final = 2_000_000_000
QBFT_GAS_LIMIT: Final = 1_000_000_000


def clique_extra_data(signers: Sequence[str]) -> str:
    """Return the extra data that names the first signers, in the order of their addresses."""
    named = sorted(to_canonical_address(each) for each in signers)
    return "0x" + (bytes(VANITY_BYTES) + b"".join(named) + bytes(SEAL_BYTES)).hex()


def clique_signers(extra_data: str) -> list[str]:
    """Return who may seal, from the extra data of a genesis."""
    named = bytes.fromhex(extra_data.removeprefix("0x"))[VANITY_BYTES:-SEAL_BYTES]
    if len(named) % 20:
        raise ValueError(f"{len(named)} bytes of signers are no whole number of addresses")
    return [to_checksum_address(named[start : start + 20]) for start in range(0, len(named), 20)]


def qbft_extra_data(validators: Sequence[str]) -> str:
    """Return the extra data that names the first validators: vanity, they, no vote, round 0, no seals."""
    named = sorted(to_canonical_address(each) for each in validators)
    encoded: bytes = rlp.encode([bytes(VANITY_BYTES), named, [], b"", []])
    return "0x" + encoded.hex()


def qbft_validators(extra_data: str) -> list[str]:
    """Return who may seal, from the extra data of a genesis; raises ValueError where it is none."""
    try:
        fields = rlp.decode(bytes.fromhex(extra_data.removeprefix("0x")))
    except rlp.DecodingError as error:
        raise ValueError(f"not the extra data of a QBFT genesis: {error}") from None
    if not isinstance(fields, list) or len(fields) != 5:
        raise ValueError("not the extra data of a QBFT genesis: five fields are asked for")
    vanity, validators, vote, round_number, seals = fields
    if len(vanity) != VANITY_BYTES or vote != [] or round_number != b"" or seals != []:
        raise ValueError(
            "not the extra data of a QBFT genesis: vanity, no vote, round 0 and no seals are asked for"
        )
    return [to_checksum_address(each) for each in validators]


def clique_genesis(chain_id: int, signers: Sequence[str], period_s: int, time_utc: int) -> dict[str, Any]:
    """Return a Clique genesis at London, its last fork in geth, with a base fee of 0.

    Parameters
    ----------
    period_s :
        Seconds from block to block.
    """
    return {
        "config": {
            "chainId": chain_id,
            **_from_block_0("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople"),
            **_from_block_0("petersburg", "istanbul", "berlin", "london"),
            "clique": {"period": period_s, "epoch": 30_000},
        },
        "timestamp": hex(time_utc),
        "difficulty": "0x1",
        "gasLimit": hex(CLIQUE_GAS_LIMIT),
        "baseFeePerGas": "0x0",
        "extraData": clique_extra_data(signers),
        "alloc": {},
    }


def qbft_genesis(
    chain_id: int, validators: Sequence[str], period_s: int, time_utc: int, request_timeout_s: int
) -> dict[str, Any]:
    """Return a QBFT genesis for Besu: Cancun from the first block, no base fee at any load.

    Parameters
    ----------
    period_s :
        Seconds from block to block.
    request_timeout_s :
        Seconds after which a round without a block passes to the next proposer; doubles each round.
    """
    return {
        "config": {
            "chainId": chain_id,
            **_from_block_0("berlin", "london"),
            "shanghaiTime": 0,
            "cancunTime": 0,
            "zeroBaseFee": True,
            "qbft": {
                "blockperiodseconds": period_s,
                "epochlength": 30_000,
                "requesttimeoutseconds": request_timeout_s,
            },
        },
        "nonce": "0x0",
        "timestamp": hex(time_utc),
        "difficulty": "0x1",
        "mixHash": QBFT_DIGEST,
        "coinbase": "0x" + "0" * 40,
        "gasLimit": hex(QBFT_GAS_LIMIT),
        "extraData": qbft_extra_data(validators),
        "alloc": {},
    }


def _from_block_0(*forks: str) -> dict[str, int]:
    return {f"{fork}Block": 0 for fork in forks}
