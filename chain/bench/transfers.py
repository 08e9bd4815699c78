"""Rows 1 to 3: transfers of the real CarbonLedger (ERC-1155), signed, to receipts.

What is timed is sending and having every receipt in hand; signing is done before. A round is some seconds on
one chain, then as much on the next: three rounds, and the median counts. At the end every balance is checked.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from chain.bench.chains import ANVIL, CARAT, ETH_TESTER, FIRMS, Chain
from chain.bench.market import Market, open_market, require_success
from chain.bench.report import Peer, Row, Target
from chain.bench.wire import Asking, BenchAnswerWrong

ROUNDS: Final = 3
BATCH: Final = 100
CLIENTS: Final = 8
_WARM_UP: Final = 200
_RECEIPT_S: Final = 30.0

Work = Callable[[Chain, Market, Sequence[bytes]], None]


@dataclass(slots=True)
class Contestant:
    """A chain with its market, and the rates of its rounds: by the wall and by its own processor time."""

    chain: Chain
    market: Market
    rates: list[float] = field(default_factory=list)
    cpu_rates: list[float] = field(default_factory=list)


def enter(chain: Chain) -> Contestant:
    """Put the ledger on a chain and let its hot paths become hot."""
    market = open_market(chain.wire(), chain.gas_price_wei, FIRMS)
    one_by_one(chain, market, list(market.transfers(_WARM_UP)))
    return Contestant(chain, market)


def measure(contestants: Sequence[Contestant], work: Work, seconds: float, step: int) -> None:
    """Do `work` in turns on every chain; `step` is what a count of transfers must be a multiple of."""
    for each in contestants:
        each.rates, each.cpu_rates = [], []
        count = max(step, BATCH)
        _round(each, work, count)
        # What the last round managed says how many fill the time of the next.
    for _ in range(ROUNDS):
        for each in contestants:
            count = max(step, int(each.rates[-1] * seconds) // step * step)
            _round(each, work, count)
    for each in contestants:
        del each.rates[0], each.cpu_rates[0]
        each.market.check_balances()


def _round(each: Contestant, work: Work, count: int) -> None:
    raws = list(each.market.transfers(count))
    cpu_s, began_s = each.chain.cpu_s(), time.perf_counter()
    work(each.chain, each.market, raws)
    each.rates.append(count / (time.perf_counter() - began_s))
    each.cpu_rates.append(count / max(each.chain.cpu_s() - cpu_s, 0.01))


def one_by_one(_chain: Chain, market: Market, raws: Iterable[bytes]) -> None:
    """Send each in a request of its own, and ask for its receipt before the next."""
    send_each(market.wire, raws)


def in_batches(_chain: Chain, market: Market, raws: Sequence[bytes]) -> None:
    """Send BATCH in a request, and ask for their receipts in one, before the next."""
    market.send_all(raws)


def by_clients(chain: Chain, _market: Market, raws: Sequence[bytes]) -> None:
    """CLIENTS connections at once, each sending its own firms' transfers one by one."""

    def client(number: int) -> None:
        with chain.wire() as wire:
            send_each(wire, raws[number::CLIENTS])

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))


def send_each(wire: Asking, raws: Iterable[bytes]) -> None:
    """Send and have the receipt, one after the other; raises BenchAnswerWrong."""
    for raw in raws:
        tx_hash = wire.call("eth_sendRawTransaction", "0x" + raw.hex())
        receipt = wire.call("eth_getTransactionReceipt", tx_hash)
        until_s = time.monotonic() + _RECEIPT_S
        while receipt is None:  # answered before it is mined: ask again
            if time.monotonic() > until_s:
                raise BenchAnswerWrong(transaction=tx_hash, waited_s=int(_RECEIPT_S))
            receipt = wire.call("eth_getTransactionReceipt", tx_hash)
        require_success([receipt])


_NOTES: Final = {
    ETH_TESTER: "py-evm backend, in memory, a block a transaction, behind our node's HTTP server",
    ANVIL: "Rust, in memory, no disk",
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """A row: what is asked, also of the ratio to eth-tester; how transfers are sent, `step` at once."""

    title: str
    target: Target
    ratio_min: float | None
    work: Work
    step: int
    method: str


_PLANS: Final = {
    "transfers-single": _Plan(
        "ERC-1155 transfers, one a request",
        Target(300),
        1.5,
        one_by_one,
        1,
        "One client sends each signed transfer in a request of its own and asks for its receipt at once.",
    ),
    "transfers-batch": _Plan(
        f"ERC-1155 transfers, {BATCH} a batch",
        Target(700, aim=1_500),
        3.0,
        in_batches,
        BATCH,
        f"One client sends {BATCH} signed transfers in a batch and asks for their receipts in another.",
    ),
    "transfers-clients": _Plan(
        f"ERC-1155 transfers, {CLIENTS} clients at once",
        Target(600),
        None,
        by_clients,
        CLIENTS,
        f"{CLIENTS} connections at once, each as in transfers-single.",
    ),
}
NAMES: Final = tuple(_PLANS)


def row(name: str, contestants: Sequence[Contestant], missing: dict[str, str], seconds: float) -> Row:
    """Measure one of NAMES, in turns."""
    plan = _PLANS[name]
    measure(contestants, plan.work, seconds, plan.step)
    ours = next(each for each in contestants if each.chain.name == CARAT)
    others = [each for each in contestants if each is not ours]
    peers = [
        Peer(
            each.chain.name,
            statistics.median(each.rates),
            plan.ratio_min if each.chain.name == ETH_TESTER else None,
            _NOTES.get(each.chain.name, ""),
        )
        for each in others
    ]
    peers += [Peer(peer, None, None, why) for peer, why in missing.items()]
    details: dict[str, Any] = {
        f"{each.chain.name}_per_cpu_second": round(statistics.median(each.cpu_rates), 1)
        for each in contestants
    }
    details["rounds"] = {each.chain.name: [round(rate, 1) for rate in each.rates] for each in contestants}
    return Row(
        name=name,
        title=plan.title,
        unit="a second",
        target=plan.target,
        value=statistics.median(ours.rates),
        method=f"{plan.method} safeTransferFrom of our CarbonLedger between {FIRMS} firms; every receipt "
        f"and, at the end, every balance is checked; our node waits for the disk. Median of {ROUNDS} rounds.",
        peers=peers,
        details=details,
    )
