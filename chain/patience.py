"""Patience: how long to go on asking a chain that is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from chain.refusals import ChainUnreachable

POLL_S: Final = 0.05
_RETRY_S_MAX: Final = 1.0

T = TypeVar("T")


class Patience:
    """Growing pauses, then a refusal; `in_all` patience is not renewed."""

    def __init__(self, patience_s: float, *, in_all: bool = False) -> None:
        self._patience_s = patience_s
        self._in_all = in_all
        self._until_s = time.monotonic() + patience_s
        self._pause_s = POLL_S

    def renew(self) -> None:
        """Begin anew: something has happened."""
        self._pause_s = POLL_S
        if not self._in_all:
            self._until_s = time.monotonic() + self._patience_s

    def wait_or_raise(self, refusal: ChainUnreachable | None = None) -> None:
        """Sleep a little; when patience has run out, raise `refusal`, or a ChainUnreachable of its own."""
        if time.monotonic() >= self._until_s:
            raise refusal or ChainUnreachable(waited_s=int(self._patience_s))
        time.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _RETRY_S_MAX)


def with_patience(ask: Callable[[], T], patience_s: float) -> T:
    """Ask until the chain answers; raises the last ChainUnreachable after `patience_s`."""
    patience = Patience(patience_s)
    while True:
        try:
            return ask()
        except ChainUnreachable as refusal:
            patience.wait_or_raise(refusal)
