"""For whoever audits: every closed points epoch again, from the providers' signed batches alone.

Nothing that the intake derived is read: not its balances, not its claimed acts, not its roots. A batch
whose signature is not its provider's is refused, an act that stands twice is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from registry.personal.acts import ActBatch, require_signed
from registry.personal.intake import BatchRow
from registry.personal.methods import METHODS, Method
from registry.personal.points import Claims, DayKey, EpochResult, SignedBatch, close_epoch
from registry.signing import Domain


def recompute_epochs(
    engine: Engine, domain: Domain, methods: Sequence[Method] = METHODS
) -> Iterator[EpochResult]:
    """Yield every closed epoch as its batches give it, in order.

    Raises
    ------
    BatchSignatureInvalid :
        A batch is not what its provider signed.
    ActAlreadyClaimed, MeetingClaimedOtherwise :
        Two batches, of one epoch or of two, claim the same act.
    """
    claims = Claims()
    earned_g: dict[DayKey, int] = {}
    with Session(engine) as session:
        query = select(BatchRow).where(col(BatchRow.epoch).is_not(None))
        rows = session.exec(query.order_by(col(BatchRow.epoch), col(BatchRow.place))).all()
    for epoch, mine in groupby(rows, key=lambda row: row.epoch or 0):
        batches = []
        for row in mine:
            batch = ActBatch.read(row.content.encode())
            require_signed(batch, domain, row.signature)
            claims.take(batch, methods)
            batches.append(SignedBatch(batch, batch.digest(domain)))
        result = close_epoch(epoch, batches, earned_g, methods)
        for key, grams in result.earned_g.items():
            earned_g[key] = earned_g.get(key, 0) + grams
        yield result
