"""Sending: what is taken, what is refused, and which block holds it."""

from __future__ import annotations

import pytest
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from chain.node.errors import InvalidParams, RpcError
from chain.node.node import DEFAULT_CHAIN_ID
from chain.node.transactions import decode, restore
from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import ADDRESSES, COUNTER, KEYS, LOOPER, hash_of, hexed, signed

uint64 = st.integers(0, 2**64 - 2)
addresses = st.one_of(st.just(b""), st.binary(min_size=20, max_size=20))
access_lists = st.lists(
    st.tuples(st.binary(min_size=20, max_size=20), st.lists(st.binary(min_size=32, max_size=32), max_size=2)),
    max_size=2,
)


def test_a_batch_of_a_hundred_transactions_makes_one_block(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    raws = [signed(1, nonce, counter, gas=200_000) for nonce in range(100)]
    before = rpc.height

    hashes = rpc.batch(*(("eth_sendRawTransaction", [hexed(raw)]) for raw in raws))

    assert hashes == [hash_of(raw) for raw in raws]
    assert rpc.height == before + 1
    assert int(rpc.call("eth_getStorageAt", counter, "0x0", "latest"), 16) == 100


def test_a_batch_sees_its_own_transactions(rpc: LocalRpc) -> None:
    raw = signed(0, 0, ADDRESSES[1], value=7)
    _, receipt = rpc.batch(
        ("eth_sendRawTransaction", [hexed(raw)]), ("eth_getTransactionReceipt", [hash_of(raw)])
    )
    assert receipt["status"] == "0x1"


def test_more_gas_than_a_block_takes_goes_into_the_next(rpc: LocalRpc) -> None:
    raws = [signed(0, nonce, ADDRESSES[1], gas=500_000_000) for nonce in range(3)]
    rpc.batch(*(("eth_sendRawTransaction", [hexed(raw)]) for raw in raws))
    receipts = rpc.batch(*(("eth_getTransactionReceipt", [hash_of(raw)]) for raw in raws))
    assert [receipt["blockNumber"] for receipt in receipts] == ["0x1", "0x2", "0x3"]


def test_a_sender_needs_no_balance(rpc: LocalRpc) -> None:
    poor = Account.create()
    fields = {"nonce": 0, "to": ADDRESSES[0], "gas": 21_000, "maxFeePerGas": 0, "maxPriorityFeePerGas": 0}
    raw = bytes(poor.sign_transaction({**fields, "chainId": DEFAULT_CHAIN_ID, "value": 0}).raw_transaction)
    assert rpc.send(raw)["status"] == "0x1"
    assert rpc.call("eth_getBalance", poor.address, "latest") == "0x0"


def test_the_same_transaction_again_is_answered_like_the_first_time(rpc: LocalRpc) -> None:
    raw = signed(0, 0, ADDRESSES[1])
    first = rpc.call("eth_sendRawTransaction", hexed(raw))
    height = rpc.height
    assert rpc.call("eth_sendRawTransaction", hexed(raw)) == first
    assert rpc.batch(*[("eth_sendRawTransaction", [hexed(raw)])] * 3) == [first] * 3
    assert rpc.height == height


def test_a_gap_in_nonces_waits_and_then_closes(rpc: LocalRpc) -> None:
    late = signed(0, 1, ADDRESSES[1])
    assert rpc.call("eth_sendRawTransaction", hexed(late)) == hash_of(late)
    assert rpc.call("eth_getTransactionReceipt", hash_of(late)) is None
    assert rpc.call("eth_getTransactionByHash", hash_of(late))["blockHash"] is None

    rpc.send(signed(0, 0, ADDRESSES[1]))

    assert rpc.call("eth_getTransactionReceipt", hash_of(late))["status"] == "0x1"
    assert rpc.call("eth_getTransactionCount", ADDRESSES[0], "latest") == "0x2"


@given(
    nonce=uint64, gas=st.integers(21_000, 2**63), to=addresses, value=st.integers(0, 2**255),
    data=st.binary(), fee=st.integers(0, 2**64), slots=access_lists, kind=st.sampled_from((0, 1, 2)),
)  # fmt: skip
def test_py_evm_reads_every_transaction_in_the_same_way(
    nonce: int, gas: int, to: bytes, value: int, data: bytes, fee: int,
    slots: list[tuple[bytes, list[bytes]]], kind: int,
) -> None:  # fmt: skip
    fields = {"nonce": nonce, "gas": gas, "to": to, "value": value, "data": data, "chainId": DEFAULT_CHAIN_ID}
    shown = [{"address": hexed(a), "storageKeys": [hexed(s) for s in keys]} for a, keys in slots]
    if kind == 2:
        fields |= {"type": 2, "maxFeePerGas": fee, "maxPriorityFeePerGas": fee // 2, "accessList": shown}
    elif kind == 1:
        fields |= {"type": 1, "gasPrice": fee, "accessList": shown}
    else:
        fields |= {"gasPrice": fee}
    raw = bytes(Account.sign_transaction(fields, KEYS[0]).raw_transaction)

    ours, theirs = decode(raw, DEFAULT_CHAIN_ID), CancunTransactionBuilder.decode(raw)

    assert ours == restore(raw, ours.sender)
    for name in (
        "nonce",
        "gas",
        "to",
        "value",
        "data",
        "sender",
        "chain_id",
        "intrinsic_gas",
        "hash",
        "r",
        "s",
    ):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert (ours.max_fee_per_gas, ours.max_priority_fee_per_gas) == (
        theirs.max_fee_per_gas, theirs.max_priority_fee_per_gas,
    )  # fmt: skip
    assert [list(entry) for entry in ours.access_list] == [
        [a, tuple(s)] for a, s in theirs.access_list
    ] or slots


@given(st.binary(max_size=200))
def test_bytes_that_are_no_transaction_are_refused(raw: bytes) -> None:
    with pytest.raises(RpcError):
        decode(raw, DEFAULT_CHAIN_ID)


@given(st.data())
def test_a_damaged_transaction_is_refused_or_is_another_senders(data: st.DataObject) -> None:
    raw = signed(0, 0, ADDRESSES[1], b"data")
    at = data.draw(st.integers(0, len(raw) - 1))
    damaged = raw[:at] + bytes((raw[at] ^ data.draw(st.integers(1, 255)),)) + raw[at + 1 :]
    try:
        transaction = decode(damaged, DEFAULT_CHAIN_ID)
    except RpcError:
        return
    assert transaction.sender != bytes.fromhex(ADDRESSES[0][2:])


def test_a_transaction_for_another_chain_is_refused(rpc: LocalRpc) -> None:
    for more in ({}, {"gasPrice": 0}):
        raw = signed(0, 0, ADDRESSES[1], chain_id=1, **more)
        assert rpc.refusal("eth_sendRawTransaction", hexed(raw)) == (
            -32000, "invalid chain id for signer: have 1, want 7327",
        )  # fmt: skip


def test_an_unprotected_transaction_is_refused() -> None:
    raw = bytes(
        Account.sign_transaction(
            {"nonce": 0, "gasPrice": 0, "gas": 21_000, "to": ADDRESSES[1], "value": 0, "data": b""}, KEYS[0]
        ).raw_transaction
    )
    with pytest.raises(RpcError, match="EIP-155"):
        decode(raw, DEFAULT_CHAIN_ID)


def test_a_used_nonce_is_refused(rpc: LocalRpc) -> None:
    rpc.send(signed(0, 0, ADDRESSES[1]))
    other = signed(0, 0, ADDRESSES[2])
    assert rpc.refusal("eth_sendRawTransaction", hexed(other)) == (
        -32000, "nonce too low: next nonce 1, tx nonce 0",
    )  # fmt: skip


def test_a_waiting_nonce_is_not_replaced(rpc: LocalRpc) -> None:
    rpc.call("eth_sendRawTransaction", hexed(signed(0, 5, ADDRESSES[1])))
    code, message = rpc.refusal("eth_sendRawTransaction", hexed(signed(0, 5, ADDRESSES[2])))
    assert (code, "underpriced" in message) == (-32000, True)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (signed(0, 0, ADDRESSES[1], gas=20_999), "intrinsic gas too low: have 20999, want 21000"),
        (
            signed(0, 0, ADDRESSES[1], gas=500_000_001),
            "exceeds block gas limit: gas 500000001, limit 500000000",
        ),
        (signed(0, 0, data=b"\x00" * 49_153, gas=10**7), "max initcode size exceeded"),
        (signed(0, 0, ADDRESSES[1], value=10**30), "insufficient funds"),
        (signed(0, 0, ADDRESSES[1], maxFeePerGas=10**18), "insufficient funds"),
        (signed(0, 0, ADDRESSES[1], maxPriorityFeePerGas=1), "max priority fee per gas higher"),
        (signed(0, 2**64 - 1, ADDRESSES[1]), "nonce has max value"),
        (signed(0, 0, ADDRESSES[1], data=b"\x01" * 300_000, gas=10**7), "oversized data"),
    ],
)
def test_what_can_never_run_is_refused_with_its_numbers(rpc: LocalRpc, raw: bytes, message: str) -> None:
    code, text = rpc.refusal("eth_sendRawTransaction", hexed(raw))
    assert code == -32000
    assert text.startswith(message)
    assert rpc.height == 0 or message == "insufficient funds"
    assert rpc.send(signed(0, 0, ADDRESSES[1]))["status"] == "0x1"


