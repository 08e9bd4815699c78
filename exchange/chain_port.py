"""Clearing on the real chain, as `exchange.clearing` asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from chain.abi import Call
from chain.deployment import Deployment
from chain.events import ChainEvent, EventReader
from chain.ids import request_id
from chain.keys import Signer
from chain.refusals import ChainUnreachable
from chain.rpc import ChainRpc, RpcError
from chain.transactor import Transactor
from exchange.netting import Delta
from exchange.state import Withdrawal
from exchange.wire import account_text

T = TypeVar("T")

PATIENCE_S = 2.0
"""How long one act waits for a chain that is away, before the desk raises its alarm and tries anew."""


class ChainPort:
    """One deployment's Clearing, with the exchange's key."""

    def __init__(self, url: str, deployment: Deployment, signer: Signer) -> None:
        self._rpc = ChainRpc(url)
        self._deployment = deployment
        self._signer = signer
        self._reader = EventReader(self._rpc, deployment, ("Clearing",))
        self._transactor = self._fresh_transactor()
        self._views = Transactor(self._rpc, deployment, patience_s=0)

    def head(self) -> int:
        """Return the newest block."""
        return self._asked(self._reader.head)

    def events(self, first: int, last: int) -> list[ChainEvent]:
        """Return Clearing's events of these blocks."""
        return self._asked(lambda: list(self._reader.read(first, last)))

    def progress(self) -> tuple[int, int]:
        """Return the last epoch settled whole, and how many chunks of the next are applied."""
        calls = [Call("Clearing", "settledEpoch"), Call("Clearing", "chunksApplied")]
        settled, applied = self._asked(lambda: self._views.read_all(calls))
        return int(settled), int(applied)

    def settle(self, epoch: int, chunk: int, chunks: int, tape_root: bytes, deltas: Sequence[Delta]) -> None:
        """Apply one chunk and wait until it is mined."""
        rows = [(account_text(each.account), each.unit, each.quantity_t, each.cash_fen) for each in deltas]
        self._send(Call("Clearing", "settle", (epoch, chunk, chunks, tape_root, rows)))

    def release(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Pay out and wait until it is mined."""
        rows = [
            (account_text(each.account), each.asset, each.amount, request_id(UUID(bytes=each.withdrawal_id)))
            for each in withdrawals
        ]
        self._send(Call("Clearing", "release", (rows,)))

    def _send(self, call: Call) -> None:
        try:
            self._asked(lambda: self._transactor.send(self._signer, call))
        except ChainUnreachable:
            # It may have arrived or not: nonces are learnt anew, and to Clearing a second one is a retry.
            self._transactor = self._fresh_transactor()
            raise

    def _fresh_transactor(self) -> Transactor:
        return Transactor(self._rpc, self._deployment, patience_s=PATIENCE_S)

    def _asked(self, ask: Callable[[], T]) -> T:
        """Ask; a node that answers with an error of its own is as good as away."""
        try:
            return ask()
        except RpcError as error:
            raise ChainUnreachable(url=self._rpc.url, reason=error.message[:200]) from error
