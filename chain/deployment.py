"""Deployment: the contracts put on a chain, the roles given, and the addresses kept.

The deployer starts as the only administrator, hands every role out as `chain.roles` says, and last binds
himself: from then on each change of rights waits for `admin_delay_s` in the open.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import rlp  # type: ignore[import-untyped]
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.abi import BUSINESS_CONTRACTS, Call, abi_of, encode_call
from chain.delivery import Delivery, Manner
from chain.deploy_journal import DeployJournal
from chain.fees import Fees
from chain.flights import Flight
from chain.forks import Fork, creation_code, fork_of
from chain.keys import Keyring, Signer
from chain.nonces import Nonces
from chain.patience import with_patience
from chain.refusals import ChainMismatch, ChainUnreachable, FundsInsufficient, Refusal, TransactionRejected
from chain.roles import HELD_BY_CONTRACTS, HELD_BY_KEYS, RESTRICTED, Role
from chain.rpc import ChainRpc, RpcError
from chain.transactions import SignedTransaction, gas_limit, sign, unsigned_transaction

ADMIN_DELAY_S: Final = 2 * 24 * 3600
_DEPLOY_GAS: Final = 9_000_000
_CONTRACT_KIND: Final = 9  # ICarbonLedger.AccountKind.Contract

# Constructor parameters by what they mean; each contract asks for some of them.
_ORDER: Final = ("CarbonLedger", "Compliance", "Verification", "SettlementCash", "Clearing", "MicroCarat")
_DEPLOYER: Final = "deployer"
_MEANING: Final = {
    "initialAdmin": _DEPLOYER, "authority": "AccessManager", "initialAuthority": "AccessManager",
    "ledger": "CarbonLedger", "compliance": "Compliance", "cash": "SettlementCash",
}  # fmt: skip


class DeploymentMissing(Refusal):
    """There is no deployment here; start the stack once first."""


class DeploymentFailed(Refusal):
    """A step of the deployment was refused by the chain."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the contracts are: enough for anyone to follow the chain."""

    chain_id: int
    block: int
    addresses: dict[str, str]

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="ascii") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read it back; raises DeploymentMissing."""
        try:
            document = json.loads(path.read_text(encoding="ascii"))
            return cls(document["chain_id"], document["block"], document["addresses"])
        except (OSError, ValueError, KeyError) as error:
            raise DeploymentMissing(path=str(path), reason=type(error).__name__) from None

    def require_chain(self, rpc: ChainRpc) -> None:
        """Make sure that this chain is the one deployed to; raises ChainMismatch."""
        chain_id = int(rpc.call("eth_chainId"), 16)
        code = rpc.call("eth_getCode", self.addresses["CarbonLedger"], "latest")
        if chain_id != self.chain_id or code in ("0x", None):
            raise ChainMismatch(
                chain_id=chain_id, deployed_chain_id=self.chain_id, ledger=self.addresses["CarbonLedger"]
            )


def deploy(
    rpc: ChainRpc,
    keyring: Keyring,
    admin_delay_s: int = ADMIN_DELAY_S,
    on_step: Callable[[str], None] = lambda _step: None,
    *,
    journal: Path | None = None,
    manner: Manner | None = None,
    fees: Fees | None = None,
) -> Deployment:
    """Put every contract on the chain and give every role.

    Parameters
    ----------
    keyring :
        Holds the keys "admin" and those of `chain.roles.HELD_BY_KEYS`.
    admin_delay_s :
        How long a later change of rights must stand in the open before it works.
    on_step :
        Hears the name of each step, for progress.
    journal :
        Where what is signed is written down before it is sent. Called again with what a first call left
        there, this goes on from where that broke off. Who has saved the deployment removes it.
    manner, fees :
        How transactions are delivered, and what they offer; by default as the embedded chain needs it.

    Raises
    ------
    DeploymentFailed, DeploymentForeign, FundsInsufficient, ChainUnreachable
    """
    deployer = _Deployer(rpc, keyring, journal, manner or Manner(), fees or Fees(None))
    admin, registrar = deployer.admin, deployer.registrar
    addresses: dict[str, str] = {}
    for name in ("AccessManager", *_ORDER):
        on_step(name)
        known = {**addresses, _DEPLOYER: admin.address}
        args = [known[_MEANING[part["name"].strip("_")]] for part in abi_of(name).constructor_inputs]
        addresses[name] = admin.create(name, args)
    on_step("roles")
    manager = addresses["AccessManager"]
    for call in (*_rights(addresses), *_grants(addresses, keyring)):
        admin.call(manager, call)
    deployer.deliver(admin, on_step)
    opening = {"account": addresses["Clearing"], "kind": _CONTRACT_KIND, "profileHash": b"\0" * 32}
    registrar.call(addresses["CarbonLedger"], Call("CarbonLedger", "openAccounts", ([opening],)))
    deployer.deliver(registrar, on_step)
    admin.call(manager, Call("AccessManager", "grantRole", (Role.ADMIN, admin.address, admin_delay_s)))
    deployer.deliver(admin, on_step)
    return Deployment(chain_id=deployer.chain_id, block=deployer.first_block, addresses=addresses)


def _rights(addresses: dict[str, str]) -> list[Call]:
    calls = []
    for contract in BUSINESS_CONTRACTS:
        for role, functions in RESTRICTED[contract].items():
            selectors = [same.selector for name in functions for same in abi_of(contract).functions[name]]
            target = addresses[contract]
            calls.append(Call("AccessManager", "setTargetFunctionRole", (target, selectors, int(role))))
    return calls


def _grants(addresses: dict[str, str], keyring: Keyring) -> list[Call]:
    holders = [(role, addresses[contract]) for role, contract in HELD_BY_CONTRACTS]
    holders += [(role, keyring.signer(label).address) for role, label in HELD_BY_KEYS]
    grants = [Call("AccessManager", "grantRole", (int(role), holder, 0)) for role, holder in holders]
    labels = [
        Call("AccessManager", "labelRole", (int(role), role.name)) for role in Role if role is not Role.ADMIN
    ]
    return grants + labels


class _Account:
    """One signer's transactions, numbered from the nonce that the plan gives it."""

    def __init__(
        self, signer: Signer, nonce: int, book: DeployJournal, chain_id: int, fees: Fees, fork: Fork
    ) -> None:
        self.address = signer.address
        self.steps: list[tuple[str, Flight]] = []
        self._signer = signer
        self._nonce = nonce
        self._book = book
        self._chain_id = chain_id
        self._fees = fees
        self._fork = fork

    def create(self, contract: str, args: list[Any]) -> str:
        """Sign a contract's creation, and return the address that it will have (Yellow Paper, eq. 90)."""
        seed = rlp.encode([bytes.fromhex(self.address[2:]), self._nonce])
        self._sign(contract, None, creation_code(contract, args, self._fork), _DEPLOY_GAS)
        return to_checksum_address(keccak(seed)[12:])

    def call(self, to: str, call: Call) -> None:
        """Sign a call."""
        data = encode_call(call)
        self._sign(f"{call.contract}.{call.function}", to, data, gas_limit(data))

    def _sign(self, step: str, to: str | None, data: bytes, gas: int) -> None:
        signed = self._book.sent(self.address, self._nonce)  # before an earlier call broke off
        if not signed:
            terms = self._fees.terms()
            fields = unsigned_transaction(self._chain_id, self._nonce, to, data, terms.fee, terms.gas(gas))
            signed = [sign(self._signer, fields)]
        self.steps.append((step, Flight(signed, self._signer)))
        self._nonce += 1


