"""Found: a sign-in that was overheard signed in again after a restart of the API, or at another worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.auth.nonces import Nonces, SignInRefused
from registry.projection.store import open_engine

NOW = 1_800_000_000
SECRET = b"s" * 32


def _worker(directory: Path) -> Nonces:
    engine = open_engine(f"sqlite:///{directory / 'sign-in.sqlite'}")
    return Nonces(SECRET, ttl_s=300, used_max=3, engine=engine)


def test_a_nonce_used_before_a_restart_stays_used(tmp_path: Path) -> None:
    first = _worker(tmp_path)
    nonce, _ = first.give(NOW)
    first.take(nonce, NOW)
    first.close()
    with pytest.raises(SignInRefused, match="used before"):
        _worker(tmp_path).take(nonce, NOW + 1)


def test_a_nonce_is_good_once_among_all_workers(tmp_path: Path) -> None:
    giver, taker, other = (_worker(tmp_path) for _ in range(3))
    nonce, _ = giver.give(NOW)
    taker.take(nonce, NOW)
    for worker in (giver, other):
        with pytest.raises(SignInRefused, match="used before"):
            worker.take(nonce, NOW)
