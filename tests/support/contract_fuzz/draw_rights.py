"""Random acts on rights: roles given and taken, delays, calls that wait, authorities that change."""

from __future__ import annotations

from typing import Any

from chain.roles import RESTRICTED, Role
from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.scene import Scene
from tests.support.contract_fuzz.stage import DAY_S
from tests.support.contract_model.access_manager import decoded
from tests.support.contract_model.interface import interface
from tests.support.contract_model.machine import Refused

ROLES = (*(int(role) for role in Role), 77)
DELAYS_S = (0, 0, 1, 60, 3600)


def _by_admin(scene: Scene, function: str, *args: Any) -> Act:
    caller = scene.holder(Role.ADMIN) if scene.chance(0.9) else scene.anyone()
    return scene.act(caller, scene.stage.manager, function, *args)


def grant_role(scene: Scene) -> Act:
    """Mostly what somebody lost, back to whom it belongs."""
    members = scene.stage.manager.members
    lost = [key for key, access in members.rows.items() if access.since == 0]
    if lost and scene.chance(0.8):
        role, account = scene.pick(lost)
        return _by_admin(scene, "grantRole", role, account, 0)
    role, account = scene.pick(ROLES), scene.any_address()
    delay_s = scene.pick(DELAYS_S)
    if role == Role.ADMIN and scene.chance(0.7):
        account = scene.stage.people["deputy"]
    if scene.chance(0.02):
        role = 2**64 - 1
    return _by_admin(scene, "grantRole", role, account, delay_s)


def lose_role(scene: Scene) -> Act:
    members = scene.stage.manager.members
    held = [key for key, access in members.rows.items() if access.since and key[0] != Role.ADMIN]
    role, account = scene.pick(held) if held and scene.chance(0.9) else (scene.pick(ROLES), scene.anyone())
    if role == Role.ADMIN:
        account = scene.stage.people["stranger"]
    if scene.chance(0.02):
        role = 2**64 - 1
    if scene.chance(0.5) or account not in scene.people:
        return _by_admin(scene, "revokeRole", role, account)
    confirmation = account if scene.chance(0.9) else scene.anyone()
    return scene.act(account, scene.stage.manager, "renounceRole", role, confirmation)


def label_role(scene: Scene) -> Act:
    return _by_admin(scene, "labelRole", scene.pick((*ROLES, 2**64 - 1)), scene.value("string"))


def set_role_office(scene: Scene) -> Act:
    """Who administers or guards a role."""
    what = scene.pick(("setRoleAdmin", "setRoleGuardian"))
    office = scene.pick((Role.ADMIN, Role.ADMIN, Role.REGULATOR, 77))
    return _by_admin(scene, what, scene.pick((*ROLES, 2**64 - 1)), int(office))


def set_delay(scene: Scene) -> Act:
    if scene.chance(0.5):
        return _by_admin(scene, "setGrantDelay", scene.pick((*ROLES, 2**64 - 1)), scene.pick(DELAYS_S))
    return _by_admin(scene, "setTargetAdminDelay", scene.pick(scene.addresses), scene.pick(DELAYS_S))


def set_target_closed(scene: Scene) -> Act:
    """What is closed is mostly opened again soon."""
    closed = [target for target, is_closed in scene.stage.manager.closed.rows.items() if is_closed]
    if closed and scene.chance(0.9):
        return _by_admin(scene, "setTargetClosed", scene.pick(closed), False)
    target = scene.pick(scene.contracts).address if scene.chance(0.1) else scene.anyone()
    return _by_admin(scene, "setTargetClosed", target, True)


def set_target_function_role(scene: Scene) -> Act:
    """Mostly as it was meant to be."""
    name = scene.pick(list(RESTRICTED))
    role, functions = scene.pick(list(RESTRICTED[name].items()))
    selectors = [interface(name).function(function).selector for function in functions]
    target = scene.stage.parts[name]
    throw = scene.rng.random()
    if throw < 0.08:
        selectors.append(bytes.fromhex("7a9e5e4b"))  # setAuthority
    elif throw < 0.12:
        target, role = scene.anyone(), Role.ADMIN
    elif throw < 0.14:
        role = scene.pick(list(Role))
    elif throw < 0.2:
        target = scene.stage.manager.address
        selectors = [scene.any_function().selector]
    return _by_admin(scene, "setTargetFunctionRole", target, selectors, int(role))


