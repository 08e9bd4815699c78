"""eth_call and eth_estimateGas: running what nobody has signed, and forgetting it.

With overrides a call runs on a world of its own; without, on the one that is kept, and is undone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from eth_typing import Hash32

from chain.node.blocks import Block
from chain.node.errors import InvalidParams, LimitExceeded, ServerError
from chain.node.evm.program import ExecutionTimeout
from chain.node.execution import Outcome, failure, run
from chain.node.fork import CallState
from chain.node.formats import UINT64_MAX, read_address, read_bytes, read_hash, read_int, read_object
from chain.node.node import Node
from chain.node.overrides import NONE, OverriddenState, Overrides, apply_accounts, overridden_context
from chain.node.transactions import DYNAMIC_FEE, AccessList, Transaction, needed_gas
from chain.node.world import World

CALL_GAS_LIMIT = 100_000_000
CALL_SECONDS = 5.0
_CALL_STIPEND = 2_300
_ACCESS_LIST_ROUNDS = 3
_PRECOMPILES = 0xFF
_FOREIGN_FIELDS = ("blobVersionedHashes", "blobs", "commitments", "proofs", "authorizationList")


def read_call(value: Any) -> Transaction:
    """The transaction that an eth_call object describes. Fees are read but nobody pays them.

    Raises
    ------
    InvalidParams :
        If its fields make no sense.
    ServerError :
        If they contradict each other, or it is of a type that this chain does not take.
    """
    fields = read_object(value, "transaction")
    refuse_foreign_types(fields)
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
        value=read_int(_or_zero(fields.get("value")), "value"),
        data=_data(fields),
        access_list=read_access_list(fields.get("accessList")),
        v=0,
        r=0,
        s=0,
        sender=b"\x00" * 20 if fields.get("from") is None else read_address(fields["from"], "from"),
    )


def refuse_foreign_types(fields: Mapping[str, Any]) -> None:
    """Refuse blobs and set-code authorizations, which a Cancun chain without blobs does not have."""
    kind = fields.get("type")
    if kind is not None and read_int(kind, "type") > DYNAMIC_FEE:
        raise ServerError(f"transaction type not supported: {read_int(kind, 'type')}")
    for name in _FOREIGN_FIELDS:
        if fields.get(name):
            raise ServerError(f"transaction type not supported: {name}")


def free(transaction: Transaction) -> Transaction:
    """The same without fees."""
    return replace(transaction, max_fee_per_gas=0, max_priority_fee_per_gas=0)


@contextmanager
def prepared(node: Node, block: Block, overrides: Overrides) -> Iterator[CallState]:
    """The world as a call on top of `block` sees it, under the overrides."""
    with node.calling(block) as state:
        if not overrides:
            yield state
            return
        context = overridden_context(state.execution_context, overrides.block)
        world = World(node.store.state, Hash32(block.header.state_root))
        changed = OverriddenState(world, context)
        changed.set_precompiles(apply_accounts(world, overrides.accounts))
        changed.blob_fee = overrides.block.blob_base_fee
        yield changed


def call(
    node: Node,
    transaction: Transaction,
    block: Block,
    deadline: float | None = None,
    overrides: Overrides = NONE,
) -> Outcome:
    """What the transaction would do on top of `block`.

    Raises
    ------
    ServerError :
        If its gas is below the intrinsic gas, or its sender has not the value.
    LimitExceeded :
        If it runs past `deadline` (of the monotonic clock), by default CALL_SECONDS from now.
    """
    return _call(node, transaction, block, deadline, None, overrides)


def find_access_list(node: Node, transaction: Transaction, block: Block) -> tuple[AccessList, Outcome]:
    """What the transaction touches on top of `block`, and what it does when it names that beforehand.

    Left out is what every transaction may touch for nothing: its sender, its receiver without slots, the
    precompiles, the coinbase (EIP-2929, EIP-3651), and what only reverted calls have touched.
    """
    deadline = time.monotonic() + CALL_SECONDS
    outcome = _call(node, transaction, block, deadline, touched := set[Any]())
    for _ in range(_ACCESS_LIST_ROUNDS):
        found = _list_of(touched, transaction.sender, outcome.created or transaction.to)
        if found == transaction.access_list:
            break
        transaction = replace(transaction, access_list=found)
        touched.clear()
        outcome = _call(node, transaction, block, deadline, touched)
    return transaction.access_list, outcome


def _list_of(touched: set[Any], sender: bytes, to: bytes) -> AccessList:
    slots: dict[bytes, list[int]] = {}
    for item in touched:
        if isinstance(item, tuple):
            slots.setdefault(item[0], []).append(item[1])
        elif item not in (sender, to) and int.from_bytes(item, "big") > _PRECOMPILES:
            slots.setdefault(item, [])
    return tuple((address, tuple(sorted(slots[address]))) for address in sorted(slots))


def _call(
    node: Node,
    transaction: Transaction,
    block: Block,
    deadline: float | None,
    touched: set[Any] | None,
    overrides: Overrides = NONE,
) -> Outcome:
    if transaction.gas < needed_gas(transaction):
        raise ServerError(f"intrinsic gas too low: have {transaction.gas}, want {needed_gas(transaction)}")
    with prepared(node, block, overrides) as state:
        state.deadline = time.monotonic() + CALL_SECONDS if deadline is None else deadline
        try:
            outcome = run(state, free(transaction))
        except ExecutionTimeout:
            raise LimitExceeded(f"execution takes longer than {CALL_SECONDS:.0f} s") from None
        if touched is not None:
            touched |= state.world.touched()
        return outcome


def estimate_gas(node: Node, transaction: Transaction, block: Block, overrides: Overrides = NONE) -> int:
    """Gas with which the transaction succeeds on top of `block`; near the least, never below.

    Raises
    ------
    RpcError :
        If it fails with any gas.
    """
    deadline = time.monotonic() + CALL_SECONDS
    outcome = call(node, transaction, block, deadline, overrides)
    if outcome.error is not None:
        raise failure(outcome)
    spent = outcome.gas_used + outcome.refund
    # Refunds come after the gas was needed, and each call leaves a 64th of it behind (EIP-150).
    for guess in (spent, spent + spent // 63 + _CALL_STIPEND):
        if guess <= transaction.gas and _succeeds(node, transaction, block, guess, deadline, overrides):
            return guess
    low, high = spent, transaction.gas
    while high - low > max(1, low // 64):
        middle = min((low + high) // 2, low * 2)
        if _succeeds(node, transaction, block, middle, deadline, overrides):
            high = middle
        else:
            low = middle
    return high


def _succeeds(
    node: Node, transaction: Transaction, block: Block, gas: int, deadline: float, overrides: Overrides
) -> bool:
    try:
        return call(node, replace(transaction, gas=gas), block, deadline, overrides).error is None
    except ServerError:
        return False


def _data(fields: Mapping[str, Any]) -> bytes:
    found = [read_bytes(fields[name], name) for name in ("input", "data") if fields.get(name) is not None]
    if len(found) == 2 and found[0] != found[1]:
        raise ServerError('both "data" and "input" are set and not equal')
    return found[0] if found else b""


def _fees(fields: Mapping[str, Any]) -> tuple[int, int]:
    dynamic = fields.get("maxFeePerGas") is not None or fields.get("maxPriorityFeePerGas") is not None
    if fields.get("gasPrice") is not None:
        if dynamic:
            raise ServerError("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
        price = read_int(fields["gasPrice"], "gasPrice")
        return price, price
    fee = read_int(_or_zero(fields.get("maxFeePerGas")), "maxFeePerGas")
    tip = read_int(_or_zero(fields.get("maxPriorityFeePerGas")), "maxPriorityFeePerGas")
    return tip, fee


def _or_zero(value: Any) -> Any:
    return 0 if value is None else value


def read_access_list(value: Any) -> AccessList:
    """The access list of a request; null for none."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidParams("accessList: expected a list")
    entries: list[tuple[bytes, tuple[int, ...]]] = []
    for entry in value:
        fields = read_object(entry, "accessList")
        slots = fields.get("storageKeys")
        if not isinstance(slots, list | None):
            raise InvalidParams("accessList: storageKeys is not a list")
        entries.append(
            (
                read_address(fields.get("address")),
                tuple(int.from_bytes(read_hash(slot, "storage key"), "big") for slot in slots or ()),
            )
        )
    return tuple(entries)
