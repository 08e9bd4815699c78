"""`eth_`: accounts and their storage, at any block."""

from __future__ import annotations

from typing import Any

from eth_typing import Address

from chain.node.errors import InvalidParams, LimitExceeded
from chain.node.fork import NodeState
from chain.node.formats import hex_bytes, hex_int, hex_word, param, read_address, read_object, read_slot
from chain.node.node import Node
from chain.node.proofs import MAX_SLOTS, prove
from chain.node.rpc.table import Method
from chain.node.tags import existing_block


def get_balance(node: Node, params: list[Any]) -> str:
    """Wei of an account."""
    state, address = _account(node, params, 1)
    return hex_int(state.get_balance(address))


def get_code(node: Node, params: list[Any]) -> str:
    """Code at an address."""
    state, address = _account(node, params, 1)
    return hex_bytes(state.get_code(address))


def get_storage_at(node: Node, params: list[Any]) -> str:
    """One storage word of a contract."""
    slot = read_slot(param(params, 1))
    state, address = _account(node, params, 2)
    return hex_word(state.get_storage(address, slot))


def get_storage_values(node: Node, params: list[Any]) -> dict[str, list[str]]:
    """Storage words of several contracts, under the addresses as they were asked for."""
    wanted = read_object(param(params, 0), "requests")
    if not wanted:
        raise InvalidParams("empty request")
    if any(not isinstance(slots, list) for slots in wanted.values()):
        raise InvalidParams("requests: expected a list of slots for each address")
    count = sum(len(slots) for slots in wanted.values())
    if count > MAX_SLOTS:
        raise LimitExceeded(f"{count} slots, limit {MAX_SLOTS}")
    asked = {name: (Address(read_address(name)), [*map(read_slot, slots)]) for name, slots in wanted.items()}
    state = node.state_after(existing_block(node, param(params, 1, "latest")))
    return {
        name: [hex_word(state.get_storage(address, slot)) for slot in slots]
        for name, (address, slots) in asked.items()
    }


def get_transaction_count(node: Node, params: list[Any]) -> str:
    """The next nonce; with `pending`, after what waits in the pool."""
    if param(params, 1, "latest") == "pending":
        return hex_int(node.pool.next_nonce(read_address(param(params, 0))))
    state, address = _account(node, params, 1)
    return hex_int(state.get_nonce(address))


def get_proof(node: Node, params: list[Any]) -> dict[str, Any]:
    """An account and some of its storage, with proofs."""
    address = read_address(param(params, 0))
    slots = param(params, 1)
    return prove(node, existing_block(node, param(params, 2, "latest")), address, slots)


def _account(node: Node, params: list[Any], block_index: int) -> tuple[NodeState, Address]:
    address = Address(read_address(param(params, 0)))
    return node.state_after(existing_block(node, param(params, block_index, "latest"))), address


METHODS: dict[str, Method] = {
    "eth_getBalance": get_balance,
    "eth_getCode": get_code,
    "eth_getStorageAt": get_storage_at,
    "eth_getStorageValues": get_storage_values,
    "eth_getTransactionCount": get_transaction_count,
    "eth_getProof": get_proof,
}
