"""Orders and trades for readers: what the engine reported, in two files of fixed rows.

    History      takes reports in; answers by id, number, participant, instrument; roots and nets trades
    rows         an order, a trade, and how they stand in a row
    stores       where rows live: a mapped file, or memory
    recorder     reports to rows: `reference` in plain Python, `_native` the same, compiled
    chains       a participant's or an instrument's rows, without a list of all
    refusals     what a history refuses

It is derived: the journal makes it again. At a start it is taken back to where the snapshot was (`rewind`),
and the replay brings it to where it has to be. What it takes must be durable before.
"""

from __future__ import annotations

from exchange.history.history import History
from exchange.history.rows import Change, OrderRow, Trade

__all__ = ["Change", "History", "OrderRow", "Trade"]
