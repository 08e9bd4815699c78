"""AccessManager (OpenZeppelin 5): roles, and delays in which others can see what is coming.

A role's member may have to wait: then he schedules the call, waits, and makes it before it expires.
An operation is named by the hash of caller, target and calldata.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from eth_abi import decode
from eth_abi.exceptions import DecodingError

from tests.support.contract_model.interface import Function
from tests.support.contract_model.machine import (
    OVERFLOW,
    Address,
    Contract,
    Model,
    Msg,
    Refused,
    digest,
)

ADMIN = 0
PUBLIC = 2**64 - 1
EXPIRATION_S = 7 * 24 * 3600
SETBACK_S = 5 * 24 * 3600  # how long a change of a delay itself waits at least

_ADMIN_ONLY = ("labelRole", "setRoleAdmin", "setRoleGuardian", "setGrantDelay", "setTargetAdminDelay")
_WITH_TARGET_DELAY = ("updateAuthority", "setTargetClosed", "setTargetFunctionRole")
_BY_ROLE_ADMIN = ("grantRole", "revokeRole")


class Delay(NamedTuple):
    """Seconds to wait: `before` until the second `effect`, `after` from then on."""

    before: int = 0
    after: int = 0
    effect: int = 0

    def at(self, now: int) -> Delay:
        return Delay(self.after) if self.effect <= now else self

    def changed(self, now: int, value: int, setback_s: int) -> Delay:
        """A longer delay holds at once, a shorter one after the difference; neither before the setback."""
        current = self.at(now).before
        return Delay(current, value, now + max(setback_s, current - value, 0))


class Access(NamedTuple):
    """A membership: from when, and how long its acts must wait. `since` 0: none."""

    since: int = 0
    delay: Delay = Delay()


class AccessManager(Contract):
    """Who may call what, for every contract under it."""

    name = "AccessManager"

    def __init__(self, model: Model, address: Address, admin: Address) -> None:
        super().__init__(model, address)
        self.members = self.table(Access(), lambda key: ("getAccess", *key))
        self.role_admins = self.table(ADMIN, lambda role: ("getRoleAdmin", role))
        self.guardians = self.table(ADMIN, lambda role: ("getRoleGuardian", role))
        self.grant_delays = self.table(Delay(), lambda role: ("getRoleGrantDelay", role))
        self.function_roles = self.table(ADMIN, lambda key: ("getTargetFunctionRole", *key))
        self.admin_delays = self.table(Delay(), lambda target: ("getTargetAdminDelay", target))
        self.closed = self.table(False, lambda target: ("isTargetClosed", target))
        self.timepoints = self.table(0, self._show_schedule)
        self.nonces = self.table(0, lambda operation: ("getNonce", operation))
        self._executing = self.table(None)
        self._grant(ADMIN, admin, 0, 0)

    # Who may

    def may_call(self, caller: Address, target: Address, selector: bytes) -> tuple[bool, int]:
        """At once, or after how many seconds; (False, 0) for never."""
        if self.closed[target]:
            return False, 0
        if caller == self.address:
            return self._executing[0] == (target, selector), 0
        if selector == _SET_AUTHORITY:
            delay_s = self.admin_delays[target].at(self.now).before
            return self._as_member(ADMIN, caller, delay_s)
        return self._as_member(self.function_roles[target, selector], caller)

    def _as_member(self, role: int, caller: Address, least_delay_s: int = 0) -> tuple[bool, int]:
        member, delay_s = self._membership(role, caller)
        if not member:
            return False, 0
        delay_s = max(delay_s, least_delay_s)
        return delay_s == 0, delay_s

    def _membership(self, role: int, account: Address) -> tuple[bool, int]:
        if role == PUBLIC:
            return True, 0
        access = self.members[role, account]
        return 0 < access.since <= self.now, access.delay.at(self.now).before

    def _may_call_here(self, caller: Address, data: bytes) -> tuple[bool, int]:
        """As `may_call`, for the manager's own functions."""
        if len(data) < 4:
            return False, 0
        if caller == self.address:
            return self._executing[0] == (self.address, data[:4]), 0
        by_admin, role, least_delay_s = self._restriction(data)
        if not by_admin and self.closed[self.address]:
            return False, 0
        return self._as_member(role, caller, least_delay_s)

    def _may_call_anywhere(self, caller: Address, target: Address, data: bytes) -> tuple[bool, int]:
        if target == self.address:
            return self._may_call_here(caller, data)
        return (False, 0) if len(data) < 4 else self.may_call(caller, target, data[:4])

    def _restriction(self, data: bytes) -> tuple[bool, int, int]:
        """Is the function the administrators' own; the role it needs; how long it waits at least."""
        function = self.interface.functions.get(data[:4])
        name = function.name if function is not None else ""
        if name in _ADMIN_ONLY:
            return True, ADMIN, 0
        if name in _WITH_TARGET_DELAY:
            (target,) = _first_word(data, "address")
            return True, ADMIN, self.admin_delays[target].at(self.now).before
        if name in _BY_ROLE_ADMIN:
            (role,) = _first_word(data, "uint64")
            return True, self.role_admins[role], 0
        return False, self.function_roles[self.address, data[:4]], 0

    def _require_authorized(self, msg: Msg) -> None:
        immediate, delay_s = self._may_call_here(msg.sender, msg.data)
        if immediate:
            return
        if delay_s == 0:
            _, role, _ = self._restriction(msg.data)
            raise Refused("AccessManagerUnauthorizedAccount", msg.sender, role)
        self._consume(_operation(msg.sender, self.address, msg.data))

    # Roles

    def label_role(self, msg: Msg, role: int, label: str) -> None:
        self._require_authorized(msg)
        _require_open_role(role)
        self.emit("RoleLabel", role, label)

    def grant_role(self, msg: Msg, role: int, account: Address, delay_s: int) -> None:
        self._require_authorized(msg)
        self._grant(role, account, self.grant_delays[role].at(self.now).before, delay_s)

    def _grant(self, role: int, account: Address, grant_delay_s: int, delay_s: int) -> None:
        if role == PUBLIC:
            raise Refused("AccessManagerLockedRole", role)
        access = self.members[role, account]
        new = access.since == 0
        if new:
            since = self.now + grant_delay_s
            self.members[role, account] = Access(since, Delay(after=delay_s))
        else:
            delay = access.delay.changed(self.now, delay_s, 0)
            since = delay.effect
            self.members[role, account] = Access(access.since, delay)
        self.emit("RoleGranted", role, account, delay_s, since, new)

    def revoke_role(self, msg: Msg, role: int, account: Address) -> None:
        self._require_authorized(msg)
        self._revoke(role, account)

    def renounce_role(self, msg: Msg, role: int, confirmation: Address) -> None:
        if confirmation != msg.sender:
            raise Refused("AccessManagerBadConfirmation")
        self._revoke(role, confirmation)

    def _revoke(self, role: int, account: Address) -> None:
        if role == PUBLIC:
            raise Refused("AccessManagerLockedRole", role)
        if self.members[role, account].since == 0:
            return
        self.members[role, account] = Access()
        self.emit("RoleRevoked", role, account)

    def set_role_admin(self, msg: Msg, role: int, admin: int) -> None:
        self._require_authorized(msg)
        _require_open_role(role)
        self.role_admins[role] = admin
        self.emit("RoleAdminChanged", role, admin)

    def set_role_guardian(self, msg: Msg, role: int, guardian: int) -> None:
        self._require_authorized(msg)
        _require_open_role(role)
        self.guardians[role] = guardian
        self.emit("RoleGuardianChanged", role, guardian)

    def set_grant_delay(self, msg: Msg, role: int, delay_s: int) -> None:
        self._require_authorized(msg)
        if role == PUBLIC:
            raise Refused("AccessManagerLockedRole", role)
        delay = self.grant_delays[role].changed(self.now, delay_s, SETBACK_S)
        self.grant_delays[role] = delay
        self.emit("RoleGrantDelayChanged", role, delay_s, delay.effect)

    # Targets

    def set_target_function_role(self, msg: Msg, target: Address, selectors: list[bytes], role: int) -> None:
        self._require_authorized(msg)
        for selector in selectors:
            if selector == _SET_AUTHORITY:
                raise Refused("AccessManagerLockedFunction", selector)
            self.function_roles[target, selector] = role
            self.emit("TargetFunctionRoleUpdated", target, selector, role)

    def set_target_admin_delay(self, msg: Msg, target: Address, delay_s: int) -> None:
        self._require_authorized(msg)
        delay = self.admin_delays[target].changed(self.now, delay_s, SETBACK_S)
        self.admin_delays[target] = delay
        self.emit("TargetAdminDelayUpdated", target, delay_s, delay.effect)

    def set_target_closed(self, msg: Msg, target: Address, closed: bool) -> None:
        self._require_authorized(msg)
        self.closed[target] = closed
        self.emit("TargetClosed", target, closed)

    def update_authority(self, msg: Msg, target: Address, new_authority: Address) -> None:
        self._require_authorized(msg)
        contract = self.model.contracts.get(target)
        if contract is None or "setAuthority" not in contract.interface.by_name:
            raise Refused
        self.ask(target, "setAuthority", new_authority)

    # Operations that wait

    def schedule(self, msg: Msg, target: Address, data: bytes, when: int) -> tuple[bytes, int]:
        _, setback_s = self._may_call_anywhere(msg.sender, target, data)
        earliest = self.now + setback_s
        if setback_s == 0 or 0 < when < earliest:
            raise Refused("AccessManagerUnauthorizedCall", msg.sender, target, _selector_of(data))
        when = max(when, earliest)
        operation = _operation(msg.sender, target, data)
        timepoint = self.timepoints[operation]
        if timepoint != 0 and not self._is_expired(timepoint):
            raise Refused("AccessManagerAlreadyScheduled", operation)
        nonce = self.nonces[operation] + 1
        self.timepoints[operation] = when
        self.nonces[operation] = nonce
        self.emit("OperationScheduled", operation, nonce, when, msg.sender, target, data)
        return operation, nonce

    def execute(self, msg: Msg, target: Address, data: bytes) -> int:
        immediate, setback_s = self._may_call_anywhere(msg.sender, target, data)
        if not immediate and setback_s == 0:
            raise Refused("AccessManagerUnauthorizedCall", msg.sender, target, _selector_of(data))
        operation = _operation(msg.sender, target, data)
        nonce = 0
        if setback_s != 0 or self._schedule(operation) != 0:
            nonce = self._consume(operation)
        before = self._executing[0]
        self._executing[0] = (target, _selector_of(data))
        self._call_by_bytes(self.address, target, data, msg.value)
        self._executing[0] = before
        return nonce

    def cancel(self, msg: Msg, caller: Address, target: Address, data: bytes) -> int:
        selector = _selector_of(data)
        operation = _operation(caller, target, data)
        if self.timepoints[operation] == 0:
            raise Refused("AccessManagerNotScheduled", operation)
        if not self._may_cancel(msg.sender, caller, target, data):
            raise Refused("AccessManagerUnauthorizedCancel", msg.sender, caller, target, selector)
        self.timepoints[operation] = 0
        self.emit("OperationCanceled", operation, self.nonces[operation])
        nonce: int = self.nonces[operation]
        return nonce

    def _may_cancel(self, sender: Address, caller: Address, target: Address, data: bytes) -> bool:
        guardian = self.guardians[self.function_roles[target, data[:4]]]
        if sender == caller or self._membership(ADMIN, sender)[0] or self._membership(guardian, sender)[0]:
            return True
        if target != self.address:
            return False
        by_admin, role, _ = self._restriction(data)
        return by_admin and role != ADMIN and self._membership(role, sender)[0]

    def consume_scheduled_op(self, msg: Msg, caller: Address, data: bytes) -> None:
        """For contracts under this manager, while they check a caller who had to wait."""
        contract = self.model.contracts.get(msg.sender)
        if contract is None or "isConsumingScheduledOp" not in contract.interface.by_name:
            raise Refused
        if self.ask(msg.sender, "isConsumingScheduledOp") == bytes(4):
            raise Refused("AccessManagerUnauthorizedConsume", msg.sender)
        self._consume(_operation(caller, msg.sender, data))

    def _consume(self, operation: bytes) -> int:
        timepoint = self.timepoints[operation]
        if timepoint == 0:
            raise Refused("AccessManagerNotScheduled", operation)
        if timepoint > self.now:
            raise Refused("AccessManagerNotReady", operation)
        if self._is_expired(timepoint):
            raise Refused("AccessManagerExpired", operation)
        self.timepoints[operation] = 0
        nonce: int = self.nonces[operation]
        self.emit("OperationExecuted", operation, nonce)
        return nonce

    def _is_expired(self, timepoint: int) -> bool:
        expires = timepoint + EXPIRATION_S
        if expires >> 48:
            raise Refused("Panic", OVERFLOW)
        return expires <= self.now

    def multicall(self, msg: Msg, calls: list[bytes]) -> list[bytes]:
        """Several of the manager's own functions by one sender, all or none."""
        return [self._call_by_bytes(msg.sender, self.address, data, 0) for data in calls]

    def _call_by_bytes(self, sender: Address, target: Address, data: bytes, value: int) -> bytes:
        """OpenZeppelin's `Address.functionCall`: a refusal comes through, one without a word gets a name."""
        contract = self.model.contracts.get(target)
        if contract is None:
            raise Refused("AddressEmptyCode", target)
        try:
            function, args = decoded(contract, data)
            return function.result(self.model.call(sender, target, function, args, value))
        except Refused as refused:
            raise (refused if refused.name else Refused("FailedCall")) from None

    # Views

    def admin_role(self) -> int:
        return ADMIN

    def public_role(self) -> int:
        return PUBLIC

    def can_call(self, caller: Address, target: Address, selector: bytes) -> tuple[bool, int]:
        return self.may_call(caller, target, selector)

    def expiration(self) -> int:
        return EXPIRATION_S

    def min_setback(self) -> int:
        return SETBACK_S

    def get_access(self, role: int, account: Address) -> tuple[int, int, int, int]:
        access = self.members[role, account]
        delay = access.delay
        if delay.effect <= self.now:
            return access.since, delay.after, 0, 0
        return access.since, delay.before, delay.after, delay.effect

    def has_role(self, role: int, account: Address) -> tuple[bool, int]:
        return self._membership(role, account)

    def get_nonce(self, operation: bytes) -> int:
        return int(self.nonces[operation])

    def get_schedule(self, operation: bytes) -> int:
        return self._schedule(operation)

    def _schedule(self, operation: bytes) -> int:
        timepoint: int = self.timepoints[operation]
        return 0 if self._is_expired(timepoint) else timepoint

    def _show_schedule(self, operation: bytes) -> tuple[Any, ...]:
        return ("getSchedule", operation)

    def get_role_admin(self, role: int) -> int:
        return int(self.role_admins[role])

    def get_role_guardian(self, role: int) -> int:
        return int(self.guardians[role])

    def get_role_grant_delay(self, role: int) -> int:
        return int(self.grant_delays[role].at(self.now).before)

    def get_target_admin_delay(self, target: Address) -> int:
        return int(self.admin_delays[target].at(self.now).before)

    def get_target_function_role(self, target: Address, selector: bytes) -> int:
        return int(self.function_roles[target, selector])

    def is_target_closed(self, target: Address) -> bool:
        return bool(self.closed[target])

    def hash_operation(self, caller: Address, target: Address, data: bytes) -> bytes:
        return _operation(caller, target, data)


def decoded(contract: Contract, data: bytes) -> tuple[Function, tuple[Any, ...]]:
    """Read a call out of its bytes; raises Refused without a word, as the contract would."""
    function = contract.interface.functions.get(data[:4])
    if function is None or len(data) < 4:
        raise Refused
    try:
        return function, decode(function.inputs, data[4:])
    except (DecodingError, OverflowError):
        raise Refused from None


def _operation(caller: Address, target: Address, data: bytes) -> bytes:
    return digest(["address", "address", "bytes"], (caller, target, data))


def _selector_of(data: bytes) -> bytes:
    if len(data) < 4:
        raise Refused
    return data[:4]


def _first_word(data: bytes, kind: str) -> tuple[Any, ...]:
    if len(data) < 36:
        raise Refused
    try:
        return decode([kind], data[4:36])
    except DecodingError:
        raise Refused from None


def _require_open_role(role: int) -> None:
    if role in (ADMIN, PUBLIC):
        raise Refused("AccessManagerLockedRole", role)


_SET_AUTHORITY = bytes.fromhex("7a9e5e4b")
