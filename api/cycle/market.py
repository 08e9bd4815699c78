"""The running system as a compliance cycle sees it: keys, chain, evidence, exchange and the chain's clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from api.custody import Custody
from api.cycle.clock import Clock
from chain.events import ChainEvent, EventReader
from chain.keys import Keyring, Signer
from chain.refusals import Refusal
from chain.transactor import Act, Receipt, Transactor, with_patience
from exchange.client import ExchangeClient
from exchange.refusals import ExchangeUnreachable
from registry.evidence import EvidenceStore
from registry.mrv.statement import StatementDomain

T = TypeVar("T")
_PATIENCE_S: Final = 120.0


@dataclass(slots=True)
class Market:
    """Handles to one running system, and the names of one story told on it.

    Attributes
    ----------
    run :
        The story's name: the root of every request id, so that telling it again does nothing twice.
    clock :
        When it is on the chain.
    patience_s :
        How long to wait for the exchange; on a chain that others run its acts become final slowly.
    on_progress :
        Hears what is being done and how many acts of it were just finished.
    """

    run: str
    keyring: Keyring
    transactor: Transactor
    exchange: ExchangeClient
    evidence: EvidenceStore
    custody: Custody
    clock: Clock
    on_progress: Callable[[str, int], None] = lambda _what, _done: None
    patience_s: float = _PATIENCE_S

    def id_of(self, *parts: object) -> UUID:
        """Return the id of an act of this story."""
        return uuid5(NAMESPACE_URL, "/".join(["carat", self.run, *map(str, parts)]))

    def signer(self, label: str) -> Signer:
        """Return who acts under this label."""
        return self.keyring.signer(label)

    def address(self, label: str) -> str:
        """Return the account of this label."""
        return self.keyring.signer(label).address

    @property
    def clearing(self) -> str:
        """The Clearing contract."""
        return self.transactor.deployment.addresses["Clearing"]

    @property
    def statement_domain(self) -> StatementDomain:
        """Where verifiers' statements are valid."""
        deployment = self.transactor.deployment
        return StatementDomain(deployment.chain_id, deployment.addresses["Verification"])

    def do(self, what: str, acts: Sequence[Act]) -> list[Receipt]:
        """Do acts in order, all of them; raises the first refusal."""
        outcomes = self.transactor.send_all(acts, lambda done: self.on_progress(what, done))
        receipts = []
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                raise outcome
            receipts.append(outcome)
        return receipts

    def events(self, name: str, receipts: Sequence[Receipt]) -> list[ChainEvent]:
        """Return the events of this name that these acts made, as the chain tells them."""
        mine = {receipt.tx_hash for receipt in receipts}
        blocks = [receipt.block for receipt in receipts]
        reader = EventReader(self.transactor.rpc, self.transactor.deployment)
        found = with_patience(lambda: list(reader.read(min(blocks), max(blocks))), _PATIENCE_S)
        return [event for event in found if event.name == name and event.tx_hash in mine]

    def until_answered(self, ask: Callable[[], T]) -> T:
        """Ask the exchange until it answers: it may be starting again after a crash, or wait for the chain.

        Raises
        ------
        ExchangeUnreachable, WaitedTooLong :
            It stayed away, or what was asked for did not happen, for `patience_s`.
        """
        until = time.monotonic() + self.patience_s
        while True:
            try:
                return ask()
            except ExchangeUnreachable:
                if time.monotonic() > until:
                    raise


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Return the items in runs of at most `size`: what one transaction or request takes."""
    return [items[start : start + size] for start in range(0, len(items), size)]
