"""What clients can say, and what they are answered: the first time and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from exchange.client import (
    amend_order,
    cancel_order,
    list_instrument,
    mass_cancel,
    place_order,
    request_withdrawal,
    set_kill_switch,
    set_phase,
    set_reference,
    set_rules,
    uncross,
)
from exchange.words import account_text
from tests.exchange.conftest import Exchange
from tests.exchange.gate import Gate, opened
from tests.exchange.world import ANNA, BERT, CARL, DORA

UNIT = "allowance-2026"
A, B, C, D = (account_text(account) for account in (ANNA, BERT, CARL, DORA))
STRANGERS = [account_text(bytes([0x60 + at]) * 20) for at in range(5)]
FAR_US = 4_000_000_000_000_000


@pytest.fixture
async def gate(exchange: Exchange) -> AsyncIterator[Gate]:
    async with opened(exchange) as gate:
        yield gate


def sell(name: UUID | int, account: str, quantity_t: int, price_fen: int | None = None, **more: Any) -> Any:
    own_id = name if isinstance(name, UUID) else UUID(int=name)
    return place_order(own_id, account, UNIT, "sell", quantity_t, price_fen, **more)


def buy(name: UUID | int, account: str, quantity_t: int, price_fen: int | None = None, **more: Any) -> Any:
    own_id = name if isinstance(name, UUID) else UUID(int=name)
    return place_order(own_id, account, UNIT, "buy", quantity_t, price_fen, **more)


def kinds(reports: list[Any]) -> list[str]:
    return [report["report"] for report in reports]


# --- kinds of orders ---


async def test_an_answer_has_every_field(gate: Gate) -> None:
    await gate.submit(
        set_rules(UNIT, maker_ppm=1_000, taker_ppm=2_000, fee_account=D), sell(1, A, 10, 10_000)
    )
    (accepted, trade, cancelled) = await gate.do(buy(2, B, 15, 11_000, kind="ioc"))
    at_us = accepted["at_us"]
    assert accepted == {
        "report": "OrderAccepted",
        "order_id": str(UUID(int=2)),
        "account": B,
        "unit": UNIT,
        "side": "buy",
        "kind": "ioc",
        "quantity_t": 15,
        "price_fen": 11_000,
        "at_us": at_us,
        "time_in_force": "ioc",
        "parked": False,
    }
    assert trade == {
        "report": "Trade",
        "number": 1,
        "epoch": 1,
        "unit": UNIT,
        "price_fen": 10_000,
        "quantity_t": 10,
        "at_us": at_us,
        "taker_side": "buy",
        "maker_order": str(UUID(int=1)),
        "taker_order": str(UUID(int=2)),
        "buyer": B,
        "seller": A,
        "taker_fee_fen": 200,
        "maker_fee_fen": 100,
    }
    assert cancelled == {
        "report": "OrderCancelled",
        "order_id": str(UUID(int=2)),
        "remaining_t": 5,
        "reason": "unfilled",
    }
    assert (await gate.get(f"/accounts/{D}"))["balances"]["cash"]["available"] == 1_000_300
    order = await gate.get(f"/orders/{UUID(int=2)}")
    assert (order["status"], order["cancelled"], order["fees_fen"]) == ("cancelled", "unfilled", 200)


async def test_a_stop_waits_and_is_shown_to_whoever_triggers_it(gate: Gate) -> None:
    (accepted,) = await gate.do(buy(1, C, 5, kind="stop", stop_fen=110))
    assert (accepted["parked"], accepted["kind"], accepted["price_fen"]) == (True, "stop", 0)
    assert (await gate.get(f"/orders/{UUID(int=1)}"))["status"] == "parked"
    await gate.submit(sell(2, A, 10, 110))
    (answer,) = await gate.submit(buy(3, B, 2, 110))
    assert kinds(answer["reports"]) == ["OrderAccepted", "Trade", "OrderFilled"]
    assert kinds(answer["also"]) == ["OrderTriggered", "Trade", "OrderFilled"]
    assert answer["also"][0] == {"report": "OrderTriggered", "order_id": str(UUID(int=1)), "price_fen": 110}
    order = await gate.get(f"/orders/{UUID(int=1)}")
    assert (order["status"], order["filled_t"], order["price_fen"]) == ("filled", 5, None)


async def test_an_iceberg_shows_a_part_and_then_the_next(gate: Gate) -> None:
    await gate.do(sell(1, A, 10, 100, display_t=4))
    assert (await gate.get(f"/book/{UNIT}"))["asks"] == [{"price_fen": 100, "quantity_t": 4, "orders": 1}]
    (answer,) = await gate.submit(buy(2, B, 4, 100))
    assert answer["also"] == [
        {
            "report": "OrderReplenished",
            "order_id": str(UUID(int=1)),
            "price_fen": 100,
            "shown_t": 4,
            "remaining_t": 6,
        }
    ]


async def test_an_order_good_till_date_expires_with_the_next_command_after_it(gate: Gate) -> None:
    soon_us = gate.running.sequencer.now_us() + 50_000
    await gate.do(sell(1, A, 10, 100, time_in_force="gtd", expires_us=soon_us))
    await asyncio.sleep(0.06)
    (answer,) = await gate.submit(sell(2, A, 1, 200))
    assert answer["also"] == [
        {"report": "OrderExpired", "order_id": str(UUID(int=1)), "remaining_t": 10, "reason": "date"}
    ]
    order = await gate.get(f"/orders/{UUID(int=1)}")
    assert (order["status"], order["cancelled"], order["time_in_force"]) == ("expired", "date", "gtd")


async def test_the_taker_says_what_happens_when_it_meets_its_own_order(gate: Gate) -> None:
    await gate.submit(sell(1, A, 4, 100), sell(2, A, 10, 101), sell(3, B, 5, 102))
    answers = await gate.submit(
        buy(4, A, 3, 100),
        buy(5, A, 1, 100, self_trade="cancel_maker"),
        buy(6, A, 3, 101, self_trade="decrement"),
        buy(7, A, 1, 101, self_trade="cancel_both"),
    )
    assert [kinds(answer["reports"]) for answer in answers] == [
        ["OrderAccepted", "OrderCancelled"],
        ["OrderAccepted", "OrderRested"],
        ["OrderAccepted", "OrderCancelled"],
        ["OrderAccepted", "OrderCancelled"],
    ]
    assert [kinds(answer.get("also", [])) for answer in answers] == [
        [],
        ["OrderCancelled"],
        ["OrderReduced"],
        ["OrderCancelled"],
    ]
    assert answers[2]["also"] == [
        {"report": "OrderReduced", "order_id": str(UUID(int=2)), "quantity_t": 7, "remaining_t": 7}
    ]


async def test_a_market_order_can_be_protected_by_a_price(gate: Gate) -> None:
    await gate.submit(sell(1, A, 1, 100), sell(2, A, 1, 200))
    reports = await gate.do(buy(3, B, 2, 150, kind="market"))
    assert kinds(reports) == ["OrderAccepted", "Trade", "OrderCancelled"]
    assert (await gate.get(f"/orders/{UUID(int=3)}"))["price_fen"] == 150


# --- amend, cancel ---


async def test_an_amend_answers_whether_the_order_kept_its_place(gate: Gate) -> None:
    await gate.submit(sell(1, A, 10, 100), buy(2, B, 3, 100), buy(3, B, 2, 90))
    amended = {"report": "OrderAmended", "order_id": str(UUID(int=1))}
    smaller = amend_order(UUID(int=1), A, 8)
    for _ in range(2):  # a repetition takes nothing more off
        assert await gate.do(smaller) == [
            amended | {"price_fen": 100, "quantity_t": 8, "remaining_t": 5, "kept_priority": True}
        ]
    reports = await gate.do(amend_order(UUID(int=1), A, 9, 90))
    assert reports[0] == amended | {
        "price_fen": 90,
        "quantity_t": 9,
        "remaining_t": 6,
        "kept_priority": False,
    }
    assert kinds(reports) == ["OrderAmended", "Trade", "OrderRested"]


async def test_a_mass_cancel_takes_the_orders_of_one_account(gate: Gate) -> None:
    await gate.submit(sell(1, A, 1, 100), sell(2, A, 1, 101), sell(3, B, 1, 102))
    reports = await gate.do(mass_cancel(A, UNIT))
    assert [(each["order_id"], each["reason"]) for each in reports[:2]] == [
        (str(UUID(int=1)), "mass"),
        (str(UUID(int=2)), "mass"),
    ]
    assert reports[2:] == [{"report": "MassCancelled", "account": A, "unit": UNIT, "cancelled": 2}]
    assert await gate.do(mass_cancel(A)) == [
        {"report": "MassCancelled", "account": A, "unit": None, "cancelled": 0}
    ]


async def test_a_kill_switch_cancels_and_bars(gate: Gate) -> None:
    await gate.submit(sell(1, A, 1, 100))
    reports = await gate.do(set_kill_switch(A, on=True))
    assert kinds(reports) == ["OrderCancelled", "KillSwitchSet"]
    assert reports[1] == {"report": "KillSwitchSet", "account": A, "on": True, "cancelled": 1}
    assert await gate.refused(sell(2, A, 1, 100)) == ("ParticipantKilled", {"account": A})
    await gate.do(set_kill_switch(A, on=False))
    await gate.do(sell(2, A, 1, 100))


async def test_an_unknown_account_has_nothing_to_cancel_and_is_not_registered(gate: Gate) -> None:
    before = len(gate.running.custody.accounts)
    stranger = STRANGERS[0]
    assert await gate.refused(cancel_order(UUID(int=1), stranger)) == (
        "OrderUnknown",
        {"order_id": str(UUID(int=1))},
    )
    assert (await gate.refused(amend_order(UUID(int=1), stranger, 5)))[0] == "OrderUnknown"
    assert await gate.do(mass_cancel(stranger)) == [
        {"report": "MassCancelled", "account": stranger, "unit": None, "cancelled": 0}
    ]
    assert (await gate.refused(place_order(uuid4(), stranger, "allowance-2099", "buy", 1, 1)))[0] == (
        "UnknownInstrument"
    )
    assert len(gate.running.custody.accounts) == before


async def test_the_new_accounts_of_a_request_are_registered_in_one_run(gate: Gate) -> None:
    frames, accounts = gate.running.sequencer.journal.frames, len(gate.running.custody.accounts)
    answers = await gate.submit(
        *(buy(uuid4(), stranger, 1, 1) for stranger in STRANGERS[:3]),
        request_withdrawal(uuid4(), STRANGERS[3], "cash", 1),
        set_kill_switch(STRANGERS[4], on=False),
    )
    assert [answer.get("refusal", {}).get("code") for answer in answers] == ["InsufficientCash"] * 4 + [None]
    assert len(gate.running.custody.accounts) == accounts + 5
    assert gate.running.sequencer.journal.frames == frames + 2


# --- instruments ---


async def test_what_is_listed_can_be_traded_by_the_next_command_of_the_same_request(gate: Gate) -> None:
    other = "allowance-2027"
    answers = await gate.submit(
        sell(1, A, 1, 100),
        place_order(uuid4(), A, other, "buy", 1, 1),
        list_instrument(other, 5, 10, 1_000),
        place_order(uuid4(), A, other, "buy", 10, 100),
        list_instrument(other, 5, 10, 1_000),
        sell(1, A, 1, 100),
    )
    assert answers[1]["refusal"] == {
        "code": "UnknownInstrument",
        "title": "This unit is not listed for trading.",
        "facts": {"unit": other},
    }
    listed = {
        "report": "InstrumentListed",
        "unit": other,
        "tick_fen": 5,
        "lot_t": 10,
        "quantity_max_t": 1_000,
    }
    assert answers[2] == answers[4] == {"reports": [listed]}
    assert kinds(answers[3]["reports"]) == ["OrderAccepted", "OrderRested"]
    assert answers[5] == answers[0]


async def test_the_rules_are_answered_and_shown(gate: Gate) -> None:
    rules = set_rules(
        UNIT,
        maker_ppm=100,
        taker_ppm=200,
        fee_account=D,
        band_ppm=100_000,
        position_limit_t=2_000,
        no_same_day_resale=True,
    )
    said = {name: value for name, value in rules.items() if name != "command"}
    assert await gate.do(rules) == [{"report": "RulesSet", **said}]
    assert await gate.do(set_reference(UNIT, 1_000)) == [
        {"report": "ReferenceSet", "unit": UNIT, "price_fen": 1_000}
    ]
    assert await gate.do(set_phase(UNIT, "halted")) == [
        {"report": "PhaseSet", "unit": UNIT, "phase": "halted"}
    ]
    (shown,) = (await gate.get("/instruments"))["instruments"]
    assert shown == said | {
        "tick_fen": 1,
        "lot_t": 1,
        "quantity_max_t": 10**9,
        "last_price_fen": None,
        "phase": "halted",
        "reference_fen": 1_000,
    }


async def test_an_instrument_keeps_the_account_that_collects_its_fees(gate: Gate) -> None:
    await gate.do(set_rules(UNIT, maker_ppm=1, fee_account=D))
    assert await gate.refused(set_rules(UNIT, maker_ppm=2, fee_account=C)) == (
        "FeeAccountDiffers",
        {"unit": UNIT, "fee_account": D},
    )
    (later,) = await gate.do(set_rules(UNIT, maker_ppm=3))
    assert (later["maker_ppm"], later["fee_account"]) == (3, D)
    answers = await gate.submit(set_rules(UNIT), set_rules(UNIT, maker_ppm=4, fee_account=STRANGERS[0]))
    assert answers[1]["refusal"]["code"] == "FeeAccountDiffers"


async def test_rules_of_one_request_are_set_one_after_the_other(gate: Gate) -> None:
    answers = await gate.submit(
        set_rules(UNIT, maker_ppm=1, fee_account=STRANGERS[0]),
        set_rules(UNIT, maker_ppm=1, fee_account=STRANGERS[1]),
        sell(1, A, 1, 100),
    )
    assert [answer.get("refusal", {}).get("code") for answer in answers] == [None, "FeeAccountDiffers", None]


async def test_an_auction_gathers_orders_and_trades_them_at_one_price(gate: Gate) -> None:
    await gate.do(set_phase(UNIT, "auction"))
    first = await gate.submit(sell(1, A, 10, 90), buy(2, B, 6, 100))
    assert [kinds(answer["reports"]) for answer in first] == [["OrderAccepted", "OrderRested"]] * 2
    assert await gate.refused(set_phase(UNIT, "continuous")) == (
        "BookCrossed",
        {"bid_fen": 100, "ask_fen": 90},
    )
    reports = await gate.do(uncross(UNIT))
    assert kinds(reports) == ["Trade", "OrderFilled", "Uncrossed"]
    assert reports[-1] == {
        "report": "Uncrossed",
        "unit": UNIT,
        "price_fen": 90,
        "quantity_t": 6,
        "trades": 1,
    }
    assert (await gate.do(uncross(UNIT)))[-1]["price_fen"] is None
    await gate.do(set_phase(UNIT, "continuous"))
    assert await gate.submit(sell(1, A, 10, 90), buy(2, B, 6, 100)) == first


# --- again ---

AGAIN: dict[str, Any] = {
    "it rests": buy(9, B, 5, 90),
    "it trades and rests": buy(9, B, 15, 101),
    "it is filled by two": buy(9, B, 12, 102),
    "it is immediate": buy(9, B, 40, 101, kind="ioc"),
    "it finds nothing": buy(9, B, 5, 50, kind="ioc"),
    "it takes all at once": buy(9, B, 12, 102, kind="fok"),
    "it takes any price": buy(9, B, 40, kind="market"),
    "it waits": buy(9, B, 5, 110, kind="stop_limit", stop_fen=110),
    "it waited and its price had come": buy(9, B, 5, 110, kind="stop_limit", stop_fen=100),
    "it meets its own order": sell(9, C, 4, 60),
    "it shrinks with its own order": sell(9, C, 10, 60, self_trade="decrement"),
    "it cancels its own order": sell(9, C, 4, 60, self_trade="cancel_maker"),
    "it is good for the day": buy(9, B, 15, 101, time_in_force="day"),
    "it has a date": buy(9, B, 5, 90, time_in_force="gtd", expires_us=FAR_US),
    "it is an iceberg": sell(9, B, 20, 70, display_t=5),
    "it is post-only": buy(9, B, 5, 90, post_only=True),
    "it takes an iceberg": buy(9, B, 25, 101),
}


@pytest.mark.parametrize("story", AGAIN)
async def test_a_retry_is_answered_as_the_first_time(gate: Gate, story: str) -> None:
    order = AGAIN[story]
    await gate.submit(
        sell(1, A, 1, 100),
        buy(2, D, 1, 100),
        sell(3, A, 10, 100, display_t=4),
        sell(4, A, 10, 101),
        buy(5, C, 3, 60),
        buy(6, D, 2, 60),
    )
    (first,) = await gate.submit(order)
    standing = gate.standing()
    assert "reports" in first
    (again,) = await gate.submit(order)
    assert again["reports"] == first["reports"]
    assert gate.standing() == standing
    # Whatever becomes of it later.
    await gate.submit(
        sell(7, A, 30, 80),
        buy(8, D, 5, 120),
        amend_order(UUID(int=9), order["account"], 2),
        cancel_order(UUID(int=9), order["account"]),
    )
    await gate.post("/epochs/close", {"wait": True, "timeout_s": 5})
    (later,) = await gate.submit(order)
    assert later["reports"] == first["reports"]


async def test_an_order_sent_twice_in_one_request_is_answered_twice_alike(gate: Gate) -> None:
    await gate.submit(sell(1, A, 10, 100))
    answers = await gate.submit(buy(2, B, 15, 100), buy(2, B, 15, 100))
    assert answers[0] == answers[1]
    assert kinds(answers[0]["reports"]) == ["OrderAccepted", "Trade", "OrderRested"]


async def test_a_withdrawal_is_answered_once_and_for_all(gate: Gate) -> None:
    await gate.submit(sell(1, A, 10, 100), buy(2, B, 10, 100))
    ask = request_withdrawal(UUID(int=7), A, "cash", 500)
    first = await gate.do(ask)
    assert first == [
        {
            "report": "WithdrawalRequested",
            "withdrawal_id": str(UUID(int=7)),
            "account": A,
            "asset": "cash",
            "amount": 500,
            "after_epoch": 1,
        }
    ]
    await gate.post("/epochs/close", {"wait": True, "timeout_s": 5})
    assert await gate.do(ask) == first


async def test_the_id_of_a_withdrawal_is_one_over_all_accounts(gate: Gate) -> None:
    ask = request_withdrawal(UUID(int=7), A, UNIT, 5)
    other = request_withdrawal(UUID(int=7), B, UNIT, 5)
    answers = await gate.submit(ask, other)
    reused = {"withdrawal_id": str(UUID(int=7))}
    assert (answers[1]["refusal"]["code"], answers[1]["refusal"]["facts"]) == ("WithdrawalIdReused", reused)
    assert await gate.refused(other) == ("WithdrawalIdReused", reused)
    assert await gate.refused(request_withdrawal(UUID(int=7), A, UNIT, 6)) == ("WithdrawalIdReused", reused)
