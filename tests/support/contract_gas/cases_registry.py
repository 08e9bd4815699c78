"""Gas of the ledger, of compliance and of verification: one row, and as many as a call may bring."""

from __future__ import annotations

from typing import Any

from eth_utils import keccak

from tests.support.contract_fuzz.stage import DAY_S
from tests.support.contract_gas.meter import Meter
from tests.support.contract_model import ledger as kinds
from tests.support.contract_model import units
from tests.support.contract_model.machine import Address
from tests.support.contract_model.verification import domain, emission_hash, reduction_hash

MANY = 100
FIRMS = 20  # in one call of what takes a report or an assessment
PERIOD = 2026
YEARS = range(2030, 2038)  # cumulative periods, assessed together
EVIDENCE = keccak(text="evidence")


def measure(meter: Meter) -> None:
    """Accounts, tonnes, obligations, statements."""
    firms = _accounts(meter)
    _tonnes(meter, firms)
    _statements(meter, firms)
    _obligations(meter, firms)


def _accounts(meter: Meter) -> list[str]:
    ledger = "CarbonLedger"
    firms = [f"firm {at}" for at in range(FIRMS)]
    rows = [(meter.newcomer(firm), kinds.FIRM, keccak(text=firm)) for firm in firms]
    crowd = [(_nobody(at), kinds.PERSON, keccak(text=str(at))) for at in range(MANY)]
    meter.measure("one", "registrar", ledger, "openAccounts", rows[:1])
    meter.measure("a hundred", "registrar", ledger, "openAccounts", crowd)
    meter.measure("one again", "registrar", ledger, "openAccounts", rows[:1])
    meter.do("registrar", ledger, "openAccounts", rows[1:])
    person = meter.people["person"]
    meter.measure("frozen", "regulator", ledger, "setFrozen", person, True, meter.name())
    meter.measure("freed", "regulator", ledger, "setFrozen", person, False, meter.name())
    return firms


def _tonnes(meter: Meter, firms: list[str]) -> None:
    ledger, people = "CarbonLedger", meter.people
    firm, rival, unit = people["firm"], people["rival"], units.allowance(2025)
    # Only contracts issue and retire; here an office does, so that the ledger's own part can be told.
    for role in (10, 11):
        meter.do("admin", "AccessManager", "grantRole", role, people["admin"], 0)
    meter.measure("first of a unit", "admin", ledger, "issue", unit, [(firm, 1_000)], meter.name())
    meter.measure("holder has some", "admin", ledger, "issue", unit, [(firm, 1_000)], meter.name())
    crowd = [(_nobody(at), 10) for at in range(MANY)]
    meter.measure("a hundred new holders", "admin", ledger, "issue", unit, crowd, meter.name())
    meter.measure("first of a unit", "admin", ledger, "retire", firm, unit, 10, meter.name())
    meter.measure("not the first", "admin", ledger, "retire", firm, unit, 10, meter.name())
    meter.measure("first of a unit", "firm", ledger, "cancel", unit, 10, "neutrality", meter.name())
    meter.measure("a reason of 500 bytes", "firm", ledger, "cancel", unit, 10, "x" * 500, meter.name())
    send = ("firm", ledger, "safeTransferFrom", firm)
    meter.measure("to a new holder", *send, rival, unit, 10, b"")
    meter.measure("holder has some", *send, rival, unit, 10, b"")
    meter.measure("deposit, the first", *send, meter.parts["Clearing"], unit, 10, meter.name())
    meter.measure("deposit", *send, meter.parts["Clearing"], unit, 10, meter.name())
    vintages = [units.allowance(1900 + at) for at in range(50)]
    for vintage in vintages:
        meter.do("admin", ledger, "issue", vintage, [(firm, 10)], meter.name())
    send_many = ("firm", ledger, "safeBatchTransferFrom", firm)
    meter.measure("two units, new to the holder", *send_many, rival, vintages[:2], [5, 5], b"")
    meter.measure("fifty units, new to the holder", *send_many, people["trader"], vintages, [5] * 50, b"")
    meter.measure("given", "firm", ledger, "setApprovalForAll", rival, True)
    meter.measure("taken back", "firm", ledger, "setApprovalForAll", rival, False)


