"""Fixtures that tests of every package may use: a running node, the deployed contracts, keys, a market.

All are paid once a session. Who needs a chain of his own (time travel, a crash) starts one with
`tests.support.processes.running_node`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chain.deployment import Deployment, deploy
from chain.keys import Keyring
from chain.rpc import ChainRpc
from chain.transactor import Transactor
from tests.support.actors import fresh
from tests.support.market import DEADLINE_UTC, PERIOD, UNIT
from tests.support.processes import running_node
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def node_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The JSON-RPC address of a running node with test methods."""
    with running_node(tmp_path_factory.mktemp("node")) as node:
        yield node.url


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    """Keys that are the same in every run."""
    return Keyring(b"test seed of the CARAT keyring..")


@pytest.fixture(scope="session")
def deployment(node_url: str, keyring: Keyring) -> Deployment:
    """The contracts, deployed once."""
    return deploy(ChainRpc(node_url), keyring)


@pytest.fixture(scope="session")
def transactor(node_url: str, deployment: Deployment) -> Transactor:
    """The way to the deployed contracts."""
    return Transactor(ChainRpc(node_url), deployment, patience_s=20)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack on a fresh chain, without any account."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def market(stack: Stack) -> Stack:
    """The stack with a small market: firms with allowances and cash, a verifier, people, a listed unit."""
    for label in ("firm:A", "firm:B", "firm:C"):
        stack.open_account(label, "firm")
    stack.open_account("verifier:V", "verifier")
    stack.open_account("verifier:unaccredited", "verifier")
    stack.open_account("developer:D", "developer")
    stack.open_account("provider:metro", "provider")
    stack.open_account("person:Li", "person")
    regulator, bank = stack.actor("regulator"), stack.actor("bank")
    regulator.done(
        f"/periods/{PERIOD}",
        {"deadline_utc": DEADLINE_UTC, "cap_t": 1_000_000, "offset_cap_ppm": 50_000, "penalty_multiple": 5},
    )
    firms = [stack.actor(f"firm:{name}").address for name in "ABC"]
    allocations = [{"entity": entity, "quantity_t": 100_000} for entity in firms]
    regulator.done(fresh("allocations"), {"period": PERIOD, "allocations": allocations})
    verifier = stack.actor("verifier:V").address
    regulator.done(fresh("accreditations"), {"verifier": verifier, "until_utc": 2_000_000_000})
    provider = stack.actor("provider:metro").address
    regulator.done(fresh("provider-accreditations"), {"provider": provider, "accredited": True})
    paid_in = [{"account": entity, "amount_fen": 100_000_000} for entity in firms]
    bank.done(fresh("mints"), {"credits": paid_in})
    listed = stack.actor("exchange").put(
        f"/instruments/{UNIT}", {"tick_fen": 10, "lot_t": 1, "quantity_max_t": 90_000}
    )
    assert listed.status_code == 200, listed.text
    return stack
