"""A small made-up chain for the projection's tests: events in order, and a reader that gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chain.events import ChainEvent
from chain.refusals import ChainUnreachable
from chain.units import UnitId
from registry.projection.apply import ZERO_ACCOUNT

CLEARING = "0x00000000000000000000000000000000000000C1"
FIRM = "0x00000000000000000000000000000000000000A1"
OTHER = "0x00000000000000000000000000000000000000A2"
VERIFIER = "0x00000000000000000000000000000000000000B1"
UNIT = UnitId.allowance(2026)
OFFSET = UnitId.offset(2026, 7, 1)


def word(number: int) -> str:
    return f"0x{number:064x}"


class MadeUpChain:
    """Collects events; `block()` begins a new block. It is a `registry.projection.store.Reader`."""

    def __init__(self, first_block: int = 3) -> None:
        self.events: list[ChainEvent] = []
        self.first_block = first_block
        self._block = first_block
        self._log_index = 0
        self.unreachable_after: int | None = None

    def block(self) -> MadeUpChain:
        self._block += 1
        self._log_index = 0
        return self

    def head(self) -> int:
        return self._block

    def read(self, from_block: int, to_block: int | None = None) -> Iterable[ChainEvent]:
        last = self.head() if to_block is None else to_block
        for event in self.events:
            if not from_block <= event.block <= last:
                continue
            if self.unreachable_after is not None and event.block > self.unreachable_after:
                raise ChainUnreachable(url="made up")
            yield event

    def tell(self, contract: str, name: str, **args: Any) -> MadeUpChain:
        facts = {key.rstrip("_"): value for key, value in args.items()}
        time_utc = 1_800_000_000 + self._block
        transaction = word(self._block * 1000 + self._log_index)
        self.events.append(
            ChainEvent(contract, name, facts, self._block, time_utc, transaction, 0, self._log_index)
        )
        self._log_index += 1
        return self

    def open(self, account: str, kind: int = 1) -> MadeUpChain:
        return self.tell("CarbonLedger", "AccountOpened", account=account, kind=kind, profileHash=word(9))

    def transfer(self, sender: str, to: str, quantity_t: int, unit: UnitId = UNIT) -> MadeUpChain:
        moved = {"from_": sender, "to": to, "id": unit.value, "value": quantity_t}
        return self.tell("CarbonLedger", "TransferSingle", operator=sender, **moved)

    def issue(self, to: str, quantity_t: int, unit: UnitId = UNIT) -> MadeUpChain:
        fields = {"unitId": unit.value, "quantityT": quantity_t, "requestId": word(1)}
        self.tell("CarbonLedger", "UnitsIssued", to=to, **fields)
        return self.transfer(ZERO_ACCOUNT, to, quantity_t, unit)

    def surrender(self, entity: str, quantity_t: int, unit: UnitId = UNIT) -> MadeUpChain:
        fields = {"unitId": unit.value, "quantityT": quantity_t, "requestId": word(2)}
        self.tell("Compliance", "UnitsSurrendered", entity=entity, period=2026, **fields)
        self.transfer(entity, ZERO_ACCOUNT, quantity_t, unit)
        return self.tell("CarbonLedger", "UnitsRetired", account=entity, **fields)

    def mint(self, to: str, amount_fen: int) -> MadeUpChain:
        self.tell("SettlementCash", "CashMinted", to=to, amountFen=amount_fen, requestId=word(3))
        return self.tell("SettlementCash", "Transfer", from_=ZERO_ACCOUNT, to=to, value=amount_fen)

    def deposit(self, account: str, quantity_t: int, unit: UnitId = UNIT) -> MadeUpChain:
        self.transfer(account, CLEARING, quantity_t, unit)
        fields = {"unitId": unit.value, "quantityT": quantity_t, "requestId": word(4)}
        return self.tell("Clearing", "UnitsDeposited", account=account, **fields)

    def deposit_cash(self, account: str, amount_fen: int) -> MadeUpChain:
        self.tell("SettlementCash", "Transfer", from_=account, to=CLEARING, value=amount_fen)
        fields = {"amountFen": amount_fen, "requestId": word(5)}
        return self.tell("Clearing", "CashDeposited", account=account, **fields)

    def settle(self, epoch: int, seller: str, buyer: str, quantity_t: int, cash_fen: int) -> MadeUpChain:
        for account, sign in ((seller, -1), (buyer, 1)):
            fields = {"quantityT": sign * quantity_t, "cashFen": -sign * cash_fen}
            self.tell("Clearing", "AccountSettled", epoch=epoch, account=account, unitId=UNIT.value, **fields)
        return self.tell("Clearing", "EpochSettled", epoch=epoch, tapeRoot=word(6), chunks=1)

    def publish(self, period: int = 2026) -> MadeUpChain:
        rules = {"deadline": 2**40, "capT": 10**9, "offsetCapPpm": 50_000, "penaltyMultiple": 5}
        return self.tell("Compliance", "PeriodPublished", period=period, cumulative=False, **rules)

    def report(self, entity: str, report: int, reported_t: int) -> MadeUpChain:
        facts = {"period": 2026, "evidenceRoot": word(10), "documentHash": word(11), "reportedT": reported_t}
        return self.tell("Verification", "ReportFiled", reportId=word(report), entity=entity, **facts)

    def verify(self, entity: str, report: int, verified_t: int) -> MadeUpChain:
        proof = {"evidenceRoot": word(10), "documentHash": word(11), "verifier": VERIFIER}
        self.tell(
            "Verification",
            "EmissionsVerified",
            statementId=word(report + 1000),
            reportId=word(report),
            entity=entity,
            period=2026,
            verifiedT=verified_t,
            **proof,
        )
        return self.tell("Compliance", "ObligationRecorded", entity=entity, period=2026, dueT=verified_t)


def a_year() -> MadeUpChain:
    """A firm gets 100 t, sells 10, surrenders 85 and 5 of offset, and meets its obligation of 90 t."""
    chain = MadeUpChain().publish().open(FIRM).open(OTHER).open(CLEARING, kind=9).block()
    given = {"quantityT": 100, "requestId": word(1)}
    chain.tell("Compliance", "AllowancesAllocated", period=2026, entity=FIRM, **given)
    chain.issue(FIRM, 100).issue(FIRM, 5, OFFSET).mint(OTHER, 100_000).block()
    chain.report(FIRM, 20, 91).report(FIRM, 21, 90).verify(FIRM, 21, 90).block()
    chain.deposit(FIRM, 10).deposit_cash(OTHER, 80_000).settle(1, FIRM, OTHER, 10, 80_000).block()
    chain.surrender(FIRM, 85).surrender(FIRM, 5, OFFSET).block()
    return chain.tell("Compliance", "ObligationMet", entity=FIRM, period=2026, dueT=90, surrenderedT=90)
