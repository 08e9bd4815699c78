"""Every refusal says its numbers and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chain.refusals import Refusal
from chain.units import UnitMalformed
from exchange import refusals
from exchange.commands import (
    AMOUNT_MAX,
    CASH,
    INT63_MAX,
    CancelOrder,
    CloseEpoch,
    Credit,
    EpochSettled,
    ListInstrument,
    OrderKind,
    WithdrawalReleased,
)
from exchange.state import state_hash
from tests.exchange.world import ANNA, BERT, OTHER_UNIT, UNIT, World, deposit_id, order_id


@pytest.fixture
def world() -> World:
    world = World(tick_fen=5, lot_t=10, quantity_max_t=1_000)
    world.give(ANNA, cash_fen=100_000, quantity_t=500)
    world.give(BERT, cash_fen=100_000, quantity_t=500)
    world.sell(BERT, 50, 100, name=1)
    world.buy(ANNA, 20, 100, name=2)
    world.withdraw(ANNA, CASH, 7, name=3)
    return world


REFUSED: dict[str, tuple[Callable[[World], object], Refusal]] = {
    "an overdraft purchase": (
        lambda w: w.buy(ANNA, 1_000, 500),
        refusals.InsufficientCash(available_fen=97_993, needed_fen=500_000),
    ),
    "an overdraft sale": (
        lambda w: w.sell(ANNA, 530, 100),
        refusals.InsufficientUnits(available_t=520, needed_t=530),
    ),
    "a market sale beyond the holding": (
        lambda w: w.sell(ANNA, 530, kind=OrderKind.MARKET),
        refusals.InsufficientUnits(available_t=520, needed_t=530),
    ),
    "a wrong tick": (
        lambda w: w.buy(ANNA, 10, 101),
        refusals.WrongTick(tick_fen=5, price_fen=101),
    ),
    "a wrong lot": (lambda w: w.buy(ANNA, 11, 100), refusals.WrongLot(lot_t=10, quantity_t=11)),
    "an unlisted unit": (
        lambda w: w.buy(ANNA, 10, 100, unit=OTHER_UNIT),
        refusals.UnknownInstrument(unit="allowance-2027"),
    ),
    "a number that names no unit": (lambda w: w.buy(ANNA, 10, 100, unit=5), UnitMalformed()),
    "nothing at all": (
        lambda w: w.buy(ANNA, 0, 100),
        refusals.QuantityOutOfRange(quantity_t=0, quantity_max_t=1_000),
    ),
    "more than the instrument takes": (
        lambda w: w.buy(ANNA, 1_010, 100),
        refusals.QuantityOutOfRange(quantity_t=1_010, quantity_max_t=1_000),
    ),
    "a price of nothing": (
        lambda w: w.buy(ANNA, 10, 0),
        refusals.PriceOutOfRange(price_fen=0, price_max_fen=INT63_MAX),
    ),
    "a price beyond the book": (
        lambda w: w.buy(ANNA, 10, 2**63),
        refusals.PriceOutOfRange(price_fen=2**63, price_max_fen=INT63_MAX),
    ),
    "a market order with a price": (
        lambda w: w.buy(ANNA, 10, 100, kind=OrderKind.MARKET),
        refusals.PriceOutOfRange(price_fen=100, price_max_fen=0),
    ),
    "a fill-or-kill that cannot be filled": (
        lambda w: w.buy(ANNA, 40, 100, kind=OrderKind.FOK),
        refusals.FokUnfillable(fillable_t=30, quantity_t=40),
    ),
    "a fill-or-kill that would meet its own account": (
        lambda w: w.buy(BERT, 10, 100, kind=OrderKind.FOK),
        refusals.FokUnfillable(fillable_t=0, quantity_t=10),
    ),
    "an order id used for another order": (
        lambda w: w.buy(ANNA, 30, 100, name=2),
        refusals.OrderIdReused(order_id="00000000-0000-0000-0000-000000000002"),
    ),
    "cancelling an order that is not there": (
        lambda w: w.cancel(ANNA, 77),
        refusals.OrderUnknown(order_id="00000000-0000-0000-0000-00000000004d"),
    ),
    "cancelling another's order": (
        lambda w: w.cancel(ANNA, 1),
        refusals.OrderUnknown(order_id="00000000-0000-0000-0000-000000000001"),
    ),
    "cancelling a filled order": (
        lambda w: w.cancel(ANNA, 2),
        refusals.OrderNotOpen(order_id="00000000-0000-0000-0000-000000000002", status="filled", filled_t=20),
    ),
    "withdrawing more than there is": (
        lambda w: w.withdraw(ANNA, CASH, 97_994, name=9),
        refusals.InsufficientCash(available_fen=97_993, needed_fen=97_994),
    ),
    "withdrawing what is reserved": (
        lambda w: w.withdraw(BERT, UNIT, 451, name=9),
        refusals.InsufficientUnits(available_t=450, needed_t=451),
    ),
    "withdrawing nothing": (
        lambda w: w.withdraw(ANNA, CASH, 0, name=9),
        refusals.AmountOutOfRange(amount="0", amount_max=str(AMOUNT_MAX)),
    ),
    "a withdrawal id used for another withdrawal": (
        lambda w: w.withdraw(ANNA, CASH, 8, name=3),
        refusals.WithdrawalIdReused(withdrawal_id="00000000-0000-0000-0000-000000000003"),
    ),
    "a withdrawal with the id of the account's own deposit": (
        lambda w: w.withdraw(ANNA, CASH, 8, name=1),
        refusals.WithdrawalIdReused(withdrawal_id="00000000-0000-0000-0000-000000000001"),
    ),
    "releasing a withdrawal that nobody asked for": (
        lambda w: w.do(WithdrawalReleased(order_id(9), 1, bytes(32))),
        refusals.WithdrawalUnknown(withdrawal_id="00000000-0000-0000-0000-000000000009"),
    ),
    "a deposit id used for another deposit": (
        lambda w: w.do(Credit(deposit_id(1), ANNA, CASH, 5)),
        refusals.DepositIdReused(deposit_id="0x" + deposit_id(1).hex()),
    ),
    "other terms for a listed unit": (
        lambda w: w.do(ListInstrument(UNIT, 1, 10, 1_000)),
        refusals.InstrumentDiffers(unit="allowance-2026", tick_fen=5, lot_t=10, quantity_max_t=1_000),
    ),
    "terms that do not fit each other": (
        lambda w: w.do(ListInstrument(OTHER_UNIT, 1, 10, 9)),
        refusals.InstrumentInvalid(tick_fen=1, lot_t=10, quantity_max_t=9),
    ),
    "closing an epoch ahead": (
        lambda w: w.do(CloseEpoch(2, w.now_us)),
        refusals.EpochOutOfOrder(expected=1, got=2),
    ),
    "settling an epoch that is open": (
        lambda w: w.do(EpochSettled(1, bytes(32), 1, bytes(32))),
        refusals.EpochOutOfOrder(expected=1, got=1),
    ),
}


@pytest.mark.parametrize("story", REFUSED)
def test_it_is_refused_with_its_numbers_and_changes_nothing(world: World, story: str) -> None:
    act, expected = REFUSED[story]
    before = state_hash(world.state)
    with pytest.raises(type(expected)) as refusal:
        act(world)
    if expected.facts:
        assert refusal.value.facts == expected.facts
    assert state_hash(world.state) == before


def test_the_same_refusal_comes_again_on_retry(world: World) -> None:
    for _ in range(2):
        with pytest.raises(refusals.InsufficientCash) as refusal:
            world.buy(ANNA, 1_000, 500, name=9)
        assert refusal.value.facts == {"available_fen": 97_993, "needed_fen": 500_000}


def test_an_epoch_without_a_trade_stays_open() -> None:
    with pytest.raises(refusals.EpochHasNoTrades):
        World().close()


def test_another_root_on_chain_is_refused(world: World) -> None:
    world.close()
    with pytest.raises(refusals.TapeRootDiffers) as refusal:
        world.do(EpochSettled(1, bytes(32), 1, bytes(32)))
    assert refusal.value.facts["chain"] == "0x" + "00" * 32


def test_a_stranger_cannot_tell_whether_an_order_exists(world: World) -> None:
    with pytest.raises(refusals.OrderUnknown) as of_another:
        world.do(CancelOrder(order_id(1), ANNA, world.now_us))
    with pytest.raises(refusals.OrderUnknown) as of_nobody:
        world.do(CancelOrder(order_id(70), ANNA, world.now_us))
    assert of_another.value.facts.keys() == of_nobody.value.facts.keys()


@pytest.mark.parametrize(
    "code",
    [
        name
        for name, kind in vars(refusals).items()
        if isinstance(kind, type) and kind is not Refusal and kind is not refusals.NamedRefusal
    ],
)
def test_every_refusal_survives_json(code: str) -> None:
    if code == "OtherRefusal":
        assert refusals.from_json("FromElsewhere", {"count": 1}).code == "FromElsewhere"
        return
    assert refusals.from_json(code, {"count": 1}).code == code
    assert refusals.from_json(code, {"count": 1}).title.endswith((".", ";"))
