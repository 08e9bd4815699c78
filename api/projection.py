"""Rebuilding the projection of a stack, and whether it came out as it was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from api.stack.handle import StackHandle
from chain.events import EventReader
from registry.projection.digest import Snapshot
from registry.projection.store import Projection, identity_of, open_engine
from registry.refusals import ProjectionRefused

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: events applied, last block, and which tables differ from what stood there."""

    events: int
    block: int
    changed_tables: list[str]
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether every table is as it was."""
        return not self.changed_tables


def rebuild_projection(stack: StackHandle, on_step: Callable[[str], None]) -> Rebuilt:
    """Bring the tables up to the head, drop them, build them again, and compare.

    The API of a running stack may build along: each block is applied once all the same. Where the chain goes
    on meanwhile, the tables before and after tell of different blocks; then it is done again.

    Raises
    ------
    ChainUnreachable, ProjectionRefused
    """
    started_s = time.monotonic()
    url = os.environ.get("CARAT_DATABASE_URL") or f"sqlite:///{stack.data.projection}"
    projection = Projection(open_engine(url), identity_of(stack.deployment))
    reader = stack.events()
    for _ in range(_ATTEMPTS):
        on_step("bringing the tables up to the chain")
        _catch_up(projection, reader, on_step)
        before = Snapshot.of(projection.engine)
        on_step("dropping the tables")
        with suppress(_MovedByAnother):
            _together(lambda: projection.rebuild(reader, _shown(on_step)))
        _catch_up(projection, reader, on_step)
        after = Snapshot.of(projection.engine)
        if before.block == after.block:
            break
    earlier = before.digests()
    changed = [name for name, digest in after.digests().items() if earlier.get(name) != digest]
    events = sum(1 for _ in reader.read(reader.first_block, after.block))
    return Rebuilt(events, after.block, changed, time.monotonic() - started_s)


class _MovedByAnother(Exception):
    """The API of the running stack was quicker with a block."""


def _together(step: Callable[[], int]) -> None:
    try:
        step()
    except ProjectionRefused as refusal:
        if refusal.facts.get("reason") != "moved by another process":
            raise
        raise _MovedByAnother from refusal


def _catch_up(projection: Projection, reader: EventReader, on_step: Callable[[str], None]) -> None:
    head = reader.head()
    while projection.block() < head:
        with suppress(_MovedByAnother):
            _together(lambda: projection.catch_up(reader, head, _shown(on_step)))


def _shown(on_step: Callable[[str], None]) -> Callable[[int, int], None]:
    return lambda block, last: on_step(f"block {block} of {last}")
