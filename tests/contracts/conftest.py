"""One deployed world for the whole run. Each module starts from it, each test from its module's fixtures."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from carat_world import World, make_world, return_to, take_snapshot
from twin import prepared

from tests.support.contract_fuzz.trial import Trial


@pytest.fixture(scope="session")
def deployed() -> World:
    return make_world()


@pytest.fixture(scope="module")
def world(deployed: World) -> Iterator[World]:
    with undone_afterwards():
        yield deployed


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    """The contracts and the model of them, side by side."""
    with undone_afterwards():
        yield prepared()


@pytest.fixture(autouse=True)
def isolation() -> Iterator[None]:
    """Begins after the fixtures of the module: pytest makes those of a wider scope first."""
    with undone_afterwards():
        yield


@contextmanager
def undone_afterwards() -> Iterator[None]:
    snapshot = take_snapshot()
    yield
    return_to(snapshot)
