"""Sending transactions, whose answer waits for a block; before it, completing and signing them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chain.node.drafts import draft_json, read_draft, require_unlocked, unlocked_draft
from chain.node.formats import hex_bytes, param, read_address, read_bytes
from chain.node.node import Node
from chain.node.rpc.table import Method
from chain.node.transactions import DYNAMIC_FEE, LEGACY, decode
from chain.node.views import signed_json

DEFAULT_GAS = 30_000_000


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
    draft = unlocked_draft(node, param(params, 0), default_type=LEGACY, default_gas=DEFAULT_GAS)
    return Sent(*node.admit(node.unlocked.sign(draft)))


def sign_transaction(node: Node, params: list[Any]) -> dict[str, Any]:
    """Complete and sign for an unlocked account, without sending."""
    raw = node.unlocked.sign(unlocked_draft(node, param(params, 0), default_type=DYNAMIC_FEE))
    return {"raw": hex_bytes(raw), "tx": signed_json(decode(raw, node.settings.chain_id))}


def sign(node: Node, params: list[Any]) -> str:
    """An EIP-191 signature of data by an unlocked account."""
    address = read_address(param(params, 0))
    require_unlocked(node, address)
    return hex_bytes(node.unlocked.sign_message(address, read_bytes(param(params, 1), "message")))


def fill_transaction(node: Node, params: list[Any]) -> dict[str, Any]:
    """Complete a transaction that somebody else will sign."""
    return {"tx": draft_json(read_draft(node, param(params, 0), default_type=DYNAMIC_FEE))}


SENDING = {
    "eth_sendRawTransaction": send_raw_transaction,
    "eth_sendTransaction": send_transaction,
}
METHODS: dict[str, Method] = {"eth_fillTransaction": fill_transaction}
SIGNING: dict[str, Method] = {"eth_sign": sign, "eth_signTransaction": sign_transaction}
