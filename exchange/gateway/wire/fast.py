"""The frequent commands and answers in a compiled way; where it was not built, none is: `wire` does them all.

pack    the records of the commands that it knows, and which ones it left
write   the answers, with whatever it does not know written by its caller
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from exchange.core.records import COMMAND_BYTES, REPORT_BYTES


def pack_none(
    bodies: list[Any],
    start: int,
    accounts: dict[str, int],  # noqa: ARG001 - as the compiled one's
    units: dict[str, int],  # noqa: ARG001
    at_us: int,  # noqa: ARG001
) -> tuple[bytes, list[int]]:
    """Leave every command to the caller."""
    return bytes(COMMAND_BYTES * (len(bodies) - start)), list(range(start, len(bodies)))


def write_none(
    reports: bytes,
    counts: bytes,
    accounts: list[bytes | None],  # noqa: ARG001 - as the compiled one's
    units: list[bytes | None],  # noqa: ARG001
    epoch: int,  # noqa: ARG001
    first_open: int,  # noqa: ARG001
    uncommon: Callable[[int, int, int], bytes],
) -> bytes:
    """Let the caller write every answer; say which reports are of which command."""
    sequence, at = _sequence(reports, 0), 0
    ends = [0]
    for count in counts:
        sequence += count
        while at < len(reports) and _sequence(reports, at) < sequence:
            at += REPORT_BYTES
        ends.append(at)
    return b",".join(uncommon(i, first, last) for i, (first, last) in enumerate(pairwise(ends)))


def _sequence(reports: bytes, at: int) -> int:
    return int.from_bytes(reports[at + 8 : at + 16], "little")


try:
    from exchange.gateway._fast import pack, write
except ImportError:
    pack, write = pack_none, write_none
