"""Row 4: settling an epoch of a whole market on the real Clearing: each firm sells one unit, buys another.

The contracts are deployed as in production, with their roles. Firms deposit tonnes and fen; then the epoch
goes in chunks, as the exchange sends it: by unit and account, CHUNK_DELTAS a call, a transaction each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chain.abi import Call, decode_output, encode_call
from chain.bench.chains import Chain, running_carat
from chain.bench.market import Firm, Market, key_of, make_firms
from chain.bench.report import AT_MOST, Row, Target
from chain.bench.wire import BenchAnswerWrong
from chain.deployment import Deployment, deploy
from chain.ids import request_id
from chain.keys import Keyring
from chain.node.formats import checksum
from chain.rpc import ChainRpc
from chain.transactor import Receipt, Transactor
from chain.units import UnitId

FIRMS: Final = 2_225
CHUNK_DELTAS: Final = 250
"""As many as the exchange sends in one call (exchange.netting)."""

UNITS: Final = (UnitId.allowance(2026), UnitId.allowance(2027))
DEPOSIT_T: Final = 1_000
DEPOSIT_FEN: Final = 10_000_000
PRICE_FEN: Final = 9_000
TAPE_ROOT: Final = b"\xca" * 32
KEYRING: Final = Keyring(b"carat bench settlement keyring..")
OPERATORS: Final = ("admin", "regulator", "registrar", "bank", "exchange")
_TRADER_KIND: Final = 8
_AT_ONCE: Final = 200
_BATCH: Final = 100
_DEPOSIT_GAS: Final = 400_000

Delta = tuple[str, int, int, int]


@dataclass(slots=True)
class ClearingMarket:
    """Firms with tonnes and fen inside Clearing, on one chain."""

    chain: Chain
    deployment: Deployment
    market: Market
    transactor: Transactor

    def epoch(self, seed: int = 1) -> list[Delta]:
        """What an epoch moves: each firm sells some tonnes of one unit and buys as many of the other.

        By unit and then by account, as Clearing wants it; of each unit tonnes and fen sum to zero.
        """
        deltas: list[Delta] = []
        names = [checksum(firm.address) for firm in self.market.firms]
        pairs = list(zip(names[::2], names[1::2], strict=False))
        if len(names) % 2:  # the last one trades with the first
            pairs.append((names[-1], names[0]))
        moved: dict[tuple[int, str], tuple[int, int]] = {}
        for number, (even, odd) in enumerate(pairs):
            quantity_t = 1 + (number * seed) % 99
            for unit, seller, buyer in ((UNITS[0].value, even, odd), (UNITS[1].value, odd, even)):
                for name, sign in ((seller, -1), (buyer, 1)):
                    tonnes, fen = moved.get((unit, name), (0, 0))
                    moved[unit, name] = (
                        tonnes + sign * quantity_t,
                        fen - sign * quantity_t * PRICE_FEN,
                    )
        for unit, name in sorted(moved, key=lambda key: (key[0], key[1].lower())):
            deltas.append((name, unit, *moved[unit, name]))
        return deltas

    def chunks(self, deltas: Sequence[Delta]) -> list[Sequence[Delta]]:
        """The calls that an epoch is sent in."""
        return [deltas[start : start + CHUNK_DELTAS] for start in range(0, len(deltas), CHUNK_DELTAS)]

    def settle_call(self, epoch: int, chunk: int, chunks: Sequence[Sequence[Delta]]) -> Call:
        """One chunk as an act."""
        return Call("Clearing", "settle", (epoch, chunk, len(chunks), TAPE_ROOT, list(chunks[chunk])))

    def settle(self, epoch: int, deltas: Sequence[Delta], first_chunk: int = 0) -> list[Receipt]:
        """Send an epoch from `first_chunk` on, and have every receipt."""
        chunks = self.chunks(deltas)
        exchange = KEYRING.signer("exchange")
        numbers = range(first_chunk, len(chunks))
        return [self.transactor.send(exchange, self.settle_call(epoch, number, chunks)) for number in numbers]

    def progress(self) -> tuple[int, int]:
        """The last epoch settled whole, and how many chunks of the next are applied."""
        settled, applied = self.transactor.read_all(
            [Call("Clearing", "settledEpoch"), Call("Clearing", "chunksApplied")]
        )
        return int(settled), int(applied)

    def balances(self) -> dict[tuple[str, int], int]:
        """Tonnes of each unit, and fen (unit 0), of every firm inside Clearing."""
        keys = [(checksum(f.address), unit.value) for f in self.market.firms for unit in UNITS]
        keys += [(checksum(firm.address), 0) for firm in self.market.firms]
        calls = [
            Call("Clearing", "unitsOf", (name, unit)) if unit else Call("Clearing", "cashOf", (name,))
            for name, unit in keys
        ]
        wire, to = self.market.wire, self.deployment.addresses["Clearing"]
        found: list[Any] = []
        for start in range(0, len(calls), _BATCH):
            some = calls[start : start + _BATCH]
            asked = [[{"to": to, "data": "0x" + encode_call(call).hex()}, "latest"] for call in some]
            answers = wire.batch("eth_call", asked)
            found += [
                decode_output(call, bytes.fromhex(answer[2:]))
                for call, answer in zip(some, answers, strict=True)
            ]
        return dict(zip(keys, found, strict=True))

    def require_settled(self, before: dict[tuple[str, int], int], epochs: Iterable[Sequence[Delta]]) -> None:
        """Hold every balance against what it was and these epochs moved, once; raises BenchAnswerWrong."""
        wanted = dict(before)
        for deltas in epochs:
            for name, unit, quantity_t, cash_fen in deltas:
                wanted[name, unit] += quantity_t
                wanted[name, 0] += cash_fen
        for key, held in self.balances().items():
            if held != wanted[key]:
                raise BenchAnswerWrong(account=key[0], unit=key[1], held=held, wanted=wanted[key])


def open_clearing(
    chain: Chain, firms: int, on_step: Callable[[str], None] = lambda _step: None
) -> ClearingMarket:
    """Deploy everything and let every firm deposit tonnes and fen."""
    rpc = ChainRpc(chain.url)
    deployment = deploy(rpc, KEYRING)
    transactor = Transactor(rpc, deployment)
    wire = chain.wire()
    market = Market(wire, deployment.chain_id, 0, Firm(key_of("owner")), make_firms(firms))
    market.addresses = dict(deployment.addresses)
    opened = ClearingMarket(chain, deployment, market, transactor)
    on_step(f"opening {firms} accounts")
    _require(transactor.send_all((KEYRING.signer(label), call) for label, call in _grants(market)))
    on_step(f"depositing tonnes and fen of {firms} firms")
    market.send_all(list(_deposits(market, deployment.addresses["Clearing"])))
    return opened


def _grants(market: Market) -> Iterable[tuple[str, Call]]:
    for unit in UNITS:
        rules = (unit.vintage, 4_000_000_000, 10**9, 50_000, 5, False)
        yield "regulator", Call("Compliance", "publishPeriod", (rules,))
    names = [checksum(firm.address) for firm in market.firms]
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        openings = [(name, _TRADER_KIND, bytes(32)) for name in some]
        yield "registrar", Call("CarbonLedger", "openAccounts", (openings,))
        for place, unit in enumerate(UNITS):
            # Firms in even places sell the first unit, the others the second.
            grants = [(name, DEPOSIT_T) for name in names[start + place : start + _AT_ONCE : 2]]
            if start + _AT_ONCE >= len(names) and len(names) % 2 and place:
                grants.append((names[0], DEPOSIT_T))  # it trades with the last one too
                grants.append((names[-1], DEPOSIT_T))
            act = request_id(f"bench allocate {unit.text} {start}")
            yield "regulator", Call("Compliance", "allocate", (unit.vintage, grants, act))
        credits_ = [(name, DEPOSIT_FEN) for name in some]
        yield "bank", Call("SettlementCash", "mint", (credits_, request_id(f"bench mint {start}")))


def _deposits(market: Market, clearing: str) -> Iterable[bytes]:
    odd = len(market.firms) % 2
    for place, firm in enumerate(market.firms):
        name = checksum(firm.address)
        units = [UNITS[place % 2]]
        if odd and place in (0, len(market.firms) - 1):
            units = list(UNITS)
        for unit in units:
            act = request_id(f"bench deposit {unit.text} {place}")
            give = Call("CarbonLedger", "safeTransferFrom", (name, clearing, unit.value, DEPOSIT_T, act))
            yield market.act(firm, give, _DEPOSIT_GAS)
        pay = Call(
            "SettlementCash", "transferAndCall", (clearing, DEPOSIT_FEN, request_id(f"bench pay {place}"))
        )
        yield market.act(firm, pay, _DEPOSIT_GAS)


def _require(outcomes: Iterable[Any]) -> None:
    for outcome in outcomes:
        if not isinstance(outcome, Receipt):
            raise BenchAnswerWrong(outcome=str(outcome)[:300])


def row(data: Path, firms: int, on_step: Callable[[str], None]) -> Row:
    """Settle one epoch of `firms` firms."""
    operators = [KEYRING.signer(label).address for label in OPERATORS]
    with running_carat(data, operators) as chain:
        opened = open_clearing(chain, firms, on_step)
        before, deltas = opened.balances(), opened.epoch()
        on_step(f"settling {len(deltas):,} deltas of {firms:,} firms")
        cpu_s, began_s = chain.cpu_s(), time.perf_counter()
        receipts = opened.settle(1, deltas)
        took_s = time.perf_counter() - began_s
        cpu_s = chain.cpu_s() - cpu_s
        if opened.progress() != (1, 0):
            raise BenchAnswerWrong(progress=str(opened.progress()))
        opened.require_settled(before, [deltas])
    return Row(
        name="settlement",
        title=f"Clearing.settle, {firms:,} firms, two units each",
        unit="s",
        target=Target(10, sense=AT_MOST),
        value=took_s,
        method=f"Each of {firms:,} firms sells tonnes of one unit and buys of another, for cash: "
        f"{len(deltas):,} deltas, {CHUNK_DELTAS} a transaction, sent by the product's Transactor with its "
        "dry runs, each waited for. Every balance of tonnes and fen is checked after.",
        details={
            "transactions": len(receipts),
            "blocks": len({receipt.block for receipt in receipts}),
            "gas": sum(receipt.gas_used for receipt in receipts),
            "node_cpu_s": round(cpu_s, 2),
            "deltas_a_second": round(len(deltas) / took_s),
        },
    )
