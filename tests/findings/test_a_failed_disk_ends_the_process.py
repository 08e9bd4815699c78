"""Found: once the disk had failed, whatever closes epochs and days by the clock ended the whole process.

Nobody could then ask it how it is; it has to stay, take nothing, and say why.
"""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from exchange import disk as disk_module
from exchange.__main__ import _close_epochs
from exchange.core import records
from exchange.days import end_days
from exchange.refusals import JournalUnavailable
from tests.exchange.conftest import Exchange


async def test_what_goes_by_the_clock_leaves_off_when_nothing_is_taken_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with Exchange(tmp_path).funded() as running:
        with monkeypatch.context() as patch:
            patch.setattr(disk_module.os, "fdatasync", fail)
            with pytest.raises(JournalUnavailable):
                await running.sequencer.submit(records.advance(1))
        async with asyncio.timeout(5):
            await end_days(running.sequencer)
            await _close_epochs(running.sequencer, running.desk, 0.001)
        assert running.sequencer.failed is not None
        assert running.sequencer.failed.facts == {"reason": "Input/output error"}
