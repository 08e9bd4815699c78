"""Delivery: signed acts are sent until the chain holds them for good, or never will.

Every transaction is kept until its receipt is seen and sent again after each failure: the same bytes are
mined once at most. An act of our own that the network leaves lying for its fee is signed again with the same
nonce and a higher one; whichever is mined, the act is done once. What vanishes in a reorganisation is sent
again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chain.fees import Fees
from chain.finality import AT_ONCE, Finality
from chain.flights import Flight, Outcome, receipt_of
from chain.nonces import Nonces
from chain.objections import Objections
from chain.patience import Patience
from chain.pending import Pending
from chain.refusals import ChainUnreachable, Refusal, TransactionUnmined
from chain.resigning import Resigner
from chain.rpc import ChainRpc, RpcError
from chain.transactions import SignedTransaction

BATCH: Final = 200
RESEND_S: Final = 2.0
"""After so long without a receipt the same bytes are sent again: a node may have lost them."""

Explain = Callable[[SignedTransaction, int], Refusal]
_log = logging.getLogger("carat.chain")


@dataclass(frozen=True, slots=True)
class Manner:
    """How acts are delivered on one chain.

    Attributes
    ----------
    finality :
        How deep a block must lie before its receipts count.
    patience_s :
        How long nothing may move before who waits is told so.
    patience_in_all :
        Whether `patience_s` is for everything together, and not begun anew with each thing that moves.
    stuck_s :
        How long a transaction may wait for a block before one with a higher fee replaces it.
    """

    finality: Finality = AT_ONCE
    patience_s: float = 120.0
    patience_in_all: bool = False
    stuck_s: float = 30.0


class Delivery:
    """Takes flights to their outcome. Each flight belongs to one call at a time; many calls may run at once.

    Parameters
    ----------
    explain :
        Finds out why a mined transaction failed: given it and its block.
    """

    def __init__(
        self,
        rpc: ChainRpc,
        chain_id: int,
        nonces: Nonces,
        fees: Fees,
        pending: Pending,
        manner: Manner,
        explain: Explain,
    ) -> None:
        self._rpc = rpc
        self._pending = pending
        self._manner = manner
        self._explain = explain
        self._resigner = Resigner(chain_id, fees, pending, manner.stuck_s)
        self._objections = Objections(rpc, nonces, fees, pending, self._resigner, manner.finality)

    def deliver(self, flights: Sequence[Flight]) -> list[Outcome]:
        """Take every flight to its outcome, final as `Manner.finality` says; returns the outcomes in order.

        Raises
        ------
        ChainUnreachable, TransactionUnmined :
            Nothing moved for `Manner.patience_s`. What was sent may still be mined; it is kept as pending.
        """
        patience = self._patience()
        self.mine(flights, patience)
        return self.confirm(flights, patience)

    def mine(
        self,
        flights: Sequence[Flight],
        patience: Patience | None = None,
        mined_before: Sequence[Flight] = (),
    ) -> None:
        """Send until a block holds each, or the network will not take it; raises as `deliver`.

        Those in `mined_before` are looked at again on the way: while one that a reorganisation dropped is
        not sent again, none of its account's later ones can be mined.
        """
        self._pending.keep([each for flight in flights for each in flight.candidates])
        waiting = [flight for flight in flights if flight.under_way]
        fillers: list[Flight] = []
        patience = patience or self._patience()
        looked_s = time.monotonic()
        while waiting:
            known_fillers = len(fillers)
            try:
                for batch in _chunks(waiting):
                    self._send_and_look(batch, fillers)
            except ChainUnreachable as refusal:
                for flight in waiting:
                    flight.sent_s = None  # nobody knows what has arrived
                patience.wait_or_raise(refusal)
            still = [flight for flight in waiting if flight.under_way]
            if len(still) < len(waiting):
                patience.renew()
            waiting = still + fillers[known_fillers:]
            if waiting and not self._manner.finality.at_once and time.monotonic() - looked_s >= RESEND_S:
                waiting += self._dropped([*flights, *mined_before, *fillers])
                looked_s = time.monotonic()
            if waiting:
                patience.wait_or_raise(_unmined(waiting))
        self._pending.forget([filler.now for filler in fillers])
        if self._manner.finality.at_once:
            self._conclude(flights)

    def confirm(self, flights: Sequence[Flight], patience: Patience | None = None) -> list[Outcome]:
        """Wait until each mined flight is final; what a reorganisation drops is sent again. Raises so too."""
        patience = patience or self._patience()
        watched: tuple[int, str | None] | None = None
        final_before = -1
        while True:
            waiting = [flight for flight in flights if flight.outcome is None]
            if not waiting:
                return [flight.outcome for flight in flights if flight.outcome is not None]
            due: list[Flight] = []
            try:
                top = max(waiting, key=lambda flight: flight.block)
                if watched is None:
                    watched = (top.block, top.block_hash)
                final, seen = self._look_at_the_top(top.block)
                if final != final_before:
                    patience.renew()
                due = [flight for flight in waiting if seen != watched or flight.block <= final]
                for batch in _chunks(due):
                    self._look_again(batch)
                watched, final_before = None, final
            except ChainUnreachable as refusal:
                patience.wait_or_raise(refusal)
                continue
            lost = _lost(due)
            if lost:
                self.mine(lost, patience, waiting)
            else:
                self._conclude(flight for flight in due if flight.block <= final)
                if any(flight.outcome is None for flight in waiting):
                    patience.wait_or_raise(_unmined(waiting))

    def nudge(self, flights: Sequence[Flight]) -> None:
        """Send what no block holds once more, and forget what is final: one round, without waiting.

        Raises
        ------
        ChainUnreachable
        """
        for batch in _chunks(flights):
            self._send_and_look(batch, [])
        if any(flight.mined is not None for flight in flights):
            final = self._manner.finality.newest(self._rpc)
            done = [flight for flight in flights if flight.mined is not None and flight.block <= final]
            self._pending.forget([flight.now for flight in done])

    def _patience(self) -> Patience:
        return Patience(self._manner.patience_s, in_all=self._manner.patience_in_all)

    def _send_and_look(self, batch: Sequence[Flight], fillers: list[Flight]) -> None:
        """Send what was not sent just now, and look for receipts; adds flights that have to fill gaps."""
        self._resigner.outbid(batch)
        now_s = time.monotonic()
        sending = [
            each
            for each in batch
            if each.under_way and (each.sent_s is None or now_s - each.sent_s >= RESEND_S)
        ]
        answers = self._rpc.batch(
            [("eth_sendRawTransaction", ["0x" + each.now.raw.hex()]) for each in sending]
        )
        for flight in sending:
            flight.sent_s = now_s
        self._look(batch)
        for flight, answer in zip(sending, answers, strict=True):
            if isinstance(answer, RpcError) and flight.under_way:
                filler = self._objections.heed(flight, answer)
                if filler is not None:
                    fillers.append(filler)

    def _look(self, batch: Sequence[Flight]) -> None:
        """Ask for the receipts of every candidate."""
        questions = [
            ("eth_getTransactionReceipt", [each.tx_hash]) for flight in batch for each in flight.candidates
        ]
        receipts = iter(self._rpc.batch(questions))
        for flight in batch:
            flight.see([next(receipts) for _ in flight.candidates])
            if flight.mined is not None:
                self._rpc.height.seen(flight.block)

    def _look_at_the_top(self, top: int) -> tuple[int, tuple[int, str | None]]:
        """Return the newest final block, and number and hash of the highest block that holds a flight."""
        final, head, header = self._rpc.batch(
            [
                self._manner.finality.question(),
                ("eth_blockNumber", []),
                ("eth_getBlockByNumber", [hex(top), False]),
            ]
        )
        if isinstance(head, RpcError) or isinstance(header, RpcError):
            raise ChainUnreachable(reason=str(head if isinstance(head, RpcError) else header)[:200])
        if int(head, 16) < top:
            self._rpc.height.require(int(head, 16))  # a node that lags, unless it does so for too long
        return self._manner.finality.final_block(final), (top, header["hash"] if header else None)

    def _look_again(self, batch: Sequence[Flight]) -> None:
        """Look whether each is still in a block; a node that is behind says nothing about that."""
        before = [flight.mined for flight in batch]
        top = max(flight.block for flight in batch)
        head = int(self._rpc.call("eth_blockNumber"), 16)
        self._look(batch)
        if head < top and any(flight.mined is None for flight in batch):
            missed = [flight for flight in batch if flight.mined is None]
            for flight, mined in zip(batch, before, strict=True):
                flight.mined = flight.mined or mined
            self._rpc.height.require(head)
            for flight in missed:
                flight.mined = None

    def _dropped(self, flights: Sequence[Flight]) -> list[Flight]:
        """Look whether blocks still hold what they held; return what they do not, to be sent again."""
        mined = [flight for flight in flights if flight.mined is not None and flight.outcome is None]
        try:
            for batch in _chunks(mined):
                self._look_again(batch)
        except ChainUnreachable:
            pass  # what was found so far counts; the rest is asked again soon
        return _lost(mined)

    def _conclude(self, flights: Iterable[Flight]) -> None:
        done = [flight for flight in flights if flight.outcome is None and flight.mined is not None]
        for flight in done:
            assert flight.mined is not None
            transaction, receipt = flight.mined
            if int(receipt["status"], 16) == 1:
                flight.outcome = receipt_of(transaction, receipt)
            else:
                flight.outcome = self._explain(transaction, flight.block)
        self._pending.forget([flight.now for flight in done])


def _lost(flights: Iterable[Flight]) -> list[Flight]:
    """Return those that no block holds any more, ready to be sent again."""
    lost = [flight for flight in flights if flight.under_way]
    for flight in lost:
        flight.sent_s = None
    if lost:
        _log.warning("%d transactions vanished in a reorganisation; they are sent again", len(lost))
    return lost


def _unmined(waiting: Sequence[Flight]) -> TransactionUnmined:
    first = waiting[0].now
    return TransactionUnmined(
        transactions=len(waiting), account=first.sender, nonce=first.nonce, tx_hash=first.tx_hash
    )


def _chunks(flights: Sequence[Flight]) -> Iterator[Sequence[Flight]]:
    for start in range(0, len(flights), BATCH):
        yield flights[start : start + BATCH]
