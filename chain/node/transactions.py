"""Signed transactions: reading them from the wire, and what makes one worth keeping.

Types 0 (legacy), 1 (EIP-2930) and 2 (EIP-1559) are taken. Blob (EIP-4844) and set-code (EIP-7702)
transactions are refused: this chain has no blobs, and no account here may turn into a contract.

py-evm accepts transactions signed for any chain id; `decode` does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from coincurve import PrivateKey, PublicKey

from chain.node import codec
from chain.node.codec import encode
from chain.node.errors import InvalidParams, ServerError
from chain.node.formats import UINT64_MAX, UINT256_MAX
from chain.node.hashing import keccak

MAX_RAW_BYTES = 256 * 1024
LEGACY, ACCESS_LIST, DYNAMIC_FEE = 0, 1, 2

_SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_TX_GAS, _CREATE_GAS, _ZERO_BYTE_GAS, _BYTE_GAS = 21_000, 32_000, 4, 16
_ACCESS_ADDRESS_GAS, _ACCESS_SLOT_GAS = 2_400, 1_900
_INITCODE_WORD_GAS, _MAX_INITCODE_BYTES = 2, 49_152

AccessList = tuple[tuple[bytes, tuple[int, ...]], ...]


@dataclass(slots=True)
class Transaction:
    """A transaction as py-evm's executor reads it, with its sender already recovered.

    `to` is empty for a contract creation. `raw` is empty for one that was never signed (a call).
    """

    type_id: int
    chain_id: int | None
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas: int
    to: bytes
    value: int
    data: bytes
    access_list: AccessList
    v: int
    r: int
    s: int
    sender: bytes
    raw: bytes = b""
    hash: bytes = b""
    intrinsic_gas: int = field(init=False)

    def __post_init__(self) -> None:
        self.intrinsic_gas = intrinsic_gas(self.to, self.data, self.access_list)

    @property
    def gas_price(self) -> int:
        """Wei a unit of gas; with a base fee of zero every type pays what it offers as a tip."""
        return min(self.max_fee_per_gas, self.max_priority_fee_per_gas)


def intrinsic_gas(to: bytes, data: bytes, access_list: AccessList) -> int:
    """Gas that a transaction costs before its first opcode (EIP-2028, EIP-2930)."""
    zeros = data.count(0)
    gas = _TX_GAS + zeros * _ZERO_BYTE_GAS + (len(data) - zeros) * _BYTE_GAS
    if not to:
        gas += _CREATE_GAS
    for _, slots in access_list:
        gas += _ACCESS_ADDRESS_GAS + len(slots) * _ACCESS_SLOT_GAS
    return gas


def needed_gas(transaction: Transaction) -> int:
    """Intrinsic gas and, for a creation, the price of its init code (EIP-3860)."""
    if transaction.to:
        return transaction.intrinsic_gas
    return transaction.intrinsic_gas + _INITCODE_WORD_GAS * ((len(transaction.data) + 31) // 32)


def check(transaction: Transaction, block_gas_limit: int) -> None:
    """Refuse what could never be mined.

    Raises
    ------
    ServerError :
        If the gas is below the intrinsic gas or above the block's, the nonce is exhausted, the init
        code is too long, or the tip is above the fee.
    """
    if transaction.gas > block_gas_limit:
        raise ServerError(f"exceeds block gas limit: gas {transaction.gas}, limit {block_gas_limit}")
    if transaction.gas < needed_gas(transaction):
        raise ServerError(f"intrinsic gas too low: have {transaction.gas}, want {needed_gas(transaction)}")
    if not transaction.to and len(transaction.data) > _MAX_INITCODE_BYTES:
        raise ServerError(
            f"max initcode size exceeded: code size {len(transaction.data)}, limit {_MAX_INITCODE_BYTES}"
        )
    if transaction.nonce >= UINT64_MAX:
        raise ServerError(f"nonce has max value: {transaction.nonce}")
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise ServerError(
            "max priority fee per gas higher than max fee per gas: "
            f"tip {transaction.max_priority_fee_per_gas}, fee {transaction.max_fee_per_gas}"
        )


def decode(raw: bytes, chain_id: int) -> Transaction:
    """Read a signed transaction.

    Raises
    ------
    InvalidParams :
        If the bytes are no signed transaction, or too many.
    ServerError :
        If it is signed for another chain, or of a type that this chain does not take.
    """
    if len(raw) > MAX_RAW_BYTES:
        raise ServerError(f"oversized data: transaction size {len(raw)}, limit {MAX_RAW_BYTES}")
    if not raw:
        raise InvalidParams("empty transaction")
    try:
        transaction = _decode_legacy(raw) if raw[0] >= 0xC0 else _decode_typed(raw)
    except ValueError as error:
        raise InvalidParams(f"transaction cannot be decoded: {error}") from None
    if transaction.chain_id is None:
        raise ServerError("only replay-protected (EIP-155) transactions allowed over RPC")
    if transaction.chain_id != chain_id:
        raise ServerError(f"invalid chain id for signer: have {transaction.chain_id}, want {chain_id}")
    return transaction


def restore(raw: bytes, sender: bytes) -> Transaction:
    """Read a transaction that `decode` has accepted before; its sender is already known."""
    return _decode_legacy(raw, sender) if raw[0] >= 0xC0 else _decode_typed(raw, sender)


def sign(transaction: Transaction, key: bytes) -> bytes:
    """The raw form of a transaction with its chain id, signed."""
    common = [transaction.gas, transaction.to, transaction.value, transaction.data]
    assert transaction.chain_id is not None
    if transaction.type_id == LEGACY:
        fields = [transaction.nonce, transaction.max_fee_per_gas, *common]
        y_parity, r, s = _signature(keccak(encode([*fields, transaction.chain_id, 0, 0])), key)
        return encode([*fields, transaction.chain_id * 2 + 35 + y_parity, r, s])
    slots = [
        [address, [slot.to_bytes(32, "big") for slot in slots]] for address, slots in transaction.access_list
    ]
    fees = [transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas]
    if transaction.type_id == ACCESS_LIST:
        fees = fees[1:]
    fields = [transaction.chain_id, transaction.nonce, *fees, *common, slots]
    kind = bytes((transaction.type_id,))
    return kind + encode([*fields, *_signature(keccak(kind + encode(fields)), key)])


def _signature(message_hash: bytes, key: bytes) -> tuple[int, int, int]:
    signature = PrivateKey(key).sign_recoverable(message_hash, hasher=None)
    return signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")


def recover(message_hash: bytes, y_parity: int, r: int, s: int) -> bytes:
    """The address that signed `message_hash`; ValueError where the signature is not valid (EIP-2)."""
    if not (0 < r < _SECP256K1_N and 0 < s <= _SECP256K1_N // 2 and y_parity in (0, 1)):
        raise ValueError("invalid transaction v, r, s values")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((y_parity,))
    try:
        key = PublicKey.from_signature_and_message(signature, message_hash, hasher=None)
    except Exception as error:  # coincurve raises bare Exception  # noqa: BLE001
        raise ValueError(f"signature cannot be recovered: {error}") from None
    return keccak(key.format(compressed=False)[1:])[12:]


def _decode_legacy(raw: bytes, sender: bytes | None = None) -> Transaction:
    fields = _list_of(codec.decode(raw), 9)
    nonce, gas_price, gas, to, value, data, v, r, s = fields
    v_int = _int(v, "v")
    chain_id: int | None
    if v_int in (27, 28):
        chain_id, y_parity, signed = None, v_int - 27, fields[:6]
    elif v_int >= 35:
        chain_id, y_parity = divmod(v_int - 35, 2)
        signed = [*fields[:6], _big_endian(chain_id), b"", b""]
    else:
        raise ValueError(f"invalid v: {v_int}")
    r_int, s_int = _int(r, "r"), _int(s, "s")
    price = _int(gas_price, "gas price")
    return Transaction(
        type_id=LEGACY,
        chain_id=chain_id,
        nonce=_int(nonce, "nonce", UINT64_MAX),
        max_priority_fee_per_gas=price,
        max_fee_per_gas=price,
        gas=_int(gas, "gas", UINT64_MAX),
        to=_to(to),
        value=_int(value, "value"),
        data=_bytes(data),
        access_list=(),
        v=v_int,
        r=r_int,
        s=s_int,
        sender=recover(keccak(encode(signed)), y_parity, r_int, s_int) if sender is None else sender,
        raw=raw,
        hash=keccak(raw),
    )


def _decode_typed(raw: bytes, sender: bytes | None = None) -> Transaction:
    type_id = raw[0]
    if type_id not in (ACCESS_LIST, DYNAMIC_FEE):
        raise ServerError(f"transaction type not supported: {type_id}")
    fields = _list_of(codec.decode(raw[1:]), 11 if type_id == ACCESS_LIST else 12)
    chain_id, nonce, *fees, gas, to, value, data, access_list, v, r, s = fields
    y_parity, r_int, s_int = _int(v, "y parity"), _int(r, "r"), _int(s, "s")
    if sender is None:
        sender = recover(keccak(raw[:1] + encode(fields[:-3])), y_parity, r_int, s_int)
    return Transaction(
        type_id=type_id,
        chain_id=_int(chain_id, "chain id"),
        nonce=_int(nonce, "nonce", UINT64_MAX),
        max_priority_fee_per_gas=_int(fees[0], "fee"),
        max_fee_per_gas=_int(fees[-1], "fee"),
        gas=_int(gas, "gas", UINT64_MAX),
        to=_to(to),
        value=_int(value, "value"),
        data=_bytes(data),
        access_list=_access_list(access_list),
        v=y_parity,
        r=r_int,
        s=s_int,
        sender=sender,
        raw=raw,
        hash=keccak(raw),
    )


def _list_of(decoded: Any, count: int) -> list[Any]:
    if not isinstance(decoded, list) or len(decoded) != count:
        raise ValueError(f"expected a list of {count} fields")
    return decoded


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("expected bytes, got a list")  # noqa: TRY004
    return value


def _int(value: Any, name: str, maximum: int = UINT256_MAX) -> int:
    data = _bytes(value)
    if data[:1] == b"\x00":
        raise ValueError(f"{name} has leading zeros")
    number = int.from_bytes(data, "big")
    if number > maximum:
        raise ValueError(f"{name} is too large")
    return number


def _to(value: Any) -> bytes:
    data = _bytes(value)
    if len(data) not in (0, 20):
        raise ValueError(f"recipient has {len(data)} bytes")
    return data


def _access_list(value: Any) -> AccessList:
    if not isinstance(value, list):
        raise ValueError("access list is not a list")  # noqa: TRY004
    return tuple(_access(entry) for entry in value)


def _access(entry: Any) -> tuple[bytes, tuple[int, ...]]:
    address, slots = _list_of(entry, 2)
    if not isinstance(slots, list) or len(_bytes(address)) != 20:
        raise ValueError("access list entry is malformed")
    if any(len(_bytes(slot)) != 32 for slot in slots):
        raise ValueError("access list slot is not 32 bytes")
    return address, tuple(int.from_bytes(slot, "big") for slot in slots)


def _big_endian(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
