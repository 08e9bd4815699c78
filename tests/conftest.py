"""Fixtures that tests of every package may use: a running node, the deployed contracts, keys.

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
from tests.support.processes import running_node


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
