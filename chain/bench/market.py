"""The real CarbonLedger on any chain: accounts with tonnes, and signed transfers between them.

The same bytes go to every chain, but for the chain id and the price of gas, which a peer may insist on.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chain.abi import Call, abi_of, decode_output, encode_call
from chain.bench.wire import Asking, BenchAnswerWrong
from chain.node.accounts import address_of
from chain.node.formats import checksum
from chain.node.transactions import LEGACY, Transaction, sign
from chain.units import UnitId

UNIT: Final = UnitId.allowance(2026).value
HOLDING_T: Final = 1_000_000
FIRM_KIND: Final = 1
_DEPLOY_GAS: Final = 9_000_000
_TRANSFER_GAS: Final = 200_000
_CALL_GAS: Final = 1_000_000
_BATCH: Final = 100
_PATIENCE_S: Final = 60.0
_OPENINGS: Final = 100


def key_of(name: str) -> bytes:
    """A private key that everybody can compute: for benchmarks only."""
    return hashlib.sha256(f"carat bench {name}".encode()).digest()


@dataclass(slots=True)
class Firm:
    """A key with its address and its next nonce."""

    key: bytes
    address: bytes = field(init=False)
    nonce: int = 0

    def __post_init__(self) -> None:
        self.address = address_of(self.key)


def make_firms(count: int) -> list[Firm]:
    """Firms, the same ones each time."""
    return [Firm(key_of(f"firm {number}")) for number in range(count)]


@dataclass(slots=True)
class Market:
    """A ledger on one chain, its owner, and firms that hold tonnes there."""

    wire: Asking
    chain_id: int
    gas_price_wei: int
    owner: Firm
    firms: list[Firm]
    addresses: dict[str, str] = field(default_factory=dict)
    sent: dict[bytes, int] = field(default_factory=dict)
    """What each firm must hold by the transfers signed so far, in tonnes."""

    def sign(self, sender: Firm, to: str, data: bytes, gas: int) -> bytes:
        """A signed transaction with the sender's next nonce."""
        raw = sign(
            Transaction(
                type_id=LEGACY,
                chain_id=self.chain_id,
                nonce=sender.nonce,
                max_priority_fee_per_gas=self.gas_price_wei,
                max_fee_per_gas=self.gas_price_wei,
                gas=gas,
                to=bytes.fromhex(to[2:]),
                value=0,
                data=data,
                access_list=(),
                v=0,
                r=0,
                s=0,
                sender=sender.address,
            ),
            sender.key,
        )
        sender.nonce += 1
        return raw

    def create(self, contract: str, args: list[Any]) -> str:
        """Put a contract on the chain; its address."""
        code = abi_of(contract).encode_constructor(args)
        raw = self.sign(self.owner, "0x", code, _DEPLOY_GAS)
        address: str = self.send_all([raw])[0]["contractAddress"]
        return address

    def act(self, sender: Firm, call: Call, gas: int) -> bytes:
        """A signed call of a contract."""
        return self.sign(sender, self.addresses[call.contract], encode_call(call), gas)

    def send_all(self, raws: Sequence[bytes]) -> list[dict[str, Any]]:
        """Send in batches and give the receipts; raises BenchAnswerWrong where one failed."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(raws), _BATCH):
            params = [["0x" + raw.hex()] for raw in raws[start : start + _BATCH]]
            found += self.receipts(self.wire.batch("eth_sendRawTransaction", params))
        require_success(found)
        return found

    def receipts(self, hashes: Sequence[str]) -> list[Any]:
        """The receipts of these transactions, asked for again where a chain answers before it mines."""
        until_s = time.monotonic() + _PATIENCE_S
        found: dict[str, Any] = {}
        while missing := [each for each in hashes if found.get(each) is None]:
            if time.monotonic() > until_s:
                raise BenchAnswerWrong(transaction=missing[0], waited_s=int(_PATIENCE_S))
            answers = self.wire.batch("eth_getTransactionReceipt", [[each] for each in missing])
            found |= dict(zip(missing, answers, strict=True))
        return [found[each] for each in hashes]

    def transfers(self, count: int, stride: int = 7) -> Iterator[bytes]:
        """Signed transfers of one tonne, each from the next firm to another."""
        firms = self.firms
        for number in range(count):
            sender = firms[number % len(firms)]
            receiver = firms[(number * stride + 1 + number % len(firms)) % len(firms)]
            if receiver is sender:
                receiver = firms[(number + 1) % len(firms)]
            self.sent[sender.address] = self.sent.get(sender.address, HOLDING_T) - 1
            self.sent[receiver.address] = self.sent.get(receiver.address, HOLDING_T) + 1
            call = Call(
                "CarbonLedger",
                "safeTransferFrom",
                (checksum(sender.address), checksum(receiver.address), UNIT, 1, b""),
            )
            yield self.act(sender, call, _TRANSFER_GAS)

    def balance_request(self, firm: Firm) -> dict[str, str]:
        """The object of an eth_call that asks for a firm's tonnes."""
        data = encode_call(balance_call(firm))
        return {
            "from": checksum(self.owner.address),
            "to": self.addresses["CarbonLedger"],
            "data": "0x" + data.hex(),
            "gas": hex(_CALL_GAS),
        }

    def check_balances(self) -> None:
        """Hold every firm's tonnes on chain against the transfers signed so far; raises BenchAnswerWrong."""
        answers: list[Any] = []
        for start in range(0, len(self.firms), _BATCH):
            some = self.firms[start : start + _BATCH]
            answers += self.wire.batch("eth_call", [[self.balance_request(firm), "latest"] for firm in some])
        for firm, answer in zip(self.firms, answers, strict=True):
            held = decode_output(balance_call(firm), bytes.fromhex(answer[2:]))
            wanted = self.sent.get(firm.address, HOLDING_T)
            if held != wanted:
                raise BenchAnswerWrong(firm=checksum(firm.address), held_t=held, wanted_t=wanted)


