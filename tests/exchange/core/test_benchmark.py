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
