"""A transaction of the stream before it is signed, and its signature."""

from __future__ import annotations

from dataclasses import dataclass, replace

from coincurve import PrivateKey
from eth_account import Account
from eth_hash.auto import keccak
from rlp import encode

from chain.node.accounts import test_key
from chain.node.node import DEFAULT_CHAIN_ID

SENDERS = 10
KEYS = tuple(test_key(index) for index in range(SENDERS))
ADDRESSES = tuple(bytes.fromhex(Account.from_key(key).address[2:]) for key in KEYS)
_SIGNERS = tuple(PrivateKey(key) for key in KEYS)

LEGACY, ACCESS_LIST, DYNAMIC_FEE = 0, 1, 2
AccessList = tuple[tuple[bytes, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Sending:
    """What one of the senders sends. Wei, gas and wei a gas; `to` is empty for a creation.

    `refused` says why no node may take it, for those that are made to be refused; empty otherwise. Later ones
    count on those `needed`: they are left as they are.
    """

    label: str
    sender: int
    to: bytes
    data: bytes = b""
    value: int = 0
    gas: int = 2_000_000
    type_id: int = DYNAMIC_FEE
    price: int = 0
    tip: int = 0
    access_list: AccessList = ()
    nonce: int = 0
    chain_id: int = DEFAULT_CHAIN_ID
    refused: str = ""
    needed: bool = False

    @property
    def from_address(self) -> bytes:
        """Who sends."""
        return ADDRESSES[self.sender]

    @property
    def intrinsic_gas(self) -> int:
        """Gas before the first opcode (EIP-2028, EIP-2930, EIP-3860)."""
        gas = 21_000 + sum(16 if byte else 4 for byte in self.data)
        gas += sum(2_400 + 1_900 * len(slots) for _, slots in self.access_list)
        return gas if self.to else gas + 32_000 + 2 * ((len(self.data) + 31) // 32)

    def with_data(self, data: bytes) -> Sending:
        """The same with other data."""
        return replace(self, data=data)

    def as_call(self) -> dict[str, object]:
        """The object that eth_call asks for: no fees, as nobody pays for a call."""
        call: dict[str, object] = {
            "from": _hexed(self.from_address), "gas": hex(self.gas), "value": hex(self.value),
            "data": _hexed(self.data),
        }  # fmt: skip
        if self.to:
            call["to"] = _hexed(self.to)
        if self.access_list:
            call["accessList"] = [
                {"address": _hexed(address), "storageKeys": [f"0x{slot:064x}" for slot in slots]}
                for address, slots in self.access_list
            ]
        return call

    def signed(self) -> bytes:
        """The raw transaction."""
        signer = _SIGNERS[self.sender]
        if self.type_id == LEGACY:
            fields = [self.nonce, self.price, self.gas, self.to, self.value, self.data]
            r, s, parity = _signature(signer, encode([*fields, self.chain_id, 0, 0]))
            return bytes(encode([*fields, self.chain_id * 2 + 35 + parity, r, s]))
        accesses = [
            [address, [slot.to_bytes(32, "big") for slot in slots]] for address, slots in self.access_list
        ]
        fees = [self.price] if self.type_id == ACCESS_LIST else [self.tip, self.price]
        body = [self.chain_id, self.nonce, *fees, self.gas, self.to, self.value, self.data, accesses]
        kind = bytes((self.type_id,))
        r, s, parity = _signature(signer, kind + encode(body))
        return kind + bytes(encode([*body, parity, r, s]))


def _signature(signer: PrivateKey, message: bytes) -> tuple[int, int, int]:
    signature = signer.sign_recoverable(keccak(message), hasher=None)
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]


def created_by(sender: bytes, nonce: int) -> bytes:
    """The address of what `sender` creates with `nonce`."""
    return keccak(encode([sender, nonce]))[12:]


def _hexed(data: bytes) -> str:
    return "0x" + data.hex()
