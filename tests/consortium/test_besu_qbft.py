"""The product on four Besu nodes that agree by QBFT, from the files that a consortium gets.

Besu cannot be had from a package registry; where it is not installed these tests are skipped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from consortium_tools import genesis
from consortium_tools.admission import Admission
from consortium_tools.besu_network import BesuNetwork, besu_network
from consortium_tools.errors import EngineMissing
from consortium_tools.network import AuthorityNode, Network

from chain.deployment import Deployment, DeploymentMissing
from chain.keys import Keyring
from chain.refusals import ChainUnreachable
from chain.roles import HELD_BY_KEYS
from chain.rpc import ChainRpc, RpcError
from chain.transactions import unsigned_transaction
from tests.support.consortium import (
    PASSPHRASE,
    PUBLISHED,
    SETTLED,
    Outage,
    Story,
    require_one_history,
    require_the_books_numbers,
)

pytestmark = pytest.mark.timeout(1200)  # mostly waiting for blocks


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that holds nothing but keys."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def keyring(data_dir: Path) -> Keyring:
    """The operators' keys, made before the network that admits them."""
    return Keyring.create(data_dir / "keys.json", PASSPHRASE)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, keyring: Keyring) -> Iterator[BesuNetwork]:
    """Four authorities; the deployer's and the operators' accounts may send, nobody else's."""
    senders = [keyring.signer(label).address for label in ("admin", *(label for _, label in HELD_BY_KEYS))]
    try:
        prepared = besu_network(tmp_path_factory.mktemp("qbft"), senders)
    except EngineMissing as missing:
        pytest.skip(str(missing))
    with prepared as running:
        yield running


@contextmanager
def admitting(network: Network, deployment: Path) -> Iterator[None]:
    """Let every account send that is opened on chain, as each authority's own service does."""
    over = threading.Event()

    def serve(url: str) -> None:
        admission = Admission(ChainRpc(url))
        while not over.wait(0.3):
            try:
                admission.admit_opened(Deployment.load(deployment))
            except (DeploymentMissing, ChainUnreachable):
                continue  # not there yet, or the node is away

    services = [threading.Thread(target=serve, args=(url,)) for url in network.urls]
    for service in services:
        service.start()
    try:
        yield
    finally:
        over.set()
        for service in services:
            service.join()


def test_the_worked_example_while_one_and_then_another_authority_is_killed(
    network: BesuNetwork, data_dir: Path
) -> None:
    outages = [
        Outage(0, begins=(PUBLISHED, 2), ends=(SETTLED, 2)),
        Outage(2, begins=(PUBLISHED, 4), ends=(SETTLED, 4)),
    ]
    story = Story(network, data_dir, cycle_s=120, outages=outages)
    with admitting(network, data_dir / "deployment.json"):
        result = story.tell()
    require_the_books_numbers(result)
    require_one_history(story)
    for outage in outages:
        assert outage.killed_at is not None
        assert outage.back_at is not None
        # While it was away the others went on; since it is back it proposes again.
        away = network.nodes[outage.place].authority.address.lower()
        assert outage.back_at > outage.killed_at + 2
        assert away not in proposers(network, outage.killed_at + 2, outage.back_at)
        assert away in proposers(network, outage.back_at + 1, network.nodes[1].height())


def proposers(network: Network, first: int, last: int) -> set[str]:
    """Return who proposed these blocks."""
    node = network.nodes[1]
    return {node.rpc("eth_getBlockByNumber", hex(each), False)["miner"] for each in range(first, last + 1)}


def test_the_validators_are_those_of_the_genesis(network: Network) -> None:
    first = network.nodes[0].rpc("eth_getBlockByNumber", "0x0", False)
    named = [each.lower() for each in genesis.qbft_validators(first["extraData"])]
    for node in network.nodes:
        assert node.rpc("qbft_getValidatorsByBlockNumber", "latest") == named
        assert node.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"] == "0x0"


def test_a_stranger_deploys_nothing(network: Network) -> None:
    stranger = Keyring(b"a stranger's seed, of 32 bytes..").signer("stranger")
    rpc = ChainRpc(network.urls[1])
    fields = unsigned_transaction(int(rpc.call("eth_chainId"), 16), 0, None, b"\0")
    with pytest.raises(RpcError, match="not authorized") as refusal:
        rpc.call("eth_sendRawTransaction", "0x" + stranger.sign_transaction(fields).hex())
    assert refusal.value.method == "eth_sendRawTransaction"
    Admission(rpc).admit([stranger.address])
    assert rpc.call("eth_sendRawTransaction", "0x" + stranger.sign_transaction(fields).hex())


def test_two_of_four_away_stop_the_chain_and_it_goes_on_when_they_are_back(network: Network) -> None:
    for place in (2, 3):
        network.kill(place)
    at_kill = max(node.height() for node in network.nodes[:2])
    time.sleep(8 * network.period_s)
    # One may have been about to be committed.
    assert max(node.height() for node in network.nodes[:2]) <= at_kill + 1
    for place in (2, 3):
        network.restart(place)
    network.wait_for(lambda node: node.height() > at_kill + 1, "go on")
    network.wait_level()


def test_a_fifth_authority_is_voted_in_and_out_again(network: BesuNetwork) -> None:
    newcomer = network.newcomer("authority-5")
    address, enode = newcomer.authority.address, newcomer.authority.enode
    for node in network.nodes:
        assert node.rpc("perm_addNodesToAllowlist", [enode]) == "Success"
    newcomer.start()
    try:
        newcomer.wait_serving()
        target = network.nodes[0].height()
        network.wait_for(lambda node: node.height() >= target and newcomer.height() >= target, "be followed")
        for number, wanted in ((5, True), (4, False)):
            # Two of four say nothing yet; the third makes it more than half.
            for node in network.nodes[:3]:
                assert node.rpc("qbft_proposeValidatorVote", address, wanted) is True
            network.wait_for(lambda node, number=number: len(validators(node)) == number, f"have {number}")
            assert (address.lower() in validators(network.nodes[0])) is wanted
            for node in network.nodes[:3]:
                node.rpc("qbft_discardValidatorVote", address)
    finally:
        newcomer.stop()
    network.wait_level()


def validators(node: AuthorityNode) -> list[str]:
    """Return who may seal the next block."""
    return list(node.rpc("qbft_getValidatorsByBlockNumber", "latest"))


def test_a_node_answers_on_this_machine_alone(network: Network) -> None:
    foreign = {"Host": "besu.example"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    assert httpx.post(network.urls[0], json=body, headers=foreign, trust_env=False).status_code == 403
