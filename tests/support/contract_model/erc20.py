"""The ERC-20 under the cash and the points, as OpenZeppelin 5 has it."""

from __future__ import annotations

from typing import Any

from tests.support.contract_model.machine import UINT256_MAX, ZERO_ADDRESS, Address, Contract, Msg, Refused


class Erc20(Contract):
    """Balances, allowances, a total."""

    title = ""
    sign = ""
    places = 18

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.balances = self.table(0, lambda account: ("balanceOf", account))
        self.allowances = self.table(0, lambda key: ("allowance", *key))
        self.total = self.table(0, lambda _key: ("totalSupply",))

    def transfer(self, msg: Msg, to: Address, value: int) -> bool:
        self.move(msg.sender, to, value)
        return True

    def transfer_from(self, msg: Msg, owner: Address, to: Address, value: int) -> bool:
        self.spend_allowance(owner, msg.sender, value)
        self.move(owner, to, value)
        return True

    def approve(self, msg: Msg, spender: Address, value: int) -> bool:
        if spender == ZERO_ADDRESS:
            raise Refused("ERC20InvalidSpender", spender)
        self.allowances[msg.sender, spender] = value
        self.emit("Approval", msg.sender, spender, value)
        return True

    def spend_allowance(self, owner: Address, spender: Address, value: int) -> None:
        """All the money in the world is an allowance without an end. Nothing is said of what was spent."""
        allowed = self.allowances[owner, spender]
        if allowed == UINT256_MAX:
            return
        if allowed < value:
            raise Refused("ERC20InsufficientAllowance", spender, allowed, value)
        if owner == ZERO_ADDRESS:
            raise Refused("ERC20InvalidApprover", owner)
        if spender == ZERO_ADDRESS:
            raise Refused("ERC20InvalidSpender", spender)
        self.allowances[owner, spender] = allowed - value

    def move(self, owner: Address, to: Address, value: int) -> None:
        if owner == ZERO_ADDRESS:
            raise Refused("ERC20InvalidSender", owner)
        if to == ZERO_ADDRESS:
            raise Refused("ERC20InvalidReceiver", to)
        self._take(owner, value)
        self.balances[to] = self.balances[to] + value
        self.emit("Transfer", owner, to, value)

    def mint_to(self, to: Address, value: int) -> None:
        if to == ZERO_ADDRESS:
            raise Refused("ERC20InvalidReceiver", to)
        self.total[0] = self.total[0] + value
        self.balances[to] = self.balances[to] + value
        self.emit("Transfer", ZERO_ADDRESS, to, value)

    def burn_from(self, owner: Address, value: int) -> None:
        self._take(owner, value)
        self.total[0] = self.total[0] - value
        self.emit("Transfer", owner, ZERO_ADDRESS, value)

    def _take(self, owner: Address, value: int) -> None:
        balance = self.balances[owner]
        if balance < value:
            raise Refused("ERC20InsufficientBalance", owner, balance, value)
        self.balances[owner] = balance - value

    def balance_of(self, account: Address) -> int:
        return int(self.balances[account])

    def allowance(self, owner: Address, spender: Address) -> int:
        return int(self.allowances[owner, spender])

    def total_supply(self) -> int:
        return int(self.total[0])

    def decimals(self) -> int:
        return self.places

    def token_name(self) -> str:
        return self.title

    def symbol(self) -> str:
        return self.sign
