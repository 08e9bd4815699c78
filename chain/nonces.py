"""Nonces: each account's transactions are numbered without a gap and without a repetition.

A number is learnt from the chain once and counted on from there. One whose transaction the network refused is
given back; where later numbers are out already, it leaves a gap that has to be filled.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from chain.refusals import TransactionRejected
from chain.rpc import ChainRpc, RpcError


class Nonces:
    """The next nonce of each account. Safe to share between threads."""

    def __init__(self, rpc: ChainRpc) -> None:
        self._rpc = rpc
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()

    def learn(self, addresses: Collection[str]) -> None:
        """Ask the chain for those that are not known; raises ChainUnreachable, TransactionRejected."""
        with self._lock:
            unknown = sorted(set(addresses) - self._next.keys())
            if unknown:
                self._next |= self._ask(unknown)

    def unknown(self, addresses: Collection[str]) -> set[str]:
        """Return those that were not learnt yet."""
        return set(addresses) - self._next.keys()

    def take(self, address: str) -> int:
        """Return the next nonce of an account that was learnt; nobody else gets it."""
        with self._lock:
            nonce = self._next[address]
            self._next[address] = nonce + 1
            return nonce

    def give_back(self, address: str, nonce: int) -> bool:
        """Take back one that was not used; returns False where later ones are out: then it leaves a gap."""
        with self._lock:
            if self._next.get(address) not in (None, nonce + 1):
                return False
            self._next.pop(address, None)
            return True

    def forget(self, address: str) -> None:
        """Learn this account's anew: somebody else acts with its key."""
        with self._lock:
            self._next.pop(address, None)

    def _ask(self, addresses: list[str]) -> Mapping[str, int]:
        questions = [("eth_getTransactionCount", [each, "pending"]) for each in addresses]
        answers = self._rpc.batch_at_head(questions)
        found = {}
        for address, answer in zip(addresses, answers, strict=True):
            if isinstance(answer, RpcError):
                raise TransactionRejected(account=address, reason=answer.message) from answer
            found[address] = int(answer, 16)
        return found
