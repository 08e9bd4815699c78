"""The exchange is told to stop while a group is being written, and saves a snapshot on its way out.

The engine had done the group already, custody and history had not: a start from it gave another state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from exchange.core import records
from exchange.journal import Identity
from exchange.opening import start
from exchange.recompute import rebuild
from exchange.sequencer import Sequencer

IDENTITY = Identity(1337, b"\x11" * 20)


async def test_no_snapshot_is_made_of_half_a_group(tmp_path: Path) -> None:
    written = asyncio.Event()

    async def on_disk(call: Callable[..., Any], *arguments: object) -> Any:
        call(*arguments)
        written.set()
        await asyncio.Event().wait()

    opened = start(tmp_path, IDENTITY)
    sequencer = Sequencer(opened.venue, opened.journal, opened.keeper, on_disk=on_disk)
    running = asyncio.create_task(sequencer.run())
    asking = asyncio.create_task(sequencer.submit(records.register(b"\x01" * 20)))
    await written.wait()
    for task in (running, asking):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    sequencer.save()
    sequencer.close()

    again = start(tmp_path, IDENTITY)
    assert again.venue.custody.accounts == [b"\x01" * 20]
    assert again.venue.state_hash() == rebuild(tmp_path / "journal").state_hash()
    again.journal.close()
