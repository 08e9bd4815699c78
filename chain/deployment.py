"""Deployment: the contracts put on a chain, the roles given, and the addresses kept.

The deployer starts as the only administrator, hands every role out as `chain.roles` says, and last binds
himself: from then on each change of rights waits for `admin_delay_s` in the open.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from chain.abi import BUSINESS_CONTRACTS, Call, abi_of, encode_call
from chain.forks import creation_code, fork_of
from chain.keys import Keyring, Signer
from chain.refusals import ChainMismatch, Refusal
from chain.roles import HELD_BY_CONTRACTS, HELD_BY_KEYS, RESTRICTED, Role
from chain.rpc import ChainRpc
from chain.transactions import gas_limit, unsigned_transaction

ADMIN_DELAY_S: Final = 2 * 24 * 3600
_DEPLOY_GAS: Final = 9_000_000
_CONTRACT_KIND: Final = 9  # ICarbonLedger.AccountKind.Contract

# Constructor parameters by what they mean; each contract asks for some of them.
_ORDER: Final = ("CarbonLedger", "Compliance", "Verification", "SettlementCash", "Clearing", "MicroCarat")
_MEANING: Final = {
    "authority": "AccessManager", "initialAuthority": "AccessManager", "ledger": "CarbonLedger",
    "compliance": "Compliance", "cash": "SettlementCash",
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

    Raises
    ------
    DeploymentFailed, ChainUnreachable
    """
    deployer = _Deployer(rpc, keyring.signer("admin"))
    first_block = int(rpc.call("eth_blockNumber"), 16) + 1
    on_step("AccessManager")
    addresses = {"AccessManager": deployer.create("AccessManager", [deployer.address])}
    for name in _ORDER:
        on_step(name)
        args = [addresses[_MEANING[part["name"].strip("_")]] for part in abi_of(name).constructor_inputs]
        addresses[name] = deployer.create(name, args)
    on_step("roles")
    manager = addresses["AccessManager"]
    deployer.call_all(manager, [*_rights(addresses), *_grants(addresses, keyring)])
    opening = {"account": addresses["Clearing"], "kind": _CONTRACT_KIND, "profileHash": b"\0" * 32}
    registrar = _Deployer(rpc, keyring.signer("registrar"))
    registrar.call_all(addresses["CarbonLedger"], [Call("CarbonLedger", "openAccounts", ([opening],))])
    bind = Call("AccessManager", "grantRole", (Role.ADMIN, deployer.address, admin_delay_s))
    deployer.call_all(manager, [bind])
    return Deployment(chain_id=deployer.chain_id, block=first_block, addresses=addresses)


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


class _Deployer:
    """Sends one signer's transactions, in order, and stops at the first that fails."""

    def __init__(self, rpc: ChainRpc, signer: Signer) -> None:
        self._rpc = rpc
        self._signer = signer
        self.address = signer.address
        self.chain_id = int(rpc.call("eth_chainId"), 16)
        self._nonce = int(rpc.call("eth_getTransactionCount", signer.address, "pending"), 16)
        self._fork = fork_of(rpc)

    def create(self, contract: str, args: list[Any]) -> str:
        code = creation_code(contract, args, self._fork)
        fields = unsigned_transaction(self.chain_id, self._nonce, "", code) | {"gas": _DEPLOY_GAS}
        del fields["to"]
        return str(self._send([fields], contract)[0]["contractAddress"])

    def call_all(self, to: str, calls: list[Call]) -> None:
        datas = [encode_call(call) for call in calls]
        fields = [
            unsigned_transaction(self.chain_id, self._nonce + place, to, data) | {"gas": gas_limit(data)}
            for place, data in enumerate(datas)
        ]
        self._send(fields, calls[0].contract)

    def _send(self, transactions: list[dict[str, Any]], step: str) -> list[dict[str, Any]]:
        raws = [self._signer.sign_transaction(fields) for fields in transactions]
        hashes = self._rpc.batch([("eth_sendRawTransaction", ["0x" + raw.hex()]) for raw in raws])
        self._nonce += len(raws)
        receipts = self._rpc.batch([("eth_getTransactionReceipt", [each]) for each in hashes])
        for place, (tx_hash, receipt) in enumerate(zip(hashes, receipts, strict=True)):
            if not isinstance(receipt, dict) or int(receipt["status"], 16) != 1:
                raise DeploymentFailed(step=step, transaction=place, answer=str(receipt or tx_hash)[:200])
        return receipts
