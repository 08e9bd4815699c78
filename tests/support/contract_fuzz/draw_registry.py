"""Random acts on the ledger and on compliance."""

from __future__ import annotations

from eth_utils import keccak

from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.scene import PERIODS, Scene
from tests.support.contract_fuzz.stage import DAY_S
from tests.support.contract_model import ledger as kinds
from tests.support.contract_model import units
from tests.support.contract_model.machine import UINT256_MAX, ZERO_ADDRESS, Address

# Each of these has one thing that no unit has: a part too much, a part missing, no class, no vintage.
_NO_UNITS = (
    units.allowance(2026) + 1, units.allowance(2026) | 1 << 32,
    units.offset(2026, 1, 0), units.offset(2026, 0, 1),
    3 << 80 | 2026 << 64, units.allowance(0), units.offset(0, 1, 1), units.allowance(2026) | 1 << 88,
)  # fmt: skip

# The ledger


def open_accounts(scene: Scene) -> Act:
    rows = []
    for _ in range(scene.rng.randint(1, 3)):
        account = scene.any_address()
        kind = scene.rng.choices((kinds.FIRM, kinds.PERSON, kinds.CONTRACT, 0, 10), (6, 3, 1, 0.3, 0.3))[0]
        rows.append((account, kind, keccak(text=account if scene.chance(0.8) else "other")))
    ledger = scene.stage.ledger
    return scene.act(scene.caller_of(ledger, "openAccounts"), ledger, "openAccounts", rows)


def set_frozen(scene: Scene) -> Act:
    ledger = scene.stage.ledger
    frozen = [account for account, is_frozen in ledger.frozen.rows.items() if is_frozen]
    account, freeze = (
        (scene.pick(frozen), False) if frozen and scene.chance(0.8) else (scene.any_address(), True)
    )
    caller = scene.caller_of(ledger, "setFrozen")
    return scene.act(caller, ledger, "setFrozen", account, freeze, scene.request_id())


def issue(scene: Scene) -> Act:
    ledger = scene.stage.ledger
    rows = [(scene.any_address(), scene.number(1_000)) for _ in range(scene.rng.randint(0, 3))]
    if scene.chance(0.1):
        rows.append((scene.anyone(), scene.pick((2**63 - 1, 2**63, UINT256_MAX))))
    unit = scene.pick(_NO_UNITS) if scene.chance(0.2) else scene.unit()
    return scene.act(scene.caller_of(ledger, "issue"), ledger, "issue", unit, rows, scene.request_id())


def retire(scene: Scene) -> Act:
    ledger = scene.stage.ledger
    owner, unit, held_t = scene.owner_of_units()
    if scene.chance(0.1):
        owner = ZERO_ADDRESS
    caller = scene.caller_of(ledger, "retire")
    return scene.act(caller, ledger, "retire", owner, unit, scene.number(held_t), scene.request_id())


