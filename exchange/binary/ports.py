"""What the gateway needs of the rest of the exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from exchange.core.api import Engine

T = TypeVar("T")


class ListedPort(Protocol):
    """An instrument's terms."""

    @property
    def unit(self) -> int: ...  # noqa: D102
    @property
    def tick_fen(self) -> int: ...  # noqa: D102
    @property
    def lot_t(self) -> int: ...  # noqa: D102
    @property
    def quantity_max_t(self) -> int: ...  # noqa: D102


class VenuePort(Protocol):
    """What can be looked up."""

    @property
    def engine(self) -> Engine:
        """The core."""

    @property
    def listed(self) -> Sequence[ListedPort]:
        """Terms, by instrument number less one."""


class SequencerPort(Protocol):
    """Who puts commands in order and makes them durable."""

    listeners: list[Callable[[bytes], None]]
    """Called with the reports of every durable batch, in order, before its answers are released."""

    @property
    def failed(self) -> Exception | None:
        """Why nothing more is taken."""

    async def submit(self, run: bytes) -> bytes:
        """Do a run of commands; return its reports once it is durable."""

    async def read(self, look: Callable[[Any], T]) -> T:
        """Look at a `VenuePort` when nothing is applied that is not durable."""

    async def participant_of(self, account: bytes) -> int:
        """Return an account's number; register it where it has none."""

    def now_us(self) -> int:
        """Return the time to put into a command."""
