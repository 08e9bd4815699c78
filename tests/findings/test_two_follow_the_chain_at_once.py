"""Found: an audit beside a running market fell: the API brought the tables to the head between its looks."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from registry.projection import digest
from registry.projection.store import Projection, open_engine
from tests.registry.test_reorganisations import ForkingChain, from_scratch

IDENTITY = "1/0x1"


@pytest.mark.parametrize("is_quicker_at", range(6))
def test_who_is_overtaken_between_two_steps_is_done(
    tmp_path: Path, is_quicker_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, url = ForkingChain(), f"sqlite:///{tmp_path / 'tables.sqlite'}"
    chain.grow(Random(1), 40)
    slower, quicker = (Projection(open_engine(url), IDENTITY, keep_blocks=20) for _ in range(2))
    place_of, looks = slower._place, 0

    def looked() -> object:
        nonlocal looks
        found, looks = place_of(), looks + 1
        if looks == is_quicker_at + 1:
            quicker.catch_up(chain)
        return found

    monkeypatch.setattr(slower, "_place", looked)
    slower.catch_up(chain)
    assert slower.block() == quicker.block() == chain.head()
    assert digest.digests(slower.engine) == from_scratch(chain)
    for each in (slower, quicker):
        each.engine.dispose()
