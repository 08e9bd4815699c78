"""The hot loops that run here: the compiled ones, or those in Python where nothing was compiled."""

from __future__ import annotations

import logging

try:
    from exchange.binary._native import answer, for_others, screen
except ImportError:
    logging.getLogger(__name__).warning(
        "the binary gateway's filters were not built: those in Python run instead, about 100 times slower"
    )
    from exchange.binary.filters import answer, for_others, screen

__all__ = ["answer", "for_others", "screen"]
