"""A difference is found, whatever it is in, and made small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.node import start_node
from tests.chain.differential.assembly import init_code
from tests.chain.differential.compare import Account, apply, compare_worlds, state_root
from tests.chain.differential.minimise import Minimiser, smallest
from tests.chain.differential.peers import Peer
from tests.chain.differential.sending import ADDRESSES, SENDERS, Sending, created_by
from tests.chain.differential.stream import GENESIS_UTC, BlockOfSendings

# A log of the call's data, which is returned too.
LOGGER = bytes.fromhex("365f5f37365fa0365ff3")

Lie = Callable[[str, Any], Any]


class LyingPeer(Peer):
    """A node of which some answers are changed on their way."""

    lie: Lie | None = None

    def ask_all(self, calls: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
        answers = super().ask_all(calls)
        for (method, _), answer in zip(calls, answers, strict=True):
            if self.lie is not None and "result" in answer:
                answer["result"] = self.lie(method, answer["result"])
        return answers


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, LyingPeer]]:
    data = tmp_path_factory.mktemp("nodes")
    ours, theirs = (
        start_node(data / name, unlocked=SENDERS, genesis_utc=GENESIS_UTC) for name in ("ours", "theirs")
    )
    with ours as here, theirs as there:
        honest, liar = Peer("ours", here.url), LyingPeer("theirs", there.url)
        yield honest, liar
        honest.close()
        liar.close()


@pytest.fixture
def peers(nodes: tuple[Peer, LyingPeer]) -> Iterator[tuple[Peer, LyingPeer]]:
    """The two nodes, which go back to their beginnings afterwards."""
    snapshots = [node.get("evm_snapshot") for node in nodes]
    yield nodes
    nodes[1].lie = None
    for node, snapshot in zip(nodes, snapshots, strict=True):
        assert node.get("evm_revert", snapshot)


def block(*sendings: Sending, refused: tuple[Sending, ...] = ()) -> BlockOfSendings:
    return BlockOfSendings(GENESIS_UTC + 60, sendings, refused)


def deploying_and_calling() -> BlockOfSendings:
    deploy = Sending("deploy", 0, b"", init_code(LOGGER))
    call = Sending("call", 1, created_by(ADDRESSES[0], 0), b"hello")
    return block(deploy, call)


def changed(kind: str, change: Callable[[Any], Any]) -> Lie:
    return lambda method, result: change(result) if method == kind else result


def in_receipt(name: str, value: Any) -> Lie:
    return changed("eth_getBlockReceipts", lambda receipts: [*receipts[:-1], receipts[-1] | {name: value}])


def in_log(name: str, value: Any) -> Lie:
    def change(receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        *before, last = receipts
        return [*before, last | {"logs": [log | {name: value} for log in last["logs"]]}]

    return changed("eth_getBlockReceipts", change)


def test_nothing_differs_from_itself(peers: tuple[Peer, LyingPeer]) -> None:
    assert apply(*peers, deploying_and_calling()) == []


@pytest.mark.parametrize(
    ("lie", "what"),
    [
        (in_receipt("status", "0x0"), "status"),
        (in_receipt("gasUsed", "0x1"), "gasUsed"),
        (in_receipt("contractAddress", "0x" + "11" * 20), "contractAddress"),
        (in_log("data", "0x01"), "logs"),
        (in_log("topics", ["0x" + "00" * 32]), "logs"),
        (changed("eth_call", lambda _: "0x02"), "eth_call"),
        (changed("eth_getBlockByNumber", lambda head: head | {"receiptsRoot": "0x1"}), "block receiptsRoot"),
    ],
)
def test_each_lie_is_found(peers: tuple[Peer, LyingPeer], lie: Lie, what: str) -> None:
    peers[1].lie = lie
    assert what in {difference.what for difference in apply(*peers, deploying_and_calling())}


def test_what_only_one_refuses_is_found(peers: tuple[Peer, LyingPeer]) -> None:
    sound = Sending("sound", 2, ADDRESSES[3], refused="nothing is wrong with it")
    poor = replace(sound, value=10**30, refused="more than it has")
    assert apply(*peers, block(refused=(poor,))) == []
    assert [found.what for found in apply(*peers, block(refused=(sound,)))] == [
        "refusal (nothing is wrong with it)"
    ]


def test_of_a_block_that_differs_the_transaction_and_the_bytes_that_do_it_are_left(
    peers: tuple[Peer, LyingPeer],
) -> None:
    def lie(method: str, result: Any) -> Any:
        """As if the other node did not like an X."""
        if method != "eth_getBlockReceipts":
            return result
        return [each | {"status": "0x0"} if _has_x(each) else each for each in result]

    def _has_x(receipt: dict[str, Any]) -> bool:
        return any("58" in log["data"] for log in receipt["logs"])

    peers[1].lie = lie
    minimiser = Minimiser(*peers, {})
    deploy, call = deploying_and_calling().sendings
    noise = [Sending("noise", 4, ADDRESSES[place]) for place in range(5)]
    whole = block(*noise[:3], deploy, noise[3], replace(call, data=b"one X of them"), noise[4])
    left = minimiser.smallest_block(whole).sendings
    assert [(sending.label, sending.data) for sending in left] == [
        ("deploy", deploy.data),
        ("call", b"X"),
    ]


@given(items=st.lists(st.integers(0, 9), max_size=20), needed=st.sets(st.integers(0, 9), max_size=3))
def test_the_smallest_list_holds_what_is_needed_and_nothing_else(items: list[int], needed: set[int]) -> None:
    wanted = needed & set(items)
    assert sorted(smallest(items, lambda kept: wanted <= set(kept))) == sorted(wanted)


def test_an_account_or_a_slot_more_or_less_is_found(peers: tuple[Peer, LyingPeer]) -> None:
    assert apply(*peers, deploying_and_calling()) == []
    world = {
        address: Account(1 if place < 2 else 0, 10_000 * 10**18, b"", {})
        for place, address in enumerate(ADDRESSES)
    }
    contract = deploying_and_calling().sendings[1].to
    world[contract] = Account(1, 0, LOGGER, {})
    assert worlds_differ(peers, world) == []
    assert worlds_differ(peers, {**world, contract: Account(1, 0, LOGGER, {3: 1})}) == [
        "state root",
        f"account 0x{contract.hex()}",
    ]
    without = {address: account for address, account in world.items() if address != contract}
    assert worlds_differ(peers, without) == ["state root"]


def worlds_differ(peers: tuple[Peer, LyingPeer], world: dict[bytes, Account]) -> list[str]:
    with patch("tests.chain.differential.compare.world_of_anvil", return_value=world):
        return [difference.what for difference in compare_worlds(*peers)]


def test_the_root_of_no_accounts_is_that_of_the_empty_trie() -> None:
    assert state_root({}).hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