class _Deployer:
    """Delivers what the administrator and the registrar have signed, and stops at the first that fails."""

    def __init__(
        self, rpc: ChainRpc, keyring: Keyring, journal: Path | None, manner: Manner, fees: Fees
    ) -> None:
        admin, registrar = keyring.signer("admin"), keyring.signer("registrar")
        plan = with_patience(lambda: _plan(rpc, admin.address, registrar.address), manner.patience_s)
        book = DeployJournal.open(journal, plan)
        self.chain_id: int = plan["chain_id"]
        self.first_block: int = book.plan["first_block"]
        fork = with_patience(lambda: fork_of(rpc), manner.patience_s)
        self.admin = _Account(admin, book.plan["admin_nonce"], book, self.chain_id, fees, fork)
        self.registrar = _Account(registrar, book.plan["registrar_nonce"], book, self.chain_id, fees, fork)
        self._rpc = rpc
        self._fees = fees
        self._manner = manner
        self._delivery = Delivery(rpc, self.chain_id, Nonces(rpc), fees, book, manner, self._why)

    def deliver(self, account: _Account, on_step: Callable[[str], None]) -> None:
        """Send what the account has signed and wait until all of it is final."""
        steps, account.steps = account.steps, []
        flights = [flight for _, flight in steps]
        self._require_funds(account.address, flights)
        if not self._manner.finality.at_once:
            on_step(f"{len(flights)} transactions, {self._manner.finality} blocks deep")
        for place, ((step, _), outcome) in enumerate(
            zip(steps, self._delivery.deliver(flights), strict=True)
        ):
            if isinstance(outcome, Refusal):
                raise DeploymentFailed(step=step, transaction=place, reason=str(outcome)[:300])

    def _require_funds(self, account: str, flights: Sequence[Flight]) -> None:
        needed_wei = sum(flight.now.gas * flight.now.fee.max_wei for flight in flights)
        if needed_wei:
            balance_wei = int(self._rpc.call("eth_getBalance", account, "latest"), 16)
            if balance_wei < needed_wei:
                raise FundsInsufficient(account=account, balance_wei=balance_wei, needed_wei=needed_wei)

    def _why(self, transaction: SignedTransaction, block: int) -> Refusal:
        """Find out why a mined one failed: a chain without the operations that the contracts use, say."""
        request = {
            "from": transaction.sender,
            "data": "0x" + transaction.data.hex(),
            "gas": hex(transaction.gas),
        }
        if transaction.to is not None:
            request["to"] = transaction.to
        reason = "reverted"
        try:
            self._rpc.call("eth_call", request, hex(block))
        except (RpcError, ChainUnreachable) as error:
            reason = str(error)[:200]
        return TransactionRejected(tx_hash=transaction.tx_hash, block=block, reason=reason)


def _plan(rpc: ChainRpc, admin: str, registrar: str) -> dict[str, Any]:
    """Return from where on a deployment begins now."""
    chain_id, block, *nonces = rpc.batch(
        [
            ("eth_chainId", []),
            ("eth_blockNumber", []),
            ("eth_getTransactionCount", [admin, "pending"]),
            ("eth_getTransactionCount", [registrar, "pending"]),
        ]
    )
    for answer in (chain_id, block, *nonces):
        if isinstance(answer, RpcError):
            raise ChainUnreachable(reason=str(answer)[:200])
    return {
        "chain_id": int(chain_id, 16),
        "first_block": int(block, 16) + 1,
        "admin": admin,
        "admin_nonce": int(nonces[0], 16),
        "registrar": registrar,
        "registrar_nonce": int(nonces[1], 16),
    }
