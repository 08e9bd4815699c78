"""Found: batches of green acts and closed epochs were kept as loosely as the projection.

A power cut could take back the last of them after they were answered, and they are on no chain: an epoch that
was published could not be proven any more, an act that had earned could be claimed again.
"""

from __future__ import annotations

from pathlib import Path

from registry.personal.intake import PointsIntake
from registry.projection.store import open_engine
from registry.signing import Domain

FULL = 2


def test_the_intake_flushes_every_commit(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'points.sqlite'}")
    PointsIntake(engine, Domain(1, "0x" + "00" * 20))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() >= FULL
    engine.dispose()
