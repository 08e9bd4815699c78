"""Clearing: deposits, settlement in one chunk and in many, release, forced exit."""

from __future__ import annotations

from itertools import pairwise

import brownie
import pytest
from carat_world import (
    World,
    allowance,
    fresh_id,
    offset,
    refusal,
    refused,
    return_to,
    root_of,
    take_snapshot,
)
from eth_abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CEA, CCER = allowance(), offset()
WEEK_S = 7 * 24 * 3600


@pytest.fixture(scope="module")
def market(world: World) -> World:
    """The firm trades 100 allowances and 100 offsets, the other two 1,000 fen each and nothing else."""
    for unit in (CEA, CCER):
        world.give_units(world.firm, 100, unit)
        world.deposit_units(world.firm, unit, 100)
    for firm in (world.other_firm, world.third_firm):
        world.give_cash(firm, 1_000)
        world.deposit_cash(firm, 1_000)
    return world


def balances(world: World) -> dict[str, list[int]]:
    firms = (world.firm, world.other_firm, world.third_firm)
    return {
        "cea": [int(world.clearing.unitsOf(firm, CEA)) for firm in firms],
        "ccer": [int(world.clearing.unitsOf(firm, CCER)) for firm in firms],
        "fen": [int(world.clearing.cashOf(firm)) for firm in firms],
    }


def settle_refusal(
    world: World, epoch: int, deltas: list[tuple], chunk: int = 0, chunks: int = 1, tape: str = "tape"
):
    return refusal(world.clearing.settle, epoch, chunk, chunks, root_of(tape), deltas, by=world.admin)


def trade(world: World, quantity_t: int = 10, price_fen: int = 8, unit: int = CEA) -> list[tuple]:
    """The firm sells to the other firm."""
    cash_fen = quantity_t * price_fen
    return [(world.other_firm, unit, quantity_t, -cash_fen), (world.firm, unit, -quantity_t, cash_fen)]


def release(world: World, *withdrawals: tuple):
    return world.clearing.release(withdrawals, world.office)


# Deposits


def test_units_and_cash_come_in_by_plain_transfers(market: World) -> None:
    assert balances(market) == {"cea": [100, 0, 0], "ccer": [100, 0, 0], "fen": [0, 1_000, 1_000]}
    assert market.ledger.balanceOf(market.clearing, CEA) == 100
    assert market.cash.balanceOf(market.clearing) == 2_000


def test_a_deposit_says_whose_what_and_which(world: World) -> None:
    world.give_units(world.firm, 5, CEA)
    world.give_cash(world.firm, 7)
    one, other = fresh_id(), fresh_id()
    units = world.deposit_units(world.firm, CEA, 5, one).events["UnitsDeposited"]
    cash = world.deposit_cash(world.firm, 7, other).events["CashDeposited"]
    assert (units["account"], units["unitId"], units["quantityT"]) == (world.firm, CEA, 5)
    assert bytes(units["requestId"]) == one
    assert (cash["account"], cash["amountFen"], bytes(cash["requestId"])) == (world.firm, 7, other)


def test_a_deposit_sent_again_is_refused_and_moves_nothing(world: World) -> None:
    world.give_units(world.firm, 100, CEA)
    world.give_cash(world.firm, 100)
    request_id = fresh_id()
    data = encode(["bytes32"], [request_id])
    world.deposit_units(world.firm, CEA, 5, request_id)
    again = (world.firm, world.clearing, CEA, 5, data)
    name, facts = refusal(world.ledger.safeTransferFrom, *again, by=world.firm)
    assert (name, facts["requestId"]) == ("RequestIdReused", request_id)
    name, _ = refusal(
        world.cash.transferAndCall["address,uint256,bytes"], world.clearing, 5, data, by=world.firm
    )
    assert name == "RequestIdReused"


def test_one_deposit_id_serves_two_holders(world: World) -> None:
    request_id = fresh_id()
    for firm in (world.firm, world.other_firm):
        world.give_units(firm, 100, CEA)
        world.deposit_units(firm, CEA, 5, request_id)
    assert world.clearing.isDoneBy(world.firm, request_id)


