"""Reading the projection: pages in a stable order, and single records by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, tuple_
from sqlmodel import Session, col, func, select

from api.fields import Schema
from api.paging import Page, PageRequest, write_cursor
from api.problems import NotFound
from api.schemas import records
from registry.projection import tables

Answer = TypeVar("Answer", bound=Schema)
Row = TypeVar("Row", bound=tables.Table)


def primary_key(table: type[tables.Table]) -> list[Any]:
    """Return the columns that order a table: its key, for a happening the order in which things happened."""
    return list(table.__table__.primary_key.columns)  # type: ignore[attr-defined]


def page_of(
    session: Session,
    table: type[Row],
    answer: type[Answer],
    request: PageRequest,
    where: Sequence[ColumnElement[bool]] = (),
) -> Page[Answer]:
    """Return one page of a table's rows in order of its key; raises CursorMalformed."""
    keys = primary_key(table)
    query = select(table).where(*where).order_by(*keys).limit(request.limit + 1)
    after = request.after(*[key.type.python_type for key in keys])
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    rows = session.exec(query).all()
    shown = rows[: request.limit]
    following = None
    if len(rows) > request.limit:
        following = write_cursor(tuple(getattr(shown[-1], key.key) for key in keys))
    return Page(items=[answer.model_validate(row) for row in shown], next_cursor=following)


def one_of(session: Session, table: type[Row], answer: type[Answer], **equal: Any) -> Answer | None:
    """Return the last record whose columns equal these values; None when there is none."""
    where = [col(getattr(table, name)) == value for name, value in equal.items()]
    newest = [key.desc() for key in primary_key(table)]
    row = session.exec(select(table).where(*where).order_by(*newest).limit(1)).first()
    return None if row is None else answer.model_validate(row)


def finder(table: type[Row], answer: type[Answer], **equal: Any) -> Callable[[Session], Answer | None]:
    """Return `one_of` of these columns, to be asked with a session later."""
    return lambda session: one_of(session, table, answer, **equal)


def get_or_refuse(session: Session, table: type[Row], answer: type[Answer], **key: Any) -> Answer:
    """Return the record of this key; raises NotFound."""
    row = session.get(table, tuple(key.values()))
    if row is None:
        raise NotFound(what=str(table.__tablename__), **key)
    return answer.model_validate(row)


def allocation_done(session: Session, allocation_id: str) -> records.AllocationDone | None:
    """Return an allocation with all its entities."""
    query = select(tables.Allocation).where(col(tables.Allocation.request_id) == allocation_id)
    rows = session.exec(query.order_by(col(tables.Allocation.position))).all()
    if not rows:
        return None
    parts = [records.EntityTonnesRecord(entity=row.entity, quantity_t=row.quantity_t) for row in rows]
    return records.AllocationDone(
        id=allocation_id,
        period=rows[0].period,
        allocations=parts,
        block=rows[0].block,
        tx_hash=rows[0].tx_hash,
        timestamp_utc=rows[0].timestamp_utc,
    )


def mint_done(session: Session, mint_id: str) -> records.MintDone | None:
    """Return a mint with all its credits."""
    movement = tables.CashMovement
    query = select(movement).where(col(movement.request_id) == mint_id, col(movement.kind) == "minted")
    rows = session.exec(query.order_by(col(movement.position))).all()
    if not rows:
        return None
    return records.MintDone(
        id=mint_id,
        credits=[records.CreditRecord(account=row.account, amount_fen=row.amount_fen) for row in rows],
        block=rows[0].block,
        tx_hash=rows[0].tx_hash,
        timestamp_utc=rows[0].timestamp_utc,
    )


def balances_of(session: Session, account: str) -> records.Balances:
    """Return everything that an account has on chain, in its registry and its trading account."""
    held_query = select(tables.Holding).where(col(tables.Holding.account) == account)
    held = {row.unit: row.quantity_t for row in session.exec(held_query)}
    trading_query = select(tables.TradingBalance).where(col(tables.TradingBalance.account) == account)
    trading = {row.asset: row.amount for row in session.exec(trading_query)}
    cash_trading_fen = trading.pop(tables.CASH, 0)
    cash = session.get(tables.CashHolding, account)
    points = session.get(tables.PointsHolding, account)
    return records.Balances(
        account=account,
        units=[
            records.UnitBalance(unit=unit, held_t=held.get(unit, 0), trading_t=trading.get(unit, 0))
            for unit in sorted(held.keys() | trading.keys())
        ],
        cash_held_fen=0 if cash is None else cash.amount_fen,
        cash_trading_fen=cash_trading_fen,
        points_g=0 if points is None else points.amount_g,
    )


def accounts_by_kind(session: Session) -> dict[str, int]:
    """Return how many accounts there are of each kind."""
    query = select(tables.Account.kind, func.count()).group_by(tables.Account.kind)
    return {kind: int(count) for kind, count in session.exec(query)}
