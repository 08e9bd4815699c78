"""Gas of the manager's functions: rights are given and taken rarely, so each once."""

from __future__ import annotations

from tests.support.contract_fuzz.stage import DAY_S
from tests.support.contract_gas.meter import Meter
from tests.support.contract_model.interface import interface

ROLE = 77


def measure(meter: Meter) -> None:
    """Roles, delays, targets; and an operation announced, made, called off."""
    manager, people, parts = "AccessManager", meter.people, meter.parts
    ledger = interface("CarbonLedger")
    selectors = [ledger.function(name).selector for name in ("issue", "retire", "setFrozen", "openAccounts")]
    meter.measure("a role", "admin", manager, "labelRole", ROLE, "OBSERVER")
    meter.measure("first", "admin", manager, "grantRole", ROLE, people["person"], 0)
    meter.measure("changed delay", "admin", manager, "grantRole", ROLE, people["person"], 3600)
    meter.measure("held", "admin", manager, "revokeRole", ROLE, people["person"])
    meter.do("admin", manager, "grantRole", ROLE, people["person"], 0)
    meter.measure("held", "person", manager, "renounceRole", ROLE, people["person"])
    meter.measure("first", "admin", manager, "setRoleAdmin", ROLE, 1)
    meter.measure("first", "admin", manager, "setRoleGuardian", ROLE, 1)
    meter.measure("first", "admin", manager, "setGrantDelay", ROLE, 3600)
    meter.measure("first", "admin", manager, "setTargetAdminDelay", people["person"], 3600)
    meter.measure("closed", "admin", manager, "setTargetClosed", people["person"], True)
    meter.measure(
        "one selector", "admin", manager, "setTargetFunctionRole", people["person"], selectors[:1], ROLE
    )
    meter.measure(
        "four selectors", "admin", manager, "setTargetFunctionRole", people["trader"], selectors, ROLE
    )
    meter.measure(
        "to itself", "admin", manager, "updateAuthority", parts["MicroCarat"], parts["AccessManager"]
    )
    label = interface(manager).function("labelRole").calldata((ROLE, "OBSERVER"))
    meter.measure("three calls", "admin", manager, "multicall", [label] * 3)

    points = interface("MicroCarat").function("accreditProvider")
    one, other = (points.calldata((people["trader"], True, meter.name())) for _ in range(2))
    target = parts["MicroCarat"]
    meter.measure("first", "deputy", manager, "schedule", target, one, 0)
    meter.do("deputy", manager, "schedule", target, other, 0)
    meter.measure("by its caller", "deputy", manager, "cancel", people["deputy"], target, other)
    meter.wait_until(meter.now + DAY_S)
    meter.measure("after its delay", "deputy", manager, "execute", target, one)
