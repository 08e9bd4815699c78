"""Gas of cash, clearing and points: one row, and as many as a call may bring."""

from __future__ import annotations

from eth_utils import keccak

from tests.support.contract_fuzz.stage import DAY_S
from tests.support.contract_gas.meter import Meter
from tests.support.contract_model import units
from tests.support.contract_model.machine import UINT256_MAX, Address
from tests.support.contract_model.points import leaf, parent

MANY = 100
TRADERS = 200  # accounts in one chunk of an epoch
DEPTH = 20  # of a points tree: a million people
WEEK_S = 7 * DAY_S


def measure(meter: Meter) -> None:
    """Money, epochs, ways out, points."""
    _money(meter)
    _epochs(meter)
    _ways_out(meter)
    _points(meter)


def _money(meter: Meter) -> None:
    cash, people, parts = "SettlementCash", meter.people, meter.parts
    firm, rival, wallet = people["firm"], people["rival"], people["wallet"]
    meter.measure("first ever", "bank", cash, "mint", [(firm, 1_000_000)], meter.name())
    meter.measure("one", "bank", cash, "mint", [(firm, 1_000_000)], meter.name())
    crowd = [(_nobody(at), 100) for at in range(MANY)]
    meter.measure("a hundred new holders", "bank", cash, "mint", crowd, meter.name())
    meter.measure("one", "firm", cash, "redeem", 100, meter.name())
    _token(meter, cash)
    meter.do("rival", cash, "approve", firm, UINT256_MAX)
    clearing = parts["Clearing"]
    meter.measure("deposit, the first", "firm", cash, "transferAndCall", clearing, 1_000, meter.name())
    meter.measure("deposit", "firm", cash, "transferAndCall", clearing, 1_000, meter.name())
    meter.measure("to a wallet", "firm", cash, "transferAndCall", wallet, 10)
    meter.measure("to a wallet", "firm", cash, "transferFromAndCall", rival, wallet, 1)
    meter.measure("deposit, the first", "firm", cash, "transferFromAndCall", rival, clearing, 1, meter.name())
    meter.measure("a wallet", "firm", cash, "approveAndCall", wallet, 10)
    meter.measure("a wallet, with data", "firm", cash, "approveAndCall", wallet, 20, b"\x01" * 32)


def _token(meter: Meter, part: str) -> None:
    """What both tokens have from ERC-20."""
    firm, rival = meter.people["firm"], meter.people["rival"]
    meter.measure("to a new holder", "firm", part, "transfer", rival, 10)
    meter.measure("holder has some", "firm", part, "transfer", rival, 10)
    meter.measure("first", "firm", part, "approve", rival, 100)
    meter.measure("changed", "firm", part, "approve", rival, 50)
    meter.measure("part of an allowance", "rival", part, "transferFrom", firm, rival, 10)


def _epochs(meter: Meter) -> None:
    clearing, ledger, firm, rival = "Clearing", "CarbonLedger", meter.people["firm"], meter.people["rival"]
    unit = units.allowance(2025)
    give = (firm, meter.parts[clearing], unit, 500, meter.name())
    meter.do("firm", ledger, "safeTransferFrom", *give)
    pair = [(firm, unit, -10, 100), (rival, unit, 10, -100)]
    meter.do("bank", "SettlementCash", "mint", [(rival, 10**6)], meter.name())
    meter.do("rival", "SettlementCash", "transferAndCall", meter.parts[clearing], 10**6, meter.name())
    epoch = 0

    def settle(case: str, *deltas: tuple[Address, int, int, int], chunk: int = 0, chunks: int = 1) -> None:
        call = (epoch, chunk, chunks, keccak(text=f"tape {epoch}"), list(deltas))
        meter.measure(case, "exchange", clearing, "settle", *call)

    epoch = 1
    settle("first epoch, two accounts", *pair)
    epoch = 2
    settle("two accounts", *pair)
    epoch = 3
    settle("nothing")
    epoch = 4
    crowd = [(_nobody(at), unit, 1, 0) for at in range(TRADERS)]
    settle("two hundred accounts new to the unit", (firm, unit, -TRADERS, 0), *crowd)
    epoch = 5
    bought = [(_nobody(at), unit, -1, 1) for at in range(TRADERS)]
    settle("two hundred accounts, tonnes and fen", *bought, (rival, unit, TRADERS, -TRADERS))
    epoch = 6
    settle("a chunk of two, two accounts", *pair, chunks=2)
    taken = (epoch, 0, 2, keccak(text=f"tape {epoch}"), pair)
    meter.measure("a chunk with two accounts", "exchange", clearing, "unwind", *taken)
    settle("a chunk of two, two accounts", *pair, chunks=2)
    meter.wait_until(meter.now + WEEK_S)
    meter.measure("a chunk with two accounts", "stranger", clearing, "unwindAbandoned", *taken)


def _ways_out(meter: Meter) -> None:
    clearing, people = "Clearing", meter.people
    unit, firm, rival = units.allowance(2025), people["firm"], people["rival"]
    meter.measure("tonnes of one", "exchange", clearing, "release", [(rival, unit, 5, meter.name())])
    meter.measure("fen of one", "exchange", clearing, "release", [(rival, 0, 5, meter.name())])
    rows = [(_nobody(at), 0, 1, meter.name()) for at in range(MANY)]
    meter.measure("fen of a hundred", "exchange", clearing, "release", rows)
    meter.measure("nothing", "exchange", clearing, "release", [])
    vintages = [units.allowance(1910 + at) for at in range(20)]
    for vintage in vintages:
        give = (firm, meter.parts[clearing], vintage, 1, meter.name())
        meter.do("firm", "CarbonLedger", "safeTransferFrom", *give)
    meter.measure("first", "firm", clearing, "requestExit")
    meter.do("rival", clearing, "requestExit")
    meter.wait_until(meter.now + WEEK_S)
    meter.measure("fen and one unit", "rival", clearing, "exit", [unit])
    meter.measure("fen and twenty-one units", "firm", clearing, "exit", [unit, *vintages])


def _points(meter: Meter) -> None:
    points, people = "MicroCarat", meter.people
    meter.measure("first", "regulator", points, "accreditProvider", people["trader"], True, meter.name())
    for epoch, earned in ((1, ["firm"]), (2, ["firm"])):
        who = people[earned[0]]
        depth = DEPTH if epoch == 2 else 0
        node, proof = (leaf(epoch, 0, who, 1_000), 1_000), []
        for height in range(depth):
            beside = (keccak(text=f"beside {height}"), 1 << height)
            proof.append(beside)
            node = parent(node, beside)
        call = (epoch, *node, 10**6, keccak(text="batches"))
        meter.measure("the next", "points", points, "publishEpoch", *call)
        case = "a million people" if depth else "alone, the first claim"
        meter.measure(case, "firm", points, "claim", epoch, 0, 1_000, proof)
    _token(meter, points)
    meter.measure("one", "firm", points, "redeem", 10, keccak(text="ticket"), meter.name())


def _nobody(at: int) -> Address:
    return "0x" + keccak(text=f"crowd {at}")[12:].hex()
