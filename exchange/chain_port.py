"""Clearing on the real chain, as `exchange.clearing` asks for it.

What the engine is told can never be taken back, so only final blocks are read (`chain.finality`). What is
sent need only be mined: if a reorganisation drops it, Clearing says so in the next round, and it is sent
again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from chain.abi import Call
from chain.delivery import Manner
from chain.deployment import Deployment
from chain.events import ChainEvent, EventReader
from chain.fees import Fees
from chain.finality import AT_ONCE, Finality
from chain.ids import request_id
from chain.keys import Signer
from chain.pending import NothingPending, Pending, PendingStore
from chain.refusals import ChainUnreachable, Refusal
from chain.rpc import ChainRpc, RpcError
from chain.transactor import Receipt, Transactor
from exchange.custody import Withdrawal
from exchange.netting import Delta
from exchange.words import account_text

T = TypeVar("T")

PATIENCE_S = 2.0
"""How long one act waits for a chain that is away, before the desk raises its alarm and tries anew."""

OUTSIDE_PATIENCE_S = 60.0
"""The same on a chain that others run, where a block takes its time."""


class ChainReorganised(Refusal):
    """A block that counted as final was replaced: what was taken from it cannot be undone here."""


class ChainPort:
    """One deployment's Clearing, with the exchange's key.

    Parameters
    ----------
    urls :
        The chain's node, or several with commas between them.
    finality, tip_wei :
        Which blocks are final, and the least tip to offer; by default as on the embedded chain.
    directory :
        Where is noted what was sent and up to which block was read, on a chain that others run.
    """

    def __init__(
        self,
        urls: str,
        deployment: Deployment,
        signer: Signer,
        finality: Finality = AT_ONCE,
        tip_wei: int = 0,
        directory: Path | None = None,
    ) -> None:
        self._rpc = ChainRpc(urls)
        self._finality = finality
        self._deployment = deployment
        self._signer = signer
        self._reader = EventReader(self._rpc, deployment, ("Clearing",))
        self._fees = Fees(self._rpc, tip_wei)
        self._pending: Pending = NothingPending()
        self._followed = _Followed(None)
        if directory is not None and not finality.at_once:
            self._pending = PendingStore(directory / "pending.sqlite", deployment.chain_id)
            self._followed = _Followed(directory / "followed.json")
        self._transactor = self._fresh_transactor()
        self._views = Transactor(self._rpc, deployment, patience_s=0)

    def head(self) -> int:
        """Return the newest block that is final.

        Raises
        ------
        ChainReorganised :
            The last one that was read is no longer in the chain.
        """
        newest = self._asked(lambda: self._finality.newest(self._rpc))
        if self._followed.block >= 0:
            self._followed.require(self._hash_of(self._followed.block))
        return newest

    def events(self, first: int, last: int) -> list[ChainEvent]:
        """Return Clearing's events of these blocks."""
        found = self._asked(lambda: list(self._reader.read(first, last)))
        if not self._finality.at_once:
            self._followed.note(last, self._hash_of(last))
        return found

    def progress(self) -> tuple[int, int]:
        """Return the last epoch settled whole, and how many chunks of the next are applied."""
        calls = [Call("Clearing", "settledEpoch"), Call("Clearing", "chunksApplied")]
        settled, applied = self._asked(lambda: self._views.read_all(calls))
        return int(settled), int(applied)

    def settle(self, epoch: int, chunk: int, chunks: int, tape_root: bytes, deltas: Sequence[Delta]) -> None:
        """Apply one chunk and wait until it is mined."""
        rows = [(account_text(each.account), each.unit, each.quantity_t, each.cash_fen) for each in deltas]
        self._send(Call("Clearing", "settle", (epoch, chunk, chunks, tape_root, rows)))

    def release(self, withdrawals: Sequence[Withdrawal]) -> int:
        """Pay out, wait until it is mined, and return the block."""
        rows = [
            (account_text(each.account), each.asset, each.amount, request_id(UUID(bytes=each.withdrawal_id)))
            for each in withdrawals
        ]
        return self._send(Call("Clearing", "release", (rows,))).block

    def _send(self, call: Call) -> Receipt:
        if not self._finality.at_once:
            # What was mined may have been dropped since, and its nonce be free again: a later one would wait.
            self._transactor = self._fresh_transactor()
        try:
            return self._asked(lambda: self._transactor.send(self._signer, call))
        except ChainUnreachable:
            # It may have arrived or not: nonces are learnt anew, and to Clearing a second one is a retry.
            self._transactor = self._fresh_transactor()
            raise

    def _fresh_transactor(self) -> Transactor:
        patience_s = PATIENCE_S if self._finality.at_once else OUTSIDE_PATIENCE_S
        return Transactor(
            self._rpc,
            self._deployment,
            manner=Manner(patience_s=patience_s),
            fees=self._fees,
            pending=self._pending,
        )

    def _hash_of(self, block: int) -> str | None:
        """Return the hash of a block; None if the chain does not have it."""
        header = self._asked(lambda: self._rpc.call("eth_getBlockByNumber", hex(block), False))
        return None if header is None else str(header["hash"])

    def _asked(self, ask: Callable[[], T]) -> T:
        """Ask; a node that answers with an error of its own is as good as away."""
        try:
            return ask()
        except RpcError as error:
            raise ChainUnreachable(url=self._rpc.url, reason=error.message[:200]) from error


class _Followed:
    """Number and hash of the last block that was read, kept in a file so that a restart knows them too."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.block, self.hash = -1, ""
        if path is not None and path.exists():
            document = json.loads(path.read_text(encoding="ascii"))
            self.block, self.hash = document["block"], document["hash"]

    def note(self, block: int, block_hash: str | None) -> None:
        """Remember a block as read; raises ChainUnreachable where the node that was asked has none there."""
        if block_hash is None:
            raise ChainUnreachable(reason="the node lacks a final block", block=block)
        if self._path is not None and block > self.block:
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps({"block": block, "hash": block_hash}), encoding="ascii")
            partial.replace(self._path)
            self.block, self.hash = block, block_hash

    def require(self, block_hash: str | None) -> None:
        """Make sure that the block is still this one; raises ChainReorganised, ChainUnreachable."""
        if block_hash is None:
            raise ChainUnreachable(reason="the node lacks a final block", block=self.block)
        if block_hash != self.hash:
            raise ChainReorganised(block=self.block, read_hash=self.hash, hash=block_hash)
