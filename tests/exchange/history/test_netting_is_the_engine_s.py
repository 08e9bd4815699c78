"""What the chain is told to move is what moved in the engine: for every participant, asset and fee."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from exchange.core import Engine, records
from exchange.core.codes import ReportFlag, ReportKind, Side
from exchange.history.history import History
from exchange.history.recorder import Recorder
from tests.exchange.core.market import ANNA, BERT, CARL, DORA, SPOT
from tests.exchange.core.streams import Stream, opening, order_id, transfer_id
from tests.exchange.history.reports import told, with_collectors


def assert_moved_alike(engine: Engine, batches: list[bytes], recorder: type[Recorder]) -> History:
    """Check that what came in, less what went out, and the net deltas are what everyone has now."""
    history = History(recorder=recorder)
    for batch in batches:
        history.take(batch)
    has: Counter[tuple[int, int]] = Counter()
    for report in told(batches, ReportKind.CREDITED, ReportKind.DEBITED):
        if not report.flags & ReportFlag.REPEATED:
            sign = 1 if report.kind == ReportKind.CREDITED else -1
            has[report.participant, report.instrument] += sign * report.a
    participants, instruments = (engine.counters()[name] for name in ("participants", "instruments"))
    addresses = {
        report.participant: report.id + report.other_id[:4] for report in told(batches, ReportKind.REGISTERED)
    }
    deltas = history.net(1, history.trades)
    for who in range(1, participants + 1):
        own = [delta for delta in deltas if delta.account == addresses[who]]
        cash = engine.cash(who)
        assert has[who, 0] + sum(delta.cash_fen for delta in own) == cash.available + cash.reserved
        for number in range(1, instruments + 1):
            tonnes = engine.tonnes(who, number)
            moved = sum(delta.quantity_t for delta in own if engine.instrument(delta.unit) == number)
            assert has[who, number] + moved == tonnes.available + tonnes.reserved
    assert sum(delta.cash_fen for delta in deltas) == 0
    return history


@pytest.mark.parametrize("seed", range(12))
def test_the_deltas_of_a_random_stream_are_what_everyone_gained(recorder: type[Recorder], seed: int) -> None:
    rng = Random(seed)
    engine = Engine()
    run = opening(rng) + Stream(rng, wild=0.01).run(600)
    history = assert_moved_alike(engine, with_collectors(engine, run, 50), recorder)
    assert history.trades > 10


def test_an_order_pays_whoever_collected_when_it_came(recorder: type[Recorder]) -> None:
    engine = Engine()
    run = [records.register(bytes([who]) * 20) for who in (ANNA, BERT, CARL, DORA)]
    run += [
        records.list_instrument(1001, tick=1, lot=1, quantity_max=10**6),
        records.credit(ANNA, SPOT, 100, transfer_id(1)),
        records.credit(BERT, 0, 10**6, transfer_id(2)),
        records.set_rules(SPOT, maker_ppm=1_000, taker_ppm=10_000, fee_participant=CARL),
        records.new_order(order_id(1), ANNA, SPOT, Side.SELL, 10, 100),
        records.set_rules(SPOT, maker_ppm=2_000, taker_ppm=20_000, fee_participant=DORA),
        records.new_order(order_id(2), BERT, SPOT, Side.BUY, 10, 100),
    ]
    history = assert_moved_alike(engine, with_collectors(engine, b"".join(run)), recorder)
    (trade,) = history.trades_after(0, 10)
    assert (trade.maker_fee_fen, trade.maker_collector) == (1, CARL)
    assert (trade.taker_fee_fen, trade.taker_collector) == (20, DORA)
