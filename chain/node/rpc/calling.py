"""`eth_`: calls, estimates, access lists and simulations: what would happen."""

from __future__ import annotations

from typing import Any

from chain.node import calls
from chain.node.execution import failure
from chain.node.formats import hex_bytes, hex_int, param
from chain.node.node import Node
from chain.node.overrides import Overrides, read_overrides
from chain.node.remembered import Key
from chain.node.rpc.table import Method
from chain.node.simulation.chain import Simulation
from chain.node.simulation.request import read_plan
from chain.node.tags import existing_block
from chain.node.views import access_list_json


def call(node: Node, params: list[Any]) -> str:
    """Run a call and give what it returns; the third and fourth parameters override state and block."""
    block = existing_block(node, param(params, 1, "latest"))
    key: Key | None = None
    if block is node.head:
        key = node.remembered.key(block.hash, node.clock.peek(block.header.timestamp), params)
        answer = None if key is None else node.remembered.get(key)
        if answer is not None:
            return answer
    transaction = calls.read_call(param(params, 0))
    outcome = calls.call(node, transaction, block, overrides=_overrides(params))
    if outcome.error is not None:
        raise failure(outcome)
    answer = hex_bytes(outcome.output)
    if key is not None:
        node.remembered.put(key, answer)
    return answer


def estimate_gas(node: Node, params: list[Any]) -> str:
    """Gas with which a transaction succeeds; overrides as `call`."""
    transaction = calls.read_call(param(params, 0))
    block = existing_block(node, param(params, 1, "latest"))
    return hex_int(calls.estimate_gas(node, transaction, block, _overrides(params)))


def create_access_list(node: Node, params: list[Any]) -> dict[str, Any]:
    """What a transaction would touch, as an access list."""
    transaction = calls.read_call(param(params, 0))
    block = existing_block(node, param(params, 1, "latest"))
    found, outcome = calls.find_access_list(node, transaction, block)
    shown: dict[str, Any] = {"accessList": access_list_json(found), "gasUsed": hex_int(outcome.gas_used)}
    if outcome.error is not None:
        shown["error"] = failure(outcome).message
    return shown


def simulate(node: Node, params: list[Any]) -> list[dict[str, Any]]:
    """Run blocks of calls on top of a block, and forget them."""
    base = existing_block(node, param(params, 1, "latest"))
    return Simulation(node, base, read_plan(param(params, 0), base, node.settings.chain_id)).run()


def _overrides(params: list[Any]) -> Overrides:
    return read_overrides(param(params, 2, None), param(params, 3, None))


METHODS: dict[str, Method] = {
    "eth_call": call,
    "eth_estimateGas": estimate_gas,
    "eth_createAccessList": create_access_list,
    "eth_simulateV1": simulate,
}
