"""What one needs to work with a running stack, whoever started it."""

from __future__ import annotations

from typing import Final

from api.stack.outside import OutsideChain
from api.stack.paths import DataDirectory
from chain.deployment import Deployment
from chain.events import EventReader
from chain.keys import Keyring
from chain.pending import PendingStore
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
    binary_port :
        Where the exchange's binary gateway listens; None where this handle started none.
    outside :
        The chain, if others run it; then `node_url` holds the addresses of its nodes.
    """

    def __init__(self, data: DataDirectory) -> None:
        self.data = data
        self.keyring: Keyring
        self.deployment: Deployment
        self.node_url = self.exchange_url = self.api_url = ""
        self.binary_port: int | None = None
        self.outside: OutsideChain | None = None

    def rpc(self) -> ChainRpc:
        """Return a new connection to the chain."""
        return ChainRpc(self.node_url)

    def transactor(self) -> Transactor:
        """Return a new way to send acts to the chain."""
        rpc = self.rpc()
        if self.outside is None:
            return Transactor(rpc, self.deployment)
        return Transactor(
            rpc,
            self.deployment,
            manner=self.outside.manner,
            fees=self.outside.fees(rpc),
            pending=PendingStore(self.data.pending, self.deployment.chain_id),
        )

    def events(self) -> EventReader:
        """Return a new reader of what happened on chain."""
        return EventReader(self.rpc(), self.deployment)

    def evidence(self) -> EvidenceStore:
        """Return the evidence store."""
        return EvidenceStore(self.data.evidence)

    def exchange_client(self) -> ExchangeClient:
        """Return a new connection to the exchange."""
        return ExchangeClient(self.exchange_url, self.keyring.secret(_EXCHANGE_SECRET).hex())
