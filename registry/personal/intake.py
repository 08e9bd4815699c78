"""The intake: where providers' batches of green acts are kept until an epoch is closed, and after.

These tables are no projection: the acts are not on chain and never will be. They are kept in a database of
their own. A batch is taken in once; an epoch is closed once, and asked again gives the same result, so that a
crash between closing and publishing loses nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Engine, LargeBinary, MetaData, String, Text, event, func, insert, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col, select

from registry.personal.acts import ActBatch, require_signed
from registry.personal.merkle_sum import Balance
from registry.personal.methods import METHODS, Method, method_for
from registry.personal.points import Claims, DayKey, EpochResult, SignedBatch, close_epoch
from registry.refusals import ActRefused, BatchConflict, PointsEpochRefused, ProviderUnaccredited
from registry.signing import Domain

ACT_AGE_MAX_S: Final = 90 * 24 * 3600
_KEYS_A_QUERY: Final = 500


class Table(SQLModel):
    """The root of the intake's tables, with a catalogue of their own."""

    metadata: ClassVar[MetaData] = MetaData()


class BatchRow(Table, table=True):
    """A batch as it came in; `epoch` once one was closed over it."""

    __tablename__ = "intake_batches"

    batch_id: str = Field(primary_key=True, sa_type=String(66))
    place: int = Field(sa_type=BigInteger, unique=True)
    provider: str = Field(sa_type=String(42), index=True)
    acts: int
    content: str = Field(sa_type=Text)
    signature: bytes = Field(sa_type=LargeBinary)
    digest: str = Field(sa_type=String(66))
    received_utc: int = Field(sa_type=BigInteger)
    epoch: int | None = Field(default=None, sa_type=BigInteger, index=True)


class NullifierRow(Table, table=True):
    """An act that is claimed."""

    __tablename__ = "intake_nullifiers"

    nullifier: str = Field(primary_key=True, sa_type=String(66))
    batch_id: str = Field(sa_type=String(66))


class MeetingRow(Table, table=True):
    """A meeting, and how it is counted."""

    __tablename__ = "intake_meetings"

    meeting: str = Field(primary_key=True, sa_type=String(66))
    basis: str = Field(sa_type=String(20))
    batch_id: str = Field(sa_type=String(66))


class EarnedRow(Table, table=True):
    """What an epoch credited to a person, day and kind of act."""

    __tablename__ = "intake_earned"

    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    person: str = Field(primary_key=True, sa_type=String(42), index=True)
    day: int = Field(primary_key=True)
    kind: str = Field(primary_key=True, sa_type=String(60))
    quantity_g: int = Field(sa_type=BigInteger)


class ClosedRow(Table, table=True):
    """A closed epoch; its balances follow from the batches and are kept so that proofs are quick."""

    __tablename__ = "intake_epochs"

    epoch: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: str = Field(sa_type=String(66))
    total_g: int = Field(sa_type=BigInteger)
    people: int
    batches_root: str = Field(sa_type=String(66))


