"""Commands in and reports out, over real sockets and the real engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from exchange.binary import wire
from exchange.binary.refusals import GatewayRefused
from exchange.core import records
from exchange.core.codes import CommandKind, Reason, Reject, ReportKind, Side, TimeInForce
from exchange.core.records import Report, reports_of
from tests.exchange.binary.conftest import Exchange, hear, hear_nothing, kinds, opened, until
from tests.exchange.binary.fakes import ANNA, BERT, CARL, OTHER_UNIT
from tests.exchange.core.streams import order_id

K = ReportKind
LAST = order_id(2**64)


def buy(number: int, quantity: int = 5, price: int = 100, **more: int) -> bytes:
    return records.new_order(order_id(number), 0, 1, Side.BUY, quantity, price, **more)  # type: ignore[arg-type]


def sell(number: int, quantity: int = 5, price: int = 100, **more: int) -> bytes:
    return records.new_order(order_id(number), 0, 1, Side.SELL, quantity, price, **more)  # type: ignore[arg-type]


def has(kind: ReportKind, count: int = 1, name: bytes = b"") -> Callable[[list[Report]], bool]:
    return lambda heard: sum(each.kind == kind and name in (b"", each.id) for each in heard) >= count


async def test_an_order_is_answered(exchange: Exchange) -> None:
    async with await exchange.connect() as client:
        await client.send(buy(1))
        heard = await hear(client, has(K.RESTED))
        assert kinds(heard) == [K.ACCEPTED, K.RESTED]
        assert heard[0].id == order_id(1)
        assert heard[0].participant == 1
        assert heard[0].at_us > 1_600_000_000_000_000


async def test_both_sides_of_a_trade_hear_their_half_once(exchange: Exchange) -> None:
    async with await exchange.connect(ANNA) as anna, await exchange.connect(BERT) as bert:
        await anna.send(buy(1))
        await hear(anna, has(K.RESTED))
        await bert.send(sell(2))
        taker = await hear(bert, has(K.FILLED))
        assert kinds(taker) == [K.ACCEPTED, K.TRADE, K.FILLED]
        assert (taker[1].participant, taker[1].other) == (2, 0)
        maker = await hear(anna, has(K.TRADE))
        assert kinds(maker) == [K.TRADE]
        assert (maker[0].other_id, maker[0].other, maker[0].participant) == (order_id(1), 1, 0)
        await hear_nothing(anna)
        await hear_nothing(bert)


async def test_pipelined_runs_are_answered_in_order_with_the_gateways_own_answers(exchange: Exchange) -> None:
    async with await exchange.connect() as client:
        exchange.sequencer.hold()
        foreign = records.cancel(order_id(1), 2)
        for number in range(1, 21):
            await client.send(buy(number) + foreign + bytes([99]) + bytes(63))
            await client.send(wire.heartbeat(order_id(number)))
            await asyncio.sleep(0.002)
        exchange.sequencer.go_on()
        heard = await hear(client, has(K.REJECTED, 40))
        assert [each.kind for each in heard] == [1, 2, 10, 10] * 20
        assert [each.id for each in heard if each.kind == K.ACCEPTED] == [order_id(n) for n in range(1, 21)]
        codes = [(each.code, each.sequence) for each in heard if each.kind == K.REJECTED]
        assert codes == [(Reject.UNKNOWN_PARTICIPANT, 0), (Reject.UNKNOWN_KIND, 0)] * 20
        assert len(exchange.sequencer.batches[-1]) == 20 * 2 * 128


async def test_refused_records_alone_are_answered_at_once(exchange: Exchange) -> None:
    async with await exchange.connect() as client:
        await client.send(records.register(b"\x09" * 20))
        (report,) = await hear(client, has(K.REJECTED))
        assert (report.code, report.a, report.sequence) == (Reject.UNKNOWN_KIND, CommandKind.REGISTER, 0)
        assert exchange.sequencer.venue.engine.participant(b"\x09" * 20) == 0


async def test_nobody_can_act_for_somebody_else(exchange: Exchange) -> None:
    async with await exchange.connect(ANNA) as anna, await exchange.connect(BERT) as bert:
        await anna.send(buy(1))
        await hear(anna, has(K.RESTED))
        await bert.send(records.cancel(order_id(1), 1) + records.cancel(order_id(1), 0))
        heard = await hear(bert, has(K.REJECTED, 2))
        assert [each.code for each in heard] == [Reject.UNKNOWN_PARTICIPANT, Reject.ORDER_UNKNOWN]
        await hear_nothing(anna)


async def test_terms_wait_for_their_order(exchange: Exchange) -> None:
    async with await exchange.connect(ANNA) as anna, await exchange.connect(BERT) as bert:
        iceberg = buy(1, 50, display=10)
        await anna.send(buy(2) + iceberg[:64])
        await hear(anna, has(K.RESTED))
        await bert.send(buy(3))
        assert kinds(await hear(bert, has(K.RESTED))) == [K.ACCEPTED, K.RESTED]
        await anna.send(iceberg[64:])
        heard = await hear(anna, has(K.RESTED))
        assert kinds(heard) == [K.TERMS_STAGED, K.ACCEPTED, K.RESTED]
        assert heard[0].sequence + 1 == heard[1].sequence


async def test_terms_that_nobody_follows_are_dropped_with_the_session(exchange: Exchange) -> None:
    runs = len(exchange.sequencer.runs)
    async with await exchange.connect() as client:
        await client.send(buy(1, display=1)[:64])
        await hear_nothing(client)
    assert len(exchange.sequencer.runs) == runs


async def test_what_others_cause_is_heard_without_asking(exchange: Exchange) -> None:
    async with await exchange.connect() as client:
        now_us = exchange.sequencer.now_us()
        soon_us = now_us + 1_000_000
        await client.send(buy(1, tif=TimeInForce.GTD, expiry_us=soon_us) + sell(2, 50, 120, display=10))
        await hear(client, has(K.RESTED, 2))
        submit = exchange.sequencer.submit
        await submit(records.advance(soon_us + 1))
        await submit(records.new_order(order_id(3), 2, 1, Side.BUY, 10, 120))
        await submit(records.kill(1, on=True))
        heard = await hear(client, has(K.KILL_SET))
        assert kinds(heard) == [K.EXPIRED, K.TRADE, K.REPLENISHED, K.CANCELLED, K.KILL_SET]
        assert heard[3].code == Reason.KILLED


async def test_money_that_comes_in_and_new_instruments_are_heard_of(exchange: Exchange) -> None:
    async with await exchange.connect() as client:
        await exchange.sequencer.give(1, 0, 500)
        await exchange.sequencer.give(2, 0, 500)
        await exchange.sequencer.list_unit(OTHER_UNIT)
        credit, listed = await hear(client, has(K.LISTED))
        assert (credit.kind, credit.participant, credit.a) == (K.CREDITED, 1, 500)
        assert (listed.kind, listed.instrument) == (K.LISTED, 2)


async def test_another_session_of_the_account_hears_of_its_orders_but_not_of_its_mistakes(
    exchange: Exchange,
) -> None:
    async with await exchange.connect() as one, await exchange.connect() as two:
        await one.send(buy(1) + buy(1) + records.cancel(order_id(9), 0) + records.cancel(order_id(1), 0))
        heard = await hear(one, has(K.CANCELLED))
        assert kinds(heard) == [K.ACCEPTED, K.RESTED, K.DUPLICATE, K.REJECTED, K.CANCELLED]
        assert kinds(await hear(two, has(K.CANCELLED))) == [K.ACCEPTED, K.RESTED, K.CANCELLED]
        await hear_nothing(one)
        await hear_nothing(two)


async def test_what_happened_in_one_batch_is_told_in_its_order(exchange: Exchange) -> None:
    """A fill that comes right after the order, in the batch of its acceptance, is not told before it."""
    async with await exchange.connect(ANNA) as anna, await exchange.connect(BERT) as bert:
        exchange.sequencer.hold()
        runs = exchange.sequencer.runs
        for member, run in ((anna, buy(1)), (bert, sell(2, 2)), (anna, buy(3)), (bert, sell(4, 3))):
            begun = len(runs)
            await member.send(run)
            await until(lambda begun=begun: len(runs) > begun)  # type: ignore[misc]
        exchange.sequencer.go_on()
        heard = await hear(anna, has(K.TRADE, 2))
        assert kinds(heard) == [K.ACCEPTED, K.RESTED, K.TRADE, K.ACCEPTED, K.RESTED, K.TRADE]
        await hear(bert, has(K.FILLED, 2))


async def test_everybody_hears_everything_once_and_in_order(exchange: Exchange) -> None:
    """The law, over a random market of three members, four sessions and pipelined runs."""
    rng = random.Random(7)
    exchange.sequencer.delay_s = 0.001
    accounts = [ANNA, BERT, CARL, CARL]
    clients = [await exchange.connect(account) for account in accounts]
    begun = len(exchange.sequencer.batches)

    async def trade(at: int) -> None:
        for round_ in range(60):
            run = b""
            for _ in range(rng.randrange(1, 6)):
                number = at * 10_000 + round_ * 10 + rng.randrange(12)
                make = rng.choice((buy, sell))
                run += make(number + 1, rng.randrange(1, 9), 100 + rng.randrange(-3, 4))
                if rng.random() < 0.2:
                    run += records.cancel(order_id(number), 0)
            await clients[at].send(run)
            if rng.random() < 0.5:
                await asyncio.sleep(0.001 * rng.random())
        await clients[at].send(records.cancel(LAST, 0))

    inboxes: list[list[Report]] = [[] for _ in clients]

    async def listen(at: int) -> None:
        while True:
            inboxes[at].extend(reports_of(await clients[at].receive()))

    listening = [asyncio.create_task(listen(at)) for at in range(4)]
    await asyncio.gather(*(trade(at) for at in range(4)))
    await until(lambda: all(any(each.id == LAST for each in inbox) for inbox in inboxes))
    await exchange.sequencer.submit(records.set_reference(1, 100))
    await until(lambda: all(inbox[-1].kind == K.REFERENCE_SET for inbox in inboxes))
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    told = [each for batch in exchange.sequencer.batches[begun:] for each in reports_of(batch)]
    for at, inbox in enumerate(inboxes):
        who = accounts.index(accounts[at]) + 1
        assert [each.sequence for each in inbox] == sorted(each.sequence for each in inbox)
        asked = {K.REJECTED, K.DUPLICATE}
        expected = [
            (each.sequence, each.kind, each.number)
            for each in told
            if (who in (each.participant, each.other) or each.kind == K.REFERENCE_SET)
            and each.kind not in asked
        ]
        assert [
            (each.sequence, each.kind, each.number) for each in inbox if each.kind not in asked
        ] == expected
    answers = [{each.sequence for each in inbox if each.kind in asked} for inbox in inboxes]
    assert not answers[2] & answers[3]
    assert set.union(*answers) == {each.sequence for each in told if each.kind in asked}
    for client in clients:
        client.close()


async def test_a_failing_journal_is_the_last_word(exchange: Exchange) -> None:
    async with await exchange.connect() as client:
        exchange.sequencer.hold()
        begun = len(exchange.sequencer.runs)
        await client.send(buy(1))
        await until(lambda: len(exchange.sequencer.runs) > begun)
        exchange.sequencer.fail()
        with pytest.raises(GatewayRefused) as refusal:
            await client.receive()
        assert refusal.value.facts["reason"] == "JOURNAL_UNAVAILABLE"


async def test_an_idle_member_is_told_of_a_failed_journal_too() -> None:
    async with opened(heartbeat_s=0.2) as exchange, await exchange.connect() as client:
        exchange.sequencer.fail()
        with pytest.raises(GatewayRefused) as refusal:
            await client.receive()
        assert refusal.value.facts["reason"] == "JOURNAL_UNAVAILABLE"


async def test_a_retry_after_a_broken_line_tells_what_was_done(exchange: Exchange) -> None:
    client = await exchange.connect()
    await client.send(buy(1))
    client.close()
    async with await exchange.connect() as again:
        await again.send(buy(1))
        heard = await hear(again, has(K.DUPLICATE))
        assert heard[-1].id == order_id(1)


async def open_orders_are(exchange: Exchange, count: int) -> None:
    await until(lambda: exchange.sequencer.venue.engine.counters()["open_orders"] == count)


async def test_orders_go_with_the_line_if_the_client_asked_for_it(exchange: Exchange) -> None:
    async with await exchange.connect(BERT) as bert:
        await bert.send(buy(7, price=10))
        await hear(bert, has(K.RESTED))
        client = await exchange.connect(cancel_on_disconnect=True)
        exchange.sequencer.hold()
        begun = len(exchange.sequencer.runs)
        await client.send(buy(1) + buy(2))
        await until(lambda: len(exchange.sequencer.runs) > begun)
        client._writer.transport.abort()
        await until(lambda: len(exchange.sequencer.runs) > begun + 1)
        exchange.sequencer.go_on()
        await open_orders_are(exchange, 1)
        assert exchange.sequencer.runs[-1][0] == CommandKind.MASS_CANCEL


async def test_orders_stay_if_the_client_did_not(exchange: Exchange) -> None:
    client = await exchange.connect()
    await client.send(buy(1))
    await hear(client, has(K.RESTED))
    client.close()
    await asyncio.sleep(0.05)
    await open_orders_are(exchange, 1)


async def test_orders_go_when_the_gateway_closes(exchange: Exchange) -> None:
    client = await exchange.connect(cancel_on_disconnect=True)
    await client.send(buy(1))
    await hear(client, has(K.RESTED))
    await exchange.gateway.wait_closed(0.2)
    assert exchange.sequencer.venue.engine.counters()["open_orders"] == 0
    client.close()
