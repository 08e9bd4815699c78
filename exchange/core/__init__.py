"""The engine core: `apply(state, commands) -> reports`, fixed-size records in and out.

    Engine           the compiled core, or the reference where it was not built (says so once)
    ReferenceEngine  plain Python: what the engine does, to be read
    records, codes   the records and their numbers

docs/spec/07-engine-core.md says what it does.
"""

from __future__ import annotations

import logging

from exchange.core.reference.engine import ReferenceEngine

try:
    from exchange.core._compiled import CompiledEngine as Engine
except ImportError:
    logging.getLogger(__name__).warning(
        "the compiled engine core was not built: the reference in Python runs instead, about 100 times slower"
    )
    Engine = ReferenceEngine  # type: ignore[assignment, misc]

__all__ = ["Engine", "ReferenceEngine"]
