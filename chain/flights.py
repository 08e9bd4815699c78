"""Acts on their way to the chain, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chain.keys import Signer
from chain.refusals import Refusal
from chain.transactions import SignedTransaction


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an act stands on chain."""

    tx_hash: str
    block: int
    tx_index: int
    gas_used: int
    sender: str
    contract: str | None = None
    """The contract that was created, if one was."""


Outcome = Receipt | Refusal


@dataclass(slots=True, eq=False)
class Flight:
    """One act under way.

    `candidates` are the transactions that carry it, all with one sender and nonce, the one to send last: at
    most one of them is ever mined. `signer` is None where somebody else signed: then there is only one.
    """

    candidates: list[SignedTransaction]
    signer: Signer | None = None
    filler: bool = False  # it only closes a gap between nonces
    outcome: Outcome | None = None
    mined: tuple[SignedTransaction, dict[str, Any]] | None = None
    sent_s: float | None = None  # of the last sending
    signed_s: float = 0.0  # of the last candidate
    conflicts: int = 0  # how often another transaction was found in its place
    renewals: int = 0  # how often it got another nonce

    @property
    def now(self) -> SignedTransaction:
        """The transaction to send."""
        return self.candidates[-1]

    @property
    def sender(self) -> str:
        """Whose act it is."""
        return self.candidates[-1].sender

    @property
    def nonce(self) -> int:
        """The nonce that all candidates have."""
        return self.candidates[-1].nonce

    @property
    def block(self) -> int:
        """Where it was mined; only for one that was."""
        assert self.mined is not None
        return int(self.mined[1]["blockNumber"], 16)

    @property
    def block_hash(self) -> str:
        """The hash of that block."""
        assert self.mined is not None
        return str(self.mined[1]["blockHash"])

    @property
    def under_way(self) -> bool:
        """Whether no block holds it and nothing is decided."""
        return self.outcome is None and self.mined is None

    def see(self, receipts: Iterable[Any]) -> None:
        """Take in what the chain says of each candidate."""
        found = [
            (candidate, receipt)
            for candidate, receipt in zip(self.candidates, receipts, strict=True)
            if isinstance(receipt, dict) and receipt.get("blockNumber")
        ]
        self.mined = found[0] if found else None


def receipt_of(transaction: SignedTransaction, receipt: dict[str, Any]) -> Receipt:
    """Return what the chain says of a mined transaction."""
    return Receipt(
        tx_hash=transaction.tx_hash,
        block=int(receipt["blockNumber"], 16),
        tx_index=int(receipt["transactionIndex"], 16),
        gas_used=int(receipt["gasUsed"], 16),
        sender=transaction.sender,
        contract=receipt.get("contractAddress"),
    )
