"""The core's order book alone, and what it must agree with the whole core in."""

from __future__ import annotations

from dataclasses import dataclass

from chain.refusals import Refusal
from exchange.bench.flows import MESSAGE_BYTES
from exchange.bench.market import TWO_WITHOUT_FEES, batches, opening
from exchange.core import Engine, ReferenceEngine
from exchange.core.codes import Side
from exchange.core.records import COMMAND_BYTES

try:
    from exchange.bench._book import Book
except ImportError:
    Book = None  # type: ignore[assignment, misc]

_LEVELS_ALL = 2**31 - 1


class BenchResultWrong(Refusal):
    """What was timed did not do what it should have: then there is no figure."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stream did to a book: every level, and what was traded."""

    trades: int
    traded_t: int
    value_fen: int
    open_orders: int
    bids: list[tuple[int, int, int]]
    asks: list[tuple[int, int, int]]


def outcome_of_book(book: Book) -> Outcome:
    """What stands in the book alone."""
    return Outcome(
        book.trades,
        book.traded,
        book.value,
        book.open_orders,
        book.depth(Side.BUY),
        book.depth(Side.SELL),
    )


def outcome_of_engine(engine: Engine) -> Outcome:
    """What stands in a core whose buys are all the first participant's and whose sales the second's."""
    counters = engine.counters()
    tonnes = engine.tonnes(1, 1)
    cash = engine.cash(2)
    initial = engine_of_two()
    bids, asks = (
        [(level.price, level.shown, level.orders) for level in engine.depth(1, side, _LEVELS_ALL)]
        for side in (Side.BUY, Side.SELL)
    )
    return Outcome(
        counters["trades"],
        tonnes.available - initial.tonnes(1, 1).available,
        cash.available - initial.cash(2).available,
        counters["open_orders"],
        bids,
        asks,
    )


def engine_of_two() -> Engine:
    """A core with two participants, one instrument, no fees."""
    engine = Engine()
    engine.apply(opening(TWO_WITHOUT_FEES))
    return engine


def check_alike(shape: str, messages: bytes, commands: bytes) -> Outcome:
    """Run a stream through the book alone and through the whole core; return what both did.

    Raises
    ------
    BenchResultWrong :
        They differ in a level, in the trades, or in what was traded; or an invariant of the core is broken.
    """
    book = Book(len(messages) // MESSAGE_BYTES)
    book.apply(messages)
    engine = engine_of_two()
    for batch in batches(commands):
        engine.apply(batch)
    check_invariants(shape, engine)
    ours, cores = outcome_of_book(book), outcome_of_engine(engine)
    if ours != cores:
        raise BenchResultWrong(
            row=shape, reason="the book alone and the core differ", trades=ours.trades, core=cores.trades
        )
    if ours.trades == 0 or ours.open_orders == 0:
        raise BenchResultWrong(row=shape, reason="nothing traded, or nothing stands", trades=ours.trades)
    return ours


def check_invariants(what: str, engine: Engine) -> None:
    """Check every invariant of an engine; raises BenchResultWrong."""
    try:
        engine.check()
    except AssertionError as broken:
        raise BenchResultWrong(row=what, reason=str(broken)) from None


def check_reference(what: str, first: bytes, commands: bytes, prefix: int) -> None:
    """Compare reports and state hash of the core with the reference's over the first commands.

    Raises
    ------
    BenchResultWrong :
        They differ.
    """
    core, reference = Engine(), ReferenceEngine()
    for run in (first, commands[: prefix * COMMAND_BYTES]):
        if core.apply(run) != reference.apply(run):
            raise BenchResultWrong(row=what, reason="a report of the core is not the reference's")
    if core.state_hash() != reference.state_hash():
        raise BenchResultWrong(row=what, reason="the core's state hash is not the reference's")