@pytest.mark.parametrize("data", [b"", b"\x01" * 31, b"\x01" * 33])
def test_a_deposit_without_an_id_is_refused(world: World, data: bytes) -> None:
    world.give_units(world.firm, 100, CEA)
    world.give_cash(world.firm, 100)
    missing = refused("ClearingRequestIdMissing")
    units = (world.firm, world.clearing, CEA, 5, data)
    assert refusal(world.ledger.safeTransferFrom, *units, by=world.firm) == missing
    cash = world.cash.transferAndCall["address,uint256,bytes"]
    assert refusal(cash, world.clearing, 5, data, by=world.firm) == missing


def test_a_deposit_of_several_units_at_once_is_refused(market: World) -> None:
    market.give_units(market.firm, 5, CEA)
    batch = (market.firm, market.clearing, [CEA], [5], encode(["bytes32"], [fresh_id()]))
    got = refusal(market.ledger.safeBatchTransferFrom, *batch, by=market.firm)
    assert got == refused("ClearingRequestIdMissing")


def test_a_deposit_of_no_cash_is_refused(market: World) -> None:
    cash = market.cash.transferAndCall["address,uint256,bytes"]
    got = refusal(cash, market.clearing, 0, encode(["bytes32"], [fresh_id()]), by=market.firm)
    assert got == refused("ClearingZeroAmount")


def test_only_the_ledger_and_the_cash_are_taken(world: World) -> None:
    data = encode(["bytes32"], [fresh_id()])
    unknown = refused("ClearingUnknownAsset", token=world.stranger)
    units = (world.stranger, world.stranger, CEA, 5, data)
    assert refusal(world.clearing.onERC1155Received, *units, by=world.stranger) == unknown
    cash = (world.stranger, world.stranger, 5, data)
    assert refusal(world.clearing.onTransferReceived, *cash, by=world.stranger) == unknown


# Settlement


def test_an_epoch_settles_tonnes_against_cash(market: World) -> None:
    done = market.settle(1, trade(market))
    assert balances(market) == {"cea": [90, 10, 0], "ccer": [100, 0, 0], "fen": [80, 920, 1_000]}
    assert market.clearing.settledEpoch() == 1
    assert bytes(market.clearing.tapeRootOf(1)) == root_of("tape")
    assert int(done.events["EpochSettled"]["chunks"]) == 1
    assert [int(event["quantityT"]) for event in done.events["AccountSettled"]] == [10, -10]


def test_an_epoch_sent_again_changes_nothing(market: World) -> None:
    market.settle(1, trade(market))
    market.settle(2, [])
    again = market.settle(1, trade(market))
    assert len(again.events) == 0
    assert market.clearing.settledEpoch() == 2
    assert balances(market)["cea"] == [90, 10, 0]


def test_an_epoch_sent_again_under_another_root_is_refused(market: World) -> None:
    market.settle(1, trade(market))
    got = settle_refusal(market, 1, trade(market), tape="another tape")
    facts = {"recorded": root_of("tape"), "given": root_of("another tape")}
    assert got == refused("ClearingEpochConflict", epoch=1, **facts)


def test_an_epoch_sent_again_with_other_deltas_is_refused(market: World) -> None:
    market.settle(1, trade(market))
    name, facts = settle_refusal(market, 1, trade(market, 11))
    assert (name, facts["epoch"], facts["chunk"]) == ("ClearingChunkConflict", 1, 0)


def test_epochs_settle_in_order(market: World) -> None:
    for epoch in (0, 2):
        got = settle_refusal(market, epoch, [])
        assert got == refused("ClearingEpochOutOfOrder", expected=1, got=epoch)


def test_tonnes_do_not_come_from_nowhere(market: World) -> None:
    deltas = [(market.other_firm, CEA, 10, -80), (market.firm, CEA, -9, 80)]
    assert settle_refusal(market, 1, deltas) == refused("ClearingUnbalanced", epoch=1, unitId=CEA, sum=1)


def test_one_unit_does_not_pay_for_another(market: World) -> None:
    deltas = [(market.firm, CEA, -10, 0), (market.firm, CCER, 10, 0)]
    assert settle_refusal(market, 1, deltas) == refused("ClearingUnbalanced", epoch=1, unitId=CEA, sum=-10)


