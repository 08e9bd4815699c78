"""The compiled way of commands and answers gives the bytes that the plain one gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.clearing import ClearingDesk
from exchange.client import amend_order, cancel_order, list_instrument, mass_cancel, place_order
from exchange.core import codes, records
from exchange.core.records import COMMAND_BYTES, Report
from exchange.gateway.commands import CommandDesk
from exchange.gateway.wire import answers, fast
from exchange.gateway.wire.parse import Context, parse_command
from exchange.sequencer import Sequencer, Told
from exchange.venue import Venue
from exchange.words import account_text
from tests.exchange.world import ACCOUNTS, START_US, opening

UNIT = "allowance-2026"
NAMES = [account_text(account) for account in ACCOUNTS]

compiled = pytest.mark.skipif(fast.pack is fast.pack_none, reason="the gateway's compiled part was not built")


class Direct:
    """A sequencer that does everything at once, at a time that stands still."""

    def __init__(self) -> None:
        self.venue = Venue(debug=True)
        self._do(opening())

    def _do(self, run: bytes) -> bytes:
        first = self.venue.sequence + 1
        reports = self.venue.apply(run)
        assert not self.venue.take(first, run, reports)
        return reports

    def now_us(self) -> int:
        return START_US

    async def submit(self, run: bytes) -> bytes:
        return self._do(run)

    async def compose(self, make: Callable[[Venue], bytes]) -> Told:
        run = make(self.venue)
        return Told(self._do(run) if run else b"", [])

    async def participants_of(self, accounts: list[bytes]) -> list[int]:
        self._do(b"".join(records.register(account) for account in accounts))
        return [self.venue.participant(account) for account in accounts]


class NoChain:
    def kick(self) -> None:
        pass


def desk(*, plain: bool) -> tuple[CommandDesk, Venue]:
    direct = Direct()
    found = CommandDesk(cast("Sequencer", direct), cast("ClearingDesk", NoChain()))
    if plain:
        found.pack, found.write = fast.pack_none, fast.write_none
    return found, direct.venue


order_ids = st.integers(1, 12).map(lambda number: UUID(int=number << 64 | number))
accounts = st.sampled_from([*NAMES, NAMES[0].lower(), account_text(b"\x77" * 20), "0x12", None])
units = st.sampled_from([UNIT, UNIT, UNIT, "allowance-2027", "gold", 5])
kinds = st.sampled_from(["limit", "limit", "limit", "market", "ioc", "fok", "stop", "LIMIT", None])
sides = st.sampled_from(["buy", "sell", "buy", "sell", "hold", 1])
numbers = st.one_of(
    st.integers(95, 105),
    st.integers(1, 30),
    st.sampled_from([0, -1, 2**63 - 1, 2**63, 10**40, 1.5, True, None, "5"]),
)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    order = place_order(draw(order_ids), draw(accounts), draw(units), draw(sides), draw(numbers))
    order |= {"kind": draw(kinds), "price_fen": draw(st.one_of(st.integers(98, 102), numbers))}
    change = draw(st.sampled_from(["", "", "", "", "drop", "add", "nil", "upper"]))
    if change == "drop":
        del order[draw(st.sampled_from(sorted(order)))]
    elif change == "add":
        order |= draw(
            st.sampled_from([{"post_only": True}, {"display_t": 1}, {"self_trade": "cancel_maker"}, {"x": 1}])
        )
    elif change == "nil":
        order["order_id"] = str(UUID(int=0))
    elif change == "upper":
        order["order_id"] = order["order_id"].upper()
    return order


others = st.one_of(
    st.builds(cancel_order, order_ids, accounts),
    st.builds(cancel_order, order_ids, accounts),
    st.builds(amend_order, order_ids, accounts, st.integers(1, 20), st.integers(98, 102)),
    st.builds(mass_cancel, accounts),
    st.builds(list_instrument, st.just("allowance-2027")),
    st.sampled_from([None, [], {}, {"command": "PlaceOrder"}, "PlaceOrder"]),
)
lists = st.lists(st.lists(st.one_of(orders(), orders(), orders(), others), max_size=12), max_size=4)


def test_every_report_of_the_core_is_written_or_told_otherwise() -> None:
    kinds = codes.ReportKind
    by_refusal_or_retry = {kinds.REJECTED, kinds.DUPLICATE}
    never_of_a_client = {kinds.CREDITED, kinds.EPOCH_CLOSED, kinds.DAY_ENDED}
    told = answers._WRITERS.keys() | answers._UNSHOWN | by_refusal_or_retry | never_of_a_client
    assert told == set(kinds)
    assert answers._WRITERS.keys() == answers._NAMES.keys()


@compiled
@settings(max_examples=120, deadline=None)
@given(lists)
def test_both_ways_give_the_same_answers_and_the_same_venue(lists: list[list[Any]]) -> None:
    quick, venue = desk(plain=False)
    plain, other = desk(plain=True)
    for commands in lists:
        # Once more, so that every name has been seen.
        for _ in range(2):
            assert asyncio.run(quick.do(commands)) == asyncio.run(plain.do(commands))
    assert venue.state_hash() == other.state_hash()


@compiled
@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(orders(), others), max_size=12))
def test_what_is_packed_is_what_is_read(commands: list[Any]) -> None:
    found, venue = desk(plain=True)
    names = found.names
    names.units[UNIT] = 1
    names.accounts |= {name: number for number, name in enumerate(NAMES, start=1)}
    packed, left = fast.pack(commands, 0, names.accounts, names.units, START_US)
    context = Context(names, venue, START_US)
    for place, command in enumerate(commands):
        record = packed[place * COMMAND_BYTES : (place + 1) * COMMAND_BYTES]
        if place in left:
            assert record == bytes(COMMAND_BYTES)
        else:
            assert record == parse_command(command, context).records


@compiled
def test_the_frequent_commands_and_answers_take_the_compiled_way() -> None:
    found, _ = desk(plain=False)
    commands = [
        place_order(UUID(int=1), NAMES[0], UNIT, "sell", 5, 100),
        place_order(UUID(int=2), NAMES[1], UNIT, "buy", 3, 100, "ioc"),
        place_order(UUID(int=3), NAMES[1], UNIT, "buy", 1, 100, "fok"),
        place_order(UUID(int=4), NAMES[1], UNIT, "buy", 7, kind="market"),
        place_order(UUID(int=5), NAMES[1], UNIT, "buy", 7, 100),
        cancel_order(UUID(int=5), NAMES[1]),
    ]
    asyncio.run(found.do(commands))
    again = [command | {"order_id": str(UUID(int=100 + at))} for at, command in enumerate(commands)]
    again[-1]["order_id"] = again[-2]["order_id"]

    def refuse(*_: object) -> Any:
        raise AssertionError("not compiled")

    found._answer = refuse  # type: ignore[method-assign]
    told = orjson.loads(asyncio.run(found.do(again)))
    assert [[report["report"] for report in answer["reports"]] for answer in told] == [
        ["OrderAccepted", "OrderRested"],
        ["OrderAccepted", "Trade", "OrderFilled"],
        ["OrderAccepted", "Trade", "OrderFilled"],
        ["OrderAccepted", "Trade", "OrderCancelled"],
        ["OrderAccepted", "OrderRested"],
        ["OrderCancelled"],
    ]


@compiled
@given(
    number=st.integers(0, 2**63 - 1),
    fees=st.tuples(*[st.integers(0, 2**128 - 1)] * 2),
    name=st.binary(min_size=16, max_size=16),
)
def test_numbers_and_ids_are_written_digit_by_digit(number: int, fees: tuple[int, int], name: bytes) -> None:
    order = Report(
        codes.ReportKind.ACCEPTED, 1, 1, 0, 1, 1, 1, 7, name, quantity=number, price=number, participant=1
    )
    trade = Report(
        codes.ReportKind.TRADE, side=2, instrument=1, sequence=7, id=name, other_id=name[::-1], price=number,
        quantity=number, number=number, participant=1, other=1, at_us=number, a=fees[0], b=fees[1],
    )  # fmt: skip
    texts: list[bytes | None] = [None, b"who"]
    written = fast.write(order.pack() + trade.pack(), b"\1", texts, texts, 3, 0, lambda *_: b"null")
    accepted, traded = json.loads(written)["reports"]
    assert accepted["order_id"] == str(UUID(bytes=name)) == traded["taker_order"]
    assert traded["maker_order"] == str(UUID(bytes=name[::-1]))
    assert (accepted["quantity_t"], traded["number"], traded["at_us"]) == (number, number, number)
    assert (traded["taker_fee_fen"], traded["maker_fee_fen"], traded["epoch"]) == (*fees, 3)
