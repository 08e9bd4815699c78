"""Row 5: eth_call of a balance: while the state changes, within one block, how late beside full blocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any, Final

from chain.bench.chains import CARAT, ETH_TESTER
from chain.bench.market import HOLDING_T, Market
from chain.bench.report import AT_MOST, Peer, Row, Target
from chain.bench.transfers import BATCH, Contestant, in_batches, one_by_one
from chain.bench.wire import BenchAnswerWrong, Wire, request, result_of

CALLERS: Final = 4
_LATENCY_RATE: Final = 200  # calls a second of each caller
_SIGNED_AT_ONCE: Final = 100


class _Writer:
    """Sends transfers without pause until it is told to stop."""

    def __init__(self, each: Contestant, batches: bool) -> None:
        self._each = each
        self._batches = batches
        self._end = threading.Event()
        self.sent = 0

    def run(self) -> None:
        chain, market = self._each.chain, self._each.market
        while not self._end.is_set():
            raws = list(market.transfers(BATCH if self._batches else _SIGNED_AT_ONCE))
            if self._batches:
                in_batches(chain, market, raws)
                self.sent += len(raws)
                continue
            for raw in raws:
                one_by_one(chain, market, [raw])
                self.sent += 1

    def stop(self) -> None:
        self._end.set()


@contextmanager
def writing(each: Contestant, batches: bool) -> Iterator[_Writer]:
    """Let a client send transfers meanwhile; raises what went wrong there."""
    writer = _Writer(each, batches)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(writer.run)
        try:
            yield writer
        finally:
            writer.stop()
        under_way.result()


def ask_for(wire: Wire, bodies: Iterable[bytes], seconds: float) -> int:
    """Ask one after the other for some seconds; how many answers came. Each must be a firm's tonnes."""
    until_s, count = time.perf_counter() + seconds, 0
    for body in bodies:
        _require_tonnes(wire.post(body))
        count += 1
        if time.perf_counter() > until_s:
            break
    return count


def ask_paced(wire: Wire, bodies: Iterable[bytes], seconds: float) -> list[float]:
    """Ask every 1 / _LATENCY_RATE s; the latencies in ms, each from when the question was due.

    From when it was due and not from when it was sent: a chain that holds one answer up holds up those after.
    """
    began_s, latencies_ms = time.perf_counter(), list[float]()
    for number, body in enumerate(islice(bodies, int(seconds * _LATENCY_RATE))):
        due_s = began_s + number / _LATENCY_RATE
        pause_s = due_s - time.perf_counter()
        if pause_s > 0:
            time.sleep(pause_s)
        _require_tonnes(wire.post(body))
        latencies_ms.append((time.perf_counter() - due_s) * 1000)
    return latencies_ms


def _require_tonnes(answer: bytes) -> None:
    held = result_of("eth_call", answer)
    # Nobody gives or gets more than a few thousand tonnes here; the exact sum is checked at the end.
    if not HOLDING_T // 2 < int(held, 16) < 2 * HOLDING_T:
        raise BenchAnswerWrong(held=held)


def _bodies(market: Market, start: int) -> Iterator[bytes]:
    firms = [*market.firms[start:], *market.firms[:start]]
    return cycle([request("eth_call", [market.balance_request(firm), "latest"]) for firm in firms])


