"""Every malformed record, unknown id, number out of range: a report with a code, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest

from exchange.core import records
from exchange.core.api import Engine
from exchange.core.codes import INT63_MAX, CommandKind, OrderType, Reject, TermsFault, TimeInForce
from exchange.core.records import COMMAND, COMMAND_BYTES
from tests.exchange.core.market import ANNA, BASKET, BERT, SPOT, Market, kinds, rejection
from tests.exchange.core.streams import order_id, transfer_id

GOOD = records.new_order(order_id(7), ANNA, SPOT, 1, 1, 100)
TOO_MUCH = INT63_MAX + 1


def altered(record: bytes, **fields: Any) -> bytes:
    command = records.Command._make(COMMAND.unpack(record))
    return COMMAND.pack(*command._replace(**fields))


@pytest.mark.parametrize(
    ("fields", "offset", "value"),
    [
        ({"side": 0}, 1, 0),
        ({"side": 3}, 1, 3),
        ({"side": 255}, 1, 255),
        ({"type": 0}, 2, 0),
        ({"type": 5}, 2, 5),
        ({"tif": 6}, 3, 6),
        ({"tif": 0}, 3, 0),
        ({"flags": 4}, 4, 4),
        ({"stp": 4}, 5, 4),
        ({"spare": 1}, 12, 1),
        ({"id": bytes(16)}, 16, 0),
        ({"at_us": TOO_MUCH}, 48, TOO_MUCH),
        ({"extra": 9}, 56, 9),
        ({"type": OrderType.MARKET}, 3, TimeInForce.GTC),
        ({"type": OrderType.STOP, "tif": TimeInForce.FOK}, 3, TimeInForce.FOK),
        ({"flags": 1, "tif": TimeInForce.IOC}, 4, 1),
    ],
)
def test_a_malformed_order_names_the_byte_and_what_it_holds(
    market: Market, fields: dict[str, Any], offset: int, value: int
) -> None:
    assert rejection(market.send(altered(GOOD, **fields))) == (Reject.MALFORMED, offset, value)


@pytest.mark.parametrize("kind", [0, 18, 31, 32, 127])
def test_an_unknown_kind_is_rejected(market: Market, kind: int) -> None:
    assert rejection(market.send(altered(GOOD, kind=kind))) == (Reject.UNKNOWN_KIND, kind, 0)


@pytest.mark.parametrize("kind", [128, 255])
def test_a_record_of_the_layer_above_is_counted_and_passed_over(market: Market, kind: int) -> None:
    before = market.engine.counters()["sequence"]
    assert market.send(altered(GOOD, kind=kind)) == []
    assert market.engine.counters()["sequence"] == before + 1


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (altered(GOOD, participant=0), (Reject.UNKNOWN_PARTICIPANT, 0, 4)),
        (altered(GOOD, participant=2**32 - 1), (Reject.UNKNOWN_PARTICIPANT, 2**32 - 1, 4)),
        (altered(GOOD, instrument=0), (Reject.UNKNOWN_INSTRUMENT, 0, 2)),
        (altered(GOOD, instrument=65_535), (Reject.UNKNOWN_INSTRUMENT, 65_535, 2)),
        (altered(GOOD, quantity=0), (Reject.QUANTITY_OUT_OF_RANGE, 0, 10**6)),
        (altered(GOOD, quantity=2**64 - 1), (Reject.QUANTITY_OUT_OF_RANGE, 2**64 - 1, 10**6)),
        (altered(GOOD, instrument=BASKET, quantity=15), (Reject.WRONG_LOT, 15, 10)),
        (altered(GOOD, price=0), (Reject.PRICE_OUT_OF_RANGE, 0, INT63_MAX)),
        (altered(GOOD, price=TOO_MUCH), (Reject.PRICE_OUT_OF_RANGE, TOO_MUCH, INT63_MAX)),
        (altered(GOOD, instrument=BASKET, quantity=10, price=7), (Reject.WRONG_TICK, 7, 5)),
        (records.mass_cancel(9), (Reject.UNKNOWN_PARTICIPANT, 9, 4)),
        (records.mass_cancel(1, 9), (Reject.UNKNOWN_INSTRUMENT, 9, 2)),
        (records.kill(9, on=True), (Reject.UNKNOWN_PARTICIPANT, 9, 4)),
        (records.set_phase(9, 1), (Reject.UNKNOWN_INSTRUMENT, 9, 2)),
        (records.uncross(SPOT), (Reject.PHASE_FORBIDS, 1, 0)),
        (records.set_reference(SPOT, TOO_MUCH), (Reject.PRICE_OUT_OF_RANGE, TOO_MUCH, INT63_MAX)),
        (records.set_rules(SPOT, maker_ppm=1), (Reject.FEES_INVALID, 1, 0)),
        (
            records.set_rules(SPOT, taker_ppm=1_000_001, fee_participant=1),
            (Reject.FEES_INVALID, 0, 1_000_001),
        ),
        (records.list_instrument(5, 1, 0, 10), (Reject.INSTRUMENT_INVALID, 0, 10)),
        (records.list_instrument(5, 1, 11, 10), (Reject.INSTRUMENT_INVALID, 11, 10)),
        (records.list_instrument(5, 0, 1, 10), (Reject.INSTRUMENT_INVALID, 1, 10)),
        (records.list_instrument(5, 1, 1, TOO_MUCH), (Reject.INSTRUMENT_INVALID, 1, TOO_MUCH)),
        (records.list_instrument(0, 1, 1, 10), (Reject.MALFORMED, 16, 0)),
        (records.credit(1, 0, 0, transfer_id(1)), (Reject.AMOUNT_OUT_OF_RANGE, 4_000_000, 0)),
        (
            records.credit(1, 0, 2**128 - 1, transfer_id(1)),
            (Reject.AMOUNT_OUT_OF_RANGE, 4_000_000, 2**128 - 1),
        ),
        (records.credit(0, 0, 1, transfer_id(1)), (Reject.UNKNOWN_PARTICIPANT, 0, 4)),
        (records.credit(1, 9, 1, transfer_id(1)), (Reject.UNKNOWN_INSTRUMENT, 9, 2)),
        (records.terms(order_id(1), 0, 0, 0), (Reject.MALFORMED, 32, 0)),
        (records.close_epoch(0), (Reject.EPOCH_OUT_OF_ORDER, 0, 1)),
        (altered(records.register(bytes(20)), quantity=2**32), (Reject.MALFORMED, 32, 2**32)),
        (altered(records.set_rules(SPOT), id=bytes(12) + bytes([1, 0, 0, 0])), (Reject.MALFORMED, 28, 1)),
    ],
)
def test_a_wrong_number_is_rejected_with_what_is_right(
    market: Market, record: bytes, expected: tuple[Reject, int, int]
) -> None:
    before = market.engine.snapshot()
    assert rejection(market.send(record)) == expected
    after = market.engine.snapshot()
    assert (before[16:], before[:8]) == (after[16:], after[:8])  # but for the count of commands


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        ([altered(GOOD, flags=2)], TermsFault.NONE_STAGED),
        ([records.terms(order_id(8), 1, 0, 0), altered(GOOD, flags=2)], TermsFault.NONE_STAGED),
        (
            [records.terms(order_id(7), 1, 0, 0), records.advance(1), altered(GOOD, flags=2)],
            TermsFault.NONE_STAGED,
        ),
        ([records.terms(order_id(7), 1, 0, 0), GOOD], TermsFault.NOT_TAKEN),
        ([records.terms(order_id(7), 1, 5, 0), altered(GOOD, flags=2)], TermsFault.STOP),
        ([altered(GOOD, type=OrderType.STOP)], TermsFault.STOP),
        ([altered(GOOD, tif=TimeInForce.GTD)], TermsFault.EXPIRY),
        ([records.terms(order_id(7), 1, 0, 5), altered(GOOD, flags=2)], TermsFault.EXPIRY),
        (
            [records.terms(order_id(7), 1, 0, 0), altered(GOOD, flags=2, tif=TimeInForce.IOC)],
            TermsFault.DISPLAY,
        ),
    ],
)
def test_terms_that_do_not_go_with_the_order_are_rejected(
    market: Market, run: list[bytes], fault: TermsFault
) -> None:
    reports = market.send(*run)
    assert (reports[-1].code, reports[-1].a) == (Reject.TERMS_MISMATCH, fault)


def test_terms_are_staged_across_batches_and_across_a_malformed_record(market: Market) -> None:
    market.send(records.terms(order_id(7), 1, 0, 0))
    market.send(altered(GOOD, side=9))
    assert kinds(market.send(altered(GOOD, flags=2))) == ["accepted", "rested"]


def test_an_expiry_that_has_passed_is_rejected(market: Market) -> None:
    refused = rejection(market.buy(1, ANNA, 1, 1, tif=TimeInForce.GTD, expiry_us=50, at_us=50))
    assert refused == (Reject.EXPIRY_PASSED, 50, 50)


def test_a_level_holds_what_63_bits_hold_and_not_more(market: Market) -> None:
    market.send(
        records.list_instrument(1003, 1, 1, INT63_MAX), records.credit(ANNA, 0, 2**100, transfer_id(1))
    )
    market.buy(1, ANNA, INT63_MAX - 5, 1, instrument=3)
    refused = rejection(market.buy(2, ANNA, 6, 1, instrument=3))
    assert refused == (Reject.LEVEL_FULL, INT63_MAX - 5, 6)
    assert kinds(market.buy(2, ANNA, 5, 1, instrument=3)) == ["accepted", "rested"]
    assert rejection(market.send(records.amend(order_id(2), ANNA, 6)))[0] == Reject.LEVEL_FULL
    assert kinds(market.send(records.amend(order_id(1), ANNA, INT63_MAX - 6))) == ["amended"]
    assert kinds(market.send(records.amend(order_id(1), ANNA, INT63_MAX - 5))) == ["amended", "rested"]


def test_what_is_good_in_a_batch_is_done_whatever_stands_beside_it(market: Market) -> None:
    nonsense = bytes(range(64))
    reports = market.send(nonsense, GOOD, nonsense, records.cancel(order_id(7), ANNA))
    assert kinds(reports) == ["rejected", "accepted", "rested", "rejected", "cancelled"]


def test_a_broken_length_is_the_callers_bug_and_does_nothing(engine_class: type[Engine]) -> None:
    engine = engine_class()
    before = engine.state_hash()
    for length in (1, COMMAND_BYTES - 1, COMMAND_BYTES + 1):
        with pytest.raises(ValueError, match="64-byte"):
            engine.apply(bytes(length))
    assert engine.apply(b"") == b""
    assert engine.state_hash() == before


def test_any_buffer_is_a_run_of_commands(engine_class: type[Engine]) -> None:
    run = records.register(bytes(20)) + records.advance(5)
    answers = {
        engine_class().apply(each)
        for each in (run, bytearray(run), memoryview(b"x" + run)[1:])  # whatever its alignment
    }
    assert len(answers) == 1


def test_every_kind_of_command_has_a_shape() -> None:
    from exchange.core.reference.layout import SHAPES  # noqa: PLC0415

    assert set(SHAPES) == set(CommandKind)


def test_nobody_is_named_by_a_rejection_that_the_command_did_not_name(market: Market) -> None:
    (report,) = market.send(altered(GOOD, participant=BERT, quantity=0))
    assert (report.participant, report.instrument, report.id, report.type) == (BERT, SPOT, order_id(7), 13)
