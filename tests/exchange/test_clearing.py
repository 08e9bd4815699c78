"""The clearing desk against Clearing in memory: whatever the chain does, each thing happens once."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from chain.refusals import ChainUnreachable
from exchange.clearing import command_of
from exchange.commands import CASH, CloseEpoch, OrderKind, PlaceOrder, RequestWithdrawal, Side
from exchange.recompute import expected_in_clearing, rebuild
from exchange.refusals import ChainBehindJournal, JournalBehindChain
from exchange.rendering import alarms
from exchange.reports import CancelReason
from exchange.state import state_hash
from exchange.wire import account_text
from tests.exchange.conftest import Exchange, Running
from tests.exchange.fakes import FakeClearing
from tests.exchange.world import ACCOUNTS, ANNA, BERT, CARL, UNIT


async def trade(running: Running, quantity_t: int = 10, seller: bytes = ANNA, buyer: bytes = BERT) -> None:
    for account, side in ((seller, Side.SELL), (buyer, Side.BUY)):
        await running.do(PlaceOrder(uuid4().bytes, account, UNIT, side, OrderKind.LIMIT, quantity_t, 100, 5))


async def close(running: Running) -> int:
    number = running.sequencer.state.open_epoch
    await running.do(CloseEpoch(number, 6))
    return number


async def withdraw(running: Running, account: bytes, asset: int, amount: int) -> bytes:
    name = uuid4().bytes
    await running.do(RequestWithdrawal(name, account, asset, amount, 7))
    return name


def matches_chain(running: Running) -> bool:
    """Whether the engine's totals are those of Clearing, when nothing is under way."""
    accounts = running.sequencer.state.ledger.accounts
    return all(
        accounts[account][CASH].available + accounts[account][CASH].reserved == running.clearing.cash[account]
        and accounts[account][UNIT].available + accounts[account][UNIT].reserved
        == running.clearing.units[account, UNIT]
        for account in ACCOUNTS
    )


