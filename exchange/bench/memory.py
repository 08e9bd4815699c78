"""`python -m exchange.bench.memory ORDERS PARTICIPANTS`: orders that all stay, and what they take.

A process of its own, so that nothing else is counted. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from exchange.bench.market import Size, opening, resting
from exchange.core import Engine

_AT_ONCE = 16_384


def resident_bytes() -> int:
    """Memory of this process that is in RAM; the most it ever was where /proc is missing."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


def main(arguments: list[str]) -> int:
    """Measure and print; returns the exit code."""
    count, participants = map(int, arguments)
    engine = Engine()
    size = Size(participants=participants)
    engine.apply(opening(size))
    orders = resting(count, size, 1)
    for batch in islice(_batches(orders), 1):  # the first one makes what every batch needs
        engine.apply(batch)
    warm, resident = engine.counters()["open_orders"], resident_bytes()
    reserved = engine.memory_bytes() if engine.is_compiled else 0
    for batch in _batches(orders):
        engine.apply(batch)
    grown = resident_bytes() - resident
    engine.check()
    found = {
        "open_orders": engine.counters()["open_orders"] - warm,
        "resident_bytes": grown,
        "reserved_bytes": (engine.memory_bytes() if engine.is_compiled else 0) - reserved,
    }
    assert found["open_orders"] == count - warm, "an order did not stay"
    print(json.dumps(found))  # noqa: T201 - its answer
    return 0


def _batches(orders: Iterator[bytes]) -> Iterator[bytes]:
    while batch := b"".join(islice(orders, _AT_ONCE)):
        yield batch


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
