"""Random acts of our own contracts: most of them valid, many not, some sent twice.

What is known of the chain's state follows from the acts themselves: where the contracts are, which epoch is
next. Balances are not followed, so a transfer may well be refused by its contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any, Final

from eth_abi import encode
from eth_hash.auto import keccak

from chain.abi import Call, abi_of, encode_call
from chain.roles import HELD_BY_CONTRACTS, RESTRICTED, Role
from tests.chain.differential.sending import ADDRESSES, Sending, created_by
from tests.chain.differential.statements import VERIFIER_ADDRESS, sign_emissions, sign_reductions

ADMIN, TRADERS, FIRMS, PEOPLE, STRANGER, DEVELOPER = 0, (1, 2), (3, 4, 5), (6, 7), 8, 9
_ORDER: Final = (
    "AccessManager", "CarbonLedger", "Compliance", "Verification", "SettlementCash", "Clearing", "MicroCarat",
)  # fmt: skip
_MEANING: Final = {
    "authority": "AccessManager", "initialAuthority": "AccessManager", "ledger": "CarbonLedger",
    "compliance": "Compliance", "cash": "SettlementCash",
}  # fmt: skip
_DAY_S: Final = 24 * 3_600
_FIRM, _VERIFIER, _PERSON, _DEVELOPER, _CONTRACT = 1, 2, 3, 5, 9
_PERIODS: Final = tuple(range(2025, 2040))
_SHORT_PERIODS: Final = (2025, 2026, 2027)  # their deadlines pass during a run
_UNITS: Final = (*(1 << 80 | year << 64 for year in _SHORT_PERIODS), 2 << 80 | 2026 << 64 | 7 << 32 | 1)


class Market:
    """Our contracts on the chain, all offices held by one sender, and what can be done with them."""

    def __init__(self, rng: Random, genesis_utc: int) -> None:
        self._rng = rng
        self._genesis_utc = genesis_utc
        self._deadline = genesis_utc + 4_000 * _DAY_S
        self.addresses = {name: created_by(ADDRESSES[ADMIN], nonce) for nonce, name in enumerate(_ORDER)}
        self._made = 0
        self._ids: list[bytes] = []
        self._epoch = 0
        self._point_epoch = 0
        self._reports: list[tuple[bytes, int, int, bytes]] = []
        self._claims: list[tuple[int, int, int]] = []
        self._projects = [1]

    # What comes first

    def deployments(self) -> Iterator[Sending]:
        """The contracts, in the order in which they need each other; the sender's first transactions."""
        for name in _ORDER:
            meanings = [_MEANING.get(part["name"].strip("_"), "") for part in abi_of(name).constructor_inputs]
            arguments = [self.addresses[meaning] if meaning else ADDRESSES[ADMIN] for meaning in meanings]
            if name == "AccessManager":
                arguments = [ADDRESSES[ADMIN]]
            code = abi_of(name).encode_constructor(arguments)
            yield Sending(f"deploy {name}", ADMIN, b"", code, gas=9_000_000)

    def beginnings(self) -> Iterator[Sending]:
        """Rights, accounts, periods and money, so that the acts after them have something to move."""
        manager, admin = "AccessManager", ADDRESSES[ADMIN]
        for contract, rights in RESTRICTED.items():
            for role, functions in rights.items():
                found = [same.selector for name in functions for same in abi_of(contract).functions[name]]
                yield self._act(
                    ADMIN, manager, "setTargetFunctionRole", self.addresses[contract], found, int(role)
                )
        for role in Role:
            if role is not Role.ADMIN:
                yield self._act(ADMIN, manager, "grantRole", int(role), admin, 0)
        for role, contract in HELD_BY_CONTRACTS:
            yield self._act(ADMIN, manager, "grantRole", int(role), self.addresses[contract], 0)
        kinds = [(place, _FIRM) for place in (*TRADERS, *FIRMS)] + [(place, _PERSON) for place in PEOPLE]
        openings = [(ADDRESSES[place], kind, bytes(32)) for place, kind in [*kinds, (DEVELOPER, _DEVELOPER)]]
        openings += [
            (self.addresses["Clearing"], _CONTRACT, bytes(32)),
            (VERIFIER_ADDRESS, _VERIFIER, bytes(32)),
        ]
        yield self._act(ADMIN, "CarbonLedger", "openAccounts", openings)
        yield self._act(ADMIN, "Verification", "accredit", VERIFIER_ADDRESS, self._deadline, self._id())
        for period in _PERIODS:
            days = 5 * (period - 2024) if period in _SHORT_PERIODS else 4_000
            rules = (period, self._genesis_utc + days * _DAY_S, 10**9, 50_000, 5, period == 2027)
            yield self._act(ADMIN, "Compliance", "publishPeriod", rules)
        owners = [*TRADERS, *FIRMS]
        for unit in _UNITS:
            shares = [(ADDRESSES[place], 10**6) for place in owners]
            yield self._act(ADMIN, "CarbonLedger", "issue", unit, shares, self._id())
        paid = [(ADDRESSES[place], 10**9) for place in owners]
        yield self._act(ADMIN, "SettlementCash", "mint", paid, self._id())
        for place in TRADERS:  # so much that no epoch is ever refused for want of it
            for unit in _UNITS:
                yield self._deposit(place, unit, 500_000)
            data = encode(["bytes32"], [self._id()])
            clearing = self.addresses["Clearing"]
            yield self._act(place, "SettlementCash", "transferAndCall", clearing, 10**8, data)

    # Acts

    def act(self) -> Sending:
        """Any act of anybody."""
        rng = self._rng
        make = rng.choices(_MAKERS, _WEIGHTS)[0]
        sending = make(self)
        if not sending.needed and rng.randrange(25) == 0:  # somebody who has no such right, or is nobody
            sending = replace(sending, sender=rng.choice((STRANGER, *PEOPLE)))
        return sending

    def _act(self, sender: int, contract: str, function: str, *args: Any) -> Sending:
        data = encode_call(Call(contract, function, args))
        return Sending(f"{contract}.{function}", sender, self.addresses[contract], data)

    def _id(self) -> bytes:
        """A request id: new, seldom one that was used before."""
        if self._ids and self._rng.randrange(15) == 0:
            return self._rng.choice(self._ids)
        self._made += 1
        self._ids.append(keccak(b"request %d" % self._made))
        return self._ids[-1]

    def _unit(self) -> int:
        return self._rng.choice(_UNITS) if self._rng.randrange(20) else self._rng.getrandbits(90)

    def _quantity(self) -> int:
        rng = self._rng
        if rng.randrange(12) == 0:
            return rng.choice((0, 10**7, 2**63, 2**64, 2**255))
        return rng.randrange(1, 2_000)

    def _owner(self) -> int:
        return self._rng.choice((*TRADERS, *FIRMS) * 4 + PEOPLE)

    def _anybody(self) -> bytes:
        rng = self._rng
        contracts = tuple(self.addresses.values())
        if rng.randrange(12) == 0:
            return rng.choice((rng.choice(contracts), rng.randbytes(20), bytes(20)))
        return ADDRESSES[self._owner()]

    def _deposit(self, owner: int, unit: int, quantity_t: int) -> Sending:
        data = encode(["bytes32"], [self._id()])
        given = (ADDRESSES[owner], self.addresses["Clearing"], unit, quantity_t, data)
        return self._act(owner, "CarbonLedger", "safeTransferFrom", *given)

    def _transfer_units(self) -> Sending:
        owner = self._owner()
        holder = owner if self._rng.randrange(12) else self._owner()
        given = (ADDRESSES[holder], self._anybody(), self._unit(), self._quantity(), self._rng.randbytes(3))
        return self._act(owner, "CarbonLedger", "safeTransferFrom", *given)

    def _transfer_batch(self) -> Sending:
        owner, count = self._owner(), self._rng.randrange(1, 4)
        units, quantities = [self._unit() for _ in range(count)], [self._quantity() for _ in range(count)]
        to = ADDRESSES[self._owner()]
        return self._act(
            owner, "CarbonLedger", "safeBatchTransferFrom", ADDRESSES[owner], to, units, quantities, b""
        )

    def _deposit_units(self) -> Sending:
        return self._deposit(self._owner(), self._unit(), self._quantity())

    def _approve_units(self) -> Sending:
        given = (self._anybody(), bool(self._rng.randrange(2)))
        return self._act(self._owner(), "CarbonLedger", "setApprovalForAll", *given)

    def _issue(self) -> Sending:
        count = self._rng.randrange(1, 5)
        shares = [(self._anybody(), self._rng.randrange(10_000)) for _ in range(count)]
        return self._act(ADMIN, "CarbonLedger", "issue", self._unit(), shares, self._id())

    def _retire(self) -> Sending:
        return self._act(
            ADMIN, "CarbonLedger", "retire", self._anybody(), self._unit(), self._quantity(), self._id()
        )

    def _cancel(self) -> Sending:
        reason = "voluntary" * self._rng.randrange(8)
        return self._act(
            self._owner(), "CarbonLedger", "cancel", self._unit(), self._quantity(), reason, self._id()
        )

    def _freeze(self) -> Sending:
        who = ADDRESSES[self._rng.choice((*FIRMS, *PEOPLE))]
        return self._act(ADMIN, "CarbonLedger", "setFrozen", who, self._rng.randrange(6) == 0, self._id())

    def _open(self) -> Sending:
        rng = self._rng
        openings = [
            (rng.randbytes(20), rng.randrange(10), rng.randbytes(32)) for _ in range(rng.randrange(1, 4))
        ]
        if rng.randrange(3) == 0:
            openings.append((ADDRESSES[self._owner()], _FIRM, bytes(32)))
        return self._act(ADMIN, "CarbonLedger", "openAccounts", openings)

    def _mint(self) -> Sending:
        paid = [(self._anybody(), self._quantity()) for _ in range(self._rng.randrange(1, 4))]
        return self._act(ADMIN, "SettlementCash", "mint", paid, self._id())

    def _pay(self) -> Sending:
        return self._act(self._owner(), "SettlementCash", "transfer", self._anybody(), self._quantity())

    def _approve_cash(self) -> Sending:
        spender = ADDRESSES[self._rng.choice(TRADERS)]
        return self._act(self._rng.choice(FIRMS), "SettlementCash", "approve", spender, self._quantity())

    def _pay_for(self) -> Sending:
        given = (ADDRESSES[self._rng.choice(FIRMS)], self._anybody(), self._quantity() // 3)
        return self._act(self._rng.choice(TRADERS), "SettlementCash", "transferFrom", *given)

    def _deposit_cash(self) -> Sending:
        data = encode(["bytes32"], [self._id()]) if self._rng.randrange(8) else self._rng.randbytes(5)
        to = self.addresses["Clearing"] if self._rng.randrange(8) else self._anybody()
        return self._act(self._owner(), "SettlementCash", "transferAndCall", to, self._quantity(), data)

    def _redeem_cash(self) -> Sending:
        return self._act(self._owner(), "SettlementCash", "redeem", self._quantity(), self._id())

    def _settle(self) -> Sending:
        """An epoch whose sums are zero; one in eight is not as it should be."""
        rng = self._rng
        epoch, chunk, chunks, wrong = self._epoch + 1, 0, 1, rng.randrange(8)
        root = keccak(b"tape %d" % epoch)
        deltas: list[tuple[bytes, int, int, int]] = []
        for unit in sorted(rng.sample(_UNITS, rng.randrange(1, len(_UNITS) + 1))):
            quantity_t, cash_fen = rng.randrange(50), rng.randrange(5_000)
            buyer, seller = rng.sample(TRADERS, 2)
            deltas.append((ADDRESSES[buyer], unit, quantity_t, -cash_fen))
            deltas.append((ADDRESSES[seller], unit, -quantity_t, cash_fen))
        if wrong == 0:
            deltas[0] = (*deltas[0][:2], deltas[0][2] + 1, deltas[0][3])
        elif wrong == 1:
            epoch = rng.choice((epoch - 1, epoch + 1, 0))
        elif wrong == 2:
            chunk, chunks = 1, 2
        settled = self._act(ADMIN, "Clearing", "settle", epoch, chunk, chunks, root, deltas)
        if wrong < 3:
            return settled
        self._epoch = epoch
        return replace(settled, needed=True)

    def _release(self) -> Sending:
        rng = self._rng
        asked = []
        for _ in range(rng.randrange(1, 4)):
            unit = rng.choice((0, *_UNITS))
            amount = rng.randrange(1, 60) if rng.randrange(12) else 2**40
            account = rng.choice(TRADERS) if rng.randrange(6) else self._owner()
            asked.append((ADDRESSES[account], unit, amount, self._id()))
        return self._act(ADMIN, "Clearing", "release", asked)

    def _exit(self) -> Sending:
        owner = self._rng.choice((*FIRMS, *PEOPLE))
        if self._rng.randrange(2):
            return self._act(owner, "Clearing", "requestExit")
        return self._act(owner, "Clearing", "exit", [0, *self._rng.sample(_UNITS, 2)])

    def _publish_period(self) -> Sending:
        rng = self._rng
        rules = (
            rng.randrange(2_020, 2_040),
            self._deadline,
            rng.getrandbits(40),
            rng.randrange(2 * 10**6),
            3,
            False,
        )
        return self._act(ADMIN, "Compliance", "publishPeriod", rules)

    def _allocate(self) -> Sending:
        rng = self._rng
        shares = [(ADDRESSES[self._owner()], rng.randrange(1_000)) for _ in range(rng.randrange(1, 4))]
        return self._act(ADMIN, "Compliance", "allocate", rng.choice((*_PERIODS, 1999)), shares, self._id())

    def _surrender(self) -> Sending:
        period, quantity_t = self._rng.choice(_PERIODS), self._quantity() // 5
        return self._act(
            self._owner(), "Compliance", "surrender", period, self._unit(), quantity_t, self._id()
        )

    def _assess(self) -> Sending:
        entities = [ADDRESSES[self._owner()] for _ in range(self._rng.randrange(4))]
        return self._act(self._owner(), "Compliance", "assess", self._rng.choice(_SHORT_PERIODS), entities)

    def _price(self) -> Sending:
        given = (self._rng.choice((*_PERIODS, 2_030)), self._rng.randrange(10_000), self._id())
        return self._act(ADMIN, "Compliance", "publishReferencePrice", *given)

    def _report(self) -> Sending:
        firm, period, evidence = self._rng.choice(FIRMS), self._rng.choice(_PERIODS), self._rng.randbytes(32)
        report = self._id()
        self._reports.append((report, firm, period, evidence))
        return self._act(firm, "Verification", "fileReport", report, period, evidence, bytes(32), 1_000)

    def _state_emissions(self) -> Sending:
        if not self._reports:
            return self._report()
        report, firm, period, evidence = self._rng.choice(self._reports[-6:])
        statement = (
            self._id(), report, ADDRESSES[firm], period, evidence, self._rng.randrange(10_000), bytes(32),
            VERIFIER_ADDRESS,
        )  # fmt: skip
        signature = sign_emissions(
            statement, self.addresses["Verification"], wrong=self._rng.randrange(8) == 0
        )
        return self._act(self._owner(), "Verification", "acceptEmissionStatements", [statement], [signature])

    def _state_reductions(self) -> Sending:
        rng = self._rng
        statement = (
            self._id(), rng.choice(self._projects), 2026, rng.randrange(1, 500), rng.randbytes(32),
            rng.randrange(2_000), rng.randrange(900), rng.randrange(200), bytes(32), VERIFIER_ADDRESS,
        )  # fmt: skip
        signature = sign_reductions(
            statement, self.addresses["Verification"], wrong=self._rng.randrange(8) == 0
        )
        return self._act(self._owner(), "Verification", "acceptReductionStatement", statement, signature)

    def _verifiers(self) -> Sending:
        kind, somebody = self._rng.randrange(3), self._rng.randbytes(20)
        if kind == 0:
            return self._act(ADMIN, "Verification", "accredit", somebody, self._deadline, self._id())
        if kind == 1:
            return self._act(ADMIN, "Verification", "revoke", somebody, self._id())
        return self._act(ADMIN, "Verification", "declareConflict", somebody, self._anybody(), self._id())

    def _project(self) -> Sending:
        number = self._rng.randrange(1, 200)
        self._projects = [*self._projects, number][-12:]
        developer = ADDRESSES[self._rng.choice((DEVELOPER, DEVELOPER, STRANGER))]
        return self._act(ADMIN, "Verification", "registerProject", number, developer, bytes(32), self._id())

    def _publish_points(self) -> Sending:
        """An epoch of points for one person: a tree of one leaf needs no proof."""
        rng = self._rng
        person, grams = rng.choice(PEOPLE), rng.randrange(1, 100_000)
        epoch, needed = self._point_epoch + 1, bool(rng.randrange(6))
        leaf = keccak(
            keccak(encode(["uint64", "uint256", "address", "uint256"], [epoch, 0, ADDRESSES[person], grams]))
        )
        if needed:
            self._point_epoch = epoch
            self._claims.append((epoch, person, grams))
        given = (epoch if needed else epoch + 1, leaf, grams, 1, bytes(32))
        return replace(self._act(ADMIN, "MicroCarat", "publishEpoch", *given), needed=needed)

    def _claim(self) -> Sending:
        if not self._claims:
            return self._publish_points()
        epoch, person, grams = self._rng.choice(self._claims[-5:])
        proof = [(self._rng.randbytes(32), 5)] if self._rng.randrange(6) == 0 else []
        return self._act(person, "MicroCarat", "claim", epoch, 0, grams, proof)

    def _points(self) -> Sending:
        person, kind = self._rng.choice(PEOPLE), self._rng.randrange(3)
        grams = self._rng.randrange(60_000)
        if kind == 0:
            return self._act(person, "MicroCarat", "redeem", grams, self._rng.randbytes(32), self._id())
        if kind == 1:
            return self._act(person, "MicroCarat", "transfer", self._anybody(), grams)
        return self._act(ADMIN, "MicroCarat", "accreditProvider", self._anybody(), True, self._id())

    def _manage(self) -> Sending:
        """Rights that nothing here depends on."""
        rng = self._rng
        kind, role = rng.randrange(5), rng.randrange(20, 30)
        if kind == 0:
            return self._act(ADMIN, "AccessManager", "grantRole", role, self._anybody(), rng.randrange(3))
        if kind == 1:
            return self._act(ADMIN, "AccessManager", "labelRole", role, "role " * rng.randrange(12))
        if kind == 2:
            inner = encode_call(Call("AccessManager", "revokeRole", (role, self._anybody())))
            return self._act(ADMIN, "AccessManager", "multicall", [inner] * rng.randrange(4))
        call = encode_call(Call("CarbonLedger", "setFrozen", (rng.randbytes(20), True, bytes(32))))
        ledger = self.addresses["CarbonLedger"]
        if kind == 3:
            return self._act(STRANGER, "AccessManager", "execute", ledger, call)
        return self._act(ADMIN, "AccessManager", "schedule", ledger, call, 0)

    def _deploy_another(self) -> Sending:
        name = self._rng.choice(("SettlementCash", "MicroCarat", "CarbonLedger"))
        meanings = [_MEANING[part["name"].strip("_")] for part in abi_of(name).constructor_inputs]
        code = abi_of(name).encode_constructor([self.addresses[meaning] for meaning in meanings])
        return Sending(f"deploy {name}", DEVELOPER, b"", code, gas=9_000_000)


_KINDS: Final[tuple[tuple[Callable[[Market], Sending], float], ...]] = (
    (Market._transfer_units, 20),
    (Market._transfer_batch, 5),
    (Market._deposit_units, 5),
    (Market._approve_units, 2),
    (Market._issue, 5),
    (Market._retire, 3),
    (Market._cancel, 3),
    (Market._freeze, 1),
    (Market._open, 2),
    (Market._mint, 4),
    (Market._pay, 8),
    (Market._approve_cash, 3),
    (Market._pay_for, 3),
    (Market._deposit_cash, 4),
    (Market._redeem_cash, 2),
    (Market._settle, 8),
    (Market._release, 4),
    (Market._exit, 2),
    (Market._publish_period, 1),
    (Market._allocate, 3),
    (Market._surrender, 5),
    (Market._assess, 1),
    (Market._price, 1),
    (Market._report, 3),
    (Market._state_emissions, 3),
    (Market._state_reductions, 3),
    (Market._verifiers, 1),
    (Market._project, 2),
    (Market._publish_points, 2),
    (Market._claim, 3),
    (Market._points, 3),
    (Market._manage, 2),
    (Market._deploy_another, 0.4),
)
_MAKERS: Final = tuple(maker for maker, _ in _KINDS)
_WEIGHTS: Final = tuple(weight for _, weight in _KINDS)
