"""Progress of a long story: what is being done, and how many acts of it are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from api.cli.output import errors, steps

_SAY_EVERY_S = 2.0


@contextmanager
def story(title: str) -> Iterator[tuple[Callable[[str], None], Callable[[str, int], None]]]:
    """Give what to call at each step, and with (what, how many) after some acts of it are done."""
    with steps(title) as on_step:
        counts: dict[str, int] = {}
        said_s = 0.0

        def on_progress(what: str, done: int) -> None:
            nonlocal said_s
            counts[what] = counts.get(what, 0) + done
            # A log file need not hear of every batch; a terminal's one line may change as often as it likes.
            if errors.is_terminal or time.monotonic() - said_s > _SAY_EVERY_S:
                on_step(f"{what}: {counts[what]:,} so far")
                said_s = time.monotonic()

        yield on_step, on_progress
