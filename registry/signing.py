"""Signing structured data (EIP-712): what verifiers and providers put their name to.

Domain: name "CARAT", version "1", the chain's id, the contract that the data is for. Pure: signing takes the
key that is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

TypedMessage: TypeAlias = dict[str, Any]
Fields: TypeAlias = Sequence[tuple[str, str]]

_DOMAIN_TYPE: Final = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature is valid: one contract (EIP-55 address) on one chain."""

    chain_id: int
    contract: str


def typed_message(domain: Domain, kind: str, fields: Fields, values: dict[str, Any]) -> TypedMessage:
    """Return the full EIP-712 message, for any wallet; `fields` are (name, Solidity type) in order."""
    return {
        "types": {"EIP712Domain": _type(_DOMAIN_TYPE), kind: _type(fields)},
        "primaryType": kind,
        "domain": {
            "name": "CARAT",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": values,
    }


def digest_of(message: TypedMessage) -> bytes:
    """Return the 32 bytes that are signed."""
    signable = encode_typed_data(full_message=message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def signer_of(message: TypedMessage, signature: bytes) -> str | None:
    """Return the account that signed, EIP-55; None where the bytes are no signature."""
    try:
        return str(Account.recover_message(encode_typed_data(full_message=message), signature=signature))
    except Exception:  # noqa: BLE001  # the library has no root class for a signature that is none
        return None


def _type(fields: Fields) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]
