"""A market on a real chain: contracts, accounts with tonnes and cash, and an exchange process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from chain.abi import Call
from chain.deployment import Deployment, deploy
from chain.ids import request_id
from chain.keys import Keyring, Signer
from chain.rpc import ChainRpc
from chain.transactor import Receipt, Transactor
from chain.units import UnitId
from exchange.__main__ import GATEWAY_LABEL
from exchange.client import ExchangeClient, list_instrument
from tests.support.processes import Child, running

PASSPHRASE = "a passphrase for tests"
UNIT_ID = UnitId.allowance(2026)
UNIT = UNIT_ID.text
_TRADER_KIND = 8


class Market:
    """One deployment with its own keys and data directory, so that its epochs begin at 1."""

    def __init__(self, data: Path, node_url: str) -> None:
        self.data = data
        self.node_url = node_url
        self.keyring = Keyring.create(data / "keys.json", PASSPHRASE)
        self.deployment: Deployment = deploy(ChainRpc(node_url), self.keyring)
        self.deployment.save(data / "deployment.json")
        self.transactor = Transactor(ChainRpc(node_url), self.deployment, patience_s=20)
        rules = (2026, 4_000_000_000, 10**9, 50_000, 5, False)
        self.send("regulator", Call("Compliance", "publishPeriod", (rules,)))

    @property
    def clearing(self) -> str:
        return self.deployment.addresses["Clearing"]

    @property
    def journal(self) -> Path:
        return self.data / "exchange" / "journal"

    def send(self, label: str, call: Call) -> None:
        self.transactor.send(self.keyring.signer(label), call)

    def send_all(self, acts: Sequence[tuple[Signer, Call]]) -> None:
        for outcome in self.transactor.send_all(acts):
            assert isinstance(outcome, Receipt), outcome

    def traders(self, names: Sequence[str], quantity_t: int, cash_fen: int) -> list[Signer]:
        """Open accounts with so many tonnes and so much cash in the registry."""
        signers = [self.keyring.signer(name) for name in names]
        openings = [(signer.address, _TRADER_KIND, bytes(32)) for signer in signers]
        self.send("registrar", Call("CarbonLedger", "openAccounts", (openings,)))
        grants = [(signer.address, quantity_t) for signer in signers]
        self.send("regulator", Call("Compliance", "allocate", (2026, grants, request_id(uuid4()))))
        credits_ = [(signer.address, cash_fen) for signer in signers]
        self.send("bank", Call("SettlementCash", "mint", (credits_, request_id(uuid4()))))
        return signers

    def deposit(self, signer: Signer, *, quantity_t: int = 0, cash_fen: int = 0) -> list[UUID]:
        """Send tonnes and cash to Clearing and return the request ids."""
        found = []
        if quantity_t:
            found.append(self.deposit_call(signer, quantity_t=quantity_t))
        if cash_fen:
            found.append(self.deposit_call(signer, cash_fen=cash_fen))
        self.send_all([(signer, call) for _, call in found])
        return [name for name, _ in found]

    def deposit_call(self, signer: Signer, *, quantity_t: int = 0, cash_fen: int = 0) -> tuple[UUID, Call]:
        """The act that deposits tonnes, or cash, and its request id."""
        name = uuid4()
        if quantity_t:
            give = (signer.address, self.clearing, UNIT_ID.value, quantity_t, request_id(name))
            return name, Call("CarbonLedger", "safeTransferFrom", give)
        return name, Call("SettlementCash", "transferAndCall", (self.clearing, cash_fen, request_id(name)))

    def tonnes_of(self, account: str) -> int:
        return int(self.transactor.read(Call("CarbonLedger", "balanceOf", (account, UNIT_ID.value))))

    def cash_of(self, account: str) -> int:
        return int(self.transactor.read(Call("SettlementCash", "balanceOf", (account,))))

    def in_clearing(self, account: str) -> tuple[int, int]:
        """Tonnes and fen of an account inside Clearing."""
        read = self.transactor.read
        return (
            int(read(Call("Clearing", "unitsOf", (account, UNIT_ID.value)))),
            int(read(Call("Clearing", "cashOf", (account,)))),
        )

    def settled_epoch(self) -> int:
        return int(self.transactor.read(Call("Clearing", "settledEpoch")))

    @contextmanager
    def exchange(self, *more: str, chain_url: str | None = None) -> Iterator[tuple[ExchangeClient, Child]]:
        """Run the exchange process over this market's data directory."""
        url = chain_url or self.node_url
        arguments = ["exchange", "--data", str(self.data), "--port", "0", "--chain-url", url, *more]
        with running(arguments, {"CARAT_PASSPHRASE": PASSPHRASE}) as child:
            secret = self.keyring.secret(GATEWAY_LABEL).hex()
            with ExchangeClient(child.url, secret) as client:
                yield client, child

    @contextmanager
    def open_exchange(self, *more: str) -> Iterator[tuple[ExchangeClient, Child]]:
        """The same, with the unit listed."""
        with self.exchange(*more) as (client, child):
            client.do(list_instrument(UNIT))
            yield client, child