def _statements(meter: Meter, firms: list[str]) -> None:
    verification, people = "Verification", meter.people
    until = meter.now + 300 * DAY_S
    meter.measure("first", "regulator", verification, "accredit", people["reviewer"], until, meter.name())
    meter.measure("again", "regulator", verification, "accredit", people["reviewer"], until + 1, meter.name())
    meter.measure("accredited", "regulator", verification, "revoke", people["reviewer"], meter.name())
    pair = (people["reviewer"], people["firm"])
    meter.measure("first", "regulator", verification, "declareConflict", *pair, meter.name())
    design = (people["developer"], EVIDENCE)
    meter.measure("first", "registrar", verification, "registerProject", 1, *design, meter.name())
    reports = {}
    for firm in ("firm", *firms):
        reports[firm] = meter.name()
        report = (reports[firm], PERIOD, EVIDENCE, EVIDENCE, 100)
        meter.measure("first of a period", firm, verification, "fileReport", *report)
    again = meter.name()
    meter.measure("replaces one", "firm", verification, "fileReport", again, PERIOD, EVIDENCE, EVIDENCE, 90)
    reports["firm"] = again
    for case, some in (("one", ["firm"]), ("twenty", firms)):
        statements = [_emissions(meter, firm, reports[firm]) for firm in some]
        signatures = [_signed(meter, emission_hash(statement)) for statement in statements]
        call = (statements, signatures)
        meter.measure(case, "stranger", verification, "acceptEmissionStatements", *call)
    for batch, case in ((1, "first of a batch"), (2, "developer holds other batches")):
        statement = (
            meter.name(), 1, 2026, batch, EVIDENCE, 1_000, 300, 50, EVIDENCE, people["verifier"],
        )  # fmt: skip
        signature = _signed(meter, reduction_hash(statement))
        meter.measure(case, "stranger", verification, "acceptReductionStatement", statement, signature)


def _obligations(meter: Meter, firms: list[str]) -> None:
    compliance, people = "Compliance", meter.people
    for year in YEARS:
        rules = (year, meter.now + (1 + year - YEARS[0]) * DAY_S, 10**6, 50_000, 5, True)
        case = "cumulative, the first" if year == YEARS[0] else "cumulative"
        meter.measure(case, "regulator", compliance, "publishPeriod", rules)
    rules = (2027, meter.now + 90 * DAY_S, 10**6, 50_000, 5, False)
    meter.measure("plain", "regulator", compliance, "publishPeriod", rules)
    gift = (PERIOD, [(people["firm"], 200)])
    meter.measure("first of a period", "regulator", compliance, "allocate", *gift, meter.name())
    meter.measure("one", "regulator", compliance, "allocate", *gift, meter.name())
    crowd = [(_nobody(at), 10) for at in range(MANY)]
    meter.measure("a hundred new holders", "regulator", compliance, "allocate", PERIOD, crowd, meter.name())
    # Only the verification contract records; here an office does.
    meter.do("admin", "AccessManager", "grantRole", 12, people["admin"], 0)
    meter.measure("first", "admin", compliance, "recordVerified", people["trader"], 2027, 100)
    unit = units.allowance(PERIOD)
    meter.measure("allowances, the first", "firm", compliance, "surrender", PERIOD, unit, 20, meter.name())
    meter.measure("allowances", "firm", compliance, "surrender", PERIOD, unit, 20, meter.name())
    offset = units.offset(2026, 1, 1)
    give = (people["developer"], people["firm"], offset, 10, b"")
    meter.do("developer", "CarbonLedger", "safeTransferFrom", *give)
    meter.measure("offsets, the first", "firm", compliance, "surrender", PERIOD, offset, 2, meter.name())
    meter.measure("first", "regulator", compliance, "publishReferencePrice", PERIOD, 6_236, meter.name())
    for year in YEARS:
        meter.do("admin", compliance, "recordVerified", people["firm"], year, 100)
        meter.do("regulator", compliance, "publishReferencePrice", year, 6_236, meter.name())
    meter.wait_until(meter.now + 70 * DAY_S)
    meter.measure("one, short", "stranger", compliance, "assess", PERIOD, [people["firm"]])
    everybody = [people[firm] for firm in firms]
    meter.measure("twenty, all short", "stranger", compliance, "assess", PERIOD, everybody)
    meter.measure(
        "eight cumulative periods, all short", "stranger", compliance, "assess", YEARS[-1], [people["firm"]]
    )


def _emissions(meter: Meter, firm: str, report: bytes) -> tuple[Any, ...]:
    entity, verifier = meter.people[firm], meter.people["verifier"]
    return (meter.name(), report, entity, PERIOD, EVIDENCE, 100, EVIDENCE, verifier)


def _signed(meter: Meter, struct_hash: bytes) -> bytes:
    separator = domain(meter.machine.chain_id, meter.parts["Verification"])
    return meter.stage.sign("verifier", keccak(b"\x19\x01" + separator + struct_hash))


def _nobody(at: int) -> Address:
    return "0x" + keccak(text=f"crowd {at}")[12:].hex()
