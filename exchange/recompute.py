"""For whoever audits: the whole exchange again, from its journal alone.

Nothing here asks the running exchange. A journal that was altered is refused (JournalCorrupt), one that was
not gives the trades, the roots that the chain must show, and what `Clearing` must hold for every account.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from exchange.core.codes import CASH
from exchange.core.records import COMMAND_BYTES
from exchange.history import History
from exchange.history.refusals import CollectorChanged
from exchange.history.tally import TallyRecorder
from exchange.journal import Frame, Position, frames, read_head, reading
from exchange.refusals import InvariantBroken
from exchange.venue import REPLAYED, Venue

T = TypeVar("T")
OnFrame = Callable[[Position], None]

_EVERY_KIND: Final = 2**64 - 1
_AHEAD: Final = 4
_PIECE_BYTES: Final = 2**22
"""How much is given from one thread to the next at a time."""
_RUN_BYTES: Final = 2**19
"""The engine gets so much at a time: a call, and waking a thread after it, cost the time of many records."""
_CHECK_EVERY: Final = 10_000_000
"""Records between two checks of all the engine's invariants, while it replays."""


def rebuild(journal: Path, on_frame: OnFrame = lambda _at: None, *, rows: bool = False) -> Venue:
    """Return the venue that the journal's commands lead to, every invariant checked.

    Three do it side by side: one checks frames (checksums, hashes, their chain), the engine does those that
    are checked, and a third takes in what it reported. With `rows` the venue's history has orders and trades
    for readers; else only sums and roots (`exchange.history.tally`), which is a good deal faster.

    Raises
    ------
    JournalCorrupt :
        A byte was altered; names the frame and where it begins.
    InvariantBroken :
        An invariant does not hold: a bug of ours.
    """
    if not rows:
        try:
            return _rebuilt(journal, on_frame, Venue(history=History(recorder=TallyRecorder)), REPLAYED)
        except CollectorChanged:
            pass  # which collector an order pays to is known to rows alone
    return _rebuilt(journal, on_frame, Venue(), _EVERY_KIND)


class _Piece(NamedTuple):
    """Some frames in a row, checked. `runs` are their records, small frames together."""

    first: int
    runs: list[bytes | memoryview]
    frames: list[Frame]

    def release(self) -> None:
        for frame in self.frames:
            frame.payload.release()


def _rebuilt(journal: Path, on_frame: OnFrame, venue: Venue, kinds: int) -> Venue:
    with reading(journal) as view, ThreadPoolExecutor(max_workers=1, thread_name_prefix="history") as taker:
        _, start = read_head(view)
        taken: deque[Future[None]] = deque()
        check_at = _CHECK_EVERY
        try:
            for piece in _ahead(_pieces(frames(view, start)), _Piece.release):
                reports = [venue.engine.apply_only(run, kinds) for run in piece.runs]
                taken.append(taker.submit(_take, venue, piece, reports))
                end = piece.frames[-1].end
                if end.records >= check_at:
                    check_at = end.records + _CHECK_EVERY
                    venue.engine.check()
                while len(taken) > _AHEAD:
                    taken.popleft().result()
                on_frame(end)
            while taken:
                taken.popleft().result()
            venue.check()
        except AssertionError as fault:
            raise InvariantBroken(reason=str(fault)) from fault
        finally:
            for future in taken:
                future.exception()  # every piece is let go of before the file is
    return venue


def _take(venue: Venue, piece: _Piece, reports: list[bytes]) -> None:
    try:
        first = piece.first
        for run, said in zip(piece.runs, reports, strict=True):
            venue.note(first, run, said)
            first += len(run) // COMMAND_BYTES
    finally:
        piece.release()


def _pieces(found: Iterator[Frame]) -> Iterator[_Piece]:
    """Put frames together until they are enough for one to give to the next."""
    while True:
        some, size = [], 0
        for frame in found:
            some.append(frame)
            size += len(frame.payload)
            if size >= _PIECE_BYTES:
                break
        if not some:
            return
        yield _Piece(some[0].first, _runs(some), some)


def _runs(found: list[Frame]) -> list[bytes | memoryview]:
    """Put the records of small frames together."""
    runs: list[bytes | memoryview] = []
    gathered: list[memoryview] = []
    size = 0
    for frame in found:
        gathered.append(frame.payload)
        size += len(frame.payload)
        if size >= _RUN_BYTES or frame is found[-1]:
            runs.append(gathered[0] if len(gathered) == 1 else b"".join(gathered))
            gathered, size = [], 0
    return runs


def _ahead(found: Iterator[T], let_go: Callable[[T], None]) -> Iterator[T]:
    """Yield what a thread of its own finds ahead; what nobody wants any more is let go of."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="frames") as reader:
        ahead: deque[Future[list[T]]] = deque()
        try:
            while True:
                while len(ahead) < _AHEAD:
                    ahead.append(reader.submit(lambda: list(islice(found, 1))))
                some = ahead.popleft().result()
                if not some:
                    return
                yield from some
        finally:
            for future in ahead:
                future.cancel()
                if not future.cancelled() and future.exception() is None:
                    for each in future.result():
                        let_go(each)


def recompute_tape(journal: Path) -> dict[int, bytes]:
    """Return the tape root of every closed epoch; raises JournalCorrupt."""
    return {epoch.number: epoch.tape_root for epoch in rebuild(journal).custody.epochs}


def expected_in_clearing(venue: Venue) -> dict[tuple[bytes, int], int]:
    """Return what Clearing must hold, by (account, asset), at the block `custody.chain_block`.

    Deposits, less released withdrawals and forced exits, with the deltas of every settled epoch. Zeros are
    left out; asset 0 is cash, in fen.
    """
    custody = venue.custody
    held: Counter[tuple[bytes, int]] = Counter()
    for deposit in custody.deposits.values():
        held[deposit.account, deposit.asset] += deposit.amount
    for withdrawal in custody.withdrawals.values():
        if withdrawal.released:
            held[withdrawal.account, withdrawal.asset] -= withdrawal.amount
    for taken in custody.exits.values():
        held[taken.account, taken.asset] -= taken.amount - taken.paid_out
    for epoch in custody.epochs:
        if epoch.settled:
            for delta in venue.history.net(epoch.first_trade, epoch.trades):
                held[delta.account, delta.unit] += delta.quantity_t
                held[delta.account, CASH] += delta.cash_fen
    return {key: amount for key, amount in held.items() if amount}
