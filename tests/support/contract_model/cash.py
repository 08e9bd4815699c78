"""SettlementCash: money at the settlement bank, in fen. Always: totalSupply == minted - redeemed < 2^63."""

from __future__ import annotations

from typing import Any

from tests.support.contract_model.erc20 import Erc20
from tests.support.contract_model.ledger import CONTRACT, CarbonLedger
from tests.support.contract_model.machine import ZERO_ADDRESS, Address, Model, Msg, Refused, digest
from tests.support.contract_model.managed import Managed, restricted
from tests.support.contract_model.once import Once

MAX_SUPPLY_FEN = 2**63 - 1

_TRANSFER_RECEIVED = bytes.fromhex("88a7ca5c")
_APPROVAL_RECEIVED = bytes.fromhex("7b04a2d0")


class SettlementCash(Managed, Once, Erc20):
    """Cash moves freely; to a contract's account only with a call, so that it learns whose it is."""

    name = "SettlementCash"
    title = "CARAT settlement cash"
    sign = "CNYS"
    places = 2

    def __init__(self, model: Model, address: Address, authority: Address, ledger: CarbonLedger) -> None:
        super().__init__(model, address, authority)
        self._ledger = ledger

    @restricted
    def mint(self, msg: Msg, credits_: list[tuple[Address, int]], request_id: bytes) -> None:
        facts = (msg.function.selector, msg.sender, tuple(credits_))
        if not self.once(request_id, facts, _mint_digest):
            return
        for to, amount_fen in credits_:
            supply_fen = self.total[0]
            if amount_fen > MAX_SUPPLY_FEN - supply_fen:
                raise Refused("CashSupplyExceeded", supply_fen, amount_fen, MAX_SUPPLY_FEN)
            self._require_no_call_needed(ZERO_ADDRESS, to, amount_fen)
            self.mint_to(to, amount_fen)
            self.emit("CashMinted", to, amount_fen, request_id)

    def redeem(self, msg: Msg, amount_fen: int, request_id: bytes) -> None:
        if amount_fen == 0:
            raise Refused("CashZeroAmount")
        if not self.once_by(msg.sender, request_id, (msg.function.selector, amount_fen), _redeem_digest):
            return
        self.burn_from(msg.sender, amount_fen)
        self.emit("CashRedeemed", msg.sender, amount_fen, request_id)

    def transfer(self, msg: Msg, to: Address, value: int) -> bool:
        self._require_no_call_needed(msg.sender, to, value)
        return super().transfer(msg, to, value)

    def transfer_from(self, msg: Msg, owner: Address, to: Address, value: int) -> bool:
        self._require_no_call_needed(owner, to, value)
        return super().transfer_from(msg, owner, to, value)

    def transfer_and_call(self, msg: Msg, to: Address, value: int, data: bytes = b"") -> bool:
        self.move(msg.sender, to, value)
        self._hook(to, "onTransferReceived", _TRANSFER_RECEIVED, msg.sender, msg.sender, value, data)
        return True

    def transfer_from_and_call(
        self, msg: Msg, owner: Address, to: Address, value: int, data: bytes = b""
    ) -> bool:
        self.spend_allowance(owner, msg.sender, value)
        self.move(owner, to, value)
        self._hook(to, "onTransferReceived", _TRANSFER_RECEIVED, msg.sender, owner, value, data)
        return True

    def approve_and_call(self, msg: Msg, spender: Address, value: int, data: bytes = b"") -> bool:
        self.approve(msg, spender, value)
        self._hook(spender, "onApprovalReceived", _APPROVAL_RECEIVED, msg.sender, value, data)
        return True

    def _hook(self, to: Address, name: str, expected: bytes, *args: Any) -> None:
        """ERC-1363: only a contract that answers rightly takes part."""
        wrong = "ERC1363InvalidSpender" if name == "onApprovalReceived" else "ERC1363InvalidReceiver"
        contract = self.model.contracts.get(to)
        if contract is None or name not in contract.interface.by_name:
            raise Refused(wrong, to)
        try:
            answer = self.ask(to, name, *args)
        except Refused as refused:
            raise (refused if refused.name else Refused(wrong, to)) from None
        if answer != expected:
            raise Refused(wrong, to)

    def _require_no_call_needed(self, owner: Address, to: Address, amount_fen: int) -> None:
        if self.model.has_code(to) and self._ledger.accounts[to].kind == CONTRACT:
            raise Refused("CashPlainTransferToContract", owner, to, amount_fen)

    def ledger(self) -> Address:
        return self._ledger.address

    def supports_interface(self, interface_id: bytes) -> bool:
        return interface_id.hex() in ("01ffc9a7", "b0202a11")  # ERC-165, ERC-1363


def _mint_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "address", "(address,uint256)[]"], facts)


def _redeem_digest(facts: tuple[Any, ...]) -> bytes:
    return digest(["bytes4", "uint256"], facts)