def test_cash_does_not_come_from_nowhere(market: World) -> None:
    deltas = [(market.other_firm, CEA, 10, -80), (market.firm, CEA, -10, 81)]
    assert settle_refusal(market, 1, deltas) == refused("ClearingUnbalanced", epoch=1, unitId=0, sum=1)


def test_deltas_are_ordered_by_unit(market: World) -> None:
    deltas = trade(market, unit=CCER) + trade(market)
    got = settle_refusal(market, 1, deltas)
    assert got == refused("ClearingDeltasUnordered", epoch=1, unitId=CCER, nextUnitId=CEA)


def test_nobody_ends_below_zero_tonnes(market: World) -> None:
    got = settle_refusal(market, 1, trade(market, 101, price_fen=1))
    facts = {"account": market.firm, "unitId": CEA, "balanceT": 0, "neededT": 1}
    assert got == refused("ClearingInsufficientUnits", **facts)


def test_nobody_ends_below_zero_fen(market: World) -> None:
    got = settle_refusal(market, 1, trade(market, 10, price_fen=101))
    facts = {"account": market.other_firm, "balanceFen": 0, "neededFen": 10}
    assert got == refused("ClearingInsufficientCash", **facts)


def test_a_sale_pays_for_a_purchase_of_the_same_epoch_in_any_order(market: World) -> None:
    """The other firm has no cash left after 1,000, but sells offsets that it buys before."""
    deltas = [
        (market.other_firm, CEA, 100, -1_500),  # below zero for a while
        (market.firm, CEA, -100, 1_500),
        (market.other_firm, CCER, -50, 600),  # sold before it is bought
        (market.third_firm, CCER, 50, -600),
        (market.firm, CCER, -60, 60),
        (market.other_firm, CCER, 60, -60),
    ]
    market.settle(1, deltas)
    assert balances(market) == {"cea": [0, 100, 0], "ccer": [40, 10, 50], "fen": [1_560, 40, 400]}


def test_cash_alone_moves_under_unit_zero(market: World) -> None:
    market.settle(1, [(market.other_firm, 0, 0, -5), (market.firm, 0, 0, 5), *trade(market)])
    assert balances(market)["fen"] == [85, 915, 1_000]


# Settlement in chunks


def test_an_epoch_larger_than_a_block_settles_in_chunks(market: World) -> None:
    first, second = trade(market)
    market.settle(1, [first], chunk=0, chunks=3)
    assert market.clearing.chunksApplied() == 1
    assert market.clearing.settledEpoch() == 0
    market.settle(1, [second, trade(market, unit=CCER)[0]], chunk=1, chunks=3)
    market.settle(1, [trade(market, unit=CCER)[1]], chunk=2, chunks=3)
    assert market.clearing.settledEpoch() == 1
    assert market.clearing.chunksApplied() == 0
    assert balances(market) == {"cea": [90, 10, 0], "ccer": [90, 10, 0], "fen": [160, 840, 1_000]}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 6), max_size=4).map(sorted))
def test_however_an_epoch_is_cut_it_ends_the_same(market: World, cuts: list[int]) -> None:
    deltas = [*trade(market), *trade(market, 3), *trade(market, 20, unit=CCER)]
    bounds = [0, *cuts, len(deltas)]
    chunks = [deltas[start:end] for start, end in pairwise(bounds)]
    snapshot = take_snapshot()
    for place, chunk in enumerate(chunks):
        market.settle(1, chunk, chunk=place, chunks=len(chunks))
    assert balances(market) == {"cea": [87, 13, 0], "ccer": [80, 20, 0], "fen": [264, 736, 1_000]}
    assert market.clearing.settledEpoch() == 1
    return_to(snapshot)


def test_a_chunk_sent_again_changes_nothing(market: World) -> None:
    first, second = trade(market)
    for _ in range(2):
        market.settle(1, [first], chunk=0, chunks=2)
    for _ in range(2):
        market.settle(1, [second], chunk=1, chunks=2)
    market.settle(1, [first], chunk=0, chunks=2)
    assert balances(market)["cea"] == [90, 10, 0]
    assert market.clearing.settledEpoch() == 1


