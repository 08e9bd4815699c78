"""CarbonLedger: who owns which tonne. For each unit, always: issued == held + surrendered + cancelled."""

# ruff: noqa: ARG002 - every function is given its message, as on chain
from __future__ import annotations

from typing import Any, NamedTuple

from tests.support.contract_model import units
from tests.support.contract_model.machine import (
    ZERO,
    ZERO_ADDRESS,
    Address,
    Model,
    Msg,
    Refused,
    digest,
)
from tests.support.contract_model.managed import Managed, restricted
from tests.support.contract_model.once import Once

MAX_ISSUED_T = 2**63 - 1
NONE, FIRM, VERIFIER, PERSON, REGULATOR, DEVELOPER, PROVIDER, BANK, TRADER, CONTRACT = range(10)

_RECEIVED = bytes.fromhex("f23a6e61")
_BATCH_RECEIVED = bytes.fromhex("bc197c81")


class Account(NamedTuple):
    """`profile` is the first 30 bytes of the profile's hash."""

    kind: int = NONE
    profile: bytes = ZERO[:30]


class Supply(NamedTuple):
    """Tonnes over all time."""

    issued_t: int = 0
    surrendered_t: int = 0
    cancelled_t: int = 0


class CarbonLedger(Managed, Once):
    """An ERC-1155 of tonnes in which only open accounts hold, and a frozen account sends nothing."""

    name = "CarbonLedger"

    def __init__(self, model: Model, address: Address, authority: Address) -> None:
        super().__init__(model, address, authority)
        self.accounts = self.table(Account(), lambda account: ("kindOf", account))
        self.frozen = self.table(False, lambda account: ("isFrozen", account))
        self.supplies = self.table(Supply(), lambda unit: ("supplyOf", unit))
        self.balances = self.table(0, lambda key: ("balanceOf", *key))
        self.operators = self.table(False, lambda key: ("isApprovedForAll", *key))

    # Accounts

    @restricted
    def open_accounts(self, msg: Msg, openings: list[tuple[Address, int, bytes]]) -> None:
        for account, kind, profile_hash in openings:
            if account == ZERO_ADDRESS:
                raise Refused("LedgerAccountUnknown", account)
            if kind > CONTRACT:
                raise Refused  # no such kind: the arguments are no arguments
            if kind == NONE:
                raise Refused("LedgerAccountUnknown", account)
            opening = Account(kind, profile_hash[:30])
            before = self.accounts[account]
            if before.kind != NONE:
                if before == opening:
                    continue
                raise Refused("LedgerAccountExists", account, before.kind)
            self.accounts[account] = opening
            self.emit("AccountOpened", account, kind, profile_hash)

    @restricted
    def set_frozen(self, msg: Msg, account: Address, frozen: bool, request_id: bytes) -> None:
        facts = (msg.function.selector, msg.sender, account, frozen)
        if not self.once(request_id, facts, _freeze_digest):
            return
        if self.accounts[account].kind == NONE:
            raise Refused("LedgerAccountUnknown", account)
        self.frozen[account] = frozen
        self.emit("AccountFrozen", account, frozen, request_id)

    # Tonnes come and go

    @restricted
    def issue(self, msg: Msg, unit: int, issues: list[tuple[Address, int]], request_id: bytes) -> None:
        facts = (msg.function.selector, unit, tuple(issues))
        if not self.once_by(msg.sender, request_id, facts, _issue_digest):
            return
        if not units.is_well_formed(unit):
            raise Refused("LedgerUnknownUnit", unit)
        supply = self.supplies[unit]
        issued_t = supply.issued_t
        for _, quantity_t in issues:
            if issued_t + quantity_t > MAX_ISSUED_T:
                raise Refused("LedgerSupplyExceeded", unit, issued_t, quantity_t, MAX_ISSUED_T)
            issued_t += quantity_t
        self.supplies[unit] = supply._replace(issued_t=issued_t)
        for owner, quantity_t in issues:
            self.emit("UnitsIssued", unit, owner, quantity_t, request_id)
            if owner == ZERO_ADDRESS:
                raise Refused("ERC1155InvalidReceiver", owner)
            self._move(msg.sender, ZERO_ADDRESS, owner, [unit], [quantity_t])
            self._ask_receiver(msg.sender, ZERO_ADDRESS, owner, unit, quantity_t, b"")

    @restricted
    def retire(self, msg: Msg, account: Address, unit: int, quantity_t: int, request_id: bytes) -> None:
        self._burn(msg.sender, account, unit, quantity_t)
        supply = self.supplies[unit]
        self.supplies[unit] = supply._replace(surrendered_t=supply.surrendered_t + quantity_t)
        self.emit("UnitsRetired", unit, account, quantity_t, request_id)

    def cancel(self, msg: Msg, unit: int, quantity_t: int, reason: str, request_id: bytes) -> None:
        facts = (msg.function.selector, unit, quantity_t, reason)
        if not self.once_by(msg.sender, request_id, facts, _cancel_digest):
            return
        self._burn(msg.sender, msg.sender, unit, quantity_t)
        supply = self.supplies[unit]
        self.supplies[unit] = supply._replace(cancelled_t=supply.cancelled_t + quantity_t)
        self.emit("UnitsCancelled", unit, msg.sender, quantity_t, reason, request_id)

    # Tonnes move

    def set_approval_for_all(self, msg: Msg, operator: Address, approved: bool) -> None:
        if operator == ZERO_ADDRESS:
            raise Refused("ERC1155InvalidOperator", operator)
        self.operators[msg.sender, operator] = approved
        self.emit("ApprovalForAll", msg.sender, operator, approved)

    def safe_transfer_from(
        self, msg: Msg, owner: Address, to: Address, unit: int, quantity_t: int, data: bytes
    ) -> None:
        self._require_mandate(msg.sender, owner, to)
        self._move(msg.sender, owner, to, [unit], [quantity_t])
        self._ask_receiver(msg.sender, owner, to, unit, quantity_t, data)

    def safe_batch_transfer_from(
        self, msg: Msg, owner: Address, to: Address, unit_ids: list[int], quantities_t: list[int], data: bytes
    ) -> None:
        self._require_mandate(msg.sender, owner, to)
        self._move(msg.sender, owner, to, list(unit_ids), list(quantities_t))
        if self.model.has_code(to):
            answer = self._hook(to, "onERC1155BatchReceived", msg.sender, owner, unit_ids, quantities_t, data)
            if answer != _BATCH_RECEIVED:
                raise Refused("ERC1155InvalidReceiver", to)

    def _require_mandate(self, operator: Address, owner: Address, to: Address) -> None:
        if owner != operator and not self.operators[owner, operator]:
            raise Refused("ERC1155MissingApprovalForAll", operator, owner)
        if to == ZERO_ADDRESS:
            raise Refused("ERC1155InvalidReceiver", to)

    def _burn(self, operator: Address, owner: Address, unit: int, quantity_t: int) -> None:
        if owner == ZERO_ADDRESS:
            raise Refused("ERC1155InvalidSender", owner)
        self._move(operator, owner, ZERO_ADDRESS, [unit], [quantity_t])

    def _move(  # noqa: PLR0912 - one rule a line
        self, operator: Address, owner: Address, to: Address, unit_ids: list[int], quantities_t: list[int]
    ) -> None:
        """Every movement passes here: minting has no owner, burning nobody to go to."""
        if owner != ZERO_ADDRESS:
            if self.accounts[owner].kind == NONE:
                raise Refused("LedgerAccountUnknown", owner)
            if self.frozen[owner]:
                raise Refused("LedgerAccountFrozen", owner)
        if to != ZERO_ADDRESS and self.accounts[to].kind == NONE:
            raise Refused("LedgerAccountUnknown", to)
        if len(unit_ids) != len(quantities_t):
            raise Refused("ERC1155InvalidArrayLength", len(unit_ids), len(quantities_t))
        pairs = list(zip(unit_ids, quantities_t, strict=True))
        for unit, quantity_t in pairs:
            if quantity_t == 0:
                raise Refused("LedgerZeroQuantity")
            if owner != ZERO_ADDRESS:
                self._require_holding(owner, unit, quantity_t)
        for unit, quantity_t in pairs:
            if owner != ZERO_ADDRESS:
                held_t = self.balances[owner, unit]
                if held_t < quantity_t:  # one unit twice in a batch
                    raise Refused("ERC1155InsufficientBalance", owner, held_t, quantity_t, unit)
                self.balances[owner, unit] = held_t - quantity_t
            if to != ZERO_ADDRESS:
                self.balances[to, unit] = self.balances[to, unit] + quantity_t
        if len(pairs) == 1:
            self.emit("TransferSingle", operator, owner, to, *pairs[0])
        else:
            self.emit("TransferBatch", operator, owner, to, unit_ids, quantities_t)

    def _require_holding(self, owner: Address, unit: int, needed_t: int) -> None:
        held_t = self.balances[owner, unit]
        if held_t >= needed_t:
            return
        if self.supplies[unit].issued_t == 0:
            raise Refused("LedgerUnknownUnit", unit)
        raise Refused("LedgerInsufficientHolding", owner, unit, held_t, needed_t)

    def _ask_receiver(
        self, operator: Address, owner: Address, to: Address, unit: int, quantity_t: int, data: bytes
    ) -> None:
        if self.model.has_code(to):
            answer = self._hook(to, "onERC1155Received", operator, owner, unit, quantity_t, data)
            if answer != _RECEIVED:
                raise Refused("ERC1155InvalidReceiver", to)

    def _hook(self, to: Address, name: str, *args: Any) -> Any:
        """Tell a contract what arrived. It may refuse, and it may call whom it likes."""
        if name not in self.model.contracts[to].interface.by_name:
            raise Refused("ERC1155InvalidReceiver", to)
        try:
            return self.ask(to, name, *args)
        except Refused as refused:
            raise (refused if refused.name else Refused("ERC1155InvalidReceiver", to)) from None

    # Views

    def balance_of(self, account: Address, unit: int) -> int:
        return int(self.balances[account, unit])

    def balance_of_batch(self, accounts: list[Address], unit_ids: list[int]) -> list[int]:
        if len(accounts) != len(unit_ids):
            raise Refused("ERC1155InvalidArrayLength", len(unit_ids), len(accounts))
        return [self.balances[key] for key in zip(accounts, unit_ids, strict=True)]

    def is_approved_for_all(self, owner: Address, operator: Address) -> bool:
        return bool(self.operators[owner, operator])

    def kind_of(self, account: Address) -> int:
        return int(self.accounts[account].kind)

    def is_frozen(self, account: Address) -> bool:
        return bool(self.frozen[account])

    def supply_of(self, unit: int) -> Supply:
        supply: Supply = self.supplies[unit]
        return supply

    def uri(self, unit: int) -> str:
        return ""

    def supports_interface(self, interface_id: bytes) -> bool:
        return interface_id.hex() in ("01ffc9a7", "d9b67a26", "0e89341c")  # ERC-165, ERC-1155, its metadata


def _freeze_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "address", "bool"], facts)


def _issue_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "uint256", "(address,uint256)[]"], facts)


def _cancel_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "uint256", "uint256", "string"], facts)
