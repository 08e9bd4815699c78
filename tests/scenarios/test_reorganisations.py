"""Reorganisations of a real chain: acts are sent again, and the registry's tables follow."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random
from uuid import UUID, uuid5

import pytest

from chain.abi import Call
from chain.delivery import Manner
from chain.deployment import Deployment, deploy
from chain.events import EventReader
from chain.finality import Finality
from chain.ids import request_id
from chain.keys import Keyring
from chain.patience import with_patience
from chain.pending import PendingStore
from chain.refusals import ChainUnreachable
from chain.rpc import ChainRpc
from chain.transactor import Act, Receipt, Transactor
from registry.projection import digest
from registry.projection.store import Projection, identity_of, open_engine
from registry.refusals import ProjectionRefused
from tests.support.branches import Branches
from tests.support.faulty_proxy import ROUGH, faulty_proxy
from tests.support.processes import running_node

NAMES = UUID("00000000-0000-4000-8000-0000000f02c5")


def mint(keyring: Keyring, firm: str, amount_fen: int, name: str) -> Call:
    to = keyring.signer(firm).address
    return Call("SettlementCash", "mint", ([(to, amount_fen)], request_id(uuid5(NAMES, name))))


def some_acts(keyring: Keyring, random: Random, count: int, mark: str) -> list[Act]:
    bank = keyring.signer("bank")
    return [
        (bank, mint(keyring, f"firm:{random.randint(1, 5)}", random.randint(1, 99), f"{mark} {number}"))
        for number in range(count)
    ]


def from_scratch(rpc: ChainRpc, deployment: Deployment) -> dict[str, str]:
    whole = Projection(open_engine("sqlite://"), identity_of(deployment))
    whole.catch_up(EventReader(rpc, deployment))
    return digest.digests(whole.engine)


@pytest.mark.parametrize("depth", [1, 7, 40])
def test_blocks_of_a_real_chain_are_undone_and_redone(tmp_path: Path, keyring: Keyring, depth: int) -> None:
    random = Random(depth)
    with running_node(tmp_path / "node") as node:
        rpc = ChainRpc(node.url)
        deployment, branches = deploy(rpc, keyring), Branches(rpc)
        projection = Projection(
            open_engine(f"sqlite:///{tmp_path / 'p.sqlite'}"), identity_of(deployment), keep_blocks=20
        )
        reader = EventReader(rpc, deployment)
        Transactor(rpc, deployment).send_all(some_acts(keyring, random, 30, "before"))
        projection.catch_up(reader)
        branches.fork_here()
        one_a_block = Transactor(rpc, deployment)
        for place, act in enumerate(some_acts(keyring, random, depth, "dropped")):
            one_a_block.send(*act)
            if place % 3 == 0:
                projection.catch_up(reader)
        projection.catch_up(reader)
        dropped = branches.replace()
        assert dropped == depth
        Transactor(ChainRpc(node.url), deployment).send_all(some_acts(keyring, random, 12, "instead"))
        projection.catch_up(reader)
        assert projection.last_reorganisation is not None
        assert (projection.last_reorganisation.fork_block == -1) is (depth > 20)
        assert digest.digests(projection.engine) == from_scratch(rpc, deployment)
        projection.engine.dispose()


def test_acts_that_a_real_reorganisation_drops_are_sent_again(tmp_path: Path, keyring: Keyring) -> None:
    with running_node(tmp_path / "node") as node:
        rpc = ChainRpc(node.url)
        deployment, branches = deploy(rpc, keyring), Branches(rpc)
        pending = PendingStore(tmp_path / "pending.sqlite", deployment.chain_id)
        manner = Manner(Finality(4), patience_s=60)
        transactor = Transactor(ChainRpc(node.url), deployment, manner=manner, pending=pending)
        acts = some_acts(keyring, Random(1), 40, "twice")
        outcomes: list[object] = []
        mined = threading.Event()
        branches.fork_here()
        sender = threading.Thread(
            target=lambda: outcomes.extend(transactor.send_all(acts, lambda _done: mined.set()))
        )
        sender.start()
        assert mined.wait(60)
        assert branches.replace() > 0, "mined, and dropped before they were final"
        while sender.is_alive():
            branches.mine(1)
            sender.join(0.1)
        assert len(outcomes) == 40
        assert all(isinstance(outcome, Receipt) for outcome in outcomes)
        events = [event for event in EventReader(rpc, deployment).read(0) if event.name == "CashMinted"]
        assert len(events) == len({event.args["requestId"] for event in events}) == 40
        assert int(rpc.call("eth_getTransactionCount", keyring.signer("bank").address, "latest"), 16) == 40
        assert pending.of([keyring.signer("bank").address]) == []


def test_the_tables_follow_through_a_rough_wire(tmp_path: Path, keyring: Keyring) -> None:
    random = Random(9)
    with running_node(tmp_path / "node") as node, faulty_proxy(node.url, seed=9, faults=ROUGH) as proxy:
        rpc = ChainRpc(node.url)
        deployment = deploy(rpc, keyring)
        rough = EventReader(ChainRpc(proxy.url, 2.0), deployment)
        projection = Projection(open_engine("sqlite://"), identity_of(deployment))
        branches = Branches(rpc)
        for turn in range(6):
            branches.fork_here()
            for place in range(3):
                acts = some_acts(keyring, random, 5, f"turn {turn} {place}")
                Transactor(ChainRpc(node.url), deployment).send_all(acts)
                _catch_up(projection, rough)
            if turn % 3 == 2:
                branches.replace()
                _catch_up(projection, rough)
        while projection.block() < branches.head:
            _catch_up(projection, rough)
        assert proxy.counts["lag"] > 0
        assert digest.digests(projection.engine) == from_scratch(rpc, deployment)


def _catch_up(projection: Projection, reader: EventReader) -> None:
    """Follow as the indexer does: what fails is tried again."""

    def follow() -> None:
        try:
            projection.catch_up(reader)
        except ProjectionRefused as refusal:
            raise ChainUnreachable(reason=str(refusal)) from refusal

    with_patience(follow, 60)
