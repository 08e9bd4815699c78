"""eth_simulateV1: blocks on blocks, that nobody keeps."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak

from tests.chain.node.local import LocalRpc
from tests.chain.node.programs import (
    ADDRESSES,
    CONTEXT,
    COUNTER,
    LOGGER,
    LOOPER,
    REVERTER,
    hexed,
    init_code,
    signed,
)
from tests.chain.node.rpc.scene import CALLER, LEAVER, REASON
from tests.chain.node.rpc.specification import problems

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT:DeprecationWarning")

A, B, C = (f"0xc{n}00000000000000000000000000000000000000" for n in range(3))
ETHER = "0x" + "ee" * 20
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def simulate(rpc: LocalRpc, *blocks: Any, tag: Any = "latest", **more: Any) -> list[Any]:
    """The simulated blocks, which validate against the specification."""
    result: list[Any] = rpc.call("eth_simulateV1", {"blockStateCalls": list(blocks), **more}, tag)
    assert not problems("eth_simulateV1", result)
    return result


def rich(*names: str) -> dict[str, Any]:
    return {name: {"balance": hex(10**18)} for name in names}


def pay(sender: str, to: str, value: int = 1_000, **more: Any) -> dict[str, Any]:
    return {"from": sender, "to": to, "value": hex(value)} | more


def word(number: int) -> str:
    return f"0x{number:064x}"


def padded(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def test_blocks_stand_on_one_another(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    head = rpc.call("eth_getBlockByNumber", "latest", False)
    call = {"from": A, "to": counter}
    first, second = simulate(rpc, {"calls": [call, call]}, {"calls": [call]})
    assert [each["returnData"] for each in first["calls"] + second["calls"]] == [word(n) for n in (1, 2, 3)]
    assert [first["parentHash"], second["parentHash"]] == [head["hash"], first["hash"]]
    assert [int(each["number"], 16) - rpc.height for each in (first, second)] == [1, 2]
    assert int(second["timestamp"], 16) - int(first["timestamp"], 16) == 12
    assert int(first["gasUsed"], 16) == sum(int(each["gasUsed"], 16) for each in first["calls"])
    assert len(first["calls"][0]["logs"]) == 1
    assert second["calls"][0]["logs"][0]["blockHash"] == second["hash"]
    assert rpc.call("eth_call", call) == word(1)  # nothing stays


def test_what_is_simulated_is_what_then_happens(rpc: LocalRpc) -> None:
    """The same transactions give the same roots in a simulated block and in a real one."""
    counter = rpc.deploy(COUNTER)
    now = int(rpc.call("eth_getBlockByNumber", "latest")["timestamp"], 16) + 40
    common = {"from": ADDRESSES[1], "to": counter, "gas": "0x20000", "gasPrice": "0x0"}
    block = {"calls": [common, common], "blockOverrides": {"time": hex(now)}}
    (simulated,) = simulate(rpc, block)
    rpc.call("evm_setNextBlockTimestamp", now)
    rpc.batch(*(("eth_sendTransaction", [common]) for _ in range(2)))
    real = rpc.call("eth_getBlockByNumber", "latest")
    for name in ("stateRoot", "receiptsRoot", "logsBloom", "gasUsed", "parentHash", "number", "timestamp"):
        assert simulated[name] == real[name], name


def test_the_state_root_is_that_of_the_overridden_world(rpc: LocalRpc) -> None:
    one, two = simulate(rpc, {"stateOverrides": rich(A)}, {})
    assert one["stateRoot"] == two["stateRoot"]
    assert one["stateRoot"] != rpc.call("eth_getBlockByNumber", "latest")["stateRoot"]


def test_numbers_that_are_left_out_are_filled(rpc: LocalRpc) -> None:
    blocks = simulate(rpc, {"blockOverrides": {"number": "0x5"}}, {})
    assert [int(each["number"], 16) for each in blocks] == [1, 2, 3, 4, 5, 6]


def test_a_block_says_what_its_overrides_say(rpc: LocalRpc) -> None:
    seen = {A: {"code": hexed(CONTEXT)}}
    overrides = {"number": "0x9", "time": hex(2**40), "baseFeePerGas": "0x7", "feeRecipient": C}
    overrides |= {"prevRandao": word(5), "gasLimit": hex(1_000_000)}
    blocks = simulate(
        rpc, {"stateOverrides": seen, "blockOverrides": overrides, "calls": [{"from": B, "to": A}]}, {}
    )
    shown = blocks[-2]
    data = bytes.fromhex(shown["calls"][0]["returnData"][2:])
    told = [int.from_bytes(data[at : at + 32], "big") for at in range(0, 128, 32)]
    assert told == [2**40, 9, 7_327, 7]
    assert (shown["miner"].lower(), shown["mixHash"], shown["baseFeePerGas"]) == (C, word(5), "0x7")
    assert (blocks[-1]["gasLimit"], blocks[-1]["baseFeePerGas"]) == (hex(1_000_000), "0x0")


def test_fees_go_to_the_fee_recipient(rpc: LocalRpc) -> None:
    call = pay(A, B, gas="0x5208", maxFeePerGas="0xa", maxPriorityFeePerGas="0x2")
    ask = {"from": B, "to": C}
    look = {"stateOverrides": {C: {"code": "0x" + "73" + B[2:] + "31" + "5f5260205ff3"}}, "calls": [ask]}
    (shown,) = simulate(
        rpc,
        {
            "stateOverrides": rich(A) | look["stateOverrides"],
            "blockOverrides": {"feeRecipient": B, "baseFeePerGas": "0x3"},
            "calls": [call, ask],
        },
        returnFullTransactions=True,
    )
    assert shown["calls"][1]["returnData"] == word(1_000 + 2 * 21_000)
    assert shown["transactions"][0]["gasPrice"] == "0x5"


def test_storage_is_replaced_or_changed(rpc: LocalRpc) -> None:
    # gives slots 0 and 1
    code = "0x5f545f5260015460205260405ff3"
    set_both = {"code": code, "stateDiff": {word(0): word(5), word(1): word(6)}}
    only_one = {"state": {word(1): word(7)}}
    ask = {"calls": [{"from": B, "to": A}]}
    first, second, third = simulate(
        rpc,
        ask | {"stateOverrides": {A: set_both}},
        ask | {"stateOverrides": {A: {"stateDiff": {word(1): word(9)}}}},
        ask | {"stateOverrides": {A: only_one}},
    )
    answers = [each["calls"][0]["returnData"] for each in (first, second, third)]
    assert answers == ["0x" + word(x)[2:] + word(y)[2:] for x, y in ((5, 6), (5, 9), (0, 7))]


def test_failures_have_the_specification_s_codes_and_the_others_go_on(rpc: LocalRpc) -> None:
    reverter, looper, counter = rpc.deploy(REVERTER), rpc.deploy(LOOPER), rpc.deploy(COUNTER)
    calls = [
        {"from": A, "to": reverter, "input": hexed(REASON)},
        {"from": A, "to": looper, "gas": hex(50_000)},
        {"from": A, "to": counter},
    ]
    (shown,) = simulate(rpc, {"calls": calls})
    reverted, spent, fine = shown["calls"]
    assert reverted["error"] == {"code": 3, "message": "execution reverted: nope", "data": hexed(REASON)}
    assert (reverted["returnData"], reverted["logs"]) == ("0x", [])
    assert spent["error"] == {"code": -32015, "message": "vm execution error: out of gas"}
    assert (fine["status"], fine["returnData"]) == ("0x1", word(1))


def test_transfers_of_ether_are_told_as_if_of_a_token(rpc: LocalRpc) -> None:
    logger, reverter, caller = rpc.deploy(LOGGER), rpc.deploy(REVERTER), rpc.deploy(CALLER)
    leaver = {B: {"code": hexed(LEAVER), "balance": "0x9"}}
    block = {
        "stateOverrides": rich(A) | leaver,
        "calls": [
            pay(A, logger, 5),
            pay(A, reverter, 5),
            pay(A, B, 0, input=padded(C)),
            {"from": A, "to": caller, "input": padded(logger)},
            pay(A, C, 7),
        ],
    }
    (told,) = simulate(rpc, block, traceTransfers=True)
    (untold,) = simulate(rpc, block)
    logs = [
        [(log["address"].lower(), log["topics"], log["data"]) for log in each["logs"]]
        for each in told["calls"]
    ]
    ether = lambda sender, to, value: (ETHER, [TRANSFER, padded(sender), padded(to)], word(value))  # noqa: E731
    assert logs[0] == [ether(A, logger, 5), (logger.lower(), [], "0x")]
    assert logs[1] == []
    assert logs[2] == [ether(B, C, 9)]
    assert logs[3] == [(logger.lower(), [], "0x")]
    assert logs[4] == [ether(A, C, 7)]
    numbers = [log["logIndex"] for each in told["calls"] for log in each["logs"]]
    assert numbers == [hex(n) for n in range(5)]
    for name in ("hash", "stateRoot", "receiptsRoot", "logsBloom"):
        assert told[name] == untold[name]


def test_precompiles_may_move_and_be_replaced(rpc: LocalRpc) -> None:
    sha = "0x" + "00" * 19 + "02"
    moved = {"stateOverrides": {sha: {"code": "0x5f5ff3", "movePrecompileToAddress": C}}}
    calls = [{"from": A, "to": C, "input": "0x1234"}, {"from": A, "to": sha, "input": "0x1234"}]
    first, second = simulate(rpc, moved | {"calls": calls}, {"calls": calls[1:]})
    digest = "0x3a103a4e5729ad68c02a678ae39accfbc0ae208096437401b7ceab63cca0622f"
    assert [each["returnData"] for each in first["calls"]] == [digest, "0x"]
    assert first["calls"][0]["gasUsed"] == "0x5270"  # as the execution-apis' vector has it
    assert second["calls"][0]["returnData"] == digest  # a move is for one block


def test_a_moved_pairing_is_bounded_where_it_is(rpc: LocalRpc) -> None:
    pairing = "0x" + "00" * 19 + "08"
    moved = {"stateOverrides": {pairing: {"movePrecompileToAddress": C}}}
    call = {"from": A, "to": C, "input": "0x" + "00" * 192 * 9}
    block = moved | {"calls": [call]}
    code, message = rpc.refusal("eth_simulateV1", {"blockStateCalls": [block]})
    assert (code, message) == (-32016, "simulation takes longer than 5 s")


def test_with_validation_nonces_and_fees_count(rpc: LocalRpc) -> None:
    block = {"stateOverrides": rich(A), "calls": [pay(A, B, nonce="0x0"), pay(A, B, nonce="0x1"), pay(A, B)]}
    (shown,) = simulate(rpc, block, validation=True, returnFullTransactions=True)
    assert [each["nonce"] for each in shown["transactions"]] == ["0x0", "0x1", "0x2"]
    (lax,) = simulate(rpc, {"stateOverrides": rich(A), "calls": [pay(A, B, nonce="0x9")]})
    assert lax["calls"][0]["status"] == "0x1"


def test_a_transaction_s_hash_is_that_of_its_unsigned_form(rpc: LocalRpc) -> None:
    call = pay(A, B, 5, gas="0x5208", maxFeePerGas="0x10")
    (shown,) = simulate(rpc, {"stateOverrides": rich(A), "calls": [call]}, returnFullTransactions=True)
    to = bytes.fromhex(B[2:])
    fields = [7_327, 0, 0, 16, 21_000, to, 5, b"", [], 0, 0, 0]
    assert shown["transactions"][0]["hash"] == hexed(keccak(b"\x02" + rlp.encode(fields)))
    assert shown["transactions"][0]["type"] == "0x2"


def test_withdrawals_are_credited(rpc: LocalRpc) -> None:
    withdrawal = {"index": "0x1", "validatorIndex": "0x2", "address": B, "amount": "0x3"}
    look = {
        "stateOverrides": {C: {"code": "0x73" + B[2:] + "315f5260205ff3"}},
        "calls": [{"from": A, "to": C}],
    }
    first, second = simulate(rpc, {"blockOverrides": {"withdrawals": [withdrawal]}}, look)
    assert second["calls"][0]["returnData"] == word(3 * 10**9)
    assert first["withdrawals"] == [withdrawal | {"address": first["withdrawals"][0]["address"]}]
    assert first["withdrawalsRoot"] != second["withdrawalsRoot"]


def test_an_old_block_is_as_good_a_ground(rpc: LocalRpc) -> None:
    counter = rpc.deploy(COUNTER)
    height = rpc.height
    rpc.send(signed(1, 0, counter))
    call = {"calls": [{"from": A, "to": counter}]}
    assert simulate(rpc, call, tag=hex(height))[0]["calls"][0]["returnData"] == word(1)
    assert simulate(rpc, call)[0]["calls"][0]["returnData"] == word(2)


def test_a_simulation_is_bounded(rpc: LocalRpc, monkeypatch: pytest.MonkeyPatch) -> None:
    looper = rpc.deploy(LOOPER)
    loops = {"calls": [{"from": A, "to": looper}] * 3}
    monkeypatch.setattr("chain.node.simulation.chain.CALL_GAS_LIMIT", 100_000)
    code, message = rpc.refusal("eth_simulateV1", {"blockStateCalls": [loops]})
    assert (code, message) == (-38026, "the calls use more than 100000 gas")
    monkeypatch.setattr("chain.node.simulation.chain.SIMULATION_SECONDS", 0.0)
    assert rpc.refusal("eth_simulateV1", {"blockStateCalls": [loops]})[0] == -32016
    many = {"calls": [{}] * 10_001}
    assert rpc.refusal("eth_simulateV1", {"blockStateCalls": [many]})[0] == -38026
    assert rpc.call("eth_call", {"input": hexed(init_code(COUNTER))}) == hexed(COUNTER)
