"""The frequent commands and their answers, compiled."""

from collections.abc import Callable
from typing import Any

def pack(
    bodies: list[Any], start: int, accounts: dict[str, int], units: dict[str, int], at_us: int
) -> tuple[bytes, list[int]]: ...
def write(
    reports: bytes,
    counts: bytes,
    accounts: list[bytes | None],
    units: list[bytes | None],
    epoch: int,
    first_open: int,
    uncommon: Callable[[int, int, int], bytes],
) -> bytes: ...
