"""Raw records are what they claim to be: their hashes and roots are those of the block."""

from __future__ import annotations

from typing import Any

import rlp
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from chain.node.blocks import assemble
from chain.node.codec import encode
from chain.node.node import DEFAULT_CHAIN_ID
from chain.node.raw import block_size, raw_block
from chain.node.transactions import decode
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, KEYS, hash_of, hexed, init_code, signed


def data(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def root_of(items: list[bytes]) -> str:
    trie = HexaryTrie({})
    for index, item in enumerate(items):
        trie[rlp.encode(index)] = item
    return hexed(trie.root_hash)


def sample(rpc: LocalRpc) -> Any:
    """A block with transactions of every type."""
    counter = rpc.deploy(COUNTER)
    listed = [{"address": counter, "storageKeys": ["0x" + "00" * 32]}]
    raws = [
        signed(1, 0, counter, gasPrice=0),
        signed(1, 1, counter, gasPrice=0, accessList=listed),
        signed(1, 2, counter, b"\x01" * 32),
        signed(1, 3, data=init_code(COUNTER)),
    ]
    rpc.batch(*(("eth_sendRawTransaction", [hexed(raw)]) for raw in raws))
    return rpc.call("eth_getBlockByNumber", "latest", True)


def test_a_raw_header_hashes_to_the_block_s_hash(rpc: LocalRpc) -> None:
    block = sample(rpc)
    raw = data(rpc.call("debug_getRawHeader", "latest"))
    assert hexed(keccak(raw)) == block["hash"]
    header = rlp.decode(raw, sedes=CancunBlockHeader)
    assert hexed(header.state_root) == block["stateRoot"]


def test_a_raw_block_holds_its_transactions_and_is_as_large_as_it_says(rpc: LocalRpc) -> None:
    block = sample(rpc)
    raw = data(rpc.call("debug_getRawBlock", block["number"]))
    header, transactions, uncles, withdrawals = rlp.decode(raw)
    assert hexed(keccak(rlp.encode(header))) == block["hash"]
    assert (uncles, withdrawals) == ([], [])
    items = [each if isinstance(each, bytes) else rlp.encode(each) for each in transactions]
    assert [hexed(keccak(each)) for each in items] == [each["hash"] for each in block["transactions"]]
    assert root_of(items) == block["transactionsRoot"]
    assert int(block["size"], 16) == len(raw)
    for each, item in zip(block["transactions"], items, strict=True):
        assert rpc.call("debug_getRawTransaction", each["hash"]) == hexed(item)


def test_raw_receipts_have_the_block_s_receipts_root(rpc: LocalRpc) -> None:
    block = sample(rpc)
    receipts = [data(each) for each in rpc.call("debug_getRawReceipts", block["number"])]
    assert [each[0] if each[0] < 0xC0 else 0 for each in receipts] == [0, 1, 2, 2]
    assert root_of(receipts) == block["receiptsRoot"]


@given(sizes=st.lists(st.sampled_from([0, 1, 30, 55, 56, 200, 255, 256, 70_000]), max_size=4))
def test_the_size_of_a_block_is_that_of_its_encoding(sizes: list[int]) -> None:
    common = {"gas": 10**7, "gasPrice": 0}
    transactions = [
        decode(signed(1, 0, ADDRESSES[0], bytes(size), **common), DEFAULT_CHAIN_ID) for size in sizes
    ]
    transactions += [
        decode(signed(1, 0, ADDRESSES[0], bytes(size), gas=10**7), DEFAULT_CHAIN_ID) for size in sizes
    ]
    block = assemble(1, b"\x01" * 32, 5, b"\x02" * 32)
    object.__setattr__(block, "transactions", tuple(transactions))
    assert block_size(block) == len(raw_block(block))
    withdrawals = [[1, 2, b"\x03" * 20, 4]]
    assert block_size(block, withdrawals) == len(raw_block(block, withdrawals))
    assert encode(rlp.decode(raw_block(block))) == raw_block(block)


def test_what_the_node_signs_anybody_can_check(rpc: LocalRpc) -> None:
    signature = rpc.call("eth_sign", ADDRESSES[2], "0xdeadbeef")
    message = encode_defunct(hexstr="0xdeadbeef")
    assert Account.recover_message(message, signature=signature) == ADDRESSES[2]
    assert hexed(bytes(Account.sign_message(message, KEYS[2]).signature)) == signature


def test_a_signed_draft_is_taken_when_it_is_sent(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    listed = [{"address": counter, "storageKeys": ["0x" + "00" * 32]}]
    base = {"from": ADDRESSES[1], "to": counter}
    kinds = []
    for more in ({}, {"gasPrice": "0x0"}, {"accessList": listed, "gasPrice": "0x0"}, {"maxFeePerGas": "0x1"}):
        answer = rpc.call("eth_signTransaction", base | more)
        assert Account.recover_transaction(answer["raw"]) == ADDRESSES[1]
        sent = rpc.call("eth_sendRawTransaction", answer["raw"])
        assert sent == hash_of(data(answer["raw"]))
        mined = rpc.call("eth_getTransactionByHash", sent)
        assert {name: mined[name] for name in answer["tx"]} == answer["tx"]
        assert rpc.call("eth_getTransactionReceipt", sent)["status"] == "0x1"
        kinds.append(answer["tx"]["type"])
    assert kinds == ["0x2", "0x0", "0x1", "0x2"]


def test_a_filled_draft_can_be_signed_by_whoever_holds_the_key(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    draft = rpc.call("eth_fillTransaction", {"from": ADDRESSES[3], "to": counter})["tx"]
    fields = {name: value for name, value in draft.items() if name not in ("input", "gasPrice")}
    raw = Account.sign_transaction(fields | {"data": draft["input"]}, KEYS[3]).raw_transaction
    receipt = rpc.send(bytes(raw))
    assert (receipt["status"], receipt["type"]) == ("0x1", "0x2")
    assert int(receipt["gasUsed"], 16) <= int(draft["gas"], 16) < 2 * int(receipt["gasUsed"], 16)


def test_without_test_methods_nothing_is_signed(tmp_path: Any) -> None:
    rpc = LocalRpc(tmp_path, test_methods=False)
    for method in ("eth_sign", "eth_signTransaction", "eth_sendTransaction", "evm_mine"):
        assert rpc.refusal(method)[0] == -32601
    assert rpc.call("eth_accounts") == []
    assert rpc.call("eth_fillTransaction", {"to": ADDRESSES[0]})["tx"]["gas"] == "0x5208"
    rpc.close()
