"""The stage: who is there, the contracts deployed as the product deploys them, and the first acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_abi import encode
from eth_keys import keys
from eth_utils import keccak

from chain.roles import HELD_BY_CONTRACTS, HELD_BY_KEYS, RESTRICTED, Role
from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.answer import Machine
from tests.support.contract_model import ledger as kinds
from tests.support.contract_model.access_manager import AccessManager
from tests.support.contract_model.cash import SettlementCash
from tests.support.contract_model.clearing import Clearing
from tests.support.contract_model.compliance import Compliance
from tests.support.contract_model.interface import interface
from tests.support.contract_model.ledger import CarbonLedger
from tests.support.contract_model.machine import Address, Contract, Model
from tests.support.contract_model.points import MicroCarat
from tests.support.contract_model.puppet import Puppet
from tests.support.contract_model.verification import Verification

BEGIN = 1_800_000_000
DAY_S = 24 * 3600
DEPUTY_DELAY_S = 3600

OFFICES = ("admin", "regulator", "registrar", "bank", "exchange", "points")
# The deputy may do what the regulator may, after a delay; the stranger has no account.
OTHERS = (
    "deputy", "firm", "rival", "developer", "verifier", "reviewer",
    "person", "neighbour", "trader", "stranger",
)  # fmt: skip
OPENED = {
    "firm": kinds.FIRM, "rival": kinds.FIRM, "wallet": kinds.FIRM, "developer": kinds.DEVELOPER,
    "verifier": kinds.VERIFIER, "person": kinds.PERSON, "trader": kinds.TRADER, "bank": kinds.BANK,
    "Clearing": kinds.CONTRACT,
}  # fmt: skip

SECRETS = {label: keccak(text=f"fuzz {label}") for label in (*OFFICES, *OTHERS)}
_KEYS = {label: keys.PrivateKey(secret) for label, secret in SECRETS.items()}
ADDRESSES = {label: key.public_key.to_address() for label, key in _KEYS.items()}


@dataclass
class Stage:
    """The real contracts and the modelled ones, at the same addresses."""

    machine: Machine
    model: Model
    parts: dict[str, Address]  # the contracts
    people: dict[str, Address]  # with the wallet
    manager: AccessManager
    ledger: CarbonLedger
    compliance: Compliance
    verification: Verification
    cash: SettlementCash
    clearing: Clearing
    points: MicroCarat

    @property
    def names(self) -> dict[Address, str]:
        """Addresses as people call them."""
        return {address: label for label, address in (self.parts | self.people).items()}

    def act(self, caller: str, part: str, function: str, *args: Any) -> Act:
        contract = self.model.contracts[self.parts[part]]
        signature = contract.interface.function(function, len(args))
        return Act(self.model.now, self.people[caller], contract.address, signature, args)

    def sign(self, label: str, signed: bytes) -> bytes:
        """Return a person's signature of 32 bytes, r s v."""
        if label == "wallet":
            return signed  # as the puppet signs
        made = _KEYS[label].sign_msg_hash(signed).to_bytes()
        return made[:64] + bytes([made[64] + 27])


def make_stage(
    machine: Machine, people: dict[str, Address] | None = None, begin: int = BEGIN, chain_id: int = 1
) -> Stage:
    """Deploy everything, on the machine and in the model.

    Parameters
    ----------
    people :
        Who is who; by default everybody of OFFICES and OTHERS, with keys of their own.
    begin :
        The time of the first act, Unix seconds.
    """
    people = dict(ADDRESSES if people is None else people)
    for address in people.values():
        machine.enrich(address)
    admin = people["admin"]
    model = Model(begin, chain_id)
    parts: dict[str, Address] = {}

    def deploy(name: str, *args: Address) -> Address:
        code = interface(name).bytecode + encode(["address"] * len(args), args)
        parts[name] = machine.deploy(admin, code)
        return parts[name]

    authority = deploy("AccessManager", admin)
    manager = AccessManager(model, authority, admin)
    ledger = CarbonLedger(model, deploy("CarbonLedger", authority), authority)
    at = ledger.address
    compliance = Compliance(model, deploy("Compliance", authority, at), authority, ledger)
    verified = deploy("Verification", authority, at, compliance.address)
    verification = Verification(model, verified, authority, ledger, compliance)
    cash = SettlementCash(model, deploy("SettlementCash", authority, at), authority, ledger)
    cleared = deploy("Clearing", authority, at, cash.address)
    clearing = Clearing(model, cleared, authority, ledger, cash)
    points = MicroCarat(model, deploy("MicroCarat", authority), authority)
    people["wallet"] = machine.deploy(admin, interface("Puppet").bytecode)
    Puppet(model, people["wallet"])
    return Stage(
        machine, model, parts, people, manager, ledger, compliance, verification, cash, clearing, points
    )  # fmt: skip


def first_acts(stage: Stage) -> list[Act]:
    """What the product's deployment does (`chain.deployment`), and what any story begins with."""
    parts, people = stage.parts, stage.people
    acts = []
    for name, rights in RESTRICTED.items():
        for role, functions in rights.items():
            selectors = [interface(name).function(function).selector for function in functions]
            acts.append(
                stage.act(
                    "admin", "AccessManager", "setTargetFunctionRole", parts[name], selectors, int(role)
                )
            )
    held = [(role, parts[name], 0) for role, name in HELD_BY_CONTRACTS]
    held += [(role, people[label], 0) for role, label in HELD_BY_KEYS]
    held += [(Role.REGULATOR, people["deputy"], DEPUTY_DELAY_S)]
    acts += [stage.act("admin", "AccessManager", "grantRole", int(role), *rest) for role, *rest in held]
    addresses = parts | people
    openings = [
        (addresses[label], kind, keccak(text=label)) for label, kind in OPENED.items() if label in addresses
    ]
    acts.append(stage.act("registrar", "CarbonLedger", "openAccounts", openings))
    for label in ("verifier", "wallet"):
        until = stage.model.now + 400 * DAY_S
        name = keccak(text=f"accredit {label}")
        acts.append(stage.act("regulator", "Verification", "accredit", people[label], until, name))
    rules = (2026, stage.model.now + 60 * DAY_S, 1_000_000, 50_000, 5, False)
    acts.append(stage.act("regulator", "Compliance", "publishPeriod", rules))
    return acts


def role_of(contract: Contract, function: str) -> Role | None:
    """Return the role that a restricted function needs; None for what anybody may call."""
    for role, functions in RESTRICTED.get(contract.name, {}).items():
        if function in functions:
            return role
    return None