class BalanceRow(Table, table=True):
    """What a person earned in an epoch; `place` is the leaf's index."""

    __tablename__ = "intake_balances"

    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    place: int = Field(primary_key=True)
    person: str = Field(sa_type=String(42), index=True)
    quantity_g: int = Field(sa_type=BigInteger)


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a batch was taken in; `created` is False for a retry. `epoch` once one was closed over it."""

    batch_id: bytes
    digest: bytes
    acts: int
    created: bool
    epoch: int | None


class PointsIntake:
    """The kept batches and closed epochs.

    Parameters
    ----------
    engine :
        A database of its own (`registry.projection.store.open_engine`): a rebuild of the projection leaves
        it alone.
    domain :
        Of the MicroCarat contract, which batches are signed for.
    """

    def __init__(self, engine: Engine, domain: Domain, methods: Sequence[Method] = METHODS) -> None:
        self._engine = engine
        self._domain = domain
        self._methods = methods
        self._writing = threading.Lock()
        self._closed: dict[int, EpochResult] = {}
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _flush_every_commit)
        Table.metadata.create_all(engine)

    def accept(
        self, batch: ActBatch, signature: bytes, received_utc: int, is_accredited: Callable[[str], bool]
    ) -> Receipt:
        """Take in a provider's batch, all of it or nothing; a retry changes nothing.

        Raises
        ------
        BatchConflict :
            The id names another batch already.
        ProviderUnaccredited, BatchSignatureInvalid :
            The provider may not, or did not, sign it.
        MethodUnknown, ActRefused :
            An act that earns nothing, lies ahead, or is older than `ACT_AGE_MAX_S`.
        ActAlreadyClaimed, MeetingClaimedOtherwise :
            An act that was claimed before.
        """
        with self._writing:
            try:
                return self._accept(batch, signature, received_utc, is_accredited)
            except IntegrityError:  # another process was quicker: now its rows are seen and named
                return self._accept(batch, signature, received_utc, is_accredited)

    def close(self, epoch: int) -> EpochResult:
        """Close the epoch over every batch that waits; a closed one is answered as it was.

        Raises
        ------
        PointsEpochRefused :
            It is not the next epoch, or nobody earned anything: then nothing is closed.
        """
        with self._writing, Session(self._engine) as session:
            last = session.exec(select(func.max(ClosedRow.epoch))).one() or 0
            if epoch != last + 1:
                if 0 < epoch <= last:
                    return self._stored(session, epoch)
                raise PointsEpochRefused(reason="out of order", expected=last + 1, got=epoch)
            rows = session.exec(_waiting()).all()
            batches = [_signed(row) for row in rows]
            result = close_epoch(epoch, batches, self._earned(session, batches), self._methods)
            _keep(session, result)
            mine = (col(BatchRow.epoch).is_(None), col(BatchRow.place) <= rows[-1].place)
            session.execute(update(BatchRow).where(*mine).values(epoch=epoch))
            session.commit()
            self._closed[epoch] = result
            return result

    def result(self, epoch: int) -> EpochResult:
        """Return a closed epoch; raises PointsEpochRefused."""
        with Session(self._engine) as session:
            return self._stored(session, epoch)

    def waiting(self) -> int:
        """Return the number of batches that the next epoch will be closed over."""
        with Session(self._engine) as session:
            query = select(func.count()).select_from(BatchRow).where(col(BatchRow.epoch).is_(None))
            return session.exec(query).one()

    def find(self, batch_id: bytes) -> Receipt | None:
        """Return what became of a batch, or None."""
        with Session(self._engine) as session:
            row = session.get(BatchRow, "0x" + batch_id.hex())
            return None if row is None else _receipt(row, created=False)

    def earned_by(self, person: str) -> list[tuple[int, int]]:
        """Return what a person earned: (epoch, grams), oldest first."""
        query = select(BalanceRow.epoch, BalanceRow.quantity_g).where(BalanceRow.person == person)
        with Session(self._engine) as session:
            return sorted((epoch, grams) for epoch, grams in session.exec(query))

    def _accept(
        self, batch: ActBatch, signature: bytes, received_utc: int, is_accredited: Callable[[str], bool]
    ) -> Receipt:
        batch_id = "0x" + batch.batch_id.hex()
        content = batch.content().decode()
        with Session(self._engine) as session:
            row = session.get(BatchRow, batch_id)
            if row is not None:
                if row.content != content:
                    raise BatchConflict(batch=batch_id, provider=row.provider)
                return _receipt(row, created=False)
            if not is_accredited(batch.provider):
                raise ProviderUnaccredited(provider=batch.provider)
            require_signed(batch, self._domain, signature)
            claims = self._take(session, batch, received_utc)
            last = session.exec(select(func.max(BatchRow.place))).one() or 0
            row = BatchRow(
                batch_id=batch_id,
                place=last + 1,
                provider=batch.provider,
                acts=len(batch.acts),
                content=content,
                signature=signature,
                digest="0x" + batch.digest(self._domain).hex(),
                received_utc=received_utc,
            )
            session.add(row)
            fresh = [
                {"nullifier": "0x" + nullifier.hex(), "batch_id": batch_id}
                for nullifier, owner in claims.claimed.items()
                if owner == batch.batch_id
            ]
            session.execute(insert(NullifierRow), fresh)
            meetings = [
                {"meeting": "0x" + meeting.hex(), "basis": basis, "batch_id": batch_id}
                for meeting, (basis, owner) in claims.meetings.items()
                if owner == batch.batch_id
            ]
            if meetings:
                session.execute(insert(MeetingRow), meetings)
            session.commit()
            return _receipt(row, created=True)

    def _take(self, session: Session, batch: ActBatch, received_utc: int) -> Claims:
        """Return the claims with those of the batch, which are new; raises what `accept` says."""
        for act in batch.acts:
            if not received_utc - ACT_AGE_MAX_S <= act.at_utc <= received_utc:
                raise ActRefused(reason="time", act=act.act_id, at_utc=act.at_utc, received_utc=received_utc)
        methods = [method_for(act.kind, act.at_utc, self._methods) for act in batch.acts]
        nullifiers = [act.nullifier(method) for act, method in zip(batch.acts, methods, strict=True)]
        claimed = {
            _raw(row.nullifier): _raw(row.batch_id)
            for row in _find_all(session, NullifierRow, NullifierRow.nullifier, nullifiers)
        }
        meetings = {
            _raw(row.meeting): (row.basis, _raw(row.batch_id))
            for row in _find_all(
                session, MeetingRow, MeetingRow.meeting, [act.meeting() for act in batch.acts]
            )
        }
        claims = Claims(claimed, meetings)
        claims.take(batch, self._methods)
        return claims

    def _earned(self, session: Session, batches: Iterable[SignedBatch]) -> Mapping[DayKey, int]:
        people = sorted({act.person for signed in batches for act in signed.batch.acts})
        earned_g: dict[DayKey, int] = {}
        for start in range(0, len(people), _KEYS_A_QUERY):
            some = col(EarnedRow.person).in_(people[start : start + _KEYS_A_QUERY])
            for row in session.exec(select(EarnedRow).where(some)):
                key = (row.person, row.day, row.kind)
                earned_g[key] = earned_g.get(key, 0) + row.quantity_g
        return earned_g

    def _stored(self, session: Session, epoch: int) -> EpochResult:
        known = self._closed.get(epoch)
        if known is not None:
            return known
        row = session.get(ClosedRow, epoch)
        if row is None:
            raise PointsEpochRefused(reason="not closed", epoch=epoch)
        mine = select(BalanceRow).where(BalanceRow.epoch == epoch)
        balances = session.exec(mine.order_by(col(BalanceRow.place)))
        earned = session.exec(select(EarnedRow).where(EarnedRow.epoch == epoch))
        result = EpochResult(
            epoch=epoch,
            balances=tuple(Balance(balance.person, balance.quantity_g) for balance in balances),
            batches_root=_raw(row.batches_root),
            earned_g={(each.person, each.day, each.kind): each.quantity_g for each in earned},
        )
        if result.tree.root != _raw(row.root):
            raise PointsEpochRefused(reason="balances were altered", epoch=epoch, root=row.root)
        return self._closed.setdefault(epoch, result)


def _flush_every_commit(connection: Any, _record: Any) -> None:
    """Keep what was answered over a power cut: these tables cannot be read from the chain again."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _waiting() -> Any:
    return select(BatchRow).where(col(BatchRow.epoch).is_(None)).order_by(col(BatchRow.place))


