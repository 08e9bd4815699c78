"""How the core's cost grows with open orders, price levels, participants and instruments, in CPU time.

In each part one number grows and the others stay. Orders are entered until as many stand as wanted; then as
many entries as cancels keep it so, and one entry in ten takes from the book. `scripts/bench_exchange_growth`
runs it, and `scripts/plot_exchange_growth` draws what it wrote.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from statistics import median
from typing import Any, Final

from exchange.bench.book import BenchResultWrong, check_invariants
from exchange.bench.market import Size, batches, opening
from exchange.bench.timing import seconds
from exchange.core import Engine
from exchange.core.codes import CommandKind, OrderType, Side, TimeInForce
from exchange.core.records import COMMAND

ORDERS: Final = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LEVELS: Final = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
PARTICIPANTS: Final = (100, 1_000, 10_000, 100_000, 1_000_000)
INSTRUMENTS: Final = (1, 10, 100, 1_000, 10_000)
ROUNDS: Final = 5
SAMPLE: Final = 100_000
_AT_ONCE: Final = 16_384
_MIDDLE: Final = 20_000_000
_SPREAD_IDS: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835
_START_US: Final = 1_780_000_000_000_000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Crowd:
    """A market: so many orders, on so many prices a side, of so many participants and instruments."""

    orders: int = 100_000
    levels: int = 2_000
    participants: int = 3_378
    instruments: int = 1

    @property
    def size(self) -> Size:
        """What it takes to open it."""
        return Size(participants=self.participants, instruments=self.instruments)


PARTS: Final[dict[str, tuple[Sequence[int], Crowd]]] = {
    "orders": (ORDERS, Crowd()),
    "levels": (LEVELS, Crowd()),
    "participants": (PARTICIPANTS, Crowd()),
    # Every participant holds tonnes of every instrument: fewer of them.
    "instruments": (INSTRUMENTS, Crowd(participants=100)),
}
"""By the field of `Crowd` that grows: its sizes, and the rest."""


def measure_part(name: str, sizes: Sequence[int], say: Say, sample: int = SAMPLE) -> list[dict[str, Any]]:
    """Measure every size of a part; one row each. `say` hears each size."""
    found = []
    for size in sizes:
        say(f"{name}: {size:,}")
        crowd = replace(PARTS[name][1], **{name: size})
        found.append({name: size} | measure(crowd, sample))
    return found


def measure(crowd: Crowd, sample: int = SAMPLE) -> dict[str, Any]:
    """Fill a market and keep it moving.

    Returns
    -------
    enter_ns, move_ns :
        CPU time of a command while the market fills, and while it moves, reports included.
    bytes_an_order :
        What the core has reserved for orders, ids and levels, by open order; None of the reference.

    Raises
    ------
    BenchResultWrong :
        An invariant is broken, or not as many orders stand as there should.
    """
    engine = Engine()
    for batch in batches(opening(crowd.size), at_once=_AT_ONCE):
        engine.apply(batch)
    before = engine.memory_bytes() if engine.is_compiled else 0
    maker = _Maker(crowd)
    enter_s = 0.0
    for run in _joined(maker.entries(crowd.orders)):
        enter_s += seconds(engine.apply, [run])[0]
    standing = engine.counters()["open_orders"]
    if standing != crowd.orders:
        raise BenchResultWrong(row="growth", reason="not every order stands", orders=standing)
    grown = (engine.memory_bytes() if engine.is_compiled else 0) - before
    moves = []
    for _ in range(ROUNDS):
        run = b"".join(maker.moves(sample))
        moves.append(seconds(engine.apply, batches(run))[0] / sample)
    check_invariants("growth", engine)
    return {
        "enter_ns": round(enter_s / crowd.orders * 1e9, 1),
        "move_ns": round(median(moves) * 1e9, 1),
        "bytes_an_order": round(grown / crowd.orders, 1) if grown else None,
        "open_orders_after": engine.counters()["open_orders"],
    }


class _Maker:
    """Makes the commands of a crowd. What an order is follows from its number: nothing else is kept."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._draw = Random(1)  # noqa: S311 - a benchmark's draws
        self._number = 0
        self._standing = array("Q")

    def entries(self, count: int) -> Iterator[bytes]:
        """Yield orders that stay."""
        for _ in range(count):
            self._standing.append(self._number + 1)
            yield self._entry(takes=False)

    def moves(self, count: int) -> Iterator[bytes]:
        """Yield as many entries as cancels; a cancelled order may have been taken before."""
        standing, draw = self._standing, self._draw
        for at in range(count // 2):
            takes = at % 10 == 0
            place = int(draw.random() * len(standing))
            gone = standing[place]
            if not takes:
                standing[place] = self._number + 1
            yield self._entry(takes=takes)
            yield COMMAND.pack(
                CommandKind.CANCEL, 0, 0, 0, 0, 0, 0, self._who(gone), 0, _name(gone), 0, 0, _START_US, 0
            )

    def _entry(self, *, takes: bool) -> bytes:
        self._number += 1
        number, crowd = self._number, self._crowd
        side = Side.BUY if number & 1 else Side.SELL
        away = 1 + int(self._draw.random() * crowd.levels)
        across = -away if takes else away
        return COMMAND.pack(
            CommandKind.NEW,
            side,
            OrderType.LIMIT,
            TimeInForce.IOC if takes else TimeInForce.GTC,
            0,
            0,
            1 + (number >> 1) % crowd.instruments,
            self._who(number),
            0,
            _name(number),
            1 + int(self._draw.random() * 100),
            _MIDDLE - across if side == Side.BUY else _MIDDLE + across,
            _START_US,
            0,
        )

    def _who(self, number: int) -> int:
        return 1 + (number * 0x9E3779B97F4A7C15 >> 32 & 0xFFFFFFFF) % self._crowd.participants


def _name(number: int) -> bytes:
    return (number * _SPREAD_IDS & (1 << 128) - 1).to_bytes(16, "little")


def _joined(commands: Iterator[bytes]) -> Iterator[bytes]:
    while run := b"".join(islice(commands, _AT_ONCE)):
        yield run
