"""One deployed world for the whole run; each test starts from it and leaves nothing behind."""

from collections.abc import Iterator

import pytest
from brownie import chain
from carat_world import World, make_world


@pytest.fixture(scope="session")
def deployed() -> World:
    return make_world()


@pytest.fixture(autouse=True)
def world(deployed: World) -> Iterator[World]:
    chain.snapshot()
    yield deployed
    chain.revert()
