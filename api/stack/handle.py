"""What one needs to work with a running stack, whoever started it."""

from __future__ import annotations

from typing import Final

from api.stack.paths import DataDirectory
from chain.deployment import Deployment
from chain.events import EventReader
from chain.keys import Keyring
from chain.rpc import ChainRpc
from chain.transactor import Transactor
from exchange.client import ExchangeClient
from registry.evidence import EvidenceStore

_EXCHANGE_SECRET: Final = "exchange-gateway"  # noqa: S105 - the name in the keyring, not the secret


class StackHandle:
    """A stack's addresses, keys and contracts, and connections to its processes.

    Attributes
    ----------
    node_url, exchange_url, api_url :
        Where each process is found; empty for one that does not run.
    """

    def __init__(self, data: DataDirectory) -> None:
        self.data = data
        self.keyring: Keyring
        self.deployment: Deployment
        self.node_url = self.exchange_url = self.api_url = ""

    def rpc(self) -> ChainRpc:
        """Return a new connection to the node."""
        return ChainRpc(self.node_url)

    def transactor(self) -> Transactor:
        """Return a new way to send acts to the chain."""
        return Transactor(self.rpc(), self.deployment)

    def events(self) -> EventReader:
        """Return a new reader of what happened on chain."""
        return EventReader(self.rpc(), self.deployment)

    def evidence(self) -> EvidenceStore:
        """Return the evidence store."""
        return EvidenceStore(self.data.evidence)

    def exchange_client(self) -> ExchangeClient:
        """Return a new connection to the exchange."""
        return ExchangeClient(self.exchange_url, self.keyring.secret(_EXCHANGE_SECRET).hex())
