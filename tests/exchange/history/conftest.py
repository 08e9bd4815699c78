"""Both recorders; the compiled one is skipped only where it was not built."""

from __future__ import annotations

import pytest

from exchange.history.recorder import Recorder
from exchange.history.reference import ReferenceRecorder

try:
    from exchange.history._native import CompiledRecorder
except ImportError:  # no C compiler when the package was installed
    CompiledRecorder = None  # type: ignore[assignment, misc]

needs_compiled = pytest.mark.skipif(
    CompiledRecorder is None, reason="the compiled recorder was not built here: no C compiler when installed"
)


@pytest.fixture(params=["reference", pytest.param("compiled", marks=needs_compiled)])
def recorder(request: pytest.FixtureRequest) -> type[Recorder]:
    """Return an implementation."""
    return ReferenceRecorder if request.param == "reference" else CompiledRecorder
