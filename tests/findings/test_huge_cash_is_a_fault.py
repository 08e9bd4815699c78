"""Found: with more cash than 64 bits hold, `/totals` and `/my/trading-account` answered 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from api.fields import INT63_MAX
from api.schemas.market import TradingAccount
from registry.projection import tables
from registry.projection.store import open_engine
from registry.projection.totals import cash_total, unit_totals

_EVENT: dict[str, Any] = {"block": 1, "log_index": 0, "tx_hash": "0x", "timestamp_utc": 0}
UNIT = "allowance-2026"


@pytest.fixture
def session() -> Iterator[Session]:
    engine = open_engine("sqlite://")
    tables.Table.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def test_sums_beyond_64_bits_are_sums(session: Session) -> None:
    for place, account in enumerate(("0xA", "0xB", "0xC")):
        huge = {"account": account, **_EVENT}
        minted = {"kind": "minted", "request_id": "0x", "amount_fen": INT63_MAX - place}
        session.add(tables.CashHolding(amount_fen=INT63_MAX - place, **huge))
        session.add(tables.CashMovement(position=place, **minted, **huge))
        session.add(tables.TradingBalance(asset="cash", amount=INT63_MAX - place, **huge))
        session.add(tables.TradingBalance(asset=UNIT, amount=INT63_MAX - place, **huge))
        session.add(tables.Holding(unit=UNIT, quantity_t=INT63_MAX - place, **huge))
    issued = {"issued_t": 0, "surrendered_t": 0, "cancelled_t": 0}
    session.add(
        tables.Unit(unit=UNIT, kind="allowance", vintage=2026, project=0, batch=0, **issued, **_EVENT)
    )
    session.flush()
    whole = 3 * INT63_MAX - 3
    cash = cash_total(session, "0xClearing")
    assert (cash.minted_fen, cash.held_fen, cash.trading_fen) == (whole, whole, whole)
    (unit,) = unit_totals(session, "0xClearing")
    assert (unit.held_t, unit.trading_t) == (whole, whole)


@given(st.integers(0, 2**256))
def test_an_amount_that_the_exchange_tells_is_shown_up_to_63_bits(amount: int) -> None:
    balance = {"available": amount, "reserved": amount, "tradable": amount}
    told = {"account": "0xA", "balances": {"cash": balance}, "open_orders": 0, "unreleased": []}
    account = TradingAccount.model_validate(orjson.loads(json.dumps(told)))
    assert set(account.balances["cash"].model_dump().values()) == {min(amount, INT63_MAX)}
