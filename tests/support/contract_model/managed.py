"""AccessManaged: who may call a restricted function is the manager's answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tests.support.contract_model.access_manager import AccessManager
from tests.support.contract_model.machine import Address, Contract, Model, Msg, Refused


class Managed(Contract):
    """A contract under an authority. An authority that is no manager permits nothing."""

    def __init__(self, model: Model, address: Address, authority: Address) -> None:
        super().__init__(model, address)
        self._authority = self.table(authority, lambda _key: ("authority",))
        self._consuming = self.table(False, lambda _key: ("isConsumingScheduledOp",))

    def authority(self) -> Address:
        return self._authority[0]

    def set_authority(self, msg: Msg, new_authority: Address) -> None:
        if msg.sender != self._authority[0]:
            raise Refused("AccessManagedUnauthorized", msg.sender)
        if not self.model.has_code(new_authority):
            raise Refused("AccessManagedInvalidAuthority", new_authority)
        self._authority[0] = new_authority
        self.emit("AuthorityUpdated", new_authority)

    def is_consuming_scheduled_op(self) -> bytes:
        return self.interface.function("isConsumingScheduledOp").selector if self._consuming[0] else bytes(4)

    def require_permitted(self, msg: Msg) -> None:
        """Let through who may call now; whoever must wait uses up what he scheduled."""
        manager = self.model.contracts[self._authority[0]]
        if not isinstance(manager, AccessManager):
            raise Refused("AccessManagedUnauthorized", msg.sender)
        immediate, delay_s = manager.may_call(msg.sender, self.address, msg.function.selector)
        if immediate:
            return
        if delay_s == 0:
            raise Refused("AccessManagedUnauthorized", msg.sender)
        self._consuming[0] = True
        self.ask(manager.address, "consumeScheduledOp", msg.sender, msg.data)
        self._consuming[0] = False


def restricted(method: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function that only holders of its role may call."""

    @wraps(method)
    def checked(self: Managed, msg: Msg, *args: Any) -> Any:
        self.require_permitted(msg)
        return method(self, msg, *args)

    return checked