def _callers(
    each: Contestant, ask: Callable[[Wire, Iterable[bytes], float], Any], seconds: float
) -> list[Any]:
    def caller(number: int) -> Any:
        with each.chain.wire() as wire:
            return ask(wire, _bodies(each.market, number * len(each.market.firms) // CALLERS), seconds)

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(caller, range(CALLERS)))


def changing(each: Contestant, seconds: float) -> tuple[float, float]:
    """Calls and blocks a second."""
    began_s = time.perf_counter()
    with writing(each, batches=False) as writer:
        calls = sum(_callers(each, ask_for, seconds))
    return calls / seconds, writer.sent / (time.perf_counter() - began_s)


def repeated(each: Contestant, seconds: float) -> float:
    """Calls a second while nothing is sent."""
    return float(sum(_callers(each, ask_for, seconds))) / seconds


def latency_ms(each: Contestant, seconds: float) -> dict[str, float]:
    """Percentiles of the latency while full batches are built into blocks, and what was built."""
    began_s = time.perf_counter()
    with writing(each, batches=True) as writer:
        found = sorted(latency for some in _callers(each, ask_paced, seconds) for latency in some)
    took_s = time.perf_counter() - began_s
    return {
        "p50_ms": round(_percentile(found, 50), 2),
        "p99_ms": round(_percentile(found, 99), 2),
        "max_ms": round(found[-1], 2),
        "calls": len(found),
        "transfers_a_second_meanwhile": round(writer.sent / took_s, 1),
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    """Of sorted values, by the nearest rank."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


NAMES: Final = ("calls-changing", "calls-repeated", "calls-latency")


def row(name: str, contestants: Sequence[Contestant], missing: dict[str, str], seconds: float) -> Row:
    """Measure one of NAMES, on one chain after the other."""
    found = _ROWS[name](contestants, [Peer(peer, None, None, why) for peer, why in missing.items()], seconds)
    for each in contestants:
        each.market.check_balances()
    return found


def _changing_row(contestants: Sequence[Contestant], absent: list[Peer], seconds: float) -> Row:
    ours, others = _ours_and_others(contestants)
    value, blocks = changing(ours, seconds)
    return Row(
        name="calls-changing",
        title="eth_call of a balance, state changing",
        unit="a second",
        target=Target(1_500),
        value=value,
        method=f"{CALLERS} connections ask for one firm's tonnes after another's, one more sends transfers, "
        "one a request, all without pause: each block has another state.",
        peers=[*(Peer(each.chain.name, changing(each, seconds)[0]) for each in others), *absent],
        details={"blocks_a_second_meanwhile": round(blocks, 1)},
    )


def _repeated_row(contestants: Sequence[Contestant], absent: list[Peer], seconds: float) -> Row:
    ours, others = _ours_and_others(contestants)
    return Row(
        name="calls-repeated",
        title="eth_call of a balance, repeated within a block",
        unit="a second",
        target=Target(5_000),
        value=repeated(ours, seconds),
        method=f"{CALLERS} connections ask for the tonnes of {len(ours.market.firms)} firms again and again, "
        "without pause, while no block is built.",
        peers=[*(Peer(each.chain.name, repeated(each, seconds)) for each in others), *absent],
    )


def _latency_row(contestants: Sequence[Contestant], absent: list[Peer], seconds: float) -> Row:
    ours, others = _ours_and_others(contestants)
    found = latency_ms(ours, seconds)
    return Row(
        name="calls-latency",
        title="eth_call of a balance, p99 while blocks are built",
        unit="ms",
        target=Target(20, sense=AT_MOST),
        value=found["p99_ms"],
        method=f"{CALLERS} connections ask {_LATENCY_RATE} times a second each, by the clock; one more sends "
        f"batches of {BATCH} transfers without pause. Time counts from when a question was due.",
        peers=[*(_latency_peer(each, seconds) for each in others), *absent],
        details=found,
    )


def _latency_peer(each: Contestant, seconds: float) -> Peer:
    if each.chain.name == ETH_TESTER:
        return Peer(ETH_TESTER, None, None, "not asked: it answers fewer calls a second than would be due")
    return Peer(each.chain.name, latency_ms(each, seconds)["p99_ms"])


def _ours_and_others(contestants: Sequence[Contestant]) -> tuple[Contestant, list[Contestant]]:
    ours = next(each for each in contestants if each.chain.name == CARAT)
    return ours, [each for each in contestants if each is not ours]


_ROWS: Final = dict(zip(NAMES, (_changing_row, _repeated_row, _latency_row), strict=True))
