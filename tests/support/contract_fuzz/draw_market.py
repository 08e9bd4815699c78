"""Random acts on the market's contracts: cash, clearing, points."""

from __future__ import annotations

from typing import Any

from eth_utils import keccak

from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.scene import Scene
from tests.support.contract_model.clearing import Sums
from tests.support.contract_model.machine import UINT256_MAX, ZERO_ADDRESS, Address
from tests.support.contract_model.points import leaf, parent

Node = tuple[bytes, int]

# Cash


def mint(scene: Scene) -> Act:
    cash = scene.stage.cash
    rows = [(scene.any_address(), scene.number(1_000_000)) for _ in range(scene.rng.randint(1, 3))]
    if scene.chance(0.05):
        rows.append((scene.anyone(), scene.pick((2**63 - 1, 2**64, UINT256_MAX))))
    if scene.chance(0.01):  # to the last fen that there can be, or one more
        rows = [(scene.anyone(), 2**63 - cash.total[0] - scene.pick((0, 0, 0, 1)))]
    return scene.act(scene.caller_of(cash, "mint"), cash, "mint", rows, scene.request_id())


def redeem_cash(scene: Scene) -> Act:
    owner, held_fen = scene.owner_of(scene.stage.cash.balances.rows)
    return scene.act(owner, scene.stage.cash, "redeem", scene.number(held_fen // 10), scene.request_id())


def move_token(scene: Scene) -> Act:
    """transfer, approve, transferFrom of either token."""
    token: Any = scene.stage.cash if scene.chance(0.6) else scene.stage.points
    owner, held = scene.owner_of(token.balances.rows)
    most = held if scene.chance(0.1) else held // 10
    what = scene.pick(("transfer", "approve", "transferFrom"))
    if what == "transfer":
        return scene.act(owner, token, what, scene.any_address(), scene.number(most))
    if what == "approve":
        amount = scene.pick((0, most, UINT256_MAX, held + 1))
        return scene.act(owner, token, what, scene.any_address(), amount)
    if scene.chance(0.05):  # nothing of nobody's
        return scene.act(scene.anyone(), token, what, ZERO_ADDRESS, scene.anyone(), 0)
    owner, spender, most = _allowance(scene, token)
    return scene.act(spender, token, what, owner, scene.any_address(), scene.number(most))


def _allowance(scene: Scene, token: Any) -> tuple[Address, Address, int]:
    """Who may spend whose, and how much of what is there."""
    people = scene.people
    found = [key for key, amount in token.allowances.rows.items() if amount and key[1] in people]
    owner, spender = (
        scene.pick(found) if found and scene.chance(0.8) else (scene.any_address(), scene.anyone())
    )
    return owner, spender, min(token.allowances[owner, spender], token.balances[owner]) // 2


def call_token(scene: Scene) -> Act:
    """ERC-1363: a transfer or an approval that tells the other side."""
    cash = scene.stage.cash
    owner, held_fen = scene.owner_of(cash.balances.rows)
    to = scene.pick(
        (scene.stage.clearing.address, scene.stage.clearing.address, scene.wallet, scene.any_address())
    )
    data = scene.request_id() if scene.chance(0.9) else b""
    amount = scene.number(held_fen // 4)
    what = scene.pick(("transferAndCall", "transferAndCall", "transferFromAndCall", "approveAndCall"))
    if what == "approveAndCall":
        spender = scene.wallet if scene.chance(0.6) else scene.any_address()
        args: tuple[Any, ...] = (spender, amount)
    elif what == "transferAndCall":
        args = (to, amount)
    else:
        holder, owner, most = _allowance(scene, cash)
        args = (holder, to, scene.number(most))
    if scene.chance(0.8):
        args = (*args, data)
    return scene.act(owner, cash, what, *args)


# Clearing


def hook(scene: Scene) -> Act:
    """Somebody says that something arrived."""
    clearing = scene.stage.clearing
    what = scene.pick(("onERC1155Received", "onTransferReceived", "onERC1155BatchReceived"))
    function = clearing.interface.function(what)
    return Act(
        scene.model.now, scene.anyone(), clearing.address, function,
        tuple(scene.value(kind) for kind in function.inputs),
    )  # fmt: skip


def settle(scene: Scene) -> Act:
    clearing = scene.stage.clearing
    progress = clearing.progress[0]
    epoch, chunk = progress.settled_epoch + 1, progress.chunks_applied
    chunks = progress.chunks or scene.pick((1, 1, 1, 2, 3))
    root = clearing.roots[epoch] if chunk else scene.root()
    sums = clearing.sums[chunk] if chunk else Sums()
    deltas = _deltas(scene, sums, last=chunk + 1 == chunks)
    throw = scene.rng.random()
    if throw < 0.05:  # what was done before: a retry
        if scene.settled:
            return _exchange_act(scene, "settle", *scene.pick(list(scene.settled.values())))
    elif throw < 0.10:
        epoch += scene.pick((-1, 1))
    elif throw < 0.13:
        chunk += scene.pick((-1, 1)) if chunk else 1
    elif throw < 0.16:
        chunks = min(chunks + 1, 2**32 - 1)
    elif throw < 0.18:
        root = scene.root()
    elif throw < 0.22 and deltas:
        at = scene.rng.randrange(len(deltas))
        deltas[at] = (*deltas[at][:2], deltas[at][2] + 1, deltas[at][3])
    elif throw < 0.26 and deltas:
        at = scene.rng.randrange(len(deltas))
        deltas[at] = (*deltas[at][:3], deltas[at][3] + 1)
    elif throw < 0.28:
        deltas.append((scene.anyone(), 0, 0, 0))
    elif throw < 0.29 and chunk + 1 < chunks:
        deltas += [(scene.anyone(), sums.unit, -(2**127), 0), (scene.anyone(), sums.unit, 2**127 - 1, 0)]
    return _exchange_act(scene, "settle", max(0, epoch), max(0, chunk), chunks, root, deltas)


def _deltas(scene: Scene, sums: Sums, last: bool) -> list[tuple[Address, int, int, int]]:
    """Trades as deltas; the second leg of one may be left to the next chunk, as long as its unit goes on."""
    clearing = scene.stage.clearing
    deltas: list[tuple[Address, int, int, int]] = []
    unit, open_t, open_fen = sums.unit, sums.units_t, sums.cash_fen
    sellers = sorted(
        (key[1], key[0], held) for key, held in clearing.units.rows.items() if held > 0 and key[1] >= unit
    )
    some = sorted(scene.rng.sample(sellers, min(len(sellers), scene.rng.randint(0, 3))))
    for sold, seller, held_t in some:
        if sold != unit and open_t:
            deltas.append((scene.anyone(), unit, -open_t, 0))
            open_t = 0
        unit = sold
        quantity_t, price_fen = scene.rng.randint(1, held_t), scene.rng.randint(0, 100)
        if scene.chance(0.05):
            quantity_t = held_t + 1
        buyer = scene.pick([account for account, fen in clearing.fen.rows.items() if fen > 0] or scene.people)
        price_fen = min(price_fen, max(0, clearing.fen[buyer]))
        deltas.append((seller, unit, -quantity_t, price_fen))
        open_t -= quantity_t
        open_fen += price_fen
        if scene.chance(0.8) or last:
            deltas.append((buyer, unit, quantity_t, -price_fen))
            open_t += quantity_t
            open_fen -= price_fen
    if last and (open_t or open_fen):
        rich = [account for account, fen in clearing.fen.rows.items() if fen >= open_fen]
        deltas.append((scene.pick(rich or scene.people), unit, -open_t, -open_fen))
    return deltas


def unwind(scene: Scene) -> Act:
    return _taken_back(scene, "unwind")


def unwind_abandoned(scene: Scene) -> Act:
    return _taken_back(scene, "unwindAbandoned")


def _taken_back(scene: Scene, what: str) -> Act:
    clearing = scene.stage.clearing
    applied = clearing.progress[0].chunks_applied
    args = scene.settled.get(applied - 1, (1, 0, 1, scene.root(), []))
    if scene.chance(0.1):
        changed = list(args)
        changed[scene.rng.randint(0, 3)] = scene.pick((0, 1, 2, 3)) if scene.chance(0.5) else 7
        if not isinstance(changed[3], bytes):
            changed[3] = scene.root()
        args = tuple(changed)
    if what == "unwind":
        return _exchange_act(scene, what, *args)
    return scene.act(scene.anyone(), clearing, what, *args)


def release(scene: Scene) -> Act:
    rows = []
    for _ in range(scene.rng.randint(0, 3)):
        if scene.chance(0.5):
            owner, unit, held = scene.trader_of_units()
        else:
            owner, held = scene.owner_of(scene.stage.clearing.fen.rows)
            unit = 0
        rows.append((owner, unit, scene.number(held // 2), scene.request_id()))
    return _exchange_act(scene, "release", rows)


def request_exit(scene: Scene) -> Act:
    return scene.act(scene.anyone(), scene.stage.clearing, "requestExit")


def leave(scene: Scene) -> Act:
    clearing = scene.stage.clearing
    asked = list(clearing.exits.rows)
    caller = scene.pick(asked) if asked and scene.chance(0.9) else scene.anyone()
    theirs = [key[1] for key, held in clearing.units.rows.items() if key[0] == caller and held]
    unit_ids = [*theirs, *([scene.unit()] if scene.chance(0.2) else [])]
    return scene.act(caller, clearing, "exit", unit_ids)


def _exchange_act(scene: Scene, function: str, *args: Any) -> Act:
    clearing = scene.stage.clearing
    return scene.act(scene.caller_of(clearing, function), clearing, function, *args)


# Points


def accredit_provider(scene: Scene) -> Act:
    points = scene.stage.points
    caller = scene.caller_of(points, "accreditProvider")
    return scene.act(
        caller, points, "accreditProvider", scene.any_address(), scene.chance(0.7), scene.request_id()
    )


def publish_epoch(scene: Scene) -> Act:
    points = scene.stage.points
    epoch = points.last[0] + 1
    throw = scene.rng.random()
    if throw < 0.1:
        epoch += scene.pick((-1, 1))
    people = [(scene.anyone(), scene.rng.randint(0, 5_000)) for _ in range(scene.rng.randint(1, 6))]
    lift = 8 if scene.chance(0.1) else 0  # a tree whose leaves say that they are elsewhere
    root, total_g = _rows(epoch, people, lift)[-1][0]
    if 0.1 < throw < 0.13:
        total_g = scene.pick((2**128, 2**128 - 1, total_g + 1))
    args: tuple[Any, ...] = (epoch, root, total_g, len(people), keccak(text="batches"))
    if 0.13 < throw < 0.18 and points.last[0]:
        epoch = points.last[0]
        args = (epoch, *points.epochs[epoch])
    elif epoch == points.last[0] + 1:
        scene.trees[epoch] = (people, lift)
    return scene.act(scene.caller_of(points, "publishEpoch"), points, "publishEpoch", *args)


def claim(scene: Scene) -> Act:
    points = scene.stage.points
    published = range(1, points.last[0] + 1)
    epoch = (
        scene.pick(published[-4:])
        if published and scene.chance(0.95)
        else scene.pick((0, points.last[0] + 1))
    )
    people, lift = scene.trees.get(epoch, ([(scene.anyone(), 1)], 0))
    index = scene.rng.randrange(len(people))
    rows = _rows(epoch, people, lift)
    proof = [row[(index >> height) ^ 1] for height, row in enumerate(rows[:-1])]
    person, quantity_g = people[index]
    index += lift
    throw = scene.rng.random()
    if throw < 0.04:
        quantity_g += 1
    elif throw < 0.07:
        index += 1 << len(proof)
    elif throw < 0.10:
        proof = proof[:-1]
    elif throw < 0.13:
        proof = [(hash_, UINT256_MAX) for hash_, _ in proof]
    elif throw < 0.16:
        person = scene.anyone()
    return scene.act(person, points, "claim", epoch, index, quantity_g, proof)


def _rows(epoch: int, people: list[tuple[Address, int]], lift: int) -> list[list[Node]]:
    """The tree, from the leaves, padded to a power of two, to the root."""
    row: list[Node] = [(leaf(epoch, index + lift, *one), one[1]) for index, one in enumerate(people)]
    while len(row) & len(row) - 1:
        row.append((bytes(32), 0))
    rows = [row]
    while len(row) > 1:
        row = [parent(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        rows.append(row)
    return rows


def redeem_points(scene: Scene) -> Act:
    owner, held_g = scene.owner_of(scene.stage.points.balances.rows)
    return scene.act(
        owner, scene.stage.points, "redeem", scene.number(held_g // 4), scene.root(), scene.request_id()
    )
