"""A history is dropped unclosed, in a ring of references: the collector cleared it before it let its rows go.

The rows' memory was freed while they were still held, and the process died of it.
"""

from __future__ import annotations

import gc

from exchange.history import History
from exchange.history.stores import RowMemory


class Ring(RowMemory):
    history: History


def test_the_collector_lets_go_of_a_ring_of_history_and_stores() -> None:
    for _ in range(100):
        orders, trades = Ring(), Ring()
        orders.history = trades.history = History(stores=(orders, trades))
        orders.history.rewind()
    del orders, trades
    gc.collect()
