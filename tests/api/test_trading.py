"""Orders of every kind over HTTP: placed once, amended, cancelled, expired, and what they paid."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.actors import fresh
from tests.support.filing import refused
from tests.support.stack import Stack
from tests.support.trading import NO_RULES, Room


@pytest.fixture(scope="module")
def opened(market: Stack) -> Room:
    return Room.open(market, 2041)


@pytest.fixture
def room(opened: Room) -> Iterator[Room]:
    opened.clear()
    yield opened
    opened.clear()


def _levels(room: Room, side: str) -> list[tuple[int, int]]:
    return [(each["price_fen"], each["quantity_t"]) for each in room.book()[side]]


# Kinds ------------------------------------------------------------------------------------------------------


def test_a_stop_waits_for_its_price_and_is_a_market_order_then(room: Room) -> None:
    waiting = room.buy(3, kind="stop", stop_fen=9_100)
    assert (waiting["status"], waiting["kind"], waiting["price_fen"]) == ("parked", "stop", None)
    room.sell(5, 9_100)
    assert room.buyer.get(f"/orders/{waiting['order_id']}")["status"] == "parked", "a price, not yet a trade"
    room.buy(1, 9_100)
    done = room.buyer.get(f"/orders/{waiting['order_id']}")
    assert (done["status"], done["filled_t"], done["filled_fen"]) == ("filled", 3, 3 * 9_100)


def test_a_stop_limit_rests_at_its_limit_once_it_is_triggered(room: Room) -> None:
    room.sell(1, 9_000)
    room.buy(1, 9_000)
    placed = room.sell(4, 8_990, kind="stop_limit", stop_fen=9_000, time_in_force="day")
    assert (placed["status"], placed["time_in_force"]) == ("open", "day"), "the last price is there already"
    assert _levels(room, "asks") == [(8_990, 4)]


def test_a_market_order_takes_no_worse_than_its_protection(room: Room) -> None:
    room.sell(2, 9_000)
    room.sell(2, 9_001)
    taken = room.buy(4, 9_000, kind="market")
    assert (taken["filled_t"], taken["status"], taken["cancelled"]) == (2, "cancelled", "unfilled")
    assert taken["price_fen"] == 9_000


def test_an_iceberg_shows_a_part_of_itself(room: Room) -> None:
    room.sell(100, 9_000, display_t=10)
    assert _levels(room, "asks") == [(9_000, 10)]
    assert room.buy(25, 9_000)["filled_t"] == 25
    assert _levels(room, "asks") == [(9_000, 5)]


def test_an_order_with_a_date_expires(room: Room) -> None:
    expires_us = time.time_ns() // 1_000 + 300_000
    dated = room.buy(5, 1, time_in_force="gtd", expires_us=expires_us)
    assert (dated["status"], dated["time_in_force"]) == ("open", "gtd")
    time.sleep(0.35)
    room.buy(1, 1)  # time goes on in the exchange when something comes
    gone = room.buyer.get(f"/orders/{dated['order_id']}")
    assert (gone["status"], gone["cancelled"], gone["remaining_t"]) == ("expired", "date", 5)


def test_who_meets_himself_says_what_goes(room: Room) -> None:
    room.buy(1, 8_000)
    room.sell(1, 8_000)  # so that the seller has cash, too
    stands = room.sell(1, 5_000)
    came = room.order(room.seller, fresh("orders"), "buy", 1, price_fen=5_000)
    assert (came.json()["status"], came.json()["cancelled"]) == ("cancelled", "self_trade")
    assert room.seller.get(f"/orders/{stands['order_id']}")["status"] == "open"
    came = room.order(room.seller, fresh("orders"), "buy", 1, price_fen=5_000, self_trade="cancel_maker")
    assert (came.status_code, came.json()["status"]) == (201, "open")
    gone = room.seller.get(f"/orders/{stands['order_id']}")
    assert (gone["status"], gone["cancelled"]) == ("cancelled", "self_trade")


@pytest.mark.parametrize(
    ("terms", "status", "code"),
    [
        ({"kind": "stop"}, 422, "CommandMalformed"),
        ({"kind": "limit", "price_fen": 1, "stop_fen": 5}, 422, "CommandMalformed"),
        ({"kind": "ioc", "price_fen": 1, "time_in_force": "day"}, 422, "CommandMalformed"),
        ({"kind": "limit", "price_fen": 1, "time_in_force": "gtd"}, 422, "CommandMalformed"),
        ({"kind": "market", "post_only": True}, 422, "CommandMalformed"),
        ({"kind": "stop_limit", "stop_fen": 5}, 422, "PriceMissing"),
        ({"kind": "limit", "price_fen": 1, "display_t": 11}, 422, "DisplayOutOfRange"),
        ({"kind": "limit", "price_fen": 1, "time_in_force": "gtd", "expires_us": 1}, 422, "ExpiryPassed"),
        ({"kind": "limit", "price_fen": 9_000, "post_only": True}, 409, "PostOnlyWouldTrade"),
        ({"kind": "fok", "price_fen": 9_000, "quantity_t": 11}, 409, "FokUnfillable"),
        ({"kind": "iceberg", "price_fen": 1}, 422, "RequestMalformed"),
        ({"kind": "limit", "price_fen": 1, "post_only": "yes"}, 422, "RequestMalformed"),
    ],
)
def test_terms_that_do_not_fit_are_refused_each_time(
    room: Room, terms: dict[str, Any], status: int, code: str
) -> None:
    room.sell(10, 9_000)
    path, body = fresh("orders"), {"unit": room.unit, "side": "buy", "quantity_t": 10} | terms
    first = refused(room.buyer.put(path, body))
    assert first[:2] == (status, code)
    if code != "ExpiryPassed":  # which says the time
        assert refused(room.buyer.put(path, body)) == first
    assert refused(room.buyer.request("GET", path))[:2] == (404, "OrderUnknown")


_PRICES = st.integers(1, 9_999)
_TERMS = st.fixed_dictionaries(
    {
        "side": st.sampled_from(["buy", "sell"]),
        "kind": st.sampled_from(["limit", "market", "ioc", "fok", "stop", "stop_limit"]),
        "quantity_t": st.integers(1, 20),
        "price_fen": st.none() | _PRICES,
    },
    optional={
        "time_in_force": st.sampled_from(["gtc", "day"]),
        "post_only": st.booleans(),
        "display_t": st.integers(1, 25),
        "stop_fen": _PRICES,
        "self_trade": st.sampled_from(["cancel_taker", "cancel_maker", "cancel_both", "decrement"]),
    },
)


def test_whatever_an_order_says_it_is_placed_once_or_refused_alike(opened: Room) -> None:
    opened.clear()

    @given(terms=_TERMS)
    @settings(
        max_examples=60, derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(terms: dict[str, Any]) -> None:
        actor = opened.seller if terms["side"] == "sell" else opened.buyer
        path, body = fresh("orders"), {"unit": opened.unit, **terms}
        first, trades = actor.put(path, body), len(_own_trades(opened))
        again = actor.put(path, body)
        assert len(_own_trades(opened)) == trades
        if first.status_code == 201:
            assert (again.status_code, again.json()) == (200, first.json())
        else:
            assert first.status_code in (409, 422), first.text
            assert (again.status_code, again.json()) == (first.status_code, first.json())

    check()
    opened.clear()


def _own_trades(room: Room) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"unit": room.unit, "limit": 100}
    while True:
        page = room.buyer.get("/my/trades", **query)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


# Amending and cancelling ------------------------------------------------------------------------------------


def test_an_order_made_smaller_keeps_its_place_and_one_made_larger_loses_it(room: Room) -> None:
    first, second = room.sell(10, 9_000), room.sell(10, 9_000)
    path = f"/orders/{first['order_id']}"
    smaller = room.seller.request("PATCH", path, json={"quantity_t": 6})
    assert (smaller.status_code, smaller.json()["remaining_t"], smaller.json()["price_fen"]) == (
        200,
        6,
        9_000,
    )
    assert room.seller.request("PATCH", path, json={"quantity_t": 6}).json() == smaller.json()
    room.buy(1, 9_000)
    assert room.seller.get(path)["filled_t"] == 1, "it was still the first"
    larger = room.seller.request("PATCH", path, json={"quantity_t": 7, "price_fen": 9_000})
    assert larger.json()["remaining_t"] == 6
    room.buy(1, 9_000)
    assert room.seller.get(path)["filled_t"] == 1
    assert room.seller.get(f"/orders/{second['order_id']}")["filled_t"] == 1


def test_an_amended_order_may_trade_and_its_first_sending_still_places_nothing(room: Room) -> None:
    path = fresh("orders")
    assert room.order(room.seller, path, "sell", 5, price_fen=9_000).status_code == 201
    room.buy(2, 8_000)
    amended = room.seller.request("PATCH", path, json={"quantity_t": 5, "price_fen": 8_000})
    assert (amended.json()["filled_t"], amended.json()["price_fen"]) == (2, 8_000)
    again = room.order(room.seller, path, "sell", 5, price_fen=9_000)
    assert (again.status_code, again.json()) == (200, amended.json())
    other = room.order(room.seller, path, "sell", 5, price_fen=9_000, post_only=True)
    assert refused(other)[:2] == (409, "OrderIdReused")


def test_an_amendment_that_cannot_be_is_refused(room: Room) -> None:
    placed = room.sell(5, 9_000)
    path = f"/orders/{placed['order_id']}"
    room.buy(2, 9_000)
    assert refused(room.seller.request("PATCH", path, json={"quantity_t": 2})) == (
        409,
        "AmendBelowFilled",
        {"filled_t": 2, "quantity_t": 2},
    )
    assert refused(room.buyer.request("PATCH", path, json={"quantity_t": 3}))[:2] == (404, "OrderUnknown")
    unknown = room.seller.request("PATCH", fresh("orders"), json={"quantity_t": 3})
    assert refused(unknown)[:2] == (404, "OrderUnknown")
    stop = room.sell(1, kind="stop", stop_fen=1)
    waiting = room.seller.request("PATCH", f"/orders/{stop['order_id']}", json={"quantity_t": 2})
    assert refused(waiting)[:2] == (409, "StopNotAmendable")
    room.seller.request("DELETE", path)
    assert refused(room.seller.request("PATCH", path, json={"quantity_t": 4}))[:2] == (409, "OrderNotOpen")
    for body in ({}, {"quantity_t": 0}, {"quantity_t": 1, "price_fen": 0}, {"quantity_t": 1, "side": "buy"}):
        assert refused(room.seller.request("PATCH", path, json=body))[:2] == (422, "RequestMalformed")


def test_all_own_orders_are_cancelled_at_once(room: Room) -> None:
    stop, mine = room.sell(1, kind="stop", stop_fen=1), room.sell(5, 9_000)
    theirs = room.buy(5, 8_000)
    other = room.seller.request("DELETE", "/orders", params={"unit": "allowance-2026"})
    assert (other.status_code, other.json()) == (200, {"unit": "allowance-2026", "cancelled": 0})
    assert room.seller.request("DELETE", "/orders").json() == {"unit": None, "cancelled": 2}
    for each in (stop, mine):
        gone = room.seller.get(f"/orders/{each['order_id']}")
        assert (gone["status"], gone["cancelled"]) == ("cancelled", "mass")
    assert room.buyer.get(f"/orders/{theirs['order_id']}")["status"] == "open"
    assert room.seller.request("DELETE", "/orders").json() == {"unit": None, "cancelled": 0}
    unknown = room.seller.request("DELETE", "/orders", params={"unit": "allowance-1999"})
    assert refused(unknown)[:2] == (404, "UnknownInstrument")


def test_who_never_traded_has_nothing_to_cancel(room: Room) -> None:
    stranger = room.market.open_account("trader:never", "trader")
    assert stranger.request("DELETE", "/orders").json() == {"unit": None, "cancelled": 0}
    assert refused(stranger.request("PATCH", fresh("orders"), json={"quantity_t": 1}))[0] == 404


def test_a_frozen_account_cancels_and_neither_orders_nor_amends(room: Room) -> None:
    regulator, frozen = room.market.actor("regulator"), {"account": room.buyer.address, "frozen": True}
    kept = room.buy(5, 8_000)
    regulator.done(fresh("freezes"), frozen)
    try:
        less = room.buyer.request("PATCH", f"/orders/{kept['order_id']}", json={"quantity_t": 4})
        assert refused(less)[:2] == (409, "AccountFrozen")
        stop = room.order(room.buyer, fresh("orders"), "buy", 1, kind="stop", stop_fen=9)
        assert refused(stop)[:2] == (409, "AccountFrozen")
        assert room.buyer.request("DELETE", "/orders").json()["cancelled"] == 1
    finally:
        regulator.done(fresh("freezes"), frozen | {"frozen": False})


# Fees -------------------------------------------------------------------------------------------------------


def test_each_side_sees_its_own_fee_and_the_public_none(room: Room) -> None:
    before = room.house.get("/my/trading-account")["balances"].get("cash", {"available": 0})["available"]
    room.set("rules", NO_RULES | {"maker_ppm": 1_000, "taker_ppm": 2_500, "fee_account": room.house.address})
    asked = room.sell(10, 8_000)
    bought = room.buy(10, 8_000)
    assert bought["fees_fen"] == 200
    assert room.seller.get(f"/orders/{asked['order_id']}")["fees_fen"] == 80
    mine, theirs = _own_trades(room)[-1], room.seller.get("/my/trades", unit=room.unit, limit=100)["items"]
    assert (mine["side"], mine["fee_fen"]) == ("buy", 200)
    assert [each["fee_fen"] for each in theirs if each["number"] == mine["number"]] == [80]
    tape = room.market.http.get("/trades", params={"unit": room.unit, "limit": 100}).json()["items"]
    assert not [name for each in tape for name in each if "fee" in name or name in ("buyer", "seller")]
    query = {"unit": room.unit, "account": room.buyer.address, "limit": 100}
    named = room.market.actor("regulator").get("/supervision/trades", **query)["items"]
    (full,) = [each for each in named if each["number"] == mine["number"]]
    assert (full["maker_fee_fen"], full["taker_fee_fen"]) == (80, 200)
    after = room.house.get("/my/trading-account")["balances"]["cash"]["available"]
    assert after - before == 280