def test_what_contradicts_the_chunks_before_is_refused(market: World) -> None:
    first, second = trade(market)
    market.settle(1, [first], chunk=0, chunks=2)
    out_of_order = refused("ClearingChunkOutOfOrder", epoch=1, expected=1, got=2)
    assert settle_refusal(market, 1, [second], chunk=2, chunks=3) == out_of_order
    recount = refused("ClearingChunkCountChanged", epoch=1, recorded=2, given=3)
    assert settle_refusal(market, 1, [second], chunk=1, chunks=3) == recount
    conflict = refused("ClearingEpochConflict", epoch=1, recorded=root_of("tape"), given=root_of("other"))
    assert settle_refusal(market, 1, [second], chunk=1, chunks=2, tape="other") == conflict
    assert settle_refusal(market, 1, [second], chunk=0, chunks=2)[0] == "ClearingChunkConflict"
    assert settle_refusal(market, 2, [])[0] == "ClearingEpochOutOfOrder"


def test_an_epoch_of_no_chunks_is_refused(market: World) -> None:
    got = settle_refusal(market, 1, [], chunk=0, chunks=0)
    assert got == refused("ClearingChunkOutOfOrder", epoch=1, expected=0, got=0)


def test_sums_are_carried_from_chunk_to_chunk(market: World) -> None:
    market.settle(1, [(market.other_firm, CEA, 10, -80)], chunk=0, chunks=2)
    got = settle_refusal(market, 1, [(market.firm, CEA, -9, 80)], chunk=1, chunks=2)
    assert got == refused("ClearingUnbalanced", epoch=1, unitId=CEA, sum=1)
    got = settle_refusal(market, 1, [(market.firm, CEA, -10, 79)], chunk=1, chunks=2)
    assert got == refused("ClearingUnbalanced", epoch=1, unitId=0, sum=-1)
    got = settle_refusal(market, 1, trade(market, unit=CCER), chunk=1, chunks=2)
    assert got == refused("ClearingUnbalanced", epoch=1, unitId=CEA, sum=10)


def test_below_zero_in_an_earlier_chunk_is_counted(market: World) -> None:
    market.settle(1, [(market.other_firm, CEA, 10, -1_001)], chunk=0, chunks=2)
    got = settle_refusal(market, 1, [(market.firm, CEA, -10, 1_001)], chunk=1, chunks=2)
    assert got == refused("ClearingAccountsBelowZero", epoch=1, count=1)
    market.give_cash(market.other_firm, 1)
    market.deposit_cash(market.other_firm, 1)  # a deposit may come in between, and heals
    market.settle(1, [(market.firm, CEA, -10, 1_001)], chunk=1, chunks=2)
    assert balances(market)["fen"] == [1_001, 0, 1_000]


def test_nothing_leaves_while_an_epoch_is_half_applied(market: World) -> None:
    market.clearing.requestExit({"from": market.third_firm})
    market.settle(1, trade(market)[:1], chunk=0, chunks=2)
    open_epoch = refused("ClearingEpochOpen", epoch=1)
    withdrawal = [(market.third_firm, 0, 1, fresh_id())]
    assert refusal(market.clearing.release, withdrawal, by=market.admin) == open_epoch
    brownie.chain.sleep(WEEK_S)
    brownie.chain.mine()
    assert refusal(market.clearing.exit, [], by=market.third_firm) == open_epoch


def test_the_exchange_takes_a_half_applied_epoch_back(market: World) -> None:
    before = balances(market)
    first, second = trade(market, 101, price_fen=1)  # one too many: the last chunk can never be applied
    market.settle(1, [first], chunk=0, chunks=3)
    market.settle(1, [second], chunk=1, chunks=3)
    arguments = (1, 1, 3, root_of("tape"), [second])
    done = market.clearing.unwind(*arguments, market.office)
    assert int(done.events["AccountSettled"]["quantityT"]) == 101
    market.clearing.unwind(1, 0, 3, root_of("tape"), [first], market.office)
    assert balances(market) == before
    assert market.clearing.chunksApplied() == 0
    market.settle(1, trade(market), tape="a new tape")
    assert market.clearing.settledEpoch() == 1


