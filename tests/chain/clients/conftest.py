"""A fresh node of each kind for one client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chain.clients.tools import tool
from tests.chain.differential.peers import running_anvil, running_ours

# A project of brownie's: its tests are brownie's to run.
collect_ignore = ["brownie_project"]


@pytest.fixture
def node_url(tmp_path: Path) -> Iterator[str]:
    """This node, with nothing but its genesis."""
    with running_ours(tmp_path) as peer:
        yield peer.url


@pytest.fixture
def anvil_url(tmp_path: Path) -> Iterator[str]:
    """Anvil at the same genesis and fork, mining at once as this node does."""
    with running_anvil(tool("anvil"), tmp_path, automine=True) as peer:
        yield peer.url