def update_authority(scene: Scene) -> Act:
    """Mostly to where it is already: another authority is the end of the office."""
    target = scene.pick(scene.contracts).address if scene.chance(0.9) else scene.any_address()
    authority = scene.stage.manager.address
    if scene.chance(0.03):
        authority = scene.pick((scene.wallet, scene.stage.cash.address))
    elif scene.chance(0.1):
        authority = scene.anyone()
    return _by_admin(scene, "updateAuthority", target, authority)


def set_authority(scene: Scene) -> Act:
    """Only the authority itself may."""
    contract = scene.pick(scene.contracts[1:])
    return scene.act(scene.anyone(), contract, "setAuthority", scene.pick(scene.addresses))


def consume(scene: Scene) -> Act:
    """Only for contracts that are checking a caller."""
    return scene.act(
        scene.anyone(), scene.stage.manager, "consumeScheduledOp", scene.anyone(), scene.value("bytes")
    )


# Calls that wait


def schedule(scene: Scene, other: Act) -> Act:
    """Announce a call, by somebody who must wait for it."""
    caller = scene.stage.people["deputy"] if scene.chance(0.7) else other.caller
    when = 0 if scene.chance(0.6) else scene.model.now + scene.pick((1, 60, 3600, 3601, DAY_S))
    if scene.chance(0.01):
        when = 2**48 - 1
    return scene.act(caller, scene.stage.manager, "schedule", other.to, other.data, when)


def make_waiting(scene: Scene) -> Act | None:
    """Make a call that was announced: itself, or through the manager; mostly when its time has come."""
    if not scene.waiting:
        return None
    at = scene.rng.randrange(len(scene.waiting))
    waiting = scene.waiting[at]
    manager, data = scene.stage.manager, waiting.data
    operation = manager.hash_operation(waiting.caller, waiting.to, data)
    timepoint = manager.timepoints[operation]
    throw = scene.rng.random()
    if throw < 0.1:
        sender = waiting.caller if scene.chance(0.5) else scene.anyone()
        return scene.act(sender, manager, "cancel", waiting.caller, waiting.to, data)
    if throw < 0.15:
        return scene.act(waiting.caller, manager, "schedule", waiting.to, data, 0)
    if throw < 0.5 or waiting.to == manager.address:
        made = scene.act(waiting.caller, manager, "execute", waiting.to, data)
    else:
        contract = scene.model.contracts[waiting.to]
        from_bytes = _read(contract, data)
        if from_bytes is None:
            return None
        made = Act(scene.model.now, waiting.caller, waiting.to, *from_bytes)
    if timepoint > scene.model.now and scene.chance(0.85):
        made.at = min(timepoint, scene.model.now + 2 * DAY_S)
    if scene.chance(0.8):
        scene.waiting.pop(at)
    return made


def _read(contract: Any, data: bytes) -> tuple[Any, tuple[Any, ...]] | None:
    try:
        return decoded(contract, data)
    except Refused:
        return None


def execute(scene: Scene, other: Act) -> Act:
    act = scene.act(other.caller, scene.stage.manager, "execute", other.to, other.data)
    if scene.chance(0.03):
        act.value = 1
    if scene.chance(0.15):
        act.args = (scene.anyone(), act.args[1])
    return act


def multicall(scene: Scene, others: list[Act]) -> Act:
    return scene.act(others[0].caller, scene.stage.manager, "multicall", [other.data for other in others])


def perform(scene: Scene, others: list[Act]) -> Act:
    """The wallet makes these calls."""
    must = scene.chance(0.8)
    steps = [(other.to, other.data, must) for other in others]
    return scene.act(scene.key_holder(), scene.model.contracts[scene.wallet], "perform", steps)


def arm(scene: Scene, others: list[Act]) -> Act:
    """The wallet will make these calls when something arrives."""
    steps = [(other.to, other.data, scene.chance(0.3)) for other in others]
    answer = scene.rng.choices((0, 1, 2, 3), (12, 1, 1, 1))[0]
    return scene.act(scene.key_holder(), scene.model.contracts[scene.wallet], "arm", answer, steps)
