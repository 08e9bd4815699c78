"""The scene: what a random act is made of, with an eye on the state: many acts succeed, many just miss."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

from eth_utils import keccak

from chain.roles import Role
from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.stage import DAY_S, Stage, role_of
from tests.support.contract_model import units
from tests.support.contract_model.access_manager import EXPIRATION_S
from tests.support.contract_model.clearing import EXIT_TIMEOUT_S
from tests.support.contract_model.interface import Function
from tests.support.contract_model.machine import UINT256_MAX, ZERO, ZERO_ADDRESS, Address, Contract

T = TypeVar("T")
PERIODS = tuple(range(2025, 2040))
FAR_S = 40 * DAY_S  # nobody jumps farther at once


class Scene:
    """Randomness with a memory."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage = stage
        self.model = stage.model
        self.rng = rng
        self.people = list(stage.people.values())
        self.wallet = stage.people["wallet"]
        self.contracts: list[Contract] = [stage.model.contracts[address] for address in stage.parts.values()]
        self.addresses = [*self.people, *stage.parts.values(), ZERO_ADDRESS]
        self.ids: list[bytes] = [ZERO]
        self.waiting: list[Act] = []  # scheduled, not yet made
        self.settled: dict[int, tuple[Any, ...]] = {}  # chunks of the open epoch, as they were applied
        self.trees: dict[int, tuple[list[tuple[Address, int]], int]] = {}  # who earned what, by epoch
        self.sharp = 0  # how many of the next acts are for this very second
        self._made = 0

    # Chance

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, things: Sequence[T]) -> T:
        return things[int(self.rng.random() * len(things))]

    def number(self, most: int) -> int:
        """A number from 0 to `most`: often at an end."""
        throw = self.rng.random()
        if throw < 0.1:
            return most
        if throw < 0.13:
            return most + 1
        if throw < 0.15:
            return 0
        return self.rng.randint(min(1, most), max(1, most))

    # Names

    def fresh_id(self) -> bytes:
        self._made += 1
        made = keccak(self._made.to_bytes(8, "big"))
        if self.chance(0.3):
            self.ids.append(made)
        return made

    def request_id(self) -> bytes:
        """Mostly a new one; sometimes one that did something else, sometimes none."""
        return self.fresh_id() if self.chance(0.94) else self.pick(self.ids)

    # Who

    def anyone(self) -> Address:
        return self.pick(self.people)

    def key_holder(self) -> Address:
        """Anyone but the wallet, which is a contract and acts when it is told to."""
        caller = self.anyone()
        while caller == self.wallet:
            caller = self.anyone()
        return caller

    def any_address(self) -> Address:
        return self.anyone() if self.chance(0.8) else self.pick(self.addresses)

    def holder(self, role: Role) -> Address:
        """Somebody who has this role now and need not wait; anyone if nobody has."""
        found = [
            account
            for (held, account), access in self.stage.manager.members.rows.items()
            if held == role and 0 < access.since <= self.model.now
            and access.delay.at(self.model.now).before == 0 and account not in self.model.contracts
        ]  # fmt: skip
        if self.stage.manager.members[role, self.wallet].since:
            found.append(self.wallet)
        return self.pick(found) if found else self.anyone()

    def caller_of(self, contract: Contract, function: str) -> Address:
        role = role_of(contract, function)
        if role is None or self.chance(0.06):
            return self.anyone()
        return self.holder(role)

    def owner_of_units(self) -> tuple[Address, int, int]:
        """Somebody who holds tonnes, the unit, and how many; somebody who holds none if nobody does."""
        return self._holding(self.stage.ledger.balances.rows)

    def trader_of_units(self) -> tuple[Address, int, int]:
        """The same of the trading accounts."""
        return self._holding(self.stage.clearing.units.rows)

    def _holding(self, rows: dict[tuple[Address, int], int]) -> tuple[Address, int, int]:
        people = self.stage.people.values()
        found = [(*key, held) for key, held in rows.items() if held > 0 and key[0] in people]
        return self.pick(found) if found else (self.anyone(), self.unit(), 0)

    def owner_of(self, balances: dict[Address, int]) -> tuple[Address, int]:
        """Somebody who has some of a token, and how much."""
        people = self.stage.people.values()
        found = [(account, held) for account, held in balances.items() if held > 0 and account in people]
        return self.pick(found) if found else (self.anyone(), 0)

    # What

    def period(self) -> int:
        published = list(self.stage.compliance.rules.rows)
        return self.pick(published) if published and self.chance(0.9) else self.pick(PERIODS)

    def unit(self) -> int:
        known = list(self.stage.ledger.supplies.rows)
        if known and self.chance(0.8):
            return self.pick(known)
        if self.chance(0.7):
            return units.allowance(self.pick(PERIODS))
        return self.pick((0, 1 << 88, units.offset(2026, 7, 0), units.allowance(2026) + 1, UINT256_MAX))

    def root(self) -> bytes:
        return keccak(self.rng.randbytes(4))

    # When

    def next_time(self) -> int:
        """The next call's second: mostly this; now and then one at which something changes, or beside it."""
        now = self.model.now
        throw = self.rng.random()
        if throw < 0.75 or self.sharp:
            return now
        if throw < 0.96:
            return now + self.rng.randint(1, 60)
        if throw < 0.992:
            return now + self.rng.randint(60, 3 * 3600)
        ahead = [at for at in self._turning_points() if now < at <= now + FAR_S]
        if not ahead:
            return now + self.rng.randint(1, DAY_S)
        at = min(ahead) if self.chance(0.7) else self.pick(ahead)
        self.sharp = 5
        return max(now, at + self.pick((-1, 0, 0, 1)))

    def _turning_points(self) -> list[int]:
        stage = self.stage
        points = [rules.deadline for rules in stage.compliance.rules.rows.values()]
        points += stage.verification.accredited_until.rows.values()
        acted = stage.clearing.progress[0].last_act_at
        points += [max(asked, acted) + EXIT_TIMEOUT_S for asked in stage.clearing.exits.rows.values()]
        points.append(acted + EXIT_TIMEOUT_S)
        for timepoint in stage.manager.timepoints.rows.values():
            points += [timepoint, timepoint + EXPIRATION_S]
        points += [delay.effect for delay in stage.manager.grant_delays.rows.values()]
        points += [access.since for access in stage.manager.members.rows.values()]
        return points

    # Acts

    def act(self, caller: Address, contract: Contract, function: str, *args: Any) -> Act:
        signature = contract.interface.function(function, len(args))
        return Act(self.model.now, caller, contract.address, signature, args)

    def value(self, kind: str) -> Any:  # noqa: PLR0911 - a case a type
        """Any value of a plain type, with a liking for those that mean something."""
        rng = self.rng
        if kind.endswith("[]"):
            return [self.value(kind[:-2]) for _ in range(rng.randint(0, 3))]
        if kind == "address":
            return self.any_address()
        if kind == "bool":
            return self.chance(0.5)
        if kind == "bytes32":
            return self.pick(self.ids)
        if kind == "bytes4":
            return self.pick(_SELECTORS) if self.chance(0.3) else self.any_function().selector
        if kind == "bytes":
            return rng.randbytes(rng.choice((0, 3, 4, 32, 33)))
        if kind == "string":
            return rng.choice(("", "neutrality", "碳中和"))
        if kind == "uint256":
            return self.unit() if self.chance(0.6) else rng.choice((0, 1, 2**63, 2**128, UINT256_MAX))
        if kind == "uint16" and self.chance(0.8):
            return self.pick(PERIODS)
        bits = int(kind.removeprefix("uint"))
        if self.chance(0.7):
            return rng.randint(0, min(12, 2**bits - 1))
        return rng.choice((0, 2**bits - 1))

    def any_function(self) -> Function:
        contract = self.pick(self.contracts)
        return self.pick(list(contract.interface.functions.values()))

    def heard(self, act: Act, outcome: str) -> None:
        """Remember what later acts need."""
        if outcome != "done":
            return
        name = act.function.name
        if act.to == self.stage.clearing.address and name == "settle":
            self.settled[act.args[1]] = act.args
        elif act.to == self.stage.manager.address and name == "schedule":
            self._remember_scheduled(act)

    def _remember_scheduled(self, act: Act) -> None:
        target, data, _ = act.args
        contract = self.model.contracts.get(target)
        function = contract.interface.functions.get(data[:4]) if contract is not None else None
        if function is not None:
            self.waiting.append(Act(act.at, act.caller, target, function, (), raw=data))


# ERC-165, ERC-1155, its receiver and metadata, ERC-1363 and its receiver, and `setAuthority`.
_SELECTORS = [
    bytes.fromhex(text)
    for text in (
        "01ffc9a7",
        "d9b67a26",
        "4e2312e0",
        "0e89341c",
        "b0202a11",
        "88a7ca5c",
        "7a9e5e4b",
        "ffffffff",
    )
]