def test_only_what_was_applied_can_be_taken_back(market: World) -> None:
    first, second = trade(market)
    tape = root_of("tape")
    unwind = market.clearing.unwind
    got = refusal(unwind, 1, 0, 2, tape, [first], by=market.admin)
    assert got == refused("ClearingChunkOutOfOrder", epoch=1, expected=0, got=0)
    assert refusal(unwind, 1, 2**32 - 1, 2, tape, [first], by=market.admin)[0] == "ClearingChunkOutOfOrder"
    market.settle(1, [first], chunk=0, chunks=2)
    assert refusal(unwind, 1, 0, 2, tape, [second], by=market.admin)[0] == "ClearingChunkConflict"
    assert refusal(unwind, 1, 0, 3, tape, [first], by=market.admin)[0] == "ClearingChunkCountChanged"
    assert refusal(unwind, 1, 0, 2, root_of("other"), [first], by=market.admin)[0] == "ClearingEpochConflict"
    market.settle(1, [second], chunk=1, chunks=2)
    got = refusal(unwind, 1, 1, 2, tape, [second], by=market.admin)
    assert got == refused("ClearingEpochOutOfOrder", expected=2, got=1)


def test_anyone_takes_an_abandoned_epoch_back_after_the_silence(market: World) -> None:
    before = balances(market)
    first = trade(market)[:1]
    market.settle(1, first, chunk=0, chunks=2)
    arguments = (1, 0, 2, root_of("tape"), first)
    name, facts = refusal(market.clearing.unwindAbandoned, *arguments, by=market.stranger)
    assert (name, facts["account"]) == ("ClearingExitNotDue", market.stranger)
    market.clearing.requestExit({"from": market.third_firm})
    brownie.chain.sleep(WEEK_S)
    market.clearing.unwindAbandoned(*arguments, {"from": market.stranger})
    assert balances(market) == before
    market.clearing.exit([], {"from": market.third_firm})
    assert market.cash.balanceOf(market.third_firm) == 1_000


def test_after_a_stranger_took_back_the_last_chunk_only_the_exchange_goes_on(market: World) -> None:
    first, second = trade(market)
    third, fourth = trade(market, unit=CCER)
    market.settle(1, [first], chunk=0, chunks=3)
    market.settle(1, [second, third], chunk=1, chunks=3)
    brownie.chain.sleep(WEEK_S)
    arguments = (1, 1, 3, root_of("tape"), [second, third])
    market.clearing.unwindAbandoned(*arguments, {"from": market.stranger})
    assert market.clearing.chunksApplied() == 1
    market.settle(1, [first], chunk=0, chunks=3)  # a retry still
    market.settle(1, [second, third], chunk=1, chunks=3)
    left = (1, 1, 3, root_of("tape"), [second, third])
    assert refusal(market.clearing.unwindAbandoned, *left, by=market.stranger)[0] == "ClearingExitNotDue"
    market.settle(1, [fourth], chunk=2, chunks=3)
    assert market.clearing.settledEpoch() == 1
    assert balances(market) == {"cea": [90, 10, 0], "ccer": [90, 10, 0], "fen": [160, 840, 1_000]}


def test_the_exchange_puts_another_last_chunk_in_place_of_one_that_cannot_close(market: World) -> None:
    first, second = trade(market)
    market.settle(1, [first], chunk=0, chunks=3)
    market.settle(1, [(market.firm, CEA, -9, 80)], chunk=1, chunks=3)  # a tonne is missing
    assert settle_refusal(market, 1, [], chunk=2, chunks=3)[0] == "ClearingUnbalanced"
    market.clearing.unwind(1, 1, 3, root_of("tape"), [(market.firm, CEA, -9, 80)], market.office)
    market.settle(1, [second], chunk=1, chunks=3)
    market.settle(1, [], chunk=2, chunks=3)
    assert balances(market) == {"cea": [90, 10, 0], "ccer": [100, 0, 0], "fen": [80, 920, 1_000]}


