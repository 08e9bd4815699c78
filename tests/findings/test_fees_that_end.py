"""An instrument's fees end, and with them who collected them; then comes a start from a snapshot.

Orders from then on were noted with the old collector: the history was another than the journal makes.
"""

from __future__ import annotations

from pathlib import Path

from exchange.core import records
from exchange.core.codes import Side
from exchange.history import History
from exchange.journal import Identity
from exchange.opening import start
from exchange.recompute import rebuild
from tests.exchange.world import opening, order_id

IDENTITY = Identity(1337, b"\x11" * 20)


def test_an_order_after_a_start_is_noted_as_the_journal_makes_it(tmp_path: Path) -> None:
    runs = [
        opening() + records.set_rules(1, maker_ppm=100, taker_ppm=100, fee_participant=2),
        records.set_rules(1),
        records.new_order(order_id(1), 1, 1, Side.BUY, 1, 100),
    ]
    for run in runs:
        opened = start(tmp_path, IDENTITY)
        opened.journal.append([run])
        opened.venue.replay(opened.journal.end.records - len(run) // 64 + 1, run)
        opened.keeper.prepare(opened.venue, opened.journal.end)()
        opened.journal.close()
        opened.venue.history.close()
    found = History(tmp_path / "history")
    found.rewind(opened.venue.history.mark())
    assert found.order(order_id(1)) == rebuild(tmp_path / "journal", rows=True).history.order(order_id(1))
    found.close()
