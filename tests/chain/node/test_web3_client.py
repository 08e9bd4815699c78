"""web3.py over HTTP, as any of its users would."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError, ContractLogicError, TransactionNotFound, Web3RPCError

from chain.abi import abi_of
from chain.node import start_node
from tests.chain.node.programs import ADDRESSES, COUNTER, hash_of, init_code, signed


@pytest.fixture(scope="module")
def w3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web3]:
    with start_node(tmp_path_factory.mktemp("web3")) as node:
        yield Web3(HTTPProvider(node.url))


def test_a_contract_is_deployed_called_and_refuses(w3: Web3) -> None:
    manager_abi, cash_abi = abi_of("AccessManager"), abi_of("SettlementCash")
    admin, other = w3.eth.accounts[:2]
    manager = w3.eth.wait_for_transaction_receipt(
        w3.eth.send_transaction({"from": admin, "data": "0x" + manager_abi.encode_constructor([admin]).hex()})
    )["contractAddress"]
    code = cash_abi.encode_constructor([manager, other])  # no ledger: only a contract's account is looked up
    created = w3.eth.wait_for_transaction_receipt(
        w3.eth.send_transaction({"from": admin, "data": "0x" + code.hex()})
    )
    cash = w3.eth.contract(address=created["contractAddress"], abi=ERC20)
    assert cash.functions.decimals().call() == 2
    assert cash.functions.balanceOf(admin).call() == 0
    with pytest.raises((ContractCustomError, ContractLogicError)) as refused:
        cash.functions.transfer(other, 5).call({"from": admin})
    assert w3.keccak(text="ERC20InsufficientBalance(address,uint256,uint256)")[:4].hex() in str(refused.value)
    receipt = w3.eth.wait_for_transaction_receipt(cash.functions.transfer(other, 0).transact({"from": admin}))
    (event,) = cash.events.Transfer().process_receipt(receipt)
    assert (event["args"]["from"], event["args"]["to"], event["args"]["value"]) == (admin, other, 0)
    assert [log["transactionHash"] for log in cash.events.Transfer().get_logs(from_block=0)] == [
        receipt["transactionHash"]
    ]


def test_requests_of_many_clients_share_blocks(w3: Web3) -> None:
    deployed = w3.eth.send_raw_transaction(signed(2, 0, data=init_code(COUNTER)))
    counter = w3.eth.wait_for_transaction_receipt(deployed)["contractAddress"]
    raws = [signed(3, nonce, counter) for nonce in range(60)]
    before = w3.eth.block_number

    def send(raw: bytes) -> bytes:
        return w3.eth.send_raw_transaction(raw)

    with ThreadPoolExecutor(8) as clients:
        hashes = list(clients.map(send, raws))
    # A nonce that overtakes the one before it waits for it; whoever sent it is not kept waiting.
    receipts = [w3.eth.wait_for_transaction_receipt(each) for each in hashes]
    assert [Web3.to_hex(each) for each in hashes] == [hash_of(raw) for raw in raws]
    assert all(receipt["status"] == 1 for receipt in receipts)
    assert w3.eth.block_number - before <= 60
    assert int.from_bytes(w3.eth.get_storage_at(counter, 0), "big") == 60


def test_a_batch_of_web3_is_answered_in_order(w3: Web3) -> None:
    with w3.batch_requests() as batch:
        for n in range(3):
            batch.add(w3.eth.get_block(n))
        blocks = batch.execute()
    assert [block["number"] for block in blocks] == [0, 1, 2]


def test_what_is_asked_about_the_node_is_answered(w3: Web3) -> None:
    assert w3.is_connected()
    assert not w3.client_version.lower().startswith("geth")
    assert (w3.eth.chain_id, w3.net.version, w3.eth.gas_price, w3.eth.syncing) == (7327, "7327", 0, False)
    assert w3.eth.max_priority_fee == 0
    assert w3.eth.fee_history(4, "latest", [50])["baseFeePerGas"][0] == 0
    assert w3.eth.get_balance(ADDRESSES[0]) == 10_000 * 10**18
    with pytest.raises(TransactionNotFound):
        w3.eth.get_transaction(b"\x01" * 32)
    with pytest.raises(Web3RPCError, match="invalid chain id"):
        w3.eth.send_raw_transaction(signed(0, 99, ADDRESSES[1], chain_id=1))


ERC20 = [
    {"type": "function", "name": "decimals", "inputs": [], "outputs": [{"type": "uint8", "name": ""}],
     "stateMutability": "view"},
    {"type": "function", "name": "balanceOf", "inputs": [{"type": "address", "name": "a"}],
     "outputs": [{"type": "uint256", "name": ""}], "stateMutability": "view"},
    {"type": "function", "name": "transfer", "inputs": [{"type": "address", "name": "to"},
     {"type": "uint256", "name": "v"}], "outputs": [{"type": "bool", "name": ""}],
     "stateMutability": "nonpayable"},
    {"type": "event", "name": "Transfer", "anonymous": False, "inputs": [
        {"type": "address", "name": "from", "indexed": True},
        {"type": "address", "name": "to", "indexed": True},
        {"type": "uint256", "name": "value", "indexed": False}]},
]  # fmt: skip