async def test_an_epoch_goes_to_the_chain_and_comes_back_settled(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await trade(running)
        await close(running)
        state = running.sequencer.state
        assert state.trade_state(state.trades[0]) == "committed"
        await running.desk.round()
        assert state.trade_state(state.trades[0]) == "settled"
        assert state.epochs[0].tx_hash != b""
        assert matches_chain(running)


async def test_a_deposit_seen_twice_is_credited_once(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        before = state_hash(running.sequencer.state)
        credit = command_of(exchange.clearing.blocks[1][0])
        assert credit is not None
        await running.do(credit)
        assert state_hash(running.sequencer.state) == before


async def test_two_accounts_may_use_one_deposit_id(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        for account in (ANNA, BERT):
            exchange.clearing.deposit(account, CASH, 5, b"\7" * 32)
        await running.desk.follow()
        assert not running.desk.alarms
        assert matches_chain(running)


async def test_withdrawals_wait_for_the_epoch_that_holds_their_trades(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        early = await withdraw(running, CARL, CASH, 1)
        await trade(running)
        late = await withdraw(running, BERT, UNIT, 1_010)
        await running.desk.round()
        withdrawals = running.sequencer.state.withdrawals
        assert (withdrawals[early].released, withdrawals[late].released) == (True, False)
        await close(running)
        await running.desk.round()
        assert withdrawals[late].released
        assert matches_chain(running)


async def test_an_answer_that_is_lost_settles_nothing_twice(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await trade(running)
        await close(running)
        exchange.clearing.lose_answers = 1
        with pytest.raises(ChainUnreachable):
            await running.desk.round()
        await running.desk.round()
        assert exchange.clearing.settle_calls == 1
        assert matches_chain(running)


async def test_a_crash_between_settling_and_knowing_settles_nothing_twice(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await trade(running)
        await close(running)
        name = await withdraw(running, ANNA, CASH, 1_000)
        exchange.clearing.lose_answers = 1
        with pytest.raises(ChainUnreachable):
            await running.desk.round()
    async with exchange.running() as restarted:
        assert restarted.sequencer.state.settled_epoch == 0
        exchange.clearing.lose_answers = 1  # and once more, after the release
        with pytest.raises(ChainUnreachable):
            await restarted.desk.round()
        assert exchange.clearing.settle_calls == 1
    async with exchange.running() as again:
        await again.desk.round()
        assert again.sequencer.state.withdrawals[name].released
        assert matches_chain(again)


async def test_an_epoch_in_chunks_goes_on_where_a_crash_broke_it_off(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exchange import clearing, netting  # noqa: PLC0415

    monkeypatch.setattr(clearing, "chunked", lambda deltas: netting.chunked(deltas, 1))
    async with exchange.funded() as running:
        await trade(running, seller=ANNA, buyer=BERT)
        await trade(running, seller=CARL, buyer=BERT)
        await close(running)
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
        await trade(running)
        await close(running)
        exchange.clearing.down = True
        desk = asyncio.create_task(running.desk.run())
        await running.sequencer.until(lambda: False, 0.4)
        assert running.desk.alarms["clearing"].refusal.code == "ChainUnreachable"
        assert running.desk.alarms["clearing"].attempts >= 2
        exchange.clearing.down = False
        assert await running.sequencer.until(lambda: running.sequencer.state.settled_epoch == 1, 5)
        await asyncio.sleep(0.05)
        assert not running.desk.alarms
        desk.cancel()
        assert matches_chain(running)


async def test_a_frozen_account_does_not_hold_up_the_others(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        names = [await withdraw(running, account, CASH, 10) for account in ACCOUNTS]
        exchange.clearing.frozen = {BERT}
        await running.desk.round()
        withdrawals = running.sequencer.state.withdrawals
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
        order = PlaceOrder(uuid4().bytes, ANNA, UNIT, Side.BUY, OrderKind.LIMIT, 5_000, 100, 5)
        await running.do(order)
        name = await withdraw(running, ANNA, CASH, 300_000)
        exchange.clearing.exit(ANNA, 1_000_000)
        await running.desk.follow()
        state = running.sequencer.state
        assert state.orders[order.order_id].cancelled is CancelReason.EXIT
        assert state.withdrawals[name].released
        assert not running.sequencer.views.unreleased
        assert not alarms(running.sequencer, running.desk)
        assert matches_chain(running)
        before = state_hash(state)
        exited = command_of(exchange.clearing.blocks[-1][0])
        assert exited is not None
        await running.do(exited)
        assert state_hash(state) == before
    assert expected_in_clearing(rebuild(exchange.path)) == {
        **{(account, UNIT): 1_000 for account in ACCOUNTS},
        **{(account, CASH): 1_000_000 for account in ACCOUNTS if account != ANNA},
    }


async def test_an_exit_with_what_trades_had_used_is_an_alarm_also_after_a_restart(
    exchange: Exchange,
) -> None:
    async with exchange.funded() as running:
        await trade(running, quantity_t=10, seller=BERT, buyer=ANNA)
        exchange.clearing.exit(ANNA, 1_000_000)
        await running.desk.follow()
    async with exchange.running() as restarted:
        (alarm,) = alarms(restarted.sequencer, restarted.desk)
        assert (alarm["code"], alarm["facts"]["missing"]) == ("ChainDisagrees", "1000")


async def test_a_release_that_the_exchange_did_not_ask_for_is_an_alarm(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        args = {"account": account_text(ANNA), "requestId": "0x" + "77" * 32, "amountFen": 5}
        exchange.clearing.mine("CashWithdrawn", args)
        await running.desk.follow()
        assert running.desk.alarms["CashWithdrawn"].refusal.code == "ChainDisagrees"


async def test_another_root_on_chain_is_an_alarm_and_settles_nothing(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        await trade(running)
        await close(running)
        args = {"epoch": 1, "tapeRoot": "0x" + "77" * 32, "chunks": 1}
        exchange.clearing.mine("EpochSettled", args)
        await running.desk.follow()
        assert running.desk.alarms["EpochSettled"].refusal.code == "TapeRootDiffers"
        assert running.sequencer.state.settled_epoch == 0


async def test_a_journal_that_lost_a_settled_epoch_sends_nothing(exchange: Exchange) -> None:
    exchange.clearing.settled = 3
    async with exchange.funded() as running:
        await trade(running)
        await close(running)
        with pytest.raises(JournalBehindChain) as refusal:
            await running.desk.round()
        assert refusal.value.facts == {"settled_epoch": 3, "closed_epochs": 1}


async def test_a_chain_that_lost_blocks_is_not_followed(exchange: Exchange) -> None:
    async with exchange.funded() as running:
        running.desk.port = FakeClearing()
        with pytest.raises(ChainBehindJournal) as refusal:
            await running.desk.follow()
        assert refusal.value.facts == {"chain_block": 0, "journal_block": 8}
