"""The benchmark's messages through matching alone and through the whole core: the same report stream."""

from __future__ import annotations

import hashlib
import random
import struct
import sys
from pathlib import Path

import pytest

from exchange.core import ReferenceEngine
from tests.exchange.core.conftest import CompiledEngine, needs_compiled

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
from engines.whole_core import report_hash  # type: ignore[import-not-found]

HEAD, MESSAGE = struct.Struct("<QII"), struct.Struct("<BBBxIQQqq")
REPORT = struct.Struct("<BB6xQQqI4xQQQ")


def workload(seed: int, messages: int) -> bytes:
    """Orders around a price that walks, cancels and modifies of known, finished and unknown ids."""
    rng, middle, out = random.Random(seed), 1_000, []
    for seq in range(messages):
        middle += rng.choice((-1, 0, 0, 1))
        type_ = rng.choice((0, 0, 0, 1, 2))
        side = rng.randrange(2)
        price = middle + rng.randint(-1, 12) * (1 if side else -1)
        order_id = seq if type_ == 0 else rng.randrange(seq + 2)
        out.append(
            MESSAGE.pack(type_, side, rng.random() < 0.15, rng.randint(1, 100), seq, order_id, price, 0)
        )
    return HEAD.pack(0, 1, messages) + b"".join(out)


def bare_reports(messages: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """What matching alone reports of messages (kind, side, ioc, quantity, sequence, id, price)."""
    from exchange.core._compiled import BareBook  # noqa: PLC0415 - where it was built

    book = BareBook()
    book.apply(b"".join(MESSAGE.pack(*message, 0) for message in messages))
    return list(REPORT.iter_unpack(book.reports()))


def bare_hash(records: bytes) -> str:
    from exchange.core._compiled import BareBook  # noqa: PLC0415 - where it was built

    book, lines = BareBook(), []
    for start in range(0, len(records), 40 * 100):
        book.apply(records[start : start + 40 * 100])
        for type_, side, seq, order_id, price, quantity, maker, taker, _ in REPORT.iter_unpack(
            book.reports()
        ):
            text = {
                0: f"0,{seq},{side},{order_id},{price},{quantity}",
                1: f"1,{seq},{price},{quantity},{maker},{taker}",
                2: f"2,{seq},{side},{order_id},{price}",
                3: f"3,{seq},{side},{order_id},{price},{quantity}",
            }.get(type_, f"{type_},{seq},{order_id}")
            lines.append((seq, type_, text))
    lines.sort(key=lambda line: line[:2])
    return hashlib.sha256("\n".join(line[2] for line in lines).encode()).hexdigest()


@needs_compiled
@pytest.mark.parametrize("seed", range(4))
def test_matching_alone_the_whole_core_and_the_reference_report_the_same(seed: int, tmp_path: Path) -> None:
    file = tmp_path / "orders.bin"
    file.write_bytes(workload(seed, 3_000))
    expected = report_hash(ReferenceEngine, file)
    assert report_hash(CompiledEngine, file) == expected
    assert bare_hash(file.read_bytes()[HEAD.size :]) == expected


NEW, CANCEL = 0, 1
ACK, TRADE, CANCEL_ACK, CANCEL_REJECT = 0, 1, 2, 4


@needs_compiled
@pytest.mark.parametrize("old", [0, 1, 1_024, 4_194_303, 4_194_304, 2**63 - 1])
def test_an_order_that_outlives_thousands_of_others_is_still_found_once(old: int) -> None:
    others = [old % 1_024 + 1_024 * n for n in range(1, 8)] + list(range(5_000, 9_000))
    messages = [(NEW, 0, 0, 5, 0, old, 100)]
    for order_id in others:
        messages += [(NEW, 1, 0, 5, 1, order_id, 200), (CANCEL, 1, 0, 0, 2, order_id, 0)]
    messages += [(NEW, 0, 0, 5, 3, old, 100), (CANCEL, 0, 0, 0, 4, old, 0), (CANCEL, 0, 0, 0, 5, old, 0)]
    said = bare_reports(messages)
    assert [report[0] for report in said[-3:]] == [ACK, CANCEL_ACK, CANCEL_REJECT]
    assert [report[3] for report in said[-3:]] == [old] * 3
    assert {report[0] for report in said[1:-3]} == {ACK, CANCEL_ACK}


@needs_compiled
def test_the_best_of_a_side_is_right_after_every_order_that_comes_and_goes() -> None:
    rng = random.Random(5)
    resting: dict[int, int] = {}
    messages: list[tuple[int, ...]] = []
    taken = []
    for seq in range(4_000):
        if resting and rng.random() < 0.5:
            order_id = rng.choice(list(resting))
            del resting[order_id]
            messages.append((CANCEL, 1, 0, 0, seq, order_id, 0))
        else:
            resting[seq] = rng.choice((50, 500, 50_000, 10**12)) + rng.randrange(100)
            messages.append((NEW, 1, 0, 1, seq, seq, resting[seq]))
        if resting and seq % 7 == 0:
            best = min(resting, key=lambda order: (resting[order], order))
            taken.append((best, resting.pop(best)))
            messages.append((NEW, 0, 1, 1, seq, 10**6 + seq, 10**13))
    assert [(report[6], report[4]) for report in bare_reports(messages) if report[0] == TRADE] == taken


@needs_compiled
def test_a_side_that_is_none_chooses_no_memory_outside_the_book() -> None:
    said = bare_reports([(NEW, 254, 0, 1, 0, 1, 100), (NEW, 255, 0, 1, 1, 2, 100)])
    assert [report[0] for report in said] == [ACK, ACK, TRADE]
