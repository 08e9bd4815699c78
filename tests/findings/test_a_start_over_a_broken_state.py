"""Found: an invariant that broke while a start replayed an epoch's close came as a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.opening import start
from exchange.refusals import InvariantBroken
from exchange.venue import Venue
from tests.exchange.conftest import IDENTITY, Exchange
from tests.exchange.world import ANNA, BERT


async def test_a_start_says_that_an_invariant_is_broken_wherever_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Exchange(tmp_path).funded() as running:
        await running.trade(5, ANNA, BERT)
        await running.close()

    def broken(*_: object) -> None:
        raise AssertionError("reserved is not what the orders need")

    monkeypatch.setattr(Venue, "replay", broken)
    with pytest.raises(InvariantBroken) as refusal:
        start(tmp_path, IDENTITY)
    assert refusal.value.facts == {"reason": "reserved is not what the orders need"}
