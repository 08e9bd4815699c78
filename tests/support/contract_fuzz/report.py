"""What a run is told as: a few lines for people, a document for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.contract_fuzz.coverage import NEVER_DONE, NEVER_REFUSED, NEVER_SEEN, ROLES, all_functions
from tests.support.contract_fuzz.run import Result


@dataclass(frozen=True)
class Report:
    """Whether all is well, and the same for people and for machines."""

    ok: bool
    text: str
    document: dict[str, Any]


def report(result: Result, seconds: float, whole: bool = True) -> Report:
    """Tell what a run did. `whole` is False for a single episode, of which nobody asks for coverage."""
    coverage = result.coverage
    gaps = [*coverage.missing(), *coverage.never_called()]
    gaps += [f"{error} was never seen" for error in coverage.errors_unseen()]
    done = sum(count for (_, _, outcome), count in coverage.counts.items() if outcome == "done")
    all_calls = sum(coverage.counts.values())
    functions = all_functions()
    lines = [
        f"{result.calls:,} calls in {result.episodes} episodes of seed {result.seed}",
        f"{seconds:.1f} s, {result.calls / seconds:,.0f} a second; {result.rows_compared:,} rows compared",
        f"{all_calls:,} with the calls between contracts: {done:,} done, {all_calls - done:,} refused",
        f"{len(functions)} functions, {len(ROLES)} roles",
    ]
    if result.failure is not None:
        lines.append(result.failure.shown())
    elif whole:
        lines += gaps or [
            "every function was done, refused, and called by every role; every error was seen that can be"
        ]
    document = {
        "seed": result.seed,
        "calls": result.calls,
        "episodes": result.episodes,
        "seconds": round(seconds, 3),
        "calls_per_second": round(result.calls / seconds),
        "rows_compared": result.rows_compared,
        "calls_with_nested": all_calls,
        "done": done,
        "functions": len(functions),
        "roles": list(ROLES),
        "gaps": gaps,
        "argued": {"never_done": NEVER_DONE, "never_refused": NEVER_REFUSED, "never_seen": NEVER_SEEN},
        "failure": result.failure.shown() if result.failure is not None else None,
        "coverage": coverage.table(),
    }
    ok = result.failure is None and not (whole and gaps)
    return Report(ok, "\n".join(lines), document)
