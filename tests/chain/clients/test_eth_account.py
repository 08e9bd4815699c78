"""Transactions signed offline by eth-account, of each type, and what the node refuses of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.exceptions import TransactionNotFound, Web3RPCError

from tests.chain.clients.tools import tool
from tests.chain.differential.peers import running_anvil, running_ours
from tests.chain.differential.sending import ADDRESSES, KEYS

ME, OTHER = (Web3.to_checksum_address(address) for address in ADDRESSES[:2])
SLOT = "0x" + "00" * 31 + "07"
ACCESS_LIST = [{"address": OTHER, "storageKeys": [SLOT]}]
TYPES: dict[str, dict[str, Any]] = {
    "legacy": {"gasPrice": 3},
    "EIP-2930": {"type": 1, "gasPrice": 3, "accessList": ACCESS_LIST},
    "EIP-1559": {"type": 2, "maxFeePerGas": 5, "maxPriorityFeePerGas": 2, "accessList": ACCESS_LIST},
}


@dataclass
class Client:
    """web3 on one node, and a key that the node never sees."""

    w3: Web3
    nonce: int = 0

    def sign(self, **fields: Any) -> Any:
        whole = {"nonce": self.nonce, "to": OTHER, "value": 11, "gas": 60_000, "chainId": 7327, "data": b""}
        return Account.sign_transaction(whole | fields, KEYS[0])

    def send(self, **fields: Any) -> Any:
        signed = self.sign(**fields)
        sent = self.w3.eth.send_raw_transaction(signed.raw_transaction)
        assert sent == signed.hash
        self.nonce += 1
        return self.w3.eth.wait_for_transaction_receipt(sent)


@pytest.fixture(scope="module", params=["carat", "anvil"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same tests on this node and on anvil: what holds there has to hold here."""
    data = tmp_path_factory.mktemp(request.param)
    running = (
        running_ours(data) if request.param == "carat" else running_anvil(tool("anvil"), data, automine=True)
    )
    with running as node:
        yield Client(Web3(HTTPProvider(node.url)))


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_is_mined_and_read_back_as_it_was_signed(client: Client, kind: str) -> None:
    fields = TYPES[kind]
    before = client.w3.eth.get_balance(ME), client.w3.eth.get_balance(OTHER)
    receipt = client.send(**fields)
    listed = 2_400 + 1_900 if "accessList" in fields else 0
    assert (receipt["status"], receipt["type"]) == (1, fields.get("type", 0))
    assert receipt["gasUsed"] == 21_000 + listed
    price = fields.get("gasPrice", 2)
    assert receipt["effectiveGasPrice"] == price
    after = client.w3.eth.get_balance(ME), client.w3.eth.get_balance(OTHER)
    assert after == (before[0] - 11 - price * receipt["gasUsed"], before[1] + 11)
    read = client.w3.eth.get_transaction(receipt["transactionHash"])
    assert (read["from"], read["to"], read["value"], read["chainId"]) == (ME, OTHER, 11, 7327)
    for name in ("gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"):
        if name in fields and not (name == "gasPrice" and "maxFeePerGas" in fields):
            assert read[name] == fields[name]
    if "accessList" in fields:
        (entry,) = read["accessList"]
        assert (entry["address"], [HexBytes(slot) for slot in entry["storageKeys"]]) == (
            OTHER,
            [HexBytes(SLOT)],
        )


@pytest.mark.parametrize("kind", TYPES)
def test_the_raw_transaction_can_be_had_back(client: Client, kind: str) -> None:
    signed = client.sign(**TYPES[kind])
    receipt = client.send(**TYPES[kind])
    eth = client.w3.eth
    assert eth.get_raw_transaction(receipt["transactionHash"]) == signed.raw_transaction
    for block in (receipt["blockNumber"], receipt["blockHash"]):
        assert eth.get_raw_transaction_by_block(block, 0) == signed.raw_transaction
    with pytest.raises(TransactionNotFound):
        eth.get_raw_transaction(b"\1" * 32)


@pytest.mark.parametrize("kind", TYPES)
def test_what_was_signed_for_another_chain_is_refused(client: Client, kind: str) -> None:
    if kind == "legacy" and client.w3.client_version.startswith("anvil"):
        pytest.skip("anvil takes legacy transactions of any chain; this node must not")
    signed = client.sign(**TYPES[kind], chainId=1)
    with pytest.raises(Web3RPCError):
        client.w3.eth.send_raw_transaction(signed.raw_transaction)


def test_what_its_sender_cannot_do_is_refused(client: Client) -> None:
    wrong: list[dict[str, Any]] = [
        {"gas": 20_999, "gasPrice": 0},
        {"gas": 500_000_001, "gasPrice": 0},
        {"value": 10**30, "gasPrice": 0},
        {"maxFeePerGas": 1, "maxPriorityFeePerGas": 2},
    ]
    for fields in wrong:
        with pytest.raises(Web3RPCError):
            client.w3.eth.send_raw_transaction(client.sign(**fields).raw_transaction)
    if client.nonce:
        used = Account.sign_transaction(
            {"nonce": 0, "to": OTHER, "value": 1, "gas": 21_000, "gasPrice": 0, "chainId": 7327}, KEYS[0]
        )
        with pytest.raises(Web3RPCError, match="nonce too low"):
            client.w3.eth.send_raw_transaction(used.raw_transaction)


def test_a_signature_is_checked_by_the_precompiled_contract(client: Client) -> None:
    message = encode_defunct(text="CARAT")
    signed = Account.sign_message(message, KEYS[0])
    words = [bytes(signed.message_hash), *(n.to_bytes(32, "big") for n in (signed.v, signed.r, signed.s))]
    answer = client.w3.eth.call({"to": "0x" + "00" * 19 + "01", "data": b"".join(words)})
    assert Web3.to_checksum_address(answer[12:]) == ME


def test_a_transaction_that_was_mined_may_be_sent_again_here(client: Client) -> None:
    """Who is not sure whether an act arrived sends it again; anvil says that it knows it."""
    signed = client.sign(gasPrice=0)
    client.send(gasPrice=0)
    if client.w3.client_version.startswith("anvil"):
        with pytest.raises(Web3RPCError):
            client.w3.eth.send_raw_transaction(signed.raw_transaction)
    else:
        assert client.w3.eth.send_raw_transaction(signed.raw_transaction) == signed.hash
    assert client.w3.eth.get_transaction_count(ME) == client.nonce
