"""`txpool_`: what waits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chain.node.formats import checksum, hex_int, param, read_address
from chain.node.node import Node
from chain.node.rpc.table import Method
from chain.node.transactions import Transaction
from chain.node.views import transaction_json

_ByNonce = dict[str, Any]


def status(node: Node, params: list[Any]) -> dict[str, str]:  # noqa: ARG001
    """How many transactions may run in the next block, and how many wait behind a gap."""
    queued = node.pool.queued
    return {"pending": hex_int(len(node.pool) - queued), "queued": hex_int(queued)}


def content(node: Node, params: list[Any]) -> dict[str, dict[str, _ByNonce]]:  # noqa: ARG001
    """Every waiting transaction, by sender and nonce."""
    ready, queued = _split(node)
    return {"pending": _by_sender(ready), "queued": _by_sender(queued)}


def content_from(node: Node, params: list[Any]) -> dict[str, _ByNonce]:
    """The waiting transactions of one sender, by nonce."""
    sender = read_address(param(params, 0))
    ready, queued = _split(node)
    name = checksum(sender)
    return {"pending": _by_sender(ready).get(name, {}), "queued": _by_sender(queued).get(name, {})}


def inspect(node: Node, params: list[Any]) -> dict[str, dict[str, _ByNonce]]:  # noqa: ARG001
    """Every waiting transaction in a few words, as geth writes them."""
    ready, queued = _split(node)
    return {"pending": _by_sender(ready, brief=True), "queued": _by_sender(queued, brief=True)}


def _split(node: Node) -> tuple[list[Transaction], list[Transaction]]:
    ready = node.pool.take_ready()
    taken = {transaction.hash for transaction in ready}
    return ready, [transaction for transaction in node.pool if transaction.hash not in taken]


def _by_sender(transactions: Iterable[Transaction], *, brief: bool = False) -> dict[str, _ByNonce]:
    found: dict[str, _ByNonce] = {}
    for each in sorted(transactions, key=lambda transaction: transaction.nonce):
        shown = _brief(each) if brief else transaction_json(each, None, 0)
        found.setdefault(checksum(each.sender), {})[str(each.nonce)] = shown
    return found


def _brief(transaction: Transaction) -> str:
    to = checksum(transaction.to) if transaction.to else "contract creation"
    return f"{to}: {transaction.value} wei + {transaction.gas} gas × {transaction.max_fee_per_gas} wei"


METHODS: dict[str, Method] = {
    "txpool_status": status,
    "txpool_content": content,
    "txpool_contentFrom": content_from,
    "txpool_inspect": inspect,
}
