"""The disk had room for the journal and none for the history's next rows.

Whoever waited for an answer waited for ever, and so did all that came later: nothing said that it had failed.
"""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from exchange.core import records
from exchange.core.codes import Side
from exchange.history import History
from exchange.history.stores import RowMemory
from exchange.journal import Identity
from exchange.opening import start
from exchange.refusals import JournalUnavailable
from exchange.sequencer import Sequencer
from tests.exchange.world import opening, order_id

IDENTITY = Identity(1337, b"\x11" * 20)


class FullRows(RowMemory):
    def reserve(self, rows: int) -> None:
        raise OSError(errno.ENOSPC, f"No space left for {rows} rows")


async def test_a_history_without_room_fails_what_waits_and_a_start_makes_it_good(tmp_path: Path) -> None:
    opened = start(tmp_path, IDENTITY, make_history=lambda _path: History(stores=(FullRows(), FullRows())))
    sequencer = Sequencer(opened.venue, opened.journal)
    running = asyncio.create_task(sequencer.run())
    await sequencer.submit(opening())
    with pytest.raises(JournalUnavailable):
        await sequencer.submit(records.new_order(order_id(1), 1, 1, Side.BUY, 1, 100))
    with pytest.raises(JournalUnavailable):
        await sequencer.read(lambda venue: venue.sequence)
    await running
    sequencer.close()

    again = start(tmp_path, IDENTITY, make_history=lambda _path: History())
    assert again.venue.history.order(order_id(1)) is not None
    again.journal.close()
