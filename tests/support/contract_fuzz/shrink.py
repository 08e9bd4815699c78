"""Shrinking: of a sequence that fails, the fewest acts that still fail (delta debugging)."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.trial import Mismatch, Trial

TRIALS_MAX = 400


def shrunk(acts: list[Act], begin: Callable[[], Trial], reason: str) -> tuple[list[Act], str]:
    """Drop ever smaller pieces as long as what is left fails somehow.

    Parameters
    ----------
    acts :
        A sequence that fails at its last act.
    begin :
        Makes a fresh trial.
    reason :
        Why the whole failed; returned if nothing can be dropped.

    Returns
    -------
    The fewest acts found, and why they fail.
    """
    left = TRIALS_MAX
    piece = len(acts) // 2
    while piece and left:
        at = 0
        while at < len(acts) and left:
            left -= 1
            failed = _failing(acts[:at] + acts[at + piece :], begin)
            if failed is None:
                at += piece
            else:
                acts, reason = failed
        piece = min(piece // 2, len(acts) // 2) if piece > 1 else 0
    return acts, reason


def _failing(acts: list[Act], begin: Callable[[], Trial]) -> tuple[list[Act], str] | None:
    """Up to where this fails, and why; None if it does not."""
    trial = begin()
    for at, act in enumerate(acts):
        try:
            trial.perform(act)
        except Mismatch as mismatch:
            return acts[: at + 1], str(mismatch)
    try:
        trial.look_at_all()
    except Mismatch as mismatch:
        return acts, str(mismatch)
    return None