def test_the_sums_of_what_was_taken_back_do_not_count(market: World) -> None:
    first, second = trade(market)
    market.settle(1, [first], chunk=0, chunks=3)
    market.settle(1, [second], chunk=1, chunks=3)
    market.clearing.unwind(1, 1, 3, root_of("tape"), [second], market.office)
    market.settle(1, [], chunk=1, chunks=3)
    got = settle_refusal(market, 1, [], chunk=2, chunks=3)
    assert got == refused("ClearingUnbalanced", epoch=1, unitId=CEA, sum=10)
    assert settle_refusal(market, 1, [second], chunk=2, chunks=3, tape="other")[0] == "ClearingEpochConflict"
    market.settle(1, [second], chunk=2, chunks=3)
    assert market.clearing.settledEpoch() == 1


def test_an_epoch_after_one_taken_back_begins_with_sums_of_zero(market: World) -> None:
    first, second = trade(market)
    market.settle(1, [first], chunk=0, chunks=2)
    market.clearing.unwind(1, 0, 2, root_of("tape"), [first], market.office)
    got = settle_refusal(market, 1, [second])
    assert got == refused("ClearingUnbalanced", epoch=1, unitId=CEA, sum=-10)
    market.settle(1, [], chunk=0, chunks=2, tape="a new tape")
    market.settle(1, trade(market), chunk=1, chunks=2, tape="a new tape")
    assert balances(market)["cea"] == [90, 10, 0]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.booleans(), max_size=14))
def test_however_often_chunks_are_taken_back_the_epoch_ends_the_same(
    market: World, steps: list[bool]
) -> None:
    chunks = [[delta] for delta in (*trade(market), *trade(market, 3), *trade(market, 20, unit=CCER))]
    chunks.insert(2, [])
    snapshot = take_snapshot()
    before = balances(market)
    at = 0
    for forward in steps:
        if forward and at < len(chunks) - 1:
            market.settle(1, chunks[at], chunk=at, chunks=len(chunks))
            at += 1
        elif not forward and at > 0:
            at -= 1
            arguments = (1, at, len(chunks), root_of("tape"), chunks[at])
            market.clearing.unwind(*arguments, market.office)
            assert at > 0 or balances(market) == before
    for place in range(at, len(chunks)):
        market.settle(1, chunks[place], chunk=place, chunks=len(chunks))
    assert balances(market) == {"cea": [87, 13, 0], "ccer": [80, 20, 0], "fen": [264, 736, 1_000]}
    assert market.clearing.settledEpoch() == 1
    return_to(snapshot)


# Ways out


def test_the_exchange_releases_to_the_owners_registry_account(market: World) -> None:
    one, other = fresh_id(), fresh_id()
    done = release(market, (market.firm, CEA, 30, one), (market.other_firm, 0, 400, other))
    assert market.ledger.balanceOf(market.firm, CEA) == 30
    assert market.cash.balanceOf(market.other_firm) == 400
    assert balances(market) == {"cea": [70, 0, 0], "ccer": [100, 0, 0], "fen": [0, 600, 1_000]}
    assert bytes(done.events["UnitsWithdrawn"]["requestId"]) == one
    assert bytes(done.events["CashWithdrawn"]["requestId"]) == other


def test_a_release_done_before_is_passed_over(market: World) -> None:
    one = (market.firm, CEA, 30, fresh_id())
    release(market, one)
    done = release(market, one, (market.firm, CEA, 5, fresh_id()))
    assert len(done.events["UnitsWithdrawn"]) == 1
    assert market.ledger.balanceOf(market.firm, CEA) == 35


def test_another_release_under_a_used_id_is_refused(market: World) -> None:
    request_id = fresh_id()
    release(market, (market.firm, CEA, 30, request_id))
    for withdrawal in ((market.firm, CEA, 31, request_id), (market.firm, CCER, 30, request_id)):
        name, facts = refusal(market.clearing.release, [withdrawal], by=market.admin)
        assert (name, facts["requestId"]) == ("RequestIdReused", request_id)


def test_the_id_of_a_deposit_does_not_block_a_withdrawal(market: World) -> None:
    request_id = fresh_id()
    market.give_units(market.firm, 5, CEA)
    market.deposit_units(market.firm, CEA, 5, request_id)
    release(market, (market.firm, CEA, 5, request_id))
    assert market.ledger.balanceOf(market.firm, CEA) == 5
    assert market.clearing.isReleased(market.firm, request_id)


