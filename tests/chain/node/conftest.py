"""A fresh chain in this process, for one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chain.node.local import LocalRpc


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[LocalRpc]:
    local = LocalRpc(tmp_path / "chain")
    yield local
    local.close()
