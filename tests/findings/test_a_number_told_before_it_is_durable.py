"""Two requests of a new account come at once: the second was told its number while that was being written.

After a crash just then the number would have been another account's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exchange.journal import Identity
from exchange.opening import start
from exchange.sequencer import Sequencer

IDENTITY = Identity(1337, b"\x11" * 20)


async def test_a_participant_number_is_told_only_once_it_is_durable(tmp_path: Path) -> None:
    may_write = asyncio.Event()

    async def on_disk(call: Callable[..., Any], *arguments: object) -> Any:
        await may_write.wait()
        return call(*arguments)

    opened = start(tmp_path, IDENTITY)
    sequencer = Sequencer(opened.venue, opened.journal, on_disk=on_disk)
    running = asyncio.create_task(sequencer.run())
    first = asyncio.create_task(sequencer.participant_of(b"\x01" * 20))
    for _ in range(5):
        await asyncio.sleep(0)
    assert sequencer.venue.participant(b"\x01" * 20) == 1, "the engine has done it already"
    second = asyncio.create_task(sequencer.participant_of(b"\x01" * 20))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not second.done()
    may_write.set()
    assert await first == await second == 1
    assert sequencer.commands == 1
    running.cancel()
    sequencer.close()
