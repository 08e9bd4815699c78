"""The clearing desk against Clearing in memory: whatever the chain does, each thing happens once."""

from __future__ import annotations

import asyncio

import pytest

from chain.refusals import ChainUnreachable
from exchange.chain_words import run_of, word_of
from exchange.core import records
from exchange.core.codes import CASH, Phase, Reject, ReportKind, Side, Status
from exchange.core.records import reports_of
from exchange.gateway.rendering import alarms
from exchange.recompute import expected_in_clearing, rebuild
from exchange.refusals import ChainBehindJournal, JournalBehindChain
from exchange.words import account_text
from tests.exchange.conftest import Exchange, Running
from tests.exchange.fakes import FakeClearing
from tests.exchange.world import ACCOUNTS, ANNA, BERT, CARL, OTHER_UNIT, UNIT, listing


def matches_chain(running: Running) -> bool:
    """Whether the engine's totals are those of Clearing, when nothing is under way."""
    held = {(each.account, each.asset): each.available + each.reserved for each in running.venue.balances()}
    return all(
        held.get((account, CASH), 0) == running.clearing.cash[account]
        and held.get((account, UNIT), 0) == running.clearing.units[account, UNIT]
        for account in ACCOUNTS
    )


async def test_an_epoch_goes_to_the_chain_and_comes_back_settled(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await running.trade(10, ANNA, BERT)
        await running.close()
        assert running.custody.trade_state(1) == "committed"
        await running.desk.round()
        assert running.custody.trade_state(1) == "settled"
        assert running.custody.epochs[0].tx_hash != b""
        assert matches_chain(running)


async def test_a_deposit_seen_twice_is_credited_once(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        before = list(running.venue.balances()), running.custody.snapshot()
        word = word_of(exchange.clearing.blocks[1][0])
        assert word is not None
        await running.do(run_of(running.venue, [word], 5))
        assert (list(running.venue.balances()), running.custody.snapshot()) == before


async def test_two_accounts_may_use_one_deposit_id(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        for account in (ANNA, BERT):
            exchange.clearing.deposit(account, CASH, 5, b"\7" * 32)
        await running.desk.follow()
        assert not running.desk.alarms
        assert matches_chain(running)


async def test_withdrawals_wait_for_the_epoch_that_holds_their_trades(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        early = await running.withdraw(CARL, CASH, 1)
        await running.trade(10, ANNA, BERT)
        late = await running.withdraw(BERT, UNIT, 1_010)
        await running.desk.round()
        withdrawals = running.custody.withdrawals
        assert (withdrawals[early].released, withdrawals[late].released) == (True, False)
        await running.close()
        await running.desk.round()
        assert withdrawals[late].released
        assert matches_chain(running)


async def test_an_answer_that_is_lost_settles_nothing_twice(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await running.trade(10, ANNA, BERT)
        await running.close()
        exchange.clearing.lose_answers = 1
        with pytest.raises(ChainUnreachable):
            await running.desk.round()
        await running.desk.round()
        assert exchange.clearing.settle_calls == 1
        assert matches_chain(running)


async def test_a_crash_between_settling_and_knowing_settles_nothing_twice(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await running.trade(10, ANNA, BERT)
        await running.close()
        name = await running.withdraw(ANNA, CASH, 1_000)
        exchange.clearing.lose_answers = 1
        with pytest.raises(ChainUnreachable):
            await running.desk.round()
    async with exchange.running() as restarted:
        assert restarted.custody.settled_epoch == 0
        exchange.clearing.lose_answers = 1  # and once more, after the release
        with pytest.raises(ChainUnreachable):
            await restarted.desk.round()
        assert exchange.clearing.settle_calls == 1
    async with exchange.running() as again:
        await again.desk.round()
        assert again.custody.withdrawals[name].released
        assert matches_chain(again)


async def test_an_epoch_in_chunks_goes_on_where_a_crash_broke_it_off(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exchange import clearing, netting  # noqa: PLC0415

    monkeypatch.setattr(clearing, "chunked", lambda deltas: netting.chunked(deltas, 1))
    async with exchange.funded() as running:
        await running.trade(10, ANNA, BERT)
        await running.trade(10, CARL, BERT)
        await running.close()
        exchange.clearing.lose_answers = 1
        with pytest.raises(ChainUnreachable):
            await running.desk.round()
        assert exchange.clearing.progress() == (0, 1)
    async with exchange.running() as restarted:
        await restarted.desk.round()
        assert exchange.clearing.settle_calls == 3
        assert matches_chain(restarted)


async def test_a_chain_that_is_down_raises_an_alarm_and_loses_nothing(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await running.trade(10, ANNA, BERT)
        await running.close()
        exchange.clearing.down = True
        desk = asyncio.create_task(running.desk.run())
        await running.sequencer.until(lambda: False, 0.4)
        assert running.desk.alarms["clearing"].refusal.code == "ChainUnreachable"
        assert running.desk.alarms["clearing"].attempts >= 2
        exchange.clearing.down = False
        assert await running.sequencer.until(lambda: running.custody.settled_epoch == 1, 5)
        await asyncio.sleep(0.05)
        assert not running.desk.alarms
        desk.cancel()
        assert matches_chain(running)


async def test_a_frozen_account_does_not_hold_up_the_others(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        names = [await running.withdraw(account, CASH, 10) for account in ACCOUNTS]
        exchange.clearing.frozen = {BERT}
        await running.desk.round()
        withdrawals = running.custody.withdrawals
        assert [withdrawals[name].released for name in names] == [True, False, True, True]
        stuck = running.desk.stuck[names[1]]
        assert (stuck.refusal.code, stuck.attempts) == ("LedgerAccountFrozen", 1)
        exchange.clearing.frozen = set()
        stuck.again_at_s = 0
        await running.desk.round()
        assert withdrawals[names[1]].released
        assert not running.desk.stuck
        assert matches_chain(running)


async def test_a_forced_exit_is_taken_over_once_and_its_orders_leave_the_book(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        order = await running.place(ANNA, Side.BUY, 5_000, 100)
        name = await running.withdraw(ANNA, CASH, 300_000)
        exchange.clearing.exit(ANNA, 1_000_000)
        await running.desk.follow()
        row = running.venue.history.order(order)
        assert row is not None
        assert row.status == Status.CANCELLED
        assert running.custody.withdrawals[name].released
        assert not running.custody.unreleased
        assert not alarms(running.venue, running.sequencer, running.desk)
        assert matches_chain(running)
        exited = word_of(exchange.clearing.blocks[-1][0])
        assert exited is not None
        assert run_of(running.venue, [exited], 6) == b"", "a second time there is nothing to do"
    assert expected_in_clearing(rebuild(exchange.journal)) == {
        **{(account, UNIT): 1_000 for account in ACCOUNTS},
        **{(account, CASH): 1_000_000 for account in ACCOUNTS if account != ANNA},
    }


async def test_an_exit_with_what_trades_had_used_is_an_alarm_also_after_a_restart(
    exchange: Exchange,
) -> None:
    async with exchange.funded() as running:
        await running.trade(10, BERT, ANNA)
        exchange.clearing.exit(ANNA, 1_000_000)
        await running.desk.follow()
    async with exchange.running() as restarted:
        (alarm,) = alarms(restarted.venue, restarted.sequencer, restarted.desk)
        assert (alarm["code"], alarm["facts"]["missing"]) == ("ChainDisagrees", "1000")


async def test_a_release_that_the_exchange_did_not_ask_for_is_an_alarm(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        args = {"account": account_text(ANNA), "requestId": "0x" + "77" * 32, "amountFen": 5}
        exchange.clearing.mine("CashWithdrawn", args)
        await running.desk.follow()
        assert running.desk.alarms["CashWithdrawn"].refusal.code == "ChainDisagrees"


async def test_another_root_on_chain_is_an_alarm_and_settles_nothing(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await running.trade(10, ANNA, BERT)
        await running.close()
        args = {"epoch": 1, "tapeRoot": "0x" + "77" * 32, "chunks": 1}
        exchange.clearing.mine("EpochSettled", args)
        await running.desk.follow()
        assert running.desk.alarms["TapeRootDiffers"].refusal.facts["epoch"] == 1
        assert running.custody.settled_epoch == 0


async def test_a_journal_that_lost_a_settled_epoch_sends_nothing(exchange: Exchange) -> None:
    exchange.clearing.settled = 3
    async with exchange.funded() as running:
        await running.trade(10, ANNA, BERT)
        await running.close()
        with pytest.raises(JournalBehindChain) as refusal:
            await running.desk.round()
        assert refusal.value.facts == {"settled_epoch": 3, "closed_epochs": 1}


async def test_a_chain_that_lost_blocks_is_not_followed(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        running.desk.port = FakeClearing()
        with pytest.raises(ChainBehindJournal) as refusal:
            await running.desk.follow()
        assert refusal.value.facts == {"chain_block": 0, "journal_block": 8}


async def test_what_nobody_has_listed_is_credited_and_stays_closed_until_somebody_lists_it(
    exchange: Exchange,
) -> None:
    exchange.clearing.deposit(b"N" * 20, OTHER_UNIT, 70)
    async with exchange.funded() as running:
        venue = running.venue
        number = venue.instrument(OTHER_UNIT)
        assert venue.engine.tonnes(venue.participant(b"N" * 20), number).available == 70
        assert venue.engine.rules(number).phase == Phase.CLOSED
        await running.do(records.list_instrument(OTHER_UNIT, 5, 10, 1_000))
        assert running.custody.listed[number - 1] == (OTHER_UNIT, 5, 10, 1_000)


async def test_a_deposit_that_the_engine_cannot_count_is_an_alarm(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        exchange.clearing.deposit(ANNA, CASH, 2**127 - 1)
        await running.desk.follow()
        alarm = running.desk.alarms["DepositRejected"].refusal
        assert alarm.facts == {
            "code": Reject.AMOUNT_OUT_OF_RANGE,
            "held": "4000000",
            "amount": str(2**127 - 1),
        }


async def test_fees_are_settled_on_chain_with_the_trades(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        collector = running.venue.participant(CARL)
        await running.do(records.set_rules(1, maker_ppm=10_000, taker_ppm=20_000, fee_participant=collector))
        await running.trade(10, ANNA, BERT)
        await running.close()
        await running.desk.round()
        cash = running.clearing.cash
        assert [cash[each] for each in (ANNA, BERT, CARL)] == [1_000_990, 998_980, 1_000_030]
        assert matches_chain(running)


async def test_an_exit_between_other_events_of_a_window_sees_those_before_it(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        name = await running.withdraw(ANNA, CASH, 400_000)
        exchange.clearing.release([running.custody.withdrawals[name]])
        exchange.clearing.exit(ANNA, 600_000)
        exchange.clearing.deposit(ANNA, CASH, 7)
        await running.desk.follow()
        (taken,) = running.custody.exits.values()
        assert (taken.paid_out, taken.debited, taken.missing) == (0, 600_000, 0)
        assert matches_chain(running)


async def test_listing_what_is_listed_says_its_number_again(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        (report,) = reports_of(await running.sequencer.submit(listing()))
        assert (report.kind, report.instrument, report.flags) == (ReportKind.LISTED, 1, 1)
