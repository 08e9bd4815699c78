"""eth_call and eth_estimateGas: running what nobody has signed, and forgetting it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from chain.node.blocks import Block
from chain.node.errors import InvalidParams, LimitExceeded
from chain.node.evm.program import ExecutionTimeout
from chain.node.execution import Outcome, failure, run
from chain.node.formats import UINT64_MAX, read_address, read_bytes, read_hash, read_int, read_object
from chain.node.node import Node
from chain.node.transactions import DYNAMIC_FEE, AccessList, Transaction, needed_gas

CALL_GAS_LIMIT = 100_000_000
CALL_SECONDS = 5.0
_CALL_STIPEND = 2_300
_ACCESS_LIST_ROUNDS = 3
_PRECOMPILES = 0xFF


def read_call(value: Any) -> Transaction:
    """The transaction that an eth_call object describes. Fees are read but nobody pays them."""
    fields = read_object(value, "transaction")
    data = fields.get("input") if fields.get("input") is not None else fields.get("data")
    to = fields.get("to")
    tip, fee = _fees(fields)
    gas = fields.get("gas")
    return Transaction(
        type_id=DYNAMIC_FEE,
        chain_id=None,
        nonce=0,
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=fee,
        gas=CALL_GAS_LIMIT if gas is None else min(read_int(gas, "gas", UINT64_MAX), CALL_GAS_LIMIT),
        to=b"" if to in (None, "", "0x") else read_address(to, "to"),
        value=read_int(fields.get("value") or 0, "value"),
        data=b"" if data is None else read_bytes(data, "data"),
        access_list=_access_list(fields.get("accessList")),
        v=0,
        r=0,
        s=0,
        sender=b"\x00" * 20 if fields.get("from") is None else read_address(fields["from"], "from"),
    )


def call(node: Node, transaction: Transaction, block: Block, deadline: float | None = None) -> Outcome:
    """What the transaction would do on top of `block`.

    Raises
    ------
    InvalidParams :
        If its gas is below the intrinsic gas.
    LimitExceeded :
        If it runs past `deadline` (of the monotonic clock), by default CALL_SECONDS from now.
    """
    return _call(node, transaction, block, deadline, None)


def find_access_list(node: Node, transaction: Transaction, block: Block) -> tuple[AccessList, Outcome]:
    """What the transaction touches on top of `block`, and what it does when it names that beforehand.

    Left out is what every transaction may touch for nothing: its sender, its receiver without slots, the
    precompiles, the coinbase (EIP-2929, EIP-3651), and what only reverted calls have touched.
    """
    deadline = time.monotonic() + CALL_SECONDS
    outcome = _call(node, transaction, block, deadline, touched := set[Any]())
    for _ in range(_ACCESS_LIST_ROUNDS):
        found = _list_of(touched, transaction)
        if found == transaction.access_list:
            break
        transaction = replace(transaction, access_list=found)
        touched.clear()
        outcome = _call(node, transaction, block, deadline, touched)
    return transaction.access_list, outcome


def _list_of(touched: set[Any], transaction: Transaction) -> AccessList:
    slots: dict[bytes, list[int]] = {}
    for item in touched:
        if isinstance(item, tuple):
            slots.setdefault(item[0], []).append(item[1])
        elif item not in (transaction.sender, transaction.to) and int.from_bytes(item, "big") > _PRECOMPILES:
            slots.setdefault(item, [])
    return tuple((address, tuple(sorted(slots[address]))) for address in sorted(slots))


def _call(
    node: Node, transaction: Transaction, block: Block, deadline: float | None, touched: set[Any] | None
) -> Outcome:
    if transaction.gas < needed_gas(transaction):
        raise InvalidParams(f"intrinsic gas too low: have {transaction.gas}, want {needed_gas(transaction)}")
    with node.calling(block) as state:
        state.deadline = time.monotonic() + CALL_SECONDS if deadline is None else deadline
        try:
            outcome = run(state, replace(transaction, max_fee_per_gas=0, max_priority_fee_per_gas=0))
        except ExecutionTimeout:
            raise LimitExceeded(f"execution takes longer than {CALL_SECONDS:.0f} s") from None
        if touched is not None:
            touched |= state.world.touched()
        return outcome


def estimate_gas(node: Node, transaction: Transaction, block: Block) -> int:
    """Gas with which the transaction succeeds on top of `block`; near the least, never below.

    Raises
    ------
    RpcError :
        If it fails with any gas.
    """
    deadline = time.monotonic() + CALL_SECONDS
    outcome = call(node, transaction, block, deadline)
    if outcome.error is not None:
        raise failure(outcome)
    spent = outcome.gas_used + outcome.refund
    # Refunds come after the gas was needed, and each call leaves a 64th of it behind (EIP-150).
    for guess in (spent, spent + spent // 63 + _CALL_STIPEND):
        if guess <= transaction.gas and _succeeds(node, transaction, block, guess, deadline):
            return guess
    low, high = spent, transaction.gas
    while high - low > max(1, low // 64):
        middle = min((low + high) // 2, low * 2)
        if _succeeds(node, transaction, block, middle, deadline):
            high = middle
        else:
            low = middle
    return high


def _succeeds(node: Node, transaction: Transaction, block: Block, gas: int, deadline: float) -> bool:
    try:
        return call(node, replace(transaction, gas=gas), block, deadline).error is None
    except InvalidParams:
        return False


def _fees(fields: Any) -> tuple[int, int]:
    if fields.get("gasPrice") is not None:
        price = read_int(fields["gasPrice"], "gasPrice")
        return price, price
    fee = read_int(fields.get("maxFeePerGas") or 0, "maxFeePerGas")
    tip = read_int(fields.get("maxPriorityFeePerGas") or 0, "maxPriorityFeePerGas")
    return tip, fee


def _access_list(value: Any) -> AccessList:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidParams("accessList: expected a list")
    entries: list[tuple[bytes, tuple[int, ...]]] = []
    for entry in value:
        fields = read_object(entry, "accessList")
        slots = fields.get("storageKeys") or []
        if not isinstance(slots, list):
            raise InvalidParams("accessList: storageKeys is not a list")
        entries.append(
            (
                read_address(fields.get("address")),
                tuple(int.from_bytes(read_hash(slot, "storage key"), "big") for slot in slots),
            )
        )
    return tuple(entries)
