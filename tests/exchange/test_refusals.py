"""Every refusal says its numbers and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from chain.refusals import Refusal
from exchange import refusals
from exchange.client import (
    amend_order,
    cancel_order,
    list_instrument,
    place_order,
    request_withdrawal,
    set_kill_switch,
    set_phase,
    set_rules,
)
from exchange.core import records
from exchange.core.codes import AMOUNT_MAX, INT63_MAX, CommandKind, Reject, ReportKind, TermsFault
from exchange.core.records import Report
from exchange.gateway.wire.names import Names
from exchange.gateway.wire.rejects import refusal_of
from exchange.venue import Venue
from exchange.words import account_text, hex_text, refusal_json, to_bytes
from tests.exchange.conftest import Exchange
from tests.exchange.gate import Gate, opened
from tests.exchange.world import ANNA, BERT, CARL, START_US, opening

OTHER = "allowance-2028"
"""Listed here with tick 5, lot 10, at most 1,000."""
A, B, C = (account_text(account) for account in (ANNA, BERT, CARL))


def order(
    side: Any, account: str, quantity_t: int, price_fen: int | None = 100, name: int = 9, **more: Any
) -> Any:
    return place_order(UUID(int=name), account, OTHER, side, quantity_t, price_fen, **more)


@pytest.fixture
async def gate(exchange: Exchange) -> AsyncIterator[Gate]:
    """Anna bought 20 of the 50 t that Bert offers at 100; a stop of Carl's waits; 7 fen of Anna's leave."""
    unit = 1 << 80 | 2028 << 64
    async with opened(exchange) as gate:
        await gate.submit(list_instrument(OTHER, 5, 10, 1_000))
        for account in (ANNA, BERT):
            gate.running.clearing.deposit(account, unit, 500)
        await gate.running.desk.follow()
        await gate.submit(
            order("sell", B, 50, name=1),
            order("buy", A, 20, name=2),
            order("buy", C, 10, 200, name=4, kind="stop_limit", stop_fen=200),
            request_withdrawal(UUID(int=3), A, "cash", 7),
        )
        yield gate


def uuid(number: int) -> str:
    return str(UUID(int=number))


REFUSED: dict[str, tuple[dict[str, Any], Refusal]] = {
    "an overdraft purchase": (
        order("buy", A, 1_000, 1_000),
        refusals.InsufficientCash(available_fen=997_993, needed_fen=1_000_000),
    ),
    "an overdraft sale": (
        order("sell", A, 530),
        refusals.InsufficientUnits(available_t=520, needed_t=530),
    ),
    "a market sale beyond the holding": (
        order("sell", A, 530, None, kind="market"),
        refusals.InsufficientUnits(available_t=520, needed_t=530),
    ),
    "a wrong tick": (order("buy", A, 10, 101), refusals.WrongTick(tick_fen=5, price_fen=101)),
    "a wrong lot": (order("buy", A, 11), refusals.WrongLot(lot_t=10, quantity_t=11)),
    "an unlisted unit": (
        place_order(uuid4(), A, "allowance-2027", "buy", 10, 100),
        refusals.UnknownInstrument(unit="allowance-2027"),
    ),
    "nothing at all": (
        order("buy", A, 0),
        refusals.QuantityOutOfRange(quantity_t=0, quantity_max_t=1_000),
    ),
    "more than the instrument takes": (
        order("buy", A, 1_010),
        refusals.QuantityOutOfRange(quantity_t=1_010, quantity_max_t=1_000),
    ),
    "a price of nothing": (
        order("buy", A, 10, 0),
        refusals.PriceOutOfRange(price_fen=0, price_max_fen=INT63_MAX),
    ),
    "a price beyond the book": (
        order("buy", A, 10, 2**63),
        refusals.PriceOutOfRange(price_fen=str(2**63), price_max_fen=INT63_MAX),
    ),
    "a fill-or-kill that cannot be filled": (
        order("buy", A, 40, kind="fok"),
        refusals.FokUnfillable(fillable_t=30, quantity_t=40),
    ),
    "a fill-or-kill that would meet its own account": (
        order("buy", B, 10, kind="fok"),
        refusals.FokUnfillable(fillable_t=0, quantity_t=10),
    ),
    "a post-only order that would trade": (
        order("buy", A, 10, 105, post_only=True),
        refusals.PostOnlyWouldTrade(best_fen=100, price_fen=105),
    ),
    "showing less than a lot": (
        order("buy", A, 100, display_t=5),
        refusals.DisplayOutOfRange(display_t=5, quantity_t=100),
    ),
    "showing more than there is": (
        order("buy", A, 100, display_t=110),
        refusals.DisplayOutOfRange(display_t=110, quantity_t=100),
    ),
    "an order id used for another order": (
        order("buy", A, 30, name=2),
        refusals.OrderIdReused(order_id=uuid(2)),
    ),
    "cancelling an order that is not there": (
        cancel_order(UUID(int=77), A),
        refusals.OrderUnknown(order_id=uuid(77)),
    ),
    "cancelling another's order": (cancel_order(UUID(int=1), A), refusals.OrderUnknown(order_id=uuid(1))),
    "cancelling a filled order": (
        cancel_order(UUID(int=2), A),
        refusals.OrderNotOpen(order_id=uuid(2), status="filled", filled_t=20),
    ),
    "amending another's order": (
        amend_order(UUID(int=1), A, 10),
        refusals.OrderUnknown(order_id=uuid(1)),
    ),
    "amending a filled order": (
        amend_order(UUID(int=2), A, 30),
        refusals.OrderNotOpen(order_id=uuid(2), status="filled", filled_t=20),
    ),
    "amending to what is filled": (
        amend_order(UUID(int=1), B, 20),
        refusals.AmendBelowFilled(filled_t=20, quantity_t=20),
    ),
    "amending a stop that waits": (
        amend_order(UUID(int=4), C, 20),
        refusals.StopNotAmendable(order_id=uuid(4)),
    ),
    "amending to a price of nothing": (
        amend_order(UUID(int=1), B, 30, 0),
        refusals.PriceOutOfRange(price_fen=0, price_max_fen=INT63_MAX),
    ),
    "withdrawing more than there is": (
        request_withdrawal(UUID(int=9), A, "cash", 997_994),
        refusals.InsufficientCash(available_fen=997_993, needed_fen=997_994),
    ),
    "withdrawing what is reserved": (
        request_withdrawal(UUID(int=9), B, OTHER, 471),
        refusals.InsufficientUnits(available_t=450, needed_t=471),
    ),
    "withdrawing nothing": (
        request_withdrawal(UUID(int=9), A, "cash", 0),
        refusals.AmountOutOfRange(amount="0", amount_max=str(INT63_MAX)),
    ),
    "a withdrawal id used for another withdrawal": (
        request_withdrawal(UUID(int=3), A, "cash", 8),
        refusals.WithdrawalIdReused(withdrawal_id=uuid(3)),
    ),
    "other terms for a listed unit": (
        list_instrument(OTHER, 1, 10, 1_000),
        refusals.InstrumentDiffers(unit=OTHER, tick_fen=5, lot_t=10, quantity_max_t=1_000),
    ),
    "terms that do not fit each other": (
        list_instrument("allowance-2029", 1, 10, 9),
        refusals.InstrumentInvalid(tick_fen=1, lot_t=10, quantity_max_t=9),
    ),
    "fees that nobody collects": (
        set_rules(OTHER, maker_ppm=1),
        refusals.FeesInvalid(maker_ppm=1, taker_ppm=0),
    ),
    "fees above the whole value": (
        set_rules(OTHER, taker_ppm=1_000_001, fee_account=C),
        refusals.FeesInvalid(maker_ppm=0, taker_ppm=1_000_001),
    ),
    "fees beyond what a record holds": (
        set_rules(OTHER, taker_ppm=2**32, fee_account=C),
        refusals.FeesInvalid(maker_ppm=0, taker_ppm=2**32),
    ),
}


@pytest.mark.parametrize("story", REFUSED)
async def test_it_is_refused_with_its_numbers_and_changes_nothing(gate: Gate, story: str) -> None:
    command, expected = REFUSED[story]
    for _ in range(2):  # the same refusal comes again on retry
        assert await gate.refused(command) == (expected.code, expected.facts)


async def test_what_the_rules_forbid_is_refused_with_its_numbers(gate: Gate) -> None:
    await gate.submit(
        set_rules(OTHER, band_ppm=100_000, position_limit_t=600),
        {"command": "SetReference", "unit": OTHER, "price_fen": 100},
    )
    assert await gate.refused(order("sell", A, 10, 115)) == (
        "PriceBand",
        {"price_min_fen": 90, "price_max_fen": 110, "price_fen": 115},
    )
    assert await gate.refused(order("buy", A, 90, 100)) == (
        "PositionLimit",
        {"would_hold_t": 610, "position_limit_t": 600},
    )
    await gate.do(set_phase(OTHER, "closed"))
    assert await gate.refused(order("buy", A, 10)) == ("PhaseForbids", {"phase": "closed"})
    await gate.do(set_kill_switch(A, on=True))
    assert await gate.refused(order("buy", A, 10)) == ("ParticipantKilled", {"account": A})


async def test_what_was_bought_today_is_not_sold_where_that_is_barred(gate: Gate) -> None:
    await gate.do(set_rules(OTHER, no_same_day_resale=True))
    bought = order("buy", C, 30, name=20)
    await gate.do(bought)
    assert await gate.refused(order("sell", C, 30)) == (
        "InsufficientUnits",
        {"available_t": 0, "needed_t": 30},
    )
    assert (await gate.get(f"/accounts/{C}"))["balances"][OTHER] == {
        "available": 30,
        "reserved": 0,
        "tradable": 0,
    }


async def test_a_withdrawal_with_the_id_of_the_accounts_own_deposit_is_refused(gate: Gate) -> None:
    name = uuid4()
    gate.running.clearing.deposit(ANNA, 0, 7, name.bytes.rjust(32, b"\0"))
    await gate.running.desk.follow()
    assert await gate.refused(request_withdrawal(name, A, "cash", 7)) == (
        "WithdrawalIdReused",
        {"withdrawal_id": str(name)},
    )


async def test_a_stranger_cannot_tell_whether_an_order_exists(gate: Gate) -> None:
    of_another = await gate.refused(cancel_order(UUID(int=1), A))
    of_nobody = await gate.refused(cancel_order(UUID(int=70), A))
    assert (of_another[0], of_another[1].keys()) == (of_nobody[0], of_nobody[1].keys())


# --- every reject of the core ---

VENUE = Venue()
VENUE.take(1, opening(), VENUE.apply(opening()))


@pytest.mark.parametrize("reject", Reject)
def test_every_reject_of_the_core_has_a_name_and_its_numbers(reject: Reject) -> None:
    record = records.new_order(bytes([7] * 16), 1, 1, 1, 5, 100, at_us=START_US)  # type: ignore[arg-type]
    report = Report(ReportKind.REJECTED, code=reject, type=CommandKind.NEW, a=1, b=2)
    refusal = refusal_of(report, record, Names(VENUE), VENUE)
    assert type(refusal).__module__ == refusals.__name__
    assert refusal.facts or reject is Reject.EPOCH_EMPTY  # which has nothing to say but its name
    said = orjson.loads(to_bytes(refusal_json(refusal)))
    again = refusals.from_json(said["code"], said["facts"])
    assert (type(again), again.facts) == (type(refusal), refusal.facts)


@pytest.mark.parametrize("fault", TermsFault)
def test_every_fault_of_terms_is_named(fault: TermsFault) -> None:
    record = records.new_order(bytes([7] * 16), 1, 1, 1, 5, 100)  # type: ignore[arg-type]
    report = Report(ReportKind.REJECTED, code=Reject.TERMS_MISMATCH, type=CommandKind.NEW, a=fault)
    refusal = refusal_of(report, record, Names(VENUE), VENUE)
    assert refusal.facts == {
        "order_id": "07" * 4 + ("-" + "07" * 2) * 3 + "-" + "07" * 6,
        "fault": fault.name.lower(),
    }


def test_rejects_of_transfers_carry_the_transfers_id() -> None:
    names, transfer = Names(VENUE), bytes(range(32))
    report = Report(ReportKind.REJECTED, code=Reject.ID_REUSED)
    credit = refusal_of(report, records.credit(1, 0, 5, transfer), names, VENUE)
    assert (credit.code, credit.facts) == ("DepositIdReused", {"deposit_id": hex_text(transfer)})
    debit = refusal_of(report, records.debit(1, 0, 5, transfer), names, VENUE)
    assert (debit.code, debit.facts) == (
        "WithdrawalIdReused",
        {"withdrawal_id": str(UUID(bytes=transfer[16:]))},
    )
    amount = Report(ReportKind.REJECTED, code=Reject.AMOUNT_OUT_OF_RANGE, a=1, b=2**127)
    assert refusal_of(amount, records.credit(1, 0, 5, transfer), names, VENUE).facts == {
        "amount": str(2**127),
        "amount_max": str(AMOUNT_MAX),
    }


def test_an_unknown_number_in_a_record_is_told_as_it_is() -> None:
    record = records.new_order(bytes([7] * 16), 99, 98, 1, 5, 100)  # type: ignore[arg-type]
    for reject, facts in (
        (Reject.UNKNOWN_PARTICIPANT, {"account": "99"}),
        (Reject.UNKNOWN_INSTRUMENT, {"unit": "98"}),
    ):
        report = Report(ReportKind.REJECTED, code=reject, type=CommandKind.NEW, a=98, b=1)
        assert refusal_of(report, record, Names(VENUE), VENUE).facts == facts


# --- as JSON ---


@pytest.mark.parametrize(
    "code",
    [
        name
        for name, kind in vars(refusals).items()
        if inspect.isclass(kind) and kind is not Refusal and kind is not refusals.NamedRefusal
    ],
)
def test_every_refusal_survives_json(code: str) -> None:
    if code == "OtherRefusal":
        assert refusals.from_json("FromElsewhere", {"count": 1}).code == "FromElsewhere"
        return
    assert refusals.from_json(code, {"count": 1}).code == code
    assert refusals.from_json(code, {"count": 1}).title.endswith((".", ";"))
