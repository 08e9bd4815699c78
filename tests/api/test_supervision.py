"""Running the market over HTTP: rules, phases, auctions, the kill switch, and who may."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.actors import fresh
from tests.support.filing import refused
from tests.support.stack import Stack
from tests.support.trading import NO_RULES, Room, tradable


@pytest.fixture(scope="module")
def opened(market: Stack) -> Room:
    return Room.open(market, 2042)


@pytest.fixture
def room(opened: Room) -> Iterator[Room]:
    opened.clear()
    yield opened
    opened.clear()


def _shown(room: Room) -> dict[str, Any]:
    return next(each for each in room.market.http.get("/instruments").json() if each["unit"] == room.unit)


def _kill(room: Room, on: bool) -> Any:
    switch = f"/supervision/kill-switches/{room.buyer.address}"
    response = room.market.actor("regulator").put(switch, {"on": on})
    assert response.status_code == 200, response.text
    return response.json()


# Who may ----------------------------------------------------------------------------------------------------


def test_only_the_exchange_sets_rules_and_the_regulator_may_stop_trading(room: Room) -> None:
    instrument = f"/instruments/{room.unit}"
    kill = f"/supervision/kill-switches/{room.buyer.address}"
    acts: list[tuple[str, dict[str, Any], bool]] = [
        (f"{instrument}/rules", NO_RULES, False),
        (f"{instrument}/reference-price", {"price_fen": None}, False),
        (f"{instrument}/phase", {"phase": "continuous"}, True),
        (kill, {"on": False}, True),
    ]
    for path, body, is_the_regulators in acts:
        assert room.market.actor("exchange").put(path, body).status_code == 200, path
        by_regulator = room.market.actor("regulator").put(path, body)
        assert by_regulator.status_code == (200 if is_the_regulators else 403), path
        for label in ("firm:A", "bank", "registrar", "verifier:V"):
            assert refused(room.market.actor(label).put(path, body))[:2] == (403, "RoleForbidden"), path
        assert refused(room.market.http.put(path, json=body))[:2] == (401, "TokenMissing")
    uncross = f"{instrument}/uncross"
    assert refused(room.market.actor("regulator").request("POST", uncross))[:2] == (403, "RoleForbidden")
    assert refused(room.market.actor("exchange").request("POST", uncross))[:2] == (409, "PhaseForbids")


def test_the_log_says_who_asked(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "carat.api.supervision"):
        room.market.actor("regulator").put(f"/instruments/{room.unit}/phase", {"phase": "halted"})
    regulator = room.market.actor("regulator").address
    assert caplog.messages == [f"regulator {regulator}: command=SetPhase unit={room.unit} phase=halted"]


def test_an_unknown_unit_is_refused(market: Stack) -> None:
    exchange, instrument = market.actor("exchange"), "/instruments/allowance-1999"
    for path, body in (
        ("rules", NO_RULES),
        ("reference-price", {"price_fen": 5}),
        ("phase", {"phase": "halted"}),
    ):
        assert refused(exchange.put(f"{instrument}/{path}", body))[:2] == (404, "UnknownInstrument")
    assert refused(exchange.request("POST", f"{instrument}/uncross"))[:2] == (404, "UnknownInstrument")


# Rules ------------------------------------------------------------------------------------------------------


def test_rules_are_shown_and_who_collects_only_to_those_who_run_it(room: Room) -> None:
    rules = {
        "maker_ppm": 200,
        "taker_ppm": 500,
        "band_ppm": 100_000,
        "position_limit_t": 500,
        "no_same_day_resale": True,
    }
    told = room.set("rules", rules | {"fee_account": room.house.address})
    assert told["fee_account"] == room.house.address
    assert rules.items() <= told.items()
    shown = _shown(room)
    assert rules.items() <= shown.items()
    assert "fee_account" not in shown
    listed = room.market.actor("regulator").get("/supervision/instruments")
    assert told in listed
    room.set("rules", NO_RULES)
    assert (_shown(room)["taker_ppm"], _shown(room)["position_limit_t"]) == (0, None)


def test_a_fee_has_one_collector_and_is_no_more_than_the_value(room: Room) -> None:
    rules = f"/instruments/{room.unit}/rules"
    exchange = room.market.actor("exchange")
    fees = NO_RULES | {"taker_ppm": 100, "fee_account": room.house.address}
    assert exchange.put(rules, fees).status_code == 200
    assert refused(exchange.put(rules, fees | {"fee_account": room.buyer.address})) == (
        409,
        "FeeAccountDiffers",
        {"unit": room.unit, "fee_account": room.house.address},
    )
    assert refused(exchange.put(rules, fees | {"taker_ppm": 1_000_001})) == (
        422,
        "FeesInvalid",
        {"maker_ppm": 0, "taker_ppm": 1_000_001},
    )
    for wrong in ({"maker_ppm": -1}, {"band_ppm": 2**32}, {"position_limit_t": -1}, {"fee_account": "x"}):
        assert refused(exchange.put(rules, fees | wrong))[:2] == (422, "RequestMalformed")
    missing = {name: value for name, value in NO_RULES.items() if name != "band_ppm"}
    assert refused(exchange.put(rules, missing))[:2] == (422, "RequestMalformed")


def test_a_price_outside_the_band_is_refused(room: Room) -> None:
    room.set("rules", NO_RULES | {"band_ppm": 100_000})
    assert room.set("reference-price", {"price_fen": 8_000})["reference_fen"] == 8_000
    assert room.buy(1, 8_800)["status"] == "open"
    path = fresh("orders")
    first = refused(room.order(room.buyer, path, "buy", 1, price_fen=8_801))
    assert first == (409, "PriceBand", {"price_min_fen": 7_200, "price_max_fen": 8_800, "price_fen": 8_801})
    assert refused(room.order(room.buyer, path, "buy", 1, price_fen=8_801)) == first
    assert room.set("reference-price", {"price_fen": None})["reference_fen"] is None
    assert room.order(room.buyer, path, "buy", 1, price_fen=8_801).status_code == 201, (
        "the id was not used up"
    )


def test_nobody_holds_more_than_the_limit(room: Room) -> None:
    held = tradable(room.buyer, room.unit)
    room.set("rules", NO_RULES | {"position_limit_t": held + 10})
    assert room.buy(6, 8_000)["status"] == "open"
    more = room.order(room.buyer, fresh("orders"), "buy", 5, price_fen=8_000)
    facts = {"would_hold_t": held + 11, "position_limit_t": held + 10}
    assert refused(more) == (409, "PositionLimit", facts)


def test_what_was_bought_today_is_not_sold_today_where_that_is_barred(room: Room) -> None:
    room.set("rules", NO_RULES | {"no_same_day_resale": True})
    before = tradable(room.buyer, room.unit)
    room.sell(3, 8_000)
    room.buy(3, 8_000)
    balance = room.buyer.get("/my/trading-account")["balances"][room.unit]
    assert balance["available"] >= balance["tradable"] + 3
    sale = room.order(room.buyer, fresh("orders"), "sell", before + 3, price_fen=8_000)
    assert refused(sale)[:2] == (409, "InsufficientUnits")


# Phases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["halted", "closed"])
def test_a_unit_that_does_not_trade_takes_cancels_alone(room: Room, phase: str) -> None:
    stands = room.sell(1, 9_000)
    assert room.set("phase", {"phase": phase})["phase"] == phase
    assert _shown(room)["phase"] == phase
    order = room.order(room.buyer, fresh("orders"), "buy", 1, price_fen=9_000)
    assert refused(order)[:2] == (409, "PhaseForbids")
    cancelled = room.seller.request("DELETE", f"/orders/{stands['order_id']}")
    assert cancelled.json()["status"] == "cancelled"


def test_an_auction_gathers_orders_and_trades_them_at_one_price(room: Room) -> None:
    exchange, instrument = room.market.actor("exchange"), f"/instruments/{room.unit}"
    room.set("phase", {"phase": "auction"})
    room.sell(5, 8_000)
    bid = room.buy(5, 8_200)
    assert bid["filled_t"] == 0
    room.buy(2, 7_000)
    at_once = room.order(room.buyer, fresh("orders"), "buy", 1, kind="market")
    assert refused(at_once)[:2] == (409, "PhaseForbids")
    opening = exchange.put(f"{instrument}/phase", {"phase": "continuous"})
    assert refused(opening) == (409, "BookCrossed", {"bid_fen": 8_200, "ask_fen": 8_000})
    traded = exchange.request("POST", f"{instrument}/uncross").json()
    assert (traded["unit"], traded["quantity_t"], traded["trades"]) == (room.unit, 5, 1)
    assert 8_000 <= traded["price_fen"] <= 8_200
    assert room.buyer.get(f"/orders/{bid['order_id']}")["filled_fen"] == 5 * traded["price_fen"]
    again = exchange.request("POST", f"{instrument}/uncross").json()
    assert again == {"unit": room.unit, "price_fen": None, "quantity_t": 0, "trades": 0}
    assert room.set("phase", {"phase": "continuous"})["last_price_fen"] == traded["price_fen"]
    wrong = exchange.put(f"{instrument}/phase", {"phase": "lunch"})
    assert refused(wrong)[:2] == (422, "RequestMalformed")


# The kill switch --------------------------------------------------------------------------------------------


def test_a_killed_account_loses_its_orders_and_places_none_until_it_is_let_in(room: Room) -> None:
    stands = room.buy(5, 8_000)
    told = _kill(room, on=True)
    assert told == {"account": room.buyer.address, "on": True, "cancelled": 1}
    assert _kill(room, on=True)["cancelled"] == 0
    gone = room.buyer.get(f"/orders/{stands['order_id']}")
    assert (gone["status"], gone["cancelled"]) == ("cancelled", "killed")
    path = fresh("orders")
    refusal = refused(room.order(room.buyer, path, "buy", 1, price_fen=1))
    assert refusal == (409, "ParticipantKilled", {"account": room.buyer.address})
    assert room.buyer.request("DELETE", "/orders").json()["cancelled"] == 0
    assert _kill(room, on=False) == {"account": room.buyer.address, "on": False, "cancelled": 0}
    assert room.order(room.buyer, path, "buy", 1, price_fen=1).status_code == 201


def test_an_account_that_never_traded_can_be_shut_out_before_it_does(room: Room) -> None:
    newcomer = room.market.open_account("trader:shut-out", "trader")
    switch = f"/supervision/kill-switches/{newcomer.address.lower()}"
    told = room.market.actor("exchange").put(switch, {"on": True}).json()
    assert told == {"account": newcomer.address, "on": True, "cancelled": 0}
    order = room.order(newcomer, fresh("orders"), "buy", 1, price_fen=1)
    assert refused(order)[:2] == (409, "ParticipantKilled")
    for wrong in ({}, {"on": "yes"}, {"on": 1}):
        refusal = room.market.actor("exchange").put(switch, wrong)
        assert refused(refusal)[:2] == (422, "RequestMalformed")