def balance_call(firm: Firm) -> Call:
    """What asks for a firm's tonnes."""
    return Call("CarbonLedger", "balanceOf", (checksum(firm.address), UNIT))


def require_success(receipts: Iterable[Any]) -> None:
    """Raises BenchAnswerWrong unless every receipt is there and says success."""
    for receipt in receipts:
        if not isinstance(receipt, dict) or receipt.get("status") not in ("0x1", 1):
            raise BenchAnswerWrong(receipt=str(receipt)[:300])


def open_market(wire: Asking, gas_price_wei: int, firms: int) -> Market:
    """A fresh ledger on the chain behind `wire`, with `firms` firms that hold HOLDING_T each.

    The owner administers the AccessManager, so every restricted function is his.
    """
    chain_id = int(wire.call("eth_chainId"), 16)
    market = Market(wire, chain_id, gas_price_wei, Firm(key_of("owner")), make_firms(firms))
    manager = market.create("AccessManager", [checksum(market.owner.address)])
    market.addresses["AccessManager"] = manager
    market.addresses["CarbonLedger"] = market.create("CarbonLedger", [manager])
    names = [checksum(firm.address) for firm in market.firms]
    acts: list[bytes] = []
    for number, start in enumerate(range(0, len(names), _OPENINGS)):
        some = names[start : start + _OPENINGS]
        openings = [{"account": name, "kind": FIRM_KIND, "profileHash": b"\0" * 32} for name in some]
        issues = [{"to": name, "quantityT": HOLDING_T} for name in some]
        acts.append(market.act(market.owner, Call("CarbonLedger", "openAccounts", (openings,)), 9_000_000))
        request_id = (number + 1).to_bytes(32, "big")
        issue = Call("CarbonLedger", "issue", (UNIT, issues, request_id))
        acts.append(market.act(market.owner, issue, 12_000_000))
    for raw in acts:  # one at a time: a peer's block may hold no more
        market.send_all([raw])
    return market
