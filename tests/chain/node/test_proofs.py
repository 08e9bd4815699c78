"""Proofs that anybody can check with a state root alone, and what a transaction touches."""

from __future__ import annotations

from typing import Any

import rlp
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie
from trie.constants import BLANK_NODE_HASH

from chain.node.trie import Trie
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, signed

# writes, at the first word of the call, the second
STORER = bytes.fromhex("60203560003555" + "00")
# reads the slot of the first word, and the balance of the address in the second
READER = bytes.fromhex("600035545060203531" + "00")
EMPTY_CODE = "0x" + keccak(b"").hex()


def data(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def proven(root: str, key: bytes, proof: list[str]) -> bytes:
    """The value that a proof shows, by py-trie; empty where it shows that there is none."""
    if not proof:
        assert data(root) == BLANK_NODE_HASH
        return b""
    value: bytes = HexaryTrie.get_from_proof(data(root), keccak(key), [rlp.decode(data(n)) for n in proof])
    return value


def check(answer: dict[str, Any], state_root: str) -> None:
    """Every word of an answer follows from the state root and the proofs."""
    record = proven(state_root, data(answer["address"]), answer["accountProof"])
    if record:
        nonce, balance, storage, code = rlp.decode(record)
        shown = [hex(int.from_bytes(nonce, "big")), hex(int.from_bytes(balance, "big"))]
        assert [answer["nonce"], answer["balance"]] == shown
        assert [data(answer["storageHash"]), data(answer["codeHash"])] == [storage, code]
    else:
        assert [answer["nonce"], answer["balance"], answer["codeHash"]] == ["0x0", "0x0", EMPTY_CODE]
    for each in answer["storageProof"]:
        value = proven(answer["storageHash"], word(int(each["key"], 16)), each["proof"])
        assert int(each["value"], 16) == (int.from_bytes(rlp.decode(value), "big") if value else 0)


def test_accounts_and_storage_are_proven_by_the_state_root(rpc: LocalRpc) -> None:
    storer = rpc.deploy(STORER)
    for nonce, slot in enumerate((0, 1, 7, 2**200)):
        rpc.send(signed(1, nonce, storer, word(slot) + word(slot + 5)))
    root = rpc.call("eth_getBlockByNumber", "latest")["stateRoot"]
    slots = ["0x0", "0x1", "0x2", "0x" + word(7).hex(), hex(2**200), hex(2**255)]
    answer = rpc.call("eth_getProof", storer, slots, "latest")
    check(answer, root)
    assert [each["key"] for each in answer["storageProof"]] == slots
    assert [int(each["value"], 16) for each in answer["storageProof"]] == [5, 6, 0, 12, 2**200 + 5, 0]
    for address in (*ADDRESSES, "0x" + "77" * 20):
        check(rpc.call("eth_getProof", address, ["0x0"], "latest"), root)


def test_an_old_block_proves_what_was_then(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    before = rpc.height
    rpc.send(signed(1, 0, counter))
    for number, value in ((before, "0x0"), (rpc.height, "0x1")):
        answer = rpc.call("eth_getProof", counter, ["0x0"], hex(number))
        assert answer["storageProof"][0]["value"] == value
        check(answer, rpc.call("eth_getBlockByNumber", hex(number))["stateRoot"])


@given(st.dictionaries(st.binary(min_size=1, max_size=3), st.binary(min_size=1, max_size=40), max_size=40))
def test_any_key_of_any_trie_is_proven(values: dict[bytes, bytes]) -> None:
    store: dict[bytes, bytes] = {}
    trie = Trie(store)
    root = trie.update(BLANK_NODE_HASH, {keccak(key): value for key, value in values.items()})
    for key in (*values, b"nobody", b"not there"):
        proof = ["0x" + node.hex() for node in trie.proof(root, keccak(key))]
        assert proven("0x" + root.hex(), key, proof) == values.get(key, b"")


def test_too_many_or_malformed_storage_keys_are_refused(rpc: LocalRpc) -> None:
    assert rpc.refusal("eth_getProof", ADDRESSES[0], ["0x0"] * 1_025)[0] == -32005
    assert rpc.refusal("eth_getProof", ADDRESSES[0], "0x0")[0] == -32602
    assert rpc.refusal("eth_getProof", ADDRESSES[0], ["slot"])[0] == -32602
    assert rpc.refusal("eth_getProof", ADDRESSES[0], [], "0x99")[0] == -32000


def test_an_access_list_names_what_is_touched_and_nothing_that_is_free(rpc: LocalRpc) -> None:
    reader = rpc.deploy(READER)
    stranger = "0x" + "77" * 20
    call = {"from": ADDRESSES[0], "to": reader, "data": "0x" + (word(9) + bytes(12) + b"\x77" * 20).hex()}
    answer = rpc.call("eth_createAccessList", call)
    listed = {each["address"].lower(): each["storageKeys"] for each in answer["accessList"]}
    assert listed == {reader.lower(): ["0x" + word(9).hex()], stranger: []}
    raw = signed(0, 1, reader, data(call["data"]), accessList=answer["accessList"])
    assert rpc.send(raw)["gasUsed"] == answer["gasUsed"]
    assert rpc.call("eth_createAccessList", {"from": ADDRESSES[0], "to": ADDRESSES[1]})["accessList"] == []


def test_the_pool_says_how_many_wait(rpc: LocalRpc) -> None:
    assert rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    for nonce in (2, 3):
        rpc.call("eth_sendRawTransaction", "0x" + signed(0, nonce, ADDRESSES[1]).hex())
    assert rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x2"}
    rpc.call("eth_sendRawTransaction", "0x" + signed(0, 0, ADDRESSES[1]).hex())
    rpc.call("eth_sendRawTransaction", "0x" + signed(0, 1, ADDRESSES[1]).hex())
    assert rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x0"}
