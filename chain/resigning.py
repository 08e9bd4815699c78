"""Signing an act of our own again: with a higher fee, under another nonce, or nothing in its place.

All transactions of one act have one sender and one nonce at a time, so that at most one of them is mined.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from chain.fees import Fee, Fees
from chain.flights import Flight
from chain.keys import Signer
from chain.pending import Pending
from chain.transactions import SignedTransaction, sign, unsigned_transaction

_CANDIDATES_MAX: Final = 12
"""Each pays a quarter more: the twelfth eleven times the first, and then it waits."""
_FILLER_GAS: Final = 60_000


class Resigner:
    """Signs flights again; each new transaction is kept as pending before anybody sends it.

    Parameters
    ----------
    stuck_s :
        How long a transaction may wait for a block before it is replaced.
    """

    def __init__(self, chain_id: int, fees: Fees, pending: Pending, stuck_s: float) -> None:
        self._chain_id = chain_id
        self._fees = fees
        self._pending = pending
        self._stuck_s = stuck_s

    def outbid(self, batch: Sequence[Flight]) -> None:
        """Replace what the network has left lying for its fee; raises ChainUnreachable.

        Of each account the first in order of nonce is replaced: the later ones wait for it, not for a fee,
        unless theirs is below what is asked by now.
        """
        now_s = time.monotonic()
        stuck = []
        for flight in batch:
            if flight.signed_s == 0.0:
                flight.signed_s = now_s
            elif flight.signer is not None and now_s - flight.signed_s >= self._stuck_s:
                stuck.append(flight)
        if not stuck:
            return
        asked = self._fees.terms().fee
        fronts: dict[str, int] = {}
        for flight in batch:
            fronts[flight.sender] = min(flight.nonce, fronts.get(flight.sender, flight.nonce))
        for flight in stuck:
            flight.signed_s = now_s
            front = flight.nonce == fronts[flight.sender] and asked.max_wei > 0
            if front or not flight.now.fee.covers(asked):
                self.higher(flight)

    def higher(self, flight: Flight) -> bool:
        """Add a transaction with a higher fee; returns False where that has gone far enough."""
        assert flight.signer is not None
        asked = self._fees.terms().fee
        # Bidding against nobody has an end; following what the network asks has none.
        if len(flight.candidates) >= _CANDIDATES_MAX and flight.now.fee.covers(asked):
            return False
        fee = flight.now.fee.bumped(asked)
        self._add(flight, self._signed(flight.signer, flight.now, flight.nonce, fee))
        return True

    def renew(self, flight: Flight, nonce: int) -> None:
        """Sign under another nonce; nothing that was signed before can be mined any more."""
        assert flight.signer is not None
        signed = self._signed(flight.signer, flight.now, nonce, self._fees.terms().fee)
        flight.candidates.clear()
        self._add(flight, signed)

    def filler(self, flight: Flight) -> Flight:
        """Return a transaction of nothing under the nonce of one that was refused: later ones wait for it."""
        assert flight.signer is not None
        fields = unsigned_transaction(
            self._chain_id, flight.nonce, flight.sender, b"", self._fees.terms().fee, _FILLER_GAS
        )
        filler = Flight([], flight.signer, filler=True)
        self._add(filler, sign(flight.signer, fields))
        return filler

    def _signed(self, signer: Signer, like: SignedTransaction, nonce: int, fee: Fee) -> SignedTransaction:
        return sign(signer, unsigned_transaction(self._chain_id, nonce, like.to, like.data, fee, like.gas))

    def _add(self, flight: Flight, transaction: SignedTransaction) -> None:
        self._pending.keep([transaction])
        flight.candidates.append(transaction)
        flight.signed_s, flight.sent_s = time.monotonic(), None
