"""The indexer: it follows, it lets others wait, and no failure of a step ends it."""

from __future__ import annotations

import threading
import time

import pytest

from api.indexer import Indexer, ProjectionBehind
from chain.refusals import ChainUnreachable


def test_who_waits_for_a_block_is_told_when_it_is_there() -> None:
    head = [3]
    indexer = Indexer(lambda: head[0], interval_s=0.01)
    indexer.start()
    indexer.wait_for(3, timeout_s=2)
    threading.Timer(0.05, head.__setitem__, (0, 5)).start()
    indexer.wait_for(5, timeout_s=2)
    assert indexer.block == 5
    indexer.stop()


def test_who_waits_in_vain_is_told_how_far_it_is() -> None:
    indexer = Indexer(lambda: 3, interval_s=0.01)
    indexer.start()
    indexer.wait_for(3, timeout_s=2)
    with pytest.raises(ProjectionBehind) as refusal:
        indexer.wait_for(9, timeout_s=0.05)
    assert refusal.value.facts == {"block": 9, "projected_block": 3}
    indexer.stop()


def test_a_step_that_fails_is_tried_again() -> None:
    steps = iter([ChainUnreachable(), ValueError(), 7])

    def catch_up() -> int:
        step = next(steps, 7)
        if isinstance(step, Exception):
            raise step
        return step

    indexer = Indexer(catch_up, interval_s=0.01)
    assert indexer.block == -1
    indexer.start()
    indexer.wait_for(7, timeout_s=5)
    assert indexer.trouble is None
    indexer.stop()


def test_trouble_is_named_while_it_lasts() -> None:
    def catch_up() -> int:
        raise ChainUnreachable

    indexer = Indexer(catch_up, interval_s=0.01)
    indexer.start()
    until = time.monotonic() + 5
    while indexer.trouble is None and time.monotonic() < until:
        time.sleep(0.005)
    assert indexer.trouble == "ChainUnreachable"
    indexer.stop()
