"""Sending transactions: the two methods whose answer waits for a block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from chain.node import calls
from chain.node.errors import InvalidParams, ServerError
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
from chain.node.transactions import DYNAMIC_FEE, LEGACY

DEFAULT_GAS = 30_000_000
_DYNAMIC_FIELDS = ("maxFeePerGas", "maxPriorityFeePerGas", "accessList")


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
    dynamic = any(fields.get(name) is not None for name in _DYNAMIC_FIELDS)
    if dynamic and fields.get("gasPrice") is not None:
        raise InvalidParams("both gasPrice and maxFeePerGas specified")
    transaction = replace(
        call,
        type_id=DYNAMIC_FEE if dynamic else LEGACY,
        chain_id=node.settings.chain_id,
        nonce=node.pool.next_nonce(sender) if nonce is None else read_int(nonce, "nonce", UINT64_MAX),
        gas=DEFAULT_GAS if gas is None else read_int(gas, "gas", UINT64_MAX),
    )
    return Sent(*node.admit(node.unlocked.sign(transaction)))


SENDING = {
    "eth_sendRawTransaction": send_raw_transaction,
    "eth_sendTransaction": send_transaction,
}
