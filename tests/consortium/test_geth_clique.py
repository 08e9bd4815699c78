"""The product on four geth nodes that seal in turn: an engine not ours, named by its addresses alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from consortium_tools.errors import EngineMissing
from consortium_tools.geth_network import geth_network
from consortium_tools.network import Network

from tests.support.consortium import (
    PUBLISHED,
    SETTLED,
    Outage,
    Story,
    require_one_history,
    require_the_books_numbers,
)

# Mostly waiting for blocks; the first run on a machine builds geth.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Four authorities that seal a block a second."""
    try:
        prepared = geth_network(tmp_path_factory.mktemp("clique"))
    except EngineMissing as missing:
        pytest.skip(str(missing))
    with prepared as running:
        yield running


def sealers(network: Network, first: int, last: int) -> set[str]:
    """Return who sealed these blocks."""
    node = network.nodes[1]
    return {node.rpc("clique_getSigner", hex(height)).lower() for height in range(first, last + 1)}


def test_the_worked_example_while_one_and_then_another_authority_is_killed(
    network: Network, tmp_path: Path
) -> None:
    # First the one that the product talks to, later another.
    outages = [
        Outage(0, begins=(PUBLISHED, 2), ends=(SETTLED, 2)),
        Outage(2, begins=(PUBLISHED, 4), ends=(SETTLED, 4)),
    ]
    story = Story(network, tmp_path / "state", cycle_s=80, outages=outages)
    require_the_books_numbers(story.tell())
    require_one_history(story)
    for outage in outages:
        away = network.nodes[outage.place].key.address.lower()
        assert outage.killed_at is not None
        assert outage.back_at is not None
        # While it was away the others went on; since it is back it seals again.
        assert outage.back_at > outage.killed_at + 3
        assert away not in sealers(network, outage.killed_at + 3, outage.back_at)
        assert away in sealers(network, outage.back_at + 1, network.nodes[1].height())


def test_two_of_four_away_stop_the_chain_and_it_goes_on_when_they_are_back(network: Network) -> None:
    for place in (2, 3):
        network.kill(place)
    at_kill = max(node.height() for node in network.nodes[:2])
    time.sleep(8 * network.period_s)
    # Each of the two may seal one of three blocks that follow each other.
    assert max(node.height() for node in network.nodes[:2]) <= at_kill + 2
    for place in (2, 3):
        network.restart(place)
    network.wait_for(lambda node: node.height() > at_kill + 2 + network.confirmations, "go on")
    network.wait_level()