def cancel(scene: Scene) -> Act:
    owner, unit, held_t = scene.owner_of_units()
    quantity_t = scene.number(max(1, held_t // 20))
    return scene.act(
        owner, scene.stage.ledger, "cancel", unit, quantity_t, scene.value("string"), scene.request_id()
    )


def approve_operator(scene: Scene) -> Act:
    operator = scene.any_address()
    return scene.act(scene.anyone(), scene.stage.ledger, "setApprovalForAll", operator, scene.chance(0.6))


def transfer_units(scene: Scene) -> Act:
    owner, unit, held_t = scene.owner_of_units()
    caller, to = _operator_of(scene, owner), scene.any_address()
    if to == scene.stage.clearing.address:
        return deposit_units(scene)
    quantity_t = scene.number(held_t) if scene.chance(0.3) else scene.number(held_t // 10)
    return scene.act(caller, scene.stage.ledger, "safeTransferFrom", owner, to, unit, quantity_t, b"")


def deposit_units(scene: Scene) -> Act:
    owner, unit, held_t = scene.owner_of_units()
    data = scene.request_id() if scene.chance(0.95) else scene.rng.randbytes(scene.pick((0, 31, 33, 64)))
    to = scene.stage.clearing.address
    quantity_t = scene.number(held_t // 2)
    caller = _operator_of(scene, owner)
    return scene.act(caller, scene.stage.ledger, "safeTransferFrom", owner, to, unit, quantity_t, data)


def transfer_batch(scene: Scene) -> Act:
    owner, unit, _ = scene.owner_of_units()
    held = scene.stage.ledger.balances
    unit_ids = [unit, *(scene.unit() for _ in range(scene.rng.randint(0, 2)))]
    if scene.chance(0.1):
        unit_ids.append(unit)  # twice
    quantities_t = [scene.number(held[owner, one] // (1 if scene.chance(0.3) else 5)) for one in unit_ids]
    throw = scene.rng.random()
    if throw < 0.05:
        quantities_t.append(1)
    elif throw < 0.1:
        unit_ids, quantities_t = [], []
    caller, to = _operator_of(scene, owner), scene.any_address()
    return scene.act(
        caller, scene.stage.ledger, "safeBatchTransferFrom", owner, to, unit_ids, quantities_t, b""
    )


def _operator_of(scene: Scene, owner: Address) -> Address:
    if scene.chance(0.85):
        return owner
    named = [
        key[1] for key, approved in scene.stage.ledger.operators.rows.items() if approved and key[0] == owner
    ]
    return scene.pick(named) if named and scene.chance(0.8) else scene.anyone()


# Compliance


def publish_period(scene: Scene) -> Act:
    compliance = scene.stage.compliance
    free = [period for period in PERIODS if compliance.rules[period].deadline == 0]
    cumulative = scene.chance(0.5)
    period = scene.pick(free) if free and scene.chance(0.8) else scene.pick(PERIODS)
    deadline = scene.model.now + scene.rng.randint(0, 60 * DAY_S)
    if cumulative and compliance.sequence[0] and scene.chance(0.9):
        last = compliance.rules[compliance.sequence[0][-1]]
        deadline = last.deadline + scene.pick((0, 1, 1, DAY_S, 10 * DAY_S, -1))
    cap_t = scene.pick((10_000, 1_000_000, 2**64, 2**128 - 1))
    ppm = scene.pick((0, 50_000, 80_000, 1_000_000))
    rules = [period, deadline, cap_t, ppm, scene.pick((0, 5, 10, 2**32 - 1)), cumulative]
    throw = scene.rng.random()
    if throw < 0.05:
        rules[scene.pick((0, 1))] = 0
    elif throw < 0.1:
        rules[2] = 2**128
    elif throw < 0.15:
        rules[3] = 1_000_001
    elif throw < 0.25 and compliance.rules[period].deadline:
        rules = list(compliance.rules[period])
    return scene.act(scene.caller_of(compliance, "publishPeriod"), compliance, "publishPeriod", tuple(rules))


def allocate(scene: Scene) -> Act:
    compliance = scene.stage.compliance
    period = scene.period()
    left_t = min(compliance.rules[period].cap_t - compliance.allocated[period], 2**60)
    most_t = left_t if scene.chance(0.05) else left_t // 50
    firms = (
        *(scene.stage.people[label] for label in ("firm", "rival", "wallet", "trader")),
        scene.any_address(),
    )
    rows = [(scene.pick(firms), scene.number(most_t)) for _ in range(scene.rng.randint(1, 3))]
    if scene.chance(0.03):  # to the last tonne that can be issued, or one more
        issued_t = scene.stage.ledger.supplies[units.allowance(period)].issued_t
        rows = [(scene.stage.people["firm"], 2**63 - issued_t - scene.pick((0, 0, 0, 0, 1)))]
    caller = scene.caller_of(compliance, "allocate")
    return scene.act(caller, compliance, "allocate", period, rows, scene.request_id())


def record_verified(scene: Scene) -> Act:
    compliance = scene.stage.compliance
    caller = scene.caller_of(compliance, "recordVerified")
    return scene.act(
        caller, compliance, "recordVerified", scene.anyone(), scene.period(), scene.number(5_000)
    )


def surrender(scene: Scene) -> Act:
    compliance = scene.stage.compliance
    owner, unit, held_t = scene.owner_of_units()
    period = scene.period()
    open_ = [
        key for key, entry in compliance.entries.rows.items()
        if entry.verified and compliance.rules[key[1]].deadline >= scene.model.now
    ]  # fmt: skip
    if open_ and scene.chance(0.8):
        owner, period = scene.pick(open_)
        theirs = [
            key[1] for key, held in scene.stage.ledger.balances.rows.items() if key[0] == owner and held
        ]
        unit = scene.pick(theirs) if theirs else unit
        held_t = scene.stage.ledger.balances[owner, unit]
    if scene.chance(0.02):
        unit |= 1 << 90
    entry = compliance.entries[owner, period]
    outstanding_t = max(0, entry.due_t - entry.surrendered_t)
    if unit >> 80 == units.OFFSET:
        cap_t = entry.due_t * compliance.rules[period].offset_cap_ppm // 1_000_000
        outstanding_t = min(outstanding_t, max(0, cap_t - entry.offsets_t))
    most_t = held_t if scene.chance(0.2) else min(held_t, outstanding_t)
    return scene.act(owner, compliance, "surrender", period, unit, scene.number(most_t), scene.request_id())


def publish_price(scene: Scene) -> Act:
    compliance = scene.stage.compliance
    price_fen = scene.pick((0, 1, 6_236, 7_463, 2**96 - 1, 2**96))
    caller = scene.caller_of(compliance, "publishReferencePrice")
    return scene.act(
        caller, compliance, "publishReferencePrice", scene.period(), price_fen, scene.request_id()
    )


def assess(scene: Scene) -> Act:
    compliance = scene.stage.compliance
    due = [key for key, entry in compliance.entries.rows.items() if entry.verified and not entry.assessed]
    period = scene.period()
    entities = [scene.any_address() for _ in range(scene.rng.randint(0, 2))]
    past = [key for key in due if compliance.rules[key[1]].deadline < scene.model.now]
    if past and scene.chance(0.8):
        entity, period = scene.pick(past)
        entities = [entity] if scene.chance(0.9) else [entity, *entities]
    return scene.act(scene.anyone(), compliance, "assess", period, entities)
