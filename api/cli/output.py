"""How a subcommand speaks: results to standard output, progress and refusals to standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from chain.refusals import Refusal

errors = Console(stderr=True, highlight=False)
results = Console(highlight=False)


def print_refusal(refusal: Refusal, *, as_json: bool) -> None:
    """Say why something was not done."""
    if as_json:
        print_json({"error": {"code": refusal.code, "title": refusal.title, "facts": refusal.facts}})
    sys.stderr.write(f"error: {refusal}\n")


def print_json(document: Mapping[str, Any]) -> None:
    """Write one JSON object on one line to standard output."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """Show which step is under way and for how long; gives the function to call at each step.

    On a terminal it is one line that changes; elsewhere each step is a line of its own.
    """
    started_s = time.monotonic()
    if not errors.is_terminal:

        def say(step: str) -> None:
            errors.print(f"{time.monotonic() - started_s:6.1f} s  {escape(step)}", soft_wrap=True)

        yield say
        return
    with errors.status(escape(title)) as status:

        def show(step: str) -> None:
            status.update(f"{escape(step)} [dim]({time.monotonic() - started_s:.1f} s)[/dim]")

        yield show
