"""Both implementations; the compiled one is skipped only where it was not built."""

from __future__ import annotations

import pytest

from exchange.core import ReferenceEngine
from exchange.core.api import Engine
from tests.exchange.core.market import Market

try:
    from exchange.core._compiled import CompiledEngine
except ImportError:  # no C compiler when the package was installed
    CompiledEngine = None  # type: ignore[assignment, misc]

needs_compiled = pytest.mark.skipif(
    CompiledEngine is None, reason="the compiled core was not built here: no C compiler when installed"
)


@pytest.fixture(params=["reference", pytest.param("compiled", marks=needs_compiled)])
def engine_class(request: pytest.FixtureRequest) -> type[Engine]:
    """Return an implementation."""
    return ReferenceEngine if request.param == "reference" else CompiledEngine


@pytest.fixture
def compiled_class() -> type[Engine]:
    """Return the compiled implementation, or skip."""
    if CompiledEngine is None:
        pytest.skip("the compiled core was not built here: no C compiler when installed")
    return CompiledEngine


@pytest.fixture
def market(engine_class: type[Engine]) -> Market:
    """Return a market of four participants and two instruments, all funded."""
    return Market(engine_class)
