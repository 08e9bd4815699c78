"""What follows from a network's "no" to a transaction that it has not mined."""

from __future__ import annotations

import time
from typing import Any, Final

from chain.answers import Answer, meaning
from chain.fees import Fees
from chain.finality import Finality
from chain.flights import Flight
from chain.nonces import Nonces
from chain.pending import Pending
from chain.refusals import FeeTooLow, FundsInsufficient, NonceTaken, TransactionRejected
from chain.resigning import Resigner
from chain.rpc import ChainRpc, RpcError

_CONFLICTS_MAX: Final = 3
"""So often is looked for a receipt when the nonce is used: it may be seen later than the nonce."""
_RENEWALS_MAX: Final = 3
_LEARNT_FOR_S: Final = 1.0


class Objections:
    """Waits, signs again, or gives the act up with a typed refusal."""

    def __init__(
        self,
        rpc: ChainRpc,
        nonces: Nonces,
        fees: Fees,
        pending: Pending,
        resigner: Resigner,
        finality: Finality,
    ) -> None:
        self._rpc = rpc
        self._nonces = nonces
        self._fees = fees
        self._pending = pending
        self._resigner = resigner
        self._finality = finality
        self._learnt_s: dict[str, float] = {}

    def heed(self, flight: Flight, answer: RpcError) -> Flight | None:
        """Act on a "no" to a flight without a receipt; returns a flight to fill its gap, where there is one.

        Raises
        ------
        ChainUnreachable :
            Nothing was decided.
        """
        said = meaning(answer)
        if said is Answer.NEVER and self._is_known(flight):
            said = Answer.WAITS  # in words that we do not know
        if said is Answer.NONCE_USED:
            self._heed_used_nonce(flight)
        elif said is Answer.FEE_TOO_LOW and flight.signer is not None and self._resigner.higher(flight):
            pass
        elif said in (Answer.FEE_TOO_LOW, Answer.NO_FUNDS, Answer.NEVER):
            return self._give_up(flight, self._refusal(flight, said, answer))
        return None

    def _give_up(self, flight: Flight, refusal: TransactionRejected) -> Flight | None:
        flight.outcome = refusal
        self._pending.forget([flight.now])
        if flight.signer is None or flight.filler:
            return None
        if isinstance(refusal, FundsInsufficient):  # no filler could be paid for either; all later ones fail
            self._nonces.forget(flight.sender)
            return None
        if self._nonces.give_back(flight.sender, flight.nonce):
            return None
        return self._resigner.filler(flight)

    def _heed_used_nonce(self, flight: Flight) -> None:
        flight.sent_s = None  # ask again at once
        flight.conflicts += 1
        if flight.conflicts < _CONFLICTS_MAX or not self._is_lost(flight):
            return
        self._pending.forget([flight.now])
        if flight.signer is None or flight.filler or flight.renewals >= _RENEWALS_MAX:
            self._nonces.forget(flight.sender)
            taken = flight.now
            flight.outcome = NonceTaken(account=taken.sender, nonce=taken.nonce, tx_hash=taken.tx_hash)
            return
        flight.renewals, flight.conflicts = flight.renewals + 1, 0
        self._learn_anew(flight.sender)
        self._resigner.renew(flight, self._nonces.take(flight.sender))

    def _learn_anew(self, address: str) -> None:
        """Ask the chain for the account's next nonce, once for all of its acts that lost theirs together.

        Those renewed a moment ago are on their way and not counted there yet: learning again would give
        their nonces to others.
        """
        now_s = time.monotonic()
        if now_s - self._learnt_s.get(address, -_LEARNT_FOR_S) >= _LEARNT_FOR_S:
            self._nonces.forget(address)
            self._learnt_s[address] = now_s
        self._nonces.learn([address])

    def _is_lost(self, flight: Flight) -> bool:
        """Whether a final block uses the nonce, and none of the flight's transactions is mined."""
        at = "latest" if self._finality.at_once else hex(max(0, self._finality.newest(self._rpc)))
        count, *receipts = self._rpc.batch(
            [
                ("eth_getTransactionCount", [flight.sender, at]),
                *(("eth_getTransactionReceipt", [each.tx_hash]) for each in flight.candidates),
            ]
        )
        if isinstance(count, RpcError) or any(receipt is not None for receipt in receipts):
            return False
        return int(count, 16) > flight.nonce

    def _is_known(self, flight: Flight) -> bool:
        try:
            return self._rpc.call("eth_getTransactionByHash", flight.now.tx_hash) is not None
        except RpcError:
            return False

    def _refusal(self, flight: Flight, said: Answer, answer: RpcError) -> TransactionRejected:
        transaction = flight.now
        facts: dict[str, Any] = {
            "account": flight.sender, "nonce": flight.nonce, "reason": answer.message[:300],
        }  # fmt: skip
        if said is Answer.FEE_TOO_LOW:
            asked_wei = self._fees.terms().fee.max_wei
            return FeeTooLow(**facts, max_wei=transaction.fee.max_wei, asked_wei=asked_wei)
        if said is Answer.NO_FUNDS:
            balance_wei = int(self._rpc.call("eth_getBalance", flight.sender, "latest"), 16)
            needed_wei = transaction.gas * transaction.fee.max_wei + transaction.value_wei
            return FundsInsufficient(**facts, balance_wei=balance_wei, needed_wei=needed_wei)
        return TransactionRejected(**facts)
