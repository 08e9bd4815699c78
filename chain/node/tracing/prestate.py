"""The prestate tracer: what a transaction touched, as it was before, as geth's prestateTracer writes it.

With `diff`, only what it changed, before and after.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth.abc import MessageAPI
from eth.vm.computation import BaseComputation
from eth_typing import Address

from chain.node.execution import Outcome
from chain.node.fork import COINBASE, NodeState
from chain.node.formats import hex_bytes, hex_int, hex_word
from chain.node.tracing.budget import Budget
from chain.node.tracing.machine import CALLS, Tracer, peek, peek_address
from chain.node.transactions import Transaction

_ACCOUNT_BYTES, _SLOT_BYTES = 200, 150
_BY_ADDRESS = ("BALANCE", "EXTCODEHASH", "EXTCODESIZE", "EXTCODECOPY", "SELFDESTRUCT")


@dataclass(slots=True)
class _Account:
    balance: int
    nonce: int
    code: bytes
    storage: dict[int, int] = field(default_factory=dict)

    @property
    def there(self) -> bool:
        return bool(self.balance or self.nonce or self.code or any(self.storage.values()))


class PrestateTracer(Tracer):
    """Reads an account or slot when it is first touched, which is before it is changed."""

    def __init__(self, budget: Budget, state: NodeState, transaction: Transaction, *, diff: bool) -> None:
        super().__init__(budget)
        self._state, self._diff = state, diff
        self._before: dict[bytes, _Account] = {}
        self._created: set[bytes] = set()
        for address in (transaction.sender, transaction.to, COINBASE):
            if address:
                self._touch(address)

    def enter(self, message: MessageAPI, parent: BaseComputation | None) -> None:  # noqa: ARG002
        """A creation touches its address; nonce, value and code come only after this is told."""
        if message.is_create:
            self._created.add(message.storage_address)
            self._touch(message.storage_address)

    def step(self, computation: BaseComputation, name: str) -> None:
        """Touch what the opcode is about to read or write."""
        if name in ("SLOAD", "SSTORE"):
            self._touch_slot(computation.msg.storage_address, peek(computation, 0))
        elif name in _BY_ADDRESS:
            self._touch(peek_address(computation, 0))
        elif name in CALLS:
            self._touch(peek_address(computation, 1))

    def result(self, outcome: Outcome) -> dict[str, Any]:  # noqa: ARG002
        """Accounts before; with `diff` what changed, before and after."""
        if not self._diff:
            return {hex_bytes(address): _shown(account) for address, account in self._before.items()}
        pre: dict[str, Any] = {}
        post: dict[str, Any] = {}
        for address, before in self._before.items():
            after = self._read(address)
            after.storage = {slot: self._slot(address, slot) for slot in before.storage}
            changed = _changes(before, after)
            if not changed and before.storage == after.storage:
                continue
            name = hex_bytes(address)
            if before.there or address not in self._created:
                kept = {slot: value for slot, value in before.storage.items() if value != after.storage[slot]}
                pre[name] = _shown(_Account(before.balance, before.nonce, before.code, kept), zeros=False)
            if after.there:
                slots = {
                    s: value for s, value in after.storage.items() if value and value != before.storage[s]
                }
                post[name] = changed | _storage_json(slots)
        return {"pre": pre, "post": post}

    def _touch(self, address: bytes) -> _Account:
        account = self._before.get(address)
        if account is None:
            account = self._before[address] = self._read(address)
            self.budget.take(_ACCOUNT_BYTES + 2 * len(account.code))
        return account

    def _touch_slot(self, address: bytes, slot: int) -> None:
        storage = self._touch(address).storage
        if slot not in storage:
            storage[slot] = self._slot(address, slot)
            self.budget.take(_SLOT_BYTES)

    def _read(self, address: bytes) -> _Account:
        where, state = Address(address), self._state
        return _Account(state.get_balance(where), state.get_nonce(where), state.get_code(where))

    def _slot(self, address: bytes, slot: int) -> int:
        return self._state.get_storage(Address(address), slot)


def _shown(account: _Account, *, zeros: bool = True) -> dict[str, Any]:
    shown: dict[str, Any] = {"balance": hex_int(account.balance)}
    if account.nonce:
        shown["nonce"] = account.nonce
    if account.code:
        shown["code"] = hex_bytes(account.code)
    slots = account.storage if zeros else {slot: value for slot, value in account.storage.items() if value}
    return shown | _storage_json(slots)


def _changes(before: _Account, after: _Account) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    if before.balance != after.balance:
        changed["balance"] = hex_int(after.balance)
    if before.nonce != after.nonce:
        changed["nonce"] = after.nonce
    if before.code != after.code:
        changed["code"] = hex_bytes(after.code)
    return changed


def _storage_json(slots: dict[int, int]) -> dict[str, Any]:
    return {"storage": {hex_word(slot): hex_word(value) for slot, value in slots.items()}} if slots else {}
