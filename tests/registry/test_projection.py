"""The projection: every event once and in order, and the same again from the chain."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import select

from chain.abi import BUSINESS_CONTRACTS, abi_of
from chain.events import ChainEvent
from chain.refusals import ChainUnreachable
from registry.projection import digest, store, tables
from registry.projection.apply import HANDLERS, UnknownEventError
from registry.projection.store import Projection, open_engine
from registry.projection.totals import cash_total, unit_totals
from registry.refusals import ProjectionRefused
from tests.registry.world import CLEARING, FIRM, OFFSET, OTHER, UNIT, MadeUpChain, a_year, word

IDENTITY = "1/0x01"


def projection_of(chain: MadeUpChain) -> Projection:
    projection = Projection(open_engine("sqlite://"), IDENTITY)
    projection.catch_up(chain)
    return projection


def test_a_year_of_events_gives_the_year_s_rows() -> None:
    projection = projection_of(a_year())
    with projection.session() as session:
        obligation = session.get_one(tables.Obligation, (FIRM, 2026))
        assert (obligation.due_t, obligation.surrendered_t, obligation.offsets_t) == (90, 90, 5)
        assert (obligation.status, obligation.report_id) == ("met", word(21))
        assert session.get_one(tables.Holding, (FIRM, UNIT.text)).quantity_t == 5
        assert session.get_one(tables.TradingBalance, (FIRM, "cash")).amount == 80_000
        assert session.get_one(tables.TradingBalance, (OTHER, UNIT.text)).amount == 10
        assert session.get_one(tables.Period, 2026).allocated_t == 100
        statuses = {report.report_id: report.status for report in session.exec(select(tables.Report))}
        assert statuses == {word(20): "superseded", word(21): "verified"}


def test_every_row_names_the_event_that_changed_it_last() -> None:
    chain = a_year()
    last = chain.events[-1]
    with projection_of(chain).session() as session:
        row = session.get_one(tables.Obligation, (FIRM, 2026))
        assert (row.block, row.log_index, row.tx_hash) == (last.block, last.log_index, last.tx_hash)


def test_every_issued_tonne_is_held_trading_surrendered_or_cancelled() -> None:
    chain = a_year()
    cancelled = {"unitId": UNIT.value, "quantityT": 2, "reason": "neutral\0", "requestId": word(8)}
    chain.tell("CarbonLedger", "UnitsCancelled", account=FIRM, **cancelled)
    chain.transfer(FIRM, "0x" + "0" * 40, 2)
    with projection_of(chain).session() as session:
        totals = {total.unit: total for total in unit_totals(session, CLEARING)}
        assert all(total.balanced for total in totals.values())
        allowance = totals[UNIT.text]
        assert (allowance.issued_t, allowance.held_t, allowance.trading_t) == (100, 3, 10)
        assert (allowance.surrendered_t, allowance.cancelled_t) == (85, 2)
        assert totals[OFFSET.text].surrendered_t == 5
        cash = cash_total(session, CLEARING)
        assert cash.balanced
        assert (cash.minted_fen, cash.trading_fen) == (100_000, 80_000)


def test_a_batch_transfer_moves_each_unit() -> None:
    chain = a_year()
    units = {"ids": [UNIT.value, OFFSET.value, 123], "values": [3, 0, 0]}
    chain.tell("CarbonLedger", "TransferBatch", operator=FIRM, from_=FIRM, to=OTHER, **units)
    with projection_of(chain).session() as session:
        assert session.get_one(tables.Holding, (OTHER, UNIT.text)).quantity_t == 3


def test_a_chunk_that_is_taken_back_leaves_the_balances_as_they_were() -> None:
    chain = a_year().block()
    for sign in (1, -1):
        for account, cash_fen in ((FIRM, -90_000), (OTHER, 90_000)):
            fields = {"unitId": 0, "quantityT": 0, "cashFen": sign * cash_fen}
            chain.tell("Clearing", "AccountSettled", epoch=2, account=account, **fields)
    chain.tell("Clearing", "EpochUnwound", epoch=2, chunksLeft=0)
    with projection_of(chain).session() as session:
        assert session.get_one(tables.TradingBalance, (FIRM, "cash")).amount == 80_000
        assert session.exec(select(tables.Unwinding)).one().chunks_left == 0
        assert session.exec(select(tables.Settlement.unit)).all().count("cash") == 4


def test_a_reported_number_beyond_64_bits_is_kept_as_the_largest() -> None:
    chain = MadeUpChain().publish().report(FIRM, 1, 2**255)
    with projection_of(chain).session() as session:
        assert session.exec(select(tables.Report)).one().reported_t == 2**63 - 1


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(3, 9), max_size=6))
def test_however_the_chain_is_read_the_projection_is_the_same(cuts: list[int]) -> None:
    chain = a_year()
    whole, pieces = projection_of(chain), Projection(open_engine("sqlite://"), IDENTITY)
    for cut in sorted(cuts):
        pieces.catch_up(chain, cut)
    pieces.catch_up(chain)
    assert pieces.catch_up(chain) == 0
    assert digest.digests(pieces.engine) == digest.digests(whole.engine)


MOVES = st.tuples(st.sampled_from([FIRM, OTHER, CLEARING]), st.sampled_from([FIRM, OTHER]), st.integers(0, 5))


@settings(max_examples=20, deadline=None)
@given(quantities_t=st.lists(st.integers(1, 2**79), min_size=1, max_size=4), cut=st.integers(3, 9))
def test_absurd_numbers_stop_nothing_and_depend_on_no_cut(quantities_t: list[int], cut: int) -> None:
    chain = MadeUpChain()
    for quantity_t in quantities_t:
        chain.issue(FIRM, quantity_t).block().surrender(FIRM, quantity_t).block()
    pieces = Projection(open_engine("sqlite://"), IDENTITY)
    pieces.catch_up(chain, cut)
    pieces.catch_up(chain)
    assert digest.digests(pieces.engine) == digest.digests(projection_of(chain).engine)


@settings(max_examples=20, deadline=None)
@given(moves=st.lists(MOVES, max_size=30))
def test_transfers_make_and_lose_nothing(moves: list[tuple[str, str, int]]) -> None:
    chain = MadeUpChain()
    for account in (FIRM, OTHER, CLEARING):
        chain.issue(account, 1_000)
    for sender, recipient, quantity_t in moves:
        chain.block().transfer(sender, recipient, quantity_t)
    with projection_of(chain).session() as session:
        rows = session.exec(select(tables.Holding)).all()
        assert sum(row.quantity_t for row in rows) == 3_000
        assert all(row.quantity_t >= 0 for row in rows)


def test_a_rebuild_from_the_chain_ends_equal(tmp_path: Path) -> None:
    chain = a_year()
    projection = Projection(open_engine(f"sqlite:///{tmp_path / 'p.sqlite'}"), IDENTITY)
    events = projection.catch_up(chain)
    before = digest.digests(projection.engine)
    assert projection.rebuild(chain) == events == len(chain.events)
    assert digest.digests(projection.engine) == before
    projection.engine.dispose()


def test_an_interrupted_reading_changes_nothing_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BLOCKS_A_STEP", 2)
    chain = a_year()
    projection = Projection(open_engine("sqlite://"), IDENTITY)
    chain.unreachable_after = 5
    with pytest.raises(ChainUnreachable):
        projection.catch_up(chain)
    assert projection.block() == 4
    chain.unreachable_after = None
    projection.catch_up(chain)
    assert digest.digests(projection.engine) == digest.digests(projection_of(chain).engine)


def test_two_processes_that_follow_the_chain_apply_every_event_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.sqlite'}"
    first, second = (Projection(open_engine(url), IDENTITY) for _ in range(2))

    class Overtaken(MadeUpChain):
        def read(self, from_block: int, to_block: int | None = None) -> Iterable[ChainEvent]:
            events = list(super().read(from_block, to_block))
            first.catch_up(a_year(), 5)  # after this process has read, and before it writes
            return events

    chain = a_year()
    overtaken = Overtaken()
    overtaken.__dict__.update(chain.__dict__)
    assert second.catch_up(overtaken) == sum(event.block > 5 for event in chain.events)
    assert digest.digests(second.engine) == digest.digests(projection_of(chain).engine)
    first.engine.dispose()
    second.engine.dispose()


def test_a_store_opened_again_goes_on_where_it_stopped(tmp_path: Path) -> None:
    chain = a_year()
    engine = open_engine(f"sqlite:///{tmp_path / 'p.sqlite'}")
    Projection(engine, IDENTITY).catch_up(chain, 4)
    assert Projection(engine, IDENTITY).block() == 4
    engine.dispose()


def test_the_projection_of_another_deployment_is_refused() -> None:
    engine = open_engine("sqlite://")
    Projection(engine, IDENTITY)
    with pytest.raises(ProjectionRefused) as refusal:
        Projection(engine, "2/0x02")
    assert refusal.value.facts["stored"] == IDENTITY


def test_a_projection_ahead_of_the_chain_is_refused() -> None:
    chain = a_year()
    projection = projection_of(chain)
    with pytest.raises(ProjectionRefused) as refusal:
        projection.catch_up(MadeUpChain())
    assert refusal.value.facts["block"] == chain.head()


def test_an_older_layout_is_dropped() -> None:
    engine = open_engine("sqlite://")
    Projection(engine, IDENTITY).catch_up(a_year())
    with engine.begin() as connection:
        connection.execute(text("UPDATE projection_cursor SET layout = '0x00'"))
        connection.execute(text("ALTER TABLE projection_cursor DROP COLUMN block_hash"))  # as it was once
    assert Projection(engine, IDENTITY).block() == -1


def test_an_event_out_of_order_is_our_mistake_and_changes_nothing() -> None:
    chain = a_year()
    chain.events[3], chain.events[4] = chain.events[4], chain.events[3]
    projection = Projection(open_engine("sqlite://"), IDENTITY)
    with pytest.raises(AssertionError):
        projection.catch_up(chain)
    assert projection.block() == -1


def test_an_unknown_event_is_our_mistake() -> None:
    with pytest.raises(UnknownEventError):
        projection_of(MadeUpChain().tell("CarbonLedger", "MoonRose"))


def test_the_digest_names_the_changed_row_and_column() -> None:
    chain = a_year()
    stored, right = projection_of(chain), projection_of(chain)
    assert digest.first_difference(stored.engine, right.engine) is None
    with stored.engine.begin() as connection:
        connection.execute(text("UPDATE holdings SET quantity_t = 6 WHERE quantity_t = 5"))
    found = digest.first_difference(stored.engine, right.engine)
    assert found is not None
    assert str(found) == f"holdings[{FIRM}, {UNIT.text}].quantity_t: stored 6, the chain says 5"


@pytest.mark.parametrize("value", ["1.5", "'much'", "NULL"])
def test_a_value_of_another_type_is_found_too(value: str) -> None:
    stored, right = projection_of(a_year()), projection_of(a_year())
    with stored.engine.begin() as connection:
        connection.execute(text("CREATE TABLE loose AS SELECT * FROM trading_balances"))
        connection.execute(text("DROP TABLE trading_balances"))
        connection.execute(text("ALTER TABLE loose RENAME TO trading_balances"))
        connection.execute(text(f"UPDATE trading_balances SET amount = {value}"))  # noqa: S608
    found = digest.first_difference(stored.engine, right.engine)
    assert found is not None
    assert (found.table, found.column) == ("trading_balances", "amount")


def test_a_row_removed_or_added_is_named() -> None:
    stored, right = projection_of(a_year()), projection_of(a_year())
    with stored.engine.begin() as connection:
        connection.execute(text("DELETE FROM surrenders"))
    found = digest.first_difference(stored.engine, right.engine)
    assert found is not None
    assert (found.table, found.stored) == ("surrenders", None)
    back = digest.first_difference(right.engine, stored.engine)
    assert back is not None
    assert back.right is None


def test_every_event_of_the_contracts_has_its_function() -> None:
    told = {(name, event.name) for name in BUSINESS_CONTRACTS for event in abi_of(name).events.values()}
    assert told <= set(HANDLERS)
