"""Transactions that a client describes and the node completes: type, nonce, gas, fees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chain.node import calls
from chain.node.errors import ServerError
from chain.node.formats import UINT64_MAX, checksum, hex_bytes, hex_int, read_int, read_object
from chain.node.node import Node
from chain.node.transactions import ACCESS_LIST, DYNAMIC_FEE, LEGACY, Transaction
from chain.node.views import access_list_json

_DYNAMIC_FIELDS = ("maxFeePerGas", "maxPriorityFeePerGas")


def read_draft(node: Node, value: Any, *, default_type: int, default_gas: int | None = None) -> Transaction:
    """An unsigned transaction with everything that its description left out.

    Without `default_gas` the gas is estimated.

    Raises
    ------
    InvalidParams :
        If its fields make no sense.
    ServerError :
        If they contradict each other, it is for another chain, or it would fail whatever its gas.
    """
    fields = read_object(value, "transaction")
    call = calls.read_call(fields)
    kind = _kind(fields, default_type)
    chain_id, nonce, gas = fields.get("chainId"), fields.get("nonce"), fields.get("gas")
    ours = node.settings.chain_id
    if chain_id is not None and read_int(chain_id, "chainId") != ours:
        raise ServerError(
            f"chainId does not match node's (have={read_int(chain_id, 'chainId')}, want={ours})"
        )
    if call.access_list and kind == LEGACY:
        raise ServerError("a legacy transaction has no access list")
    if gas is not None:
        limit = read_int(gas, "gas", UINT64_MAX)
    elif default_gas is not None:
        limit = default_gas
    else:
        limit = calls.estimate_gas(node, call, node.head)
    return replace(
        call,
        type_id=kind,
        chain_id=ours,
        nonce=node.pool.next_nonce(call.sender) if nonce is None else read_int(nonce, "nonce", UINT64_MAX),
        gas=limit,
    )


def unlocked_draft(node: Node, value: Any, **defaults: Any) -> Transaction:
    """The same of an account whose key the node holds."""
    require_unlocked(node, calls.read_call(value).sender)
    return read_draft(node, value, **defaults)


def require_unlocked(node: Node, address: bytes) -> None:
    """Refuse an account whose key the node does not hold."""
    if address not in node.unlocked:
        raise ServerError(f"unknown account: {checksum(address)} is not unlocked here")


def draft_json(transaction: Transaction) -> dict[str, Any]:
    """An unsigned transaction as JSON-RPC shows it."""
    shown: dict[str, Any] = {
        "type": hex_int(transaction.type_id),
        "chainId": hex_int(transaction.chain_id or 0),
        "nonce": hex_int(transaction.nonce),
        "to": checksum(transaction.to) if transaction.to else None,
        "value": hex_int(transaction.value),
        "gas": hex_int(transaction.gas),
        "gasPrice": hex_int(transaction.max_fee_per_gas),
        "input": hex_bytes(transaction.data),
    }
    if transaction.type_id == LEGACY:
        return shown
    shown["accessList"] = access_list_json(transaction.access_list)
    if transaction.type_id != ACCESS_LIST:
        shown["maxFeePerGas"] = hex_int(transaction.max_fee_per_gas)
        shown["maxPriorityFeePerGas"] = hex_int(transaction.max_priority_fee_per_gas)
    return shown


def _kind(fields: Mapping[str, Any], default: int) -> int:
    dynamic = any(fields.get(name) is not None for name in _DYNAMIC_FIELDS)
    priced = fields.get("gasPrice") is not None
    listed = fields.get("accessList") is not None
    if fields.get("type") is not None:
        kind = read_int(fields["type"], "type")
    elif dynamic:
        kind = DYNAMIC_FEE
    elif listed:
        kind = ACCESS_LIST if priced else DYNAMIC_FEE
    else:
        kind = LEGACY if priced else default
    if (kind == DYNAMIC_FEE and priced) or (kind != DYNAMIC_FEE and dynamic):
        raise ServerError(f"fees do not fit a transaction of type {kind}")
    return kind