def test_a_release_without_an_id_is_refused(market: World) -> None:
    got = refusal(market.clearing.release, [(market.firm, CEA, 5, bytes(32))], by=market.admin)
    assert got == refused("RequestIdZero")


def test_nobody_is_released_more_than_is_theirs(market: World) -> None:
    got = refusal(market.clearing.release, [(market.firm, CEA, 101, fresh_id())], by=market.admin)
    facts = {"account": market.firm, "unitId": CEA, "balanceT": 100, "neededT": 101}
    assert got == refused("ClearingInsufficientUnits", **facts)
    got = refusal(market.clearing.release, [(market.firm, 0, 1, fresh_id())], by=market.admin)
    assert got == refused("ClearingInsufficientCash", account=market.firm, balanceFen=0, neededFen=1)
    got = refusal(market.clearing.release, [(market.firm, 0, 0, fresh_id())], by=market.admin)
    assert got == refused("ClearingZeroAmount")


def test_a_frozen_account_still_gets_home_what_is_its_own(market: World) -> None:
    market.ledger.setFrozen(market.firm, True, fresh_id(), market.office)
    release(market, (market.firm, CEA, 30, fresh_id()))
    assert market.ledger.balanceOf(market.firm, CEA) == 30


def test_when_the_exchange_is_silent_everything_can_be_taken(market: World) -> None:
    asked = market.clearing.requestExit({"from": market.firm})
    assert asked.events["ExitRequested"]["at"] == asked.timestamp
    due_at = market.clearing.exitDueAt(market.firm)
    assert due_at == asked.timestamp + WEEK_S == asked.timestamp + market.clearing.EXIT_TIMEOUT()
    name, facts = refusal(market.clearing.exit, [CEA, CCER], by=market.firm)
    assert (name, facts["account"], facts["dueAt"]) == ("ClearingExitNotDue", market.firm, due_at)
    brownie.chain.sleep(WEEK_S)
    done = market.clearing.exit([CEA, CCER], {"from": market.firm})
    assert market.ledger.balanceOf(market.firm, CEA) == 100
    assert market.ledger.balanceOf(market.firm, CCER) == 100
    assert bytes(done.events["UnitsWithdrawn"][0]["requestId"]) == bytes(32)


def test_an_exit_pays_out_cash_too(market: World) -> None:
    market.clearing.requestExit({"from": market.other_firm})
    brownie.chain.sleep(WEEK_S)
    market.clearing.exit([], {"from": market.other_firm})
    assert market.cash.balanceOf(market.other_firm) == 1_000
    market.clearing.exit([CEA], {"from": market.other_firm})  # nothing is left
    assert market.cash.balanceOf(market.other_firm) == 1_000


@pytest.mark.parametrize("act", ["settle", "release"])
def test_an_act_of_the_exchange_starts_the_wait_again(market: World, act: str) -> None:
    market.clearing.requestExit({"from": market.firm})
    brownie.chain.sleep(WEEK_S - 100)
    done = (
        market.settle(1, trade(market))
        if act == "settle"
        else release(market, (market.firm, CEA, 1, fresh_id()))
    )
    brownie.chain.sleep(200)
    brownie.chain.mine()
    name, facts = refusal(market.clearing.exit, [CEA], by=market.firm)
    assert (name, facts["dueAt"]) == ("ClearingExitNotDue", done.timestamp + WEEK_S)


def test_without_asking_there_is_no_exit(market: World) -> None:
    brownie.chain.sleep(WEEK_S)
    brownie.chain.mine()
    name, facts = refusal(market.clearing.exit, [CEA], by=market.firm)
    assert (name, facts["dueAt"]) == ("ClearingExitNotDue", 0)


def test_asking_again_does_not_start_the_wait_again(market: World) -> None:
    market.clearing.requestExit({"from": market.firm})
    due_at = market.clearing.exitDueAt(market.firm)
    brownie.chain.sleep(1_000)
    again = market.clearing.requestExit({"from": market.firm})
    assert len(again.events) == 0
    assert market.clearing.exitDueAt(market.firm) == due_at
