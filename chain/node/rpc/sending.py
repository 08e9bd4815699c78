"""Sending transactions: the two methods whose answer waits for a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chain.node import calls
from chain.node.errors import InvalidParams, ServerError
from chain.node.fork import BLOCK_GAS_LIMIT
from chain.node.formats import (
    UINT64_MAX,
    checksum,
    hex_bytes,
    param,
    read_address,
    read_bytes,
    read_int,
    read_object,
)
from chain.node.node import Node


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction in the pool: its hash, and whether to wait for its block before answering."""

    hash: bytes
    waits: bool

    def answer(self, node: Node) -> str:
        """The hash, once the block is there; raises why the block could not hold it."""
        refusal = node.refusals.get(self.hash) if self.waits else None
        if refusal is not None:
            raise refusal
        return hex_bytes(self.hash)


def send_raw_transaction(node: Node, params: list[Any]) -> Sent:
    """Take a signed transaction."""
    return Sent(*node.admit(read_bytes(param(params, 0), "transaction")))


def send_transaction(node: Node, params: list[Any]) -> Sent:
    """Sign for an unlocked account and send."""
    fields = read_object(param(params, 0), "transaction")
    sender = read_address(fields.get("from"), "from")
    if sender not in node.unlocked:
        raise ServerError(f"unknown account: {checksum(sender)} is not unlocked here")
    call = calls.read_call(fields)
    gas = fields.get("gas")
    nonce = fields.get("nonce")
    typed: dict[str, Any] = {
        "chainId": node.settings.chain_id,
        "nonce": node.pool.next_nonce(sender) if nonce is None else read_int(nonce, "nonce", UINT64_MAX),
        "gas": BLOCK_GAS_LIMIT if gas is None else read_int(gas, "gas", UINT64_MAX),
        "to": checksum(call.to) if call.to else b"",
        "value": call.value,
        "data": call.data,
    }
    if "maxFeePerGas" in fields or "maxPriorityFeePerGas" in fields or "accessList" in fields:
        if fields.get("gasPrice") is not None:
            raise InvalidParams("both gasPrice and maxFeePerGas specified")
        typed |= {
            "type": 2,
            "maxFeePerGas": call.max_fee_per_gas,
            "maxPriorityFeePerGas": call.max_priority_fee_per_gas,
            "accessList": fields.get("accessList") or [],
        }
    else:
        typed["gasPrice"] = call.gas_price
    try:
        raw = node.unlocked.sign(sender, typed)
    except (TypeError, ValueError) as error:
        raise InvalidParams(f"transaction cannot be signed: {error}") from None
    return Sent(*node.admit(raw))


SENDING = {
    "eth_sendRawTransaction": send_raw_transaction,
    "eth_sendTransaction": send_transaction,
}
