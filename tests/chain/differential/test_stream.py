"""The stream is a function of its seed, and everything that a transaction can do is in it."""

from __future__ import annotations

from collections import Counter

from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES

from chain.abi import BUSINESS_CONTRACTS, abi_of
from chain.node.node import DEFAULT_CHAIN_ID
from chain.node.transactions import decode
from tests.chain.differential.assembly import disassembly, init_code
from tests.chain.differential.sending import Sending
from tests.chain.differential.stream import Stream

MANY = 3_000


def sendings(seed: int, count: int) -> list[Sending]:
    return [sending for block in Stream(seed).blocks(count) for sending in block.sendings]


def test_the_same_seed_makes_the_same_transactions_and_another_one_others() -> None:
    first, again, other = ([each.signed() for each in sendings(seed, 400)] for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_as_many_come_as_were_asked_for() -> None:
    for count in (1, 7, 500):
        blocks = list(Stream(1).blocks(count))
        assert sum(len(block.sendings) + len(block.refused) for block in blocks) == count
        times = [block.time_utc for block in blocks]
        assert times == sorted(set(times))


def test_what_is_signed_is_what_was_meant() -> None:
    for sending in sendings(9, 300):
        read = decode(sending.signed(), DEFAULT_CHAIN_ID)
        assert (read.sender, read.nonce, read.to) == (sending.from_address, sending.nonce, sending.to)
        assert (read.type_id, read.gas, read.value, read.data) == (
            sending.type_id, sending.gas, sending.value, sending.data,
        )  # fmt: skip
        assert read.max_fee_per_gas == sending.price
        assert read.access_list == sending.access_list


def test_every_type_of_transaction_and_every_contract_is_there() -> None:
    sent = sendings(2, MANY)
    types = Counter(sending.type_id for sending in sent)
    assert all(types[kind] > MANY / 10 for kind in (0, 1, 2))
    assert any(sending.access_list for sending in sent)
    labels = {sending.label.partition(".")[0] for sending in sent}
    assert {*BUSINESS_CONTRACTS, "AccessManager", "precompile", "transfer", "program", "call"} <= labels
    assert {"collision", "destroyed", "recursion", "reentrance", "code too dear", "creation"} <= labels
    assert {int.from_bytes(sending.to, "big") for sending in sent} >= set(range(1, 11))


def test_every_act_of_the_contracts_that_changes_something_is_there() -> None:
    left_out = {
        # Called by the token contracts themselves, when something is deposited.
        "Clearing.onERC1155Received", "Clearing.onTransferReceived",
        # Of an exchange that has fallen silent: their order is a story of its own, told in tests/contracts.
        "Clearing.unwind", "Clearing.unwindAbandoned",
        # By Verification, within its own acts.
        "Compliance.recordVerified",
        # Of OpenZeppelin, and not restricted by us.
        "MicroCarat.approve", "MicroCarat.transferFrom", "SettlementCash.approveAndCall",
        "SettlementCash.transferFromAndCall",
    }  # fmt: skip
    changing = {
        f"{name}.{function['name']}"
        for name in BUSINESS_CONTRACTS
        for function in abi_of(name)._entries
        if function["type"] == "function" and function["stateMutability"] not in ("view", "pure")
    }
    sent = {sending.label for sending in sendings(2, 10_000)}
    never = {act for act in changing - sent - left_out if not act.endswith(".setAuthority")}
    assert never == set()


def test_every_opcode_of_cancun_is_there() -> None:
    seen: set[str] = set()
    for sending in sendings(4, MANY):
        if sending.label in ("program", "deploy program", "destroyed", "recursion"):
            seen |= {line.split()[1] for line in disassembly(sending.data)}
    assert {opcode.mnemonic for opcode in CANCUN_OPCODES.values() if hasattr(opcode, "mnemonic")} <= seen


def test_refused_ones_are_of_every_kind() -> None:
    reasons = {each.refused for block in Stream(3).blocks(MANY) for each in block.refused}
    assert len(reasons) == 7


def test_init_code_deploys_its_runtime() -> None:
    runtime = bytes(range(1, 60))
    lines = [line.split()[1:] for line in disassembly(init_code(runtime))]
    assert lines[:2] == [["PUSH2", "0x003b"], ["DUP1"]]
    assert init_code(runtime).endswith(runtime)
