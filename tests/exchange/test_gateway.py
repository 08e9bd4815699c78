"""The gateway: every request is answered, every bad one with a typed refusal."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.refusals import Refusal
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
from exchange.core.codes import INT63_MAX
from exchange.gateway import BODY_BYTES_MAX
from exchange.gateway.wire.names import Names, Unregistered
from exchange.gateway.wire.parse import Context, parse_command
from exchange.venue import Venue
from exchange.words import account_text
from tests.exchange.conftest import Exchange
from tests.exchange.gate import SECRET, Gate, opened
from tests.exchange.world import ANNA, BERT, CARL, opening

UNIT = "allowance-2026"
A, B, C = (account_text(account) for account in (ANNA, BERT, CARL))


@pytest.fixture
async def gate(exchange: Exchange) -> AsyncIterator[Gate]:
    async with opened(exchange) as gate:
        yield gate


def code(response: httpx.Response) -> str:
    return str(response.json()["refusal"]["code"])


async def test_orders_trade_and_everyone_can_read_it(gate: Gate) -> None:
    sell, buy = uuid4(), uuid4()
    answers = await gate.submit(
        place_order(sell, A, UNIT, "sell", 10, 8_000), place_order(buy, B, UNIT, "buy", 4, 8_100)
    )
    assert [report["report"] for report in answers[1]["reports"]] == ["OrderAccepted", "Trade", "OrderFilled"]
    assert await gate.get(f"/book/{UNIT}") == {
        "unit": UNIT,
        "sequence": 0,
        "bids": [],
        "asks": [{"price_fen": 8_000, "quantity_t": 6, "orders": 1}],
        "last_price_fen": 8_000,
    }
    assert (await gate.get(f"/accounts/{B}"))["balances"] == {
        "cash": {"available": 968_000, "reserved": 0, "tradable": 968_000},
        UNIT: {"available": 1_004, "reserved": 0, "tradable": 1_004},
    }
    order = await gate.get(f"/orders/{sell}")
    assert (order["status"], order["filled_t"], order["filled_fen"]) == ("open", 4, 32_000)
    (trade,) = (await gate.get("/trades", unit=UNIT))["trades"]
    assert (trade["maker_order"], trade["taker_order"], trade["state"]) == (str(sell), str(buy), "executed")
    assert (trade["buyer"], trade["seller"], trade["taker_side"]) == (B, A, "buy")
    assert (await gate.get("/instruments"))["instruments"][0]["last_price_fen"] == 8_000


async def test_a_batch_is_answered_item_by_item(gate: Gate) -> None:
    name = uuid4()
    answers = await gate.submit(
        place_order(name, A, UNIT, "sell", 10, 8_000),
        place_order(uuid4(), A, UNIT, "sell", 10**6, 8_000),
        {"command": "Nonsense"},
        cancel_order(name, A),
        place_order(name, A, UNIT, "sell", 10, 8_000),
    )
    assert [each.get("refusal", {}).get("code") for each in answers] == [
        None,
        "InsufficientUnits",
        "CommandMalformed",
        None,
        None,
    ]
    assert answers[1]["refusal"]["facts"] == {"available_t": 990, "needed_t": 10**6}
    assert answers[4] == answers[0]


async def test_an_epoch_is_closed_settled_and_paid_out_in_one_call(gate: Gate) -> None:
    out = uuid4()
    await gate.submit(
        place_order(uuid4(), A, UNIT, "sell", 10, 8_000),
        place_order(uuid4(), B, UNIT, "buy", 10, 8_000),
        request_withdrawal(out, A, "cash", 80_000),
    )
    answer = (await gate.post("/epochs/close", {"wait": True, "timeout_s": 5})).json()
    assert (answer["epoch"], answer["done"], answer["unreleased"]) == (1, True, 0)
    assert (await gate.get(f"/withdrawals/{out}"))["released"] is True
    epoch = await gate.get("/epochs/1")
    assert epoch["state"] == "settled"
    assert {delta["account"]: (delta["quantity_t"], delta["cash_fen"]) for delta in epoch["deltas"]} == {
        A: (-10, 80_000),
        B: (10, -80_000),
    }
    again = (await gate.post("/epochs/close", {"wait": True})).json()
    assert (again["epoch"], again["done"]) == (1, True)


async def test_a_withdrawal_that_clearing_refuses_is_shown_and_not_waited_for(gate: Gate) -> None:
    gate.running.clearing.frozen = {ANNA}
    out = uuid4()
    await gate.submit(request_withdrawal(out, A, "cash", 5))
    answer = (await gate.post("/epochs/close", {"wait": True, "timeout_s": 5})).json()
    assert answer["done"]
    assert answer["stuck"][0]["withdrawal_id"] == str(out)
    assert answer["stuck"][0]["refusal"]["code"] == "LedgerAccountFrozen"
    assert (await gate.get("/health"))["status"] == "alarm"


async def test_deposits_are_waited_for(gate: Gate) -> None:
    name = uuid4()
    body = {"account": C, "request_ids": [str(name)], "timeout_s": 5}
    waiting = asyncio.create_task(gate.post("/deposits/await", body))
    await asyncio.sleep(0.05)
    gate.running.clearing.deposit(CARL, 0, 7, name.bytes.rjust(32, b"\0"))
    assert (await waiting).json() == {"credited": [str(name)], "missing": []}
    answer = await gate.post("/deposits/await", body | {"request_ids": [str(uuid4())], "timeout_s": 0})
    assert len(answer.json()["missing"]) == 1


async def test_orders_and_trades_come_in_pages(gate: Gate) -> None:
    names = [uuid4() for _ in range(7)]
    await gate.submit(*(place_order(name, A, UNIT, "sell", 1, 8_000) for name in names))
    await gate.submit(*(place_order(uuid4(), B, UNIT, "buy", 1, 8_000) for _ in range(5)))
    seen, after = [], 0
    while after is not None:
        page = await gate.get(f"/accounts/{A}/orders", after=after, limit=3)
        seen += [order["order_id"] for order in page["orders"]]
        after = page["next"]
    assert seen == [str(name) for name in names]
    still_open = await gate.get(f"/accounts/{A}/orders", open="true", limit=1)
    assert still_open["orders"][0]["order_id"] == str(names[5])
    trades, after = [], 0
    while after is not None:
        page = await gate.get("/trades", account=B, unit=UNIT, after=after, limit=2)
        trades += [trade["number"] for trade in page["trades"]]
        after = page["next"]
    assert trades == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "expected"),
    [
        ("POST", "/commands", b"{", 422, "RequestMalformed"),
        ("POST", "/commands", b"", 422, "RequestMalformed"),
        ("POST", "/commands", b"\xff\xfe", 422, "RequestMalformed"),
        ("POST", "/commands", b"{}", 422, "RequestMalformed"),
        ("POST", "/commands", b"[" + b"0," * 1_000 + b"0]", 422, "RequestMalformed"),
        ("POST", "/commands", b"[" * 3_000, 422, "RequestMalformed"),
        ("POST", "/commands", b" " * (BODY_BYTES_MAX + 1), 413, "BodyTooLarge"),
        ("POST", "/epochs/close", b'{"wait": 1}', 422, "RequestMalformed"),
        ("POST", "/epochs/close", b'{"epoch": 5}', 422, "EpochUnknown"),
        ("POST", "/epochs/close", b'{"epoch": 1e99}', 422, "EpochUnknown"),
        ("POST", "/epochs/close", b'{"later": true}', 422, "RequestMalformed"),
        ("POST", "/deposits/await", b'{"account": 5}', 422, "CommandMalformed"),
        ("POST", "/deposits/await", b'{"account": "0x%s", "request_ids": [1]}' % (b"0" * 40), 422, None),
        ("GET", "/book/allowance-2099", b"", 404, "UnknownInstrument"),
        ("GET", "/book/gold", b"", 422, "UnitMalformed"),
        ("GET", f"/book/{UNIT}?depth=-1", b"", 422, "RequestMalformed"),
        ("GET", f"/book/{UNIT}?depth=٣", b"", 422, "RequestMalformed"),
        ("GET", "/accounts/0x12", b"", 422, "CommandMalformed"),
        ("GET", f"/orders/{UUID(int=1)}", b"", 404, "OrderUnknown"),
        ("GET", "/orders/1", b"", 422, "CommandMalformed"),
        ("GET", f"/withdrawals/{UUID(int=1)}", b"", 404, "WithdrawalUnknown"),
        ("GET", "/epochs/1", b"", 404, "EpochUnknown"),
        ("GET", "/epochs/x", b"", 404, "EpochUnknown"),
        ("GET", "/trades?limit=0", b"", 422, "RequestMalformed"),
        ("GET", "/nowhere", b"", 404, "NoSuchRoute"),
        ("DELETE", "/commands", b"", 405, "NoSuchRoute"),
    ],
)
async def test_bad_requests_get_typed_refusals(
    gate: Gate, method: str, path: str, body: bytes, status: int, expected: str | None
) -> None:
    before = gate.standing()
    response = await gate.http.request(method, path, content=body)
    assert 400 <= response.status_code < 500
    if expected == "EpochUnknown":
        status = 404
    assert response.status_code == status, response.text
    assert expected is None or code(response) == expected
    assert gate.standing() == before


@pytest.mark.parametrize("secret", ["", "Bearer", "Bearer wrong", f"Basic {SECRET}", "Bearer sé"])
async def test_without_the_secret_nothing_is_said(gate: Gate, secret: str) -> None:
    for method, path in [("POST", "/commands"), ("GET", f"/book/{UNIT}"), ("POST", "/epochs/close")]:
        headers = {"authorization": secret.encode()}
        response = await gate.http.request(method, path, content=b"[]", headers=headers)
        assert (response.status_code, code(response)) == (401, "NotSignedIn")
    assert (await gate.http.get("/health", headers={"authorization": ""})).status_code == 200


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"price_fen": 0}, "PriceOutOfRange"),
        ({"price_fen": -1}, "PriceOutOfRange"),
        ({"price_fen": 2**63}, "PriceOutOfRange"),
        ({"price_fen": 10**30}, "CommandMalformed"),
        ({"price_fen": 1.5}, "CommandMalformed"),
        ({"price_fen": True}, "CommandMalformed"),
        ({"price_fen": "8000"}, "CommandMalformed"),
        ({"price_fen": None}, "CommandMalformed"),
        ({"quantity_t": -5}, "QuantityOutOfRange"),
        ({"quantity_t": 0}, "QuantityOutOfRange"),
        ({"quantity_t": INT63_MAX}, "QuantityOutOfRange"),
        ({"unit": "gold"}, "UnitMalformed"),
        ({"unit": "cash"}, "UnitMalformed"),
        ({"unit": 7.5}, "CommandMalformed"),
        ({"unit": "allowance-2031"}, "UnknownInstrument"),
        ({"unit": 2026}, "CommandMalformed"),
        ({"side": "BUY"}, "CommandMalformed"),
        ({"side": ["buy"]}, "CommandMalformed"),
        ({"kind": "stop"}, "CommandMalformed"),
        ({"kind": "pegged"}, "CommandMalformed"),
        ({"order_id": str(UUID(int=0))}, "CommandMalformed"),
        ({"account": A.swapcase()}, "CommandMalformed"),
        ({"order_id": "1"}, "CommandMalformed"),
        ({"order_id": None}, "CommandMalformed"),
        ({"at_us": 5}, "CommandMalformed"),
        ({"command": "Credit"}, "CommandMalformed"),
        ({"command": "CloseEpoch"}, "CommandMalformed"),
        ({"time_in_force": "ioc"}, "CommandMalformed"),
        ({"time_in_force": "gtd"}, "CommandMalformed"),
        ({"time_in_force": "gtd", "expires_us": 0}, "ExpiryPassed"),
        ({"time_in_force": "gtd", "expires_us": 1}, "ExpiryPassed"),
        ({"expires_us": 10**18}, "CommandMalformed"),
        ({"kind": "ioc", "time_in_force": "gtc"}, "CommandMalformed"),
        ({"kind": "fok", "post_only": True}, "CommandMalformed"),
        ({"post_only": 1}, "CommandMalformed"),
        ({"display_t": 0}, "DisplayOutOfRange"),
        ({"display_t": 11}, "DisplayOutOfRange"),
        ({"display_t": 10**30}, "CommandMalformed"),
        ({"kind": "ioc", "display_t": 5}, "CommandMalformed"),
        ({"kind": "stop_limit"}, "CommandMalformed"),
        ({"kind": "stop", "stop_fen": 0}, "PriceOutOfRange"),
        ({"stop_fen": 5}, "CommandMalformed"),
        ({"self_trade": "merge"}, "CommandMalformed"),
    ],
)
async def test_an_order_with_a_bad_field_is_refused(
    gate: Gate, change: dict[str, Any], expected: str
) -> None:
    before = gate.standing()
    order = place_order(uuid4(), A, UNIT, "buy", 10, 8_000) | change
    response = await gate.http.post("/commands", json=[order])
    assert response.status_code == 200
    assert response.json()[0]["refusal"]["code"] == expected
    assert gate.standing() == before


VENUE = Venue()
VENUE.take(1, opening(), VENUE.apply(opening()))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
examples = st.sampled_from(
    [
        place_order(UUID(int=7), A, UNIT, "buy", 10, 8_000),
        cancel_order(UUID(int=7), A),
        request_withdrawal(UUID(int=8), A, UNIT, 5),
        list_instrument("allowance-2027"),
        amend_order(UUID(int=7), A, 5, 7_000),
        mass_cancel(A, UNIT),
        set_rules(UNIT, maker_ppm=5, fee_account=B),
        set_reference(UNIT, 8_000),
        set_phase(UNIT, "auction"),
        uncross(UNIT),
        set_kill_switch(A, on=True),
        place_order(
            UUID(int=7),
            A,
            UNIT,
            "buy",
            10,
            8_000,
            "stop_limit",
            time_in_force="gtd",
            expires_us=10**17,
            stop_fen=8_000,
            display_t=5,
            self_trade="decrement",
        ),
    ]
)


@settings(max_examples=150)
@given(command=examples, data=st.data())
def test_whatever_a_field_holds_it_is_read_or_refused(command: dict[str, Any], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(command)))
    changed = command | {field: data.draw(json_values)}
    with contextlib.suppress(Refusal, Unregistered):
        parse_command(changed, Context(Names(VENUE), VENUE, 5))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
async def test_no_body_makes_an_error_of_the_server(gate: Gate, content: bytes) -> None:
    for path in ("/commands", "/epochs/close", "/deposits/await"):
        response = await gate.http.post(path, content=content)
        assert response.status_code < 500
