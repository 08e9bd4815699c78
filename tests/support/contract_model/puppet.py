"""Puppet: an account that is a contract, and bites when something arrives (see Puppet.sol)."""

# ruff: noqa: ARG002 - every function is given its message, as on chain
from __future__ import annotations

from typing import Any

from tests.support.contract_model.access_manager import decoded
from tests.support.contract_model.machine import Address, Contract, Model, Msg, Refused

RIGHT, WRONG, REFUSE, SILENT = range(4)

Step = tuple[Address, bytes, bool]  # whom to call, with what, and whether a refusal ends the whole


class Puppet(Contract):
    """Holds, signs, and bites."""

    name = "Puppet"

    def __init__(self, model: Model, address: Address) -> None:
        super().__init__(model, address)
        self.armed = self.table((RIGHT, ()))

    def arm(self, msg: Msg, answer: int, steps: list[Step]) -> None:
        if answer > SILENT:
            raise Refused
        self.armed[0] = (answer, tuple(steps))

    def perform(self, msg: Msg, steps: list[Step]) -> None:
        for step in steps:
            self._do(step)

    def on_erc1155_received(self, msg: Msg, *_args: Any) -> bytes:
        return self._react(msg)

    on_erc1155_batch_received = on_transfer_received = on_approval_received = on_erc1155_received

    def is_valid_signature(self, signed: bytes, signature: bytes) -> bytes:
        return bytes.fromhex("1626ba7e") if self.is_valid(signed, signature) else bytes(4)

    def is_valid(self, signed: bytes, signature: bytes) -> bool:
        return signature == signed

    def _react(self, msg: Msg) -> bytes:
        answer, steps = self.armed[0]
        self.armed[0] = (RIGHT, ())
        for step in steps:
            self._do(step)
        if answer == REFUSE:
            raise Refused("PuppetRefuses")
        if answer == SILENT:
            raise Refused
        return b"\xde\xad\xbe\xef" if answer == WRONG else msg.function.selector

    def _do(self, step: Step) -> None:
        target, data, must = step
        contract = self.model.contracts.get(target)
        if contract is None:
            return  # nobody there: a call to nobody is done at once
        try:
            function, args = decoded(contract, data)
            self.model.call(self.address, target, function, args)
        except Refused:
            if must:
                raise
