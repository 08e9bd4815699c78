"""Small contracts, assembled by hand, and transactions that use them."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_hash.auto import keccak

from chain.node.accounts import test_key
from chain.node.node import DEFAULT_CHAIN_ID

KEYS = [test_key(index) for index in range(4)]
ADDRESSES = [Account.from_key(key).address for key in KEYS]

# slot 0 += 1; log topic = calldata[0:32], data = none; return slot 0
COUNTER = bytes.fromhex("6000546001018060005560003560006000a160005260206000f3")
# revert with the call's own data
REVERTER = bytes.fromhex("366000600037366000fd")
# loop for ever
LOOPER = bytes.fromhex("5b600056")
# a log without topics, with the call's data
LOGGER = bytes.fromhex("366000600037366000a000")
# gives the time, the number, the chain id and the base fee of its block
CONTEXT = bytes.fromhex("4260005243602052466040524860605260806000f3")


def init_code(runtime: bytes) -> bytes:
    """Init code that deploys `runtime`."""
    return bytes.fromhex(f"60{len(runtime):02x}600c60003960{len(runtime):02x}6000f3") + runtime


def signed(
    key: int,
    nonce: int,
    to: str | bytes = b"",
    data: bytes = b"",
    chain_id: int = DEFAULT_CHAIN_ID,
    **more: Any,
) -> bytes:
    """A raw transaction of key number `key`, with no fee."""
    fields: dict[str, Any] = {"nonce": nonce, "to": to, "data": data, "chainId": chain_id, "value": 0}
    fields |= {"gas": 1_000_000, "maxFeePerGas": 0, "maxPriorityFeePerGas": 0} | more
    if "gasPrice" in more:
        del fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]
    return bytes(Account.sign_transaction(fields, KEYS[key]).raw_transaction)


def hexed(data: bytes) -> str:
    """Data as JSON-RPC writes it."""
    return "0x" + data.hex()


def hash_of(raw: bytes) -> str:
    """A transaction's hash."""
    return hexed(keccak(raw))
