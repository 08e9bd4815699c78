"""What a replay of LOBSTER files found, as one JSON object."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from exchange.lobster.compare import Mismatch
from exchange.lobster.file import MessageType, read
from exchange.lobster.replay import Replay

_PROGRESS_EVERY: Final = 8_192


def replay_files(
    messages: Path,
    orderbook: Path | None,
    on_progress: Callable[[str, int], None] = lambda _what, _done: None,
) -> dict[str, Any]:
    """Take every message of a file through the engine; returns `summary` of it.

    Raises
    ------
    LobsterMalformed :
        A line is not what the format says.
    AssertionError :
        An invariant of the engine does not hold: a bug of ours.
    """
    replay, waiting = Replay(), 0
    for message, published in read(messages, orderbook):
        replay.take(message, published)
        waiting += 1
        if waiting == _PROGRESS_EVERY:
            on_progress("messages", waiting)
            waiting = 0
    replay.check()
    return summary(replay)


def summary(replay: Replay) -> dict[str, Any]:
    """Return what was done, compared and found; lists named `first_...` hold at most ten."""
    compared, before = replay.comparison, replay.unknown_before
    return {
        "messages": replay.kinds.total(),
        "by_type": {kind.name.lower(): replay.kinds[kind] for kind in MessageType},
        "orders": replay.kinds[MessageType.SUBMISSION],
        "trades": replay.market.trades,
        "mismatches": compared.mismatches,
        "first_mismatches": [_mismatch(each) for each in compared.first_mismatches],
        "deeper_mismatches": compared.deeper_mismatches,
        "first_deeper_mismatches": [_mismatch(each) for each in compared.first_deeper_mismatches],
        "compared": {
            "bests": compared.best_compared,
            "bests_taken_from_the_book": compared.best_from_book,
            "deeper_levels": compared.deeper_compared,
            "levels_taken_from_the_book": compared.levels_from_book,
            "crossed_rows": compared.crossed_rows,
        },
        "standing_at_start": [
            {"side": side.name.lower(), "price": price, "size": size}
            for side, price, size in replay.seeded or []
        ],
        "unknown_before": len(before),
        "unknown_before_orders": before,
        "unknown_out_of_view": len(replay.unknown_orders) - len(before),
        "unknown_messages": replay.unknown_messages,
        "executions": {
            "in_turn": replay.in_turn,
            "out_of_turn": replay.out_of_turn,
            "first_out_of_turn": replay.first_out_of_turn,
            "of_orders_not_shown": replay.placed_for_executions,
        },
        "changed_out_of_view": {
            "orders_gone": replay.gone_out_of_view,
            "messages_to_orders_thought_gone": replay.returned,
            "messages_without_effect": replay.nothing_to_cancel,
        },
    }


def _mismatch(found: Mismatch) -> dict[str, Any]:
    return {
        "line": found.line,
        "side": found.side.name.lower(),
        "level": found.level,
        "published": _level(found.published),
        "engine": _level(found.engine),
    }


def _level(level: tuple[int, int] | None) -> dict[str, int] | None:
    return None if level is None else {"price": level[0], "size": level[1]}
