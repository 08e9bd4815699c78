"""What a history refuses."""

from __future__ import annotations

from chain.refusals import Refusal


class HistoryFull(Refusal):
    """The history has no numbers left for so many orders and trades; nothing was taken."""


class HistoryIncomplete(Refusal):
    """The files hold fewer orders or trades than the snapshot counted: they were lost or altered."""


class TapeEpochUnknown(Refusal):
    """No epoch is known to begin with this trade, and without its number its leaves cannot be made."""


class CollectorChanged(Refusal):
    """Another participant collects an instrument's fees now: whom older orders pay is known to rows alone."""


class RowsNotKept(Refusal):
    """This history keeps sums and roots only, and was asked for rows."""
