"""Transactions as bytes: what a signed one says, and what an unsigned one must carry.

Gas costs nothing on the embedded chain, but a limit must be named. It is a generous linear bound on the call
data, so that no estimate has to be asked for and a block's room is not reserved without need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import rlp  # type: ignore[import-untyped]
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from chain.fees import FREE, Fee
from chain.keys import Signer
from chain.refusals import TransactionMalformed

TRANSACTION_BYTES_MAX: Final = 131_072
# Measured on the contracts' batch functions: no item costs 1,500 gas a byte of its call data.
_GAS_BASE: Final = 600_000
_GAS_PER_BYTE: Final = 2_000


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A signed transaction, read and its sender recovered."""

    raw: bytes
    tx_hash: str
    sender: str
    to: str | None
    data: bytes
    nonce: int
    gas: int
    value_wei: int
    fee: Fee = FREE


def gas_limit(data: bytes) -> int:
    """Return the gas that a call with this data may use at most."""
    return _GAS_BASE + _GAS_PER_BYTE * len(data)


def unsigned_transaction(
    chain_id: int, nonce: int, to: str | None, data: bytes, fee: Fee = FREE, gas: int | None = None
) -> dict[str, Any]:
    """Return the fields to sign: EIP-1559, no value; `to` None creates a contract."""
    fields = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "to": to,
        "value": 0,
        "gas": gas_limit(data) if gas is None else gas,
        "maxFeePerGas": fee.max_wei,
        "maxPriorityFeePerGas": fee.tip_wei,
        "data": "0x" + data.hex(),
    }
    if to is None:
        del fields["to"]
    return fields


def sign(signer: Signer, fields: dict[str, Any]) -> SignedTransaction:
    """Sign the fields of `unsigned_transaction`."""
    raw = signer.sign_transaction(fields)
    return SignedTransaction(
        raw=raw,
        tx_hash="0x" + keccak(raw).hex(),
        sender=signer.address,
        to=fields.get("to"),
        data=bytes.fromhex(fields["data"][2:]),
        nonce=fields["nonce"],
        gas=fields["gas"],
        value_wei=fields["value"],
        fee=Fee(fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]),
    )


def read_transaction(raw: bytes, chain_id: int) -> SignedTransaction:
    """Read a signed transaction and recover who signed it.

    Raises
    ------
    TransactionMalformed :
        No transaction, too long, not signed for this chain, or not by anyone.
    """
    if not 0 < len(raw) <= TRANSACTION_BYTES_MAX:
        raise TransactionMalformed(bytes=len(raw), bytes_max=TRANSACTION_BYTES_MAX)
    try:
        fields = _typed_fields(raw) if raw[0] <= 0x7F else _legacy_fields(raw)
        sender = str(Account.recover_transaction(raw))
    except Exception as error:
        raise TransactionMalformed(reason=f"{type(error).__name__}") from error
    if fields["chain_id"] != chain_id:
        raise TransactionMalformed(chain_id=fields["chain_id"], expected_chain_id=chain_id)
    return SignedTransaction(
        raw=raw,
        tx_hash="0x" + keccak(raw).hex(),
        sender=sender,
        to=fields["to"],
        data=fields["data"],
        nonce=fields["nonce"],
        gas=fields["gas"],
        value_wei=fields["value"],
        fee=fields["fee"],
    )


def _typed_fields(raw: bytes) -> dict[str, Any]:
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    price_wei = fields.get("gasPrice", 0)  # of an access-list transaction (EIP-2930)
    return {
        "chain_id": fields["chainId"],
        "to": to_checksum_address(fields["to"]) if fields["to"] else None,
        "data": bytes(fields["data"]),
        "nonce": fields["nonce"],
        "gas": fields["gas"],
        "value": fields["value"],
        "fee": Fee(fields.get("maxFeePerGas", price_wei), fields.get("maxPriorityFeePerGas", price_wei)),
    }


def _legacy_fields(raw: bytes) -> dict[str, Any]:
    nonce, price, gas, to, value, data, v, _r, _s = rlp.decode(raw)
    price_wei = int.from_bytes(price, "big")
    signature_v = int.from_bytes(v, "big")
    return {
        "chain_id": (signature_v - 35) // 2 if signature_v >= 35 else None,  # EIP-155
        "to": to_checksum_address(to) if to else None,
        "data": data,
        "nonce": int.from_bytes(nonce, "big"),
        "gas": int.from_bytes(gas, "big"),
        "value": int.from_bytes(value, "big"),
        "fee": Fee(price_wei, price_wei),
    }
