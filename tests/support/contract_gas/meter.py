"""The meter: calls on a node, each with the gas of its receipt; nothing depends on the clock or on chance."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_checksum_address

from chain.rpc import ChainRpc, RpcError
from tests.support.contract_fuzz.answer import Answer
from tests.support.contract_fuzz.stage import (
    ADDRESSES,
    OFFICES,
    OTHERS,
    SECRETS,
    Stage,
    first_acts,
    make_stage,
)
from tests.support.contract_model.interface import interface, shown_error
from tests.support.contract_model.machine import Address

BEGIN = 4_000_000_000  # far ahead of any clock: the node goes by what it is told
GAS = 29_000_000


class Refused(AssertionError):
    """A call that should be measured was refused."""


class GasMachine:
    """A node, and keys for everybody: signs each call and keeps what it cost."""

    def __init__(self, rpc: ChainRpc) -> None:
        self.rpc = rpc
        self.chain_id = int(rpc.call("eth_chainId"), 16)
        self.gas = 0
        self._keys: dict[Address, LocalAccount] = {}
        self._nonces: dict[Address, int] = {}

    def know(self, secret: bytes) -> Address:
        """Take somebody's key; returns the address."""
        key = Account.from_key(secret)
        self._keys[key.address.lower()] = key
        return str(key.address.lower())

    def at(self, now: int) -> None:
        self.rpc.call("evm_setNextBlockTimestamp", hex(now))

    def enrich(self, account: Address) -> None:
        """Gas costs nothing here."""

    def deploy(self, deployer: Address, code: bytes) -> Address:
        return str(self._send(deployer, None, code)["contractAddress"]).lower()

    def call(self, caller: Address, to: Address, data: bytes, value: int = 0) -> Answer:
        if value:
            raise Refused("ether is not measured")
        receipt = self._send(caller, to, data)
        if int(receipt["status"], 16) != 1:
            raise Refused(self._why(caller, to, data))
        self.gas = int(receipt["gasUsed"], 16)
        return Answer(done=True, data=b"")

    def look(self, to: Address, data: bytes) -> Answer:
        return Answer(
            True, bytes.fromhex(self.rpc.call("eth_call", {"to": to, "data": f"0x{data.hex()}"})[2:])
        )

    def _send(self, sender: Address, to: Address | None, data: bytes) -> dict[str, Any]:
        nonce = self._nonces.get(sender, 0)
        fields: dict[str, Any] = {
            "type": 2, "chainId": self.chain_id, "nonce": nonce, "value": 0, "gas": GAS,
            "maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "data": data,
        }  # fmt: skip
        if to is not None:
            fields["to"] = to_checksum_address(to)
        self._nonces[sender] = nonce + 1
        raw = self._keys[sender].sign_transaction(fields).raw_transaction
        tx_hash = self.rpc.call("eth_sendRawTransaction", "0x" + bytes(raw).hex())
        receipt: dict[str, Any] = self.rpc.call("eth_getTransactionReceipt", tx_hash)
        return receipt

    def _why(self, caller: Address, to: Address, data: bytes) -> str:
        asked = {"from": caller, "to": to, "data": f"0x{data.hex()}", "gas": hex(GAS)}
        try:
            self.rpc.call("eth_call", asked, "latest")
        except RpcError as error:
            return shown_error(bytes.fromhex((error.data or "0x")[2:]))
        return "out of gas"


class Meter:
    """A stage on the node; measures calls and files the gas by function and case."""

    def __init__(self, rpc: ChainRpc) -> None:
        self.machine = GasMachine(rpc)
        self.gas: dict[str, dict[str, int]] = {}
        self._names = 0
        for label in (*OFFICES, *OTHERS):
            self.machine.know(SECRETS[label])
        self.machine.at(BEGIN)
        self.stage: Stage = make_stage(self.machine, ADDRESSES, BEGIN, self.machine.chain_id)
        self.people = self.stage.people
        self.parts = self.stage.parts
        self.now = BEGIN + 100
        self.stage.model.now = self.now
        for act in first_acts(self.stage):
            self._at_next_second()
            self.machine.call(act.caller, act.to, act.data)

    def newcomer(self, label: str) -> Address:
        """Somebody with a key of his own."""
        self.people[label] = self.machine.know(keccak(text=f"gas {label}"))
        return self.people[label]

    def name(self) -> bytes:
        """A request id that nothing has."""
        self._names += 1
        return keccak(text=f"act {self._names}")

    def do(self, who: str, part: str, function: str, *args: Any) -> int:
        """Make a call that sets the stage; returns its gas."""
        self._at_next_second()
        to = self.parts.get(part) or self.people[part]
        data = interface("Puppet" if part == "wallet" else part).function(function, len(args)).calldata(args)
        self.machine.call(self.people[who], to, data)
        return self.machine.gas

    def measure(self, case: str, who: str, part: str, function: str, *args: Any) -> None:
        """Make a call and file what it cost."""
        title = interface(part).function(function, len(args)).title
        self.gas.setdefault(title, {})[case] = self.do(who, part, function, *args)

    def wait_until(self, second: int) -> None:
        """The next call is not before this second."""
        self.now = max(self.now, second)

    def _at_next_second(self) -> None:
        self.now += 1
        self.machine.at(self.now)
