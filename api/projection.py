"""Rebuilding the projection of a stack, and whether it came out as it was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from api.stack.handle import StackHandle
from registry.projection.digest import digests
from registry.projection.store import Projection, identity_of, open_engine
from registry.refusals import ProjectionRefused


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

    The API of a running stack may build along; each block is applied once all the same.

    Raises
    ------
    ChainUnreachable
    """
    started_s = time.monotonic()
    url = os.environ.get("CARAT_DATABASE_URL") or f"sqlite:///{stack.data.projection}"
    projection = Projection(open_engine(url), identity_of(stack.deployment))
    reader = stack.events()
    head = reader.head()

    def show(block: int, last: int) -> None:
        on_step(f"block {block} of {last}")

    def catch_up() -> None:
        while projection.block() < head:
            try:
                projection.catch_up(reader, head, show)
            except ProjectionRefused as refusal:
                if refusal.facts.get("reason") != "moved by another process":
                    raise

    on_step("bringing the tables up to the chain")
    catch_up()
    before = digests(projection.engine)
    on_step("dropping the tables")
    try:
        projection.rebuild(reader, show)
    except ProjectionRefused as refusal:
        if refusal.facts.get("reason") != "moved by another process":
            raise
    catch_up()
    after = digests(projection.engine)
    changed = [name for name, digest in after.items() if before.get(name) != digest]
    events = sum(1 for _ in reader.read(reader.first_block, head))
    return Rebuilt(events, projection.block(), changed, time.monotonic() - started_s)
