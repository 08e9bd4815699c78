"""The trading day: it ends at midnight in Shanghai.

Then orders for the day expire, what was bought can be sold where same-day resale is barred, and the ids of
orders that are done grow old. A day that ended while the exchange was away ends at its next start.

Source: Shanghai exchange rules (SEEE notice 2021-06-22): allowances bought today cannot be sold today.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from exchange.core import records
from exchange.refusals import InvariantBroken, JournalUnavailable
from exchange.sequencer import Sequencer
from exchange.venue import Venue

DAY_US: Final = 24 * 3600 * 1_000_000
SHANGHAI_US: Final = 8 * 3600 * 1_000_000
"""Shanghai is eight hours before UTC all year."""

_LOOK_S: Final = 60.0


def midnight_us(now_us: int) -> int:
    """Return the last midnight in Shanghai, in microseconds since 1970 UTC."""
    return now_us - (now_us + SHANGHAI_US) % DAY_US


async def end_days(sequencer: Sequencer) -> None:
    """End each day when it is over, as long as the sequencer takes anything: once it does not, it says so."""
    with suppress(JournalUnavailable, InvariantBroken):
        while True:
            await end_day(sequencer)
            left_s = (midnight_us(sequencer.now_us()) + DAY_US - sequencer.now_us()) / 1_000_000
            await asyncio.sleep(min(left_s + 0.001, _LOOK_S))


async def end_day(sequencer: Sequencer) -> None:
    """End the day if it is over and did not end yet."""
    now_us = sequencer.now_us()

    def make(venue: Venue) -> bytes:
        return records.day_end(now_us) if venue.custody.day_end_us < midnight_us(now_us) else b""

    await sequencer.compose(make)