def _signed(row: BatchRow) -> SignedBatch:
    return SignedBatch(ActBatch.read(row.content.encode()), _raw(row.digest))


def _receipt(row: BatchRow, *, created: bool) -> Receipt:
    return Receipt(_raw(row.batch_id), _raw(row.digest), row.acts, created, row.epoch)


def _raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _find_all(session: Session, model: Any, column: Any, keys: Sequence[bytes]) -> Iterable[Any]:
    texts = sorted({"0x" + key.hex() for key in keys})
    for start in range(0, len(texts), _KEYS_A_QUERY):
        yield from session.exec(select(model).where(col(column).in_(texts[start : start + _KEYS_A_QUERY])))


def _keep(session: Session, result: EpochResult) -> None:
    closed = ClosedRow(
        epoch=result.epoch,
        root="0x" + result.tree.root.hex(),
        total_g=result.tree.total_g,
        people=result.people,
        batches_root="0x" + result.batches_root.hex(),
    )
    session.add(closed)
    balances = [
        {"epoch": result.epoch, "place": place, "person": balance.person, "quantity_g": balance.quantity_g}
        for place, balance in enumerate(result.balances)
    ]
    session.execute(insert(BalanceRow), balances)
    earned = [
        {"epoch": result.epoch, "person": person, "day": day, "kind": kind, "quantity_g": grams}
        for (person, day, kind), grams in result.earned_g.items()
    ]
    session.execute(insert(EarnedRow), earned)