def test_one_refused_transaction_leaves_the_rest_of_its_batch(rpc: LocalRpc) -> None:
    too_dear = signed(0, 0, ADDRESSES[1], value=10**30)
    good = signed(1, 0, ADDRESSES[2], value=5)
    refused, accepted = rpc.batch(
        ("eth_sendRawTransaction", [hexed(too_dear)]), ("eth_sendRawTransaction", [hexed(good)])
    )
    assert (refused["code"], accepted) == (-32000, hash_of(good))


def test_blob_and_set_code_transactions_are_refused() -> None:
    for type_id in (3, 4, 0x7F):
        with pytest.raises(RpcError, match="type not supported"):
            decode(bytes((type_id,)) + b"\xc0", DEFAULT_CHAIN_ID)
    with pytest.raises(InvalidParams):
        decode(b"", DEFAULT_CHAIN_ID)


def test_a_transaction_that_runs_too_long_is_refused_and_the_others_are_mined(
    rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("chain.node.builder.TRANSACTION_SECONDS", 0.05)
    looper = rpc.deploy(LOOPER)
    good, endless = signed(1, 0, ADDRESSES[2]), signed(2, 0, looper, gas=400_000_000)
    accepted, refused = rpc.batch(*(("eth_sendRawTransaction", [hexed(raw)]) for raw in (good, endless)))
    assert accepted == hash_of(good)
    assert refused == {"code": -32005, "message": "execution takes longer than 0 s"}
    assert rpc.call("eth_getTransactionReceipt", hash_of(endless)) is None
    assert rpc.send(signed(2, 0, ADDRESSES[1]))["status"] == "0x1"


def test_a_transaction_that_runs_out_of_gas_is_mined_as_failed(rpc: LocalRpc) -> None:
    looper = rpc.deploy(LOOPER)
    receipt = rpc.send(signed(1, 0, looper, gas=100_000))
    assert (receipt["status"], receipt["gasUsed"]) == ("0x0", hex(100_000))


def test_an_unlocked_account_signs_what_it_is_told(rpc: LocalRpc) -> None:
    slots = [{"address": ADDRESSES[2], "storageKeys": ["0x" + "01" * 32]}]
    for nonce, fees in enumerate(
        ({}, {"gasPrice": "0x3"}, {"maxFeePerGas": "0x9", "maxPriorityFeePerGas": "0x2", "accessList": slots})
    ):
        fields = {"from": ADDRESSES[0], "to": ADDRESSES[1], "value": "0x5", "input": "0xabcd", **fees}
        shown = rpc.call("eth_getTransactionByHash", rpc.call("eth_sendTransaction", fields))
        assert shown["type"] == ("0x2" if "maxFeePerGas" in fees else "0x0")
        assert (shown["from"], shown["to"], shown["value"]) == (ADDRESSES[0], ADDRESSES[1], "0x5")
        assert (shown["nonce"], shown["input"]) == (hex(nonce), "0xabcd")
        assert shown["gasPrice"] == fees.get("gasPrice", fees.get("maxPriorityFeePerGas", "0x0"))
        assert shown.get("accessList", slots) == slots
    both = {"from": ADDRESSES[0], "gasPrice": "0x0", "maxFeePerGas": "0x0"}
    assert rpc.refusal("eth_sendTransaction", both)[0] == -32000


def test_several_unlocked_transactions_in_one_batch_follow_each_other(rpc: LocalRpc) -> None:
    fields = {"from": ADDRESSES[0], "to": ADDRESSES[1]}
    hashes = rpc.batch(*[("eth_sendTransaction", [fields])] * 5)
    receipts = [rpc.call("eth_getTransactionReceipt", each) for each in hashes]
    assert [(r["blockNumber"], r["transactionIndex"]) for r in receipts] == [
        ("0x1", hex(i)) for i in range(5)
    ]
