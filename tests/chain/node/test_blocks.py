"""A block built in one pass is the block that py-evm's own machinery computes step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eth._utils.address import generate_contract_address
from eth.chains.base import ChainContext
from eth.consensus.context import ConsensusContext
from eth.db.atomic import AtomicDB
from eth.db.chain import ChainDB
from eth.db.trie import make_trie_root_and_nodes
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth_typing import Address
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.node.accounts import TEST_BALANCE_WEI
from chain.node.blocks import (
    Block,
    assemble,
    decode_body,
    decode_header,
    decode_receipts,
    encode_body,
    encode_header,
    encode_receipts,
)
from chain.node.builder import build
from chain.node.building import returned
from chain.node.fork import NodeState, execution_context
from chain.node.node import DEFAULT_CHAIN_ID, Node, Settings
from chain.node.roots import ordered_root
from chain.node.transactions import decode
from chain.node.world import World
from tests.chain.node.programs import ADDRESSES, COUNTER, LOGGER, LOOPER, REVERTER, init_code, signed


class Raw(bytes):
    """Bytes that py-evm's trie takes for an encodable object."""

    def encode(self) -> bytes:  # type: ignore[override]
        return bytes(self)


@given(st.lists(st.binary(max_size=120).map(lambda tail: b"\xc0" + tail), max_size=200))
def test_the_root_of_a_list_is_the_trie_s(values: list[bytes]) -> None:
    items: Any = tuple(Raw(value) for value in values)
    assert ordered_root(values) == make_trie_root_and_nodes(items)[0]


acts = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["pay", "create", "count", "revert", "log", "burn", "empty"]),
        st.binary(max_size=70),
        st.sampled_from(
            [{}, {"gasPrice": 0}, {"gasPrice": 7}, {"maxFeePerGas": 9, "maxPriorityFeePerGas": 3}]
        ),
    ),
    max_size=12,
)


def raw_transactions(script: Any) -> list[bytes]:
    """Three contracts, then what the script says, on them."""
    raws = [signed(0, n, data=init_code(code)) for n, code in enumerate((COUNTER, REVERTER, LOGGER, LOOPER))]
    places = [contract_address(n) for n in range(4)]
    nonces = [4, 0, 0, 0]
    for key, act, data, fees in script:
        to: Any = {"pay": ADDRESSES[(key + 1) % 4], "create": b"", "empty": b"\x77" * 20}.get(act)
        if to is None:
            to = places[["count", "revert", "log", "burn"].index(act)]
        body = init_code(COUNTER) if act == "create" else data
        value = 10**15 if act in ("pay", "count") else 0
        raws.append(signed(key, nonces[key], to, body, gas=120_000, value=value, **fees))
        nonces[key] += 1
    return raws


def contract_address(nonce: int) -> bytes:
    return generate_contract_address(Address(bytes.fromhex(ADDRESSES[0][2:])), nonce)


@settings(max_examples=25, deadline=None)
@given(acts)
def test_one_pass_gives_the_roots_of_py_evm(script: Any) -> None:
    raws = raw_transactions(script)
    ours, theirs_db = AtomicDB(), AtomicDB()
    roots = []
    for db in (ours, theirs_db):
        genesis = World(db)
        for address in ADDRESSES:
            genesis.set_balance(Address(bytes.fromhex(address[2:])), TEST_BALANCE_WEI)
        genesis.make_state_root()
        roots.append(genesis.state_root)
    parent = empty_block(roots[0])
    context = execution_context(1, 5, DEFAULT_CHAIN_ID, (parent.header.hash,))
    state = NodeState(World(ours, roots[0]), context)
    block = returned(build(state, parent, 5, [decode(raw, DEFAULT_CHAIN_ID) for raw in raws])).block

    start = block.header.copy(gas_used=0, bloom=0, state_root=roots[1])
    vm = CancunVM(start, ChainDB(theirs_db), ChainContext(DEFAULT_CHAIN_ID), ConsensusContext(theirs_db))
    transactions = [CancunTransactionBuilder.decode(raw) for raw in raws]
    end, receipts, _ = vm.apply_all_transactions(transactions, start)
    vm.state.persist()

    assert len(block.transactions) == len(raws)
    assert (block.header.state_root, block.header.gas_used) == (vm.state.state_root, end.gas_used)
    assert (block.header.bloom, block.header.receipt_root) == (
        end.bloom,
        make_trie_root_and_nodes(receipts)[0],
    )
    assert block.header.transaction_root == make_trie_root_and_nodes(tuple(transactions))[0]
    assert (
        Block(
            decode_header(encode_header(block)),
            decode_body(encode_body(block)),
            decode_receipts(encode_receipts(block)),
        )
        == block
    )


def empty_block(state_root: bytes) -> Block:
    return assemble(0, b"\x00" * 32, 1, state_root)


def test_blocks_form_a_chain(tmp_path: Path) -> None:
    node = Node(tmp_path, Settings(test_methods=True, unlocked=1))
    for _ in range(3):
        node.mine_block()
    for number in range(1, 4):
        block, parent = node.history.at(number), node.history.at(number - 1)
        assert block is not None
        assert parent is not None
        assert block.header.parent_hash == parent.hash
        assert node.history.by_hash(block.hash) == block
    node.close()


def test_the_chain_run_again_elsewhere_ends_in_the_same_hash(tmp_path: Path) -> None:
    settings_of_both = Settings(test_methods=True, unlocked=4, genesis_utc=1_000_000, fsync=False)
    first, second = (Node(tmp_path / name, settings_of_both) for name in ("first", "second"))
    raws = raw_transactions(
        [(n % 4, act, b"\x01" * n, {}) for n, act in enumerate(("count", "log", "burn") * 20)]
    )
    for start in range(0, len(raws), 7):
        for raw in raws[start : start + 7]:
            first.admit(raw)
        first.clock.increase(start, first.head.header.timestamp)
        first.mine_ready()
    for number in range(1, first.head.number + 1):
        block = first.history.at(number)
        assert block is not None
        for transaction in block.transactions:
            second.admit(transaction.raw)
        second.clock.set_next(block.header.timestamp, second.head.header.timestamp)
        second.mine_ready()
    assert second.head.hash == first.head.hash
    first.close()
    second.close()
