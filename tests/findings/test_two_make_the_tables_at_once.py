"""Found: an audit beside a market's first start made the tables along with the API, and one of them fell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from registry.projection.store import Projection, open_engine


def test_any_number_may_open_a_new_projection_at_once(tmp_path: Path) -> None:
    for number in range(10):
        url = f"sqlite:///{tmp_path / f'{number}.sqlite'}"
        with ThreadPoolExecutor(8) as pool:
            opened = list(pool.map(lambda _, url=url: Projection(open_engine(url), "1/0x1"), range(8)))
        assert {projection.block() for projection in opened} == {-1}
        for projection in opened:
            projection.engine.dispose()
