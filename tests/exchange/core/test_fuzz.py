"""A minute of raw bytes: no crash, no broken invariant, and both implementations agree on every report."""

from __future__ import annotations

import os
import random
import time

from exchange.core import ReferenceEngine
from tests.exchange.core.conftest import CompiledEngine, needs_compiled
from tests.exchange.core.streams import Stream, batches, mutated, opening

SECONDS = float(os.environ.get("CARAT_FUZZ_SECONDS", "60"))


@needs_compiled
def test_a_minute_of_raw_bytes() -> None:
    """Random bytes, and good records with bytes changed; the seed of a failure is in its message."""
    until = time.monotonic() + SECONDS
    seed = random.SystemRandom().randrange(2**48)
    rounds = 0
    while rounds < 3 or time.monotonic() < until:
        seed += 1
        rounds += 1
        rng = random.Random(seed)
        rate = rng.choice((0.05, 0.3, 1.0))
        run = opening(rng) + mutated(rng, Stream(rng, wild=0.1).run(400), rate)
        run += rng.randbytes(64 * rng.randrange(40))
        reference, compiled = ReferenceEngine(), CompiledEngine()
        for batch in batches(rng, run):
            assert reference.apply(batch) == compiled.apply(batch), f"seed {seed}"
        reference.check()
        compiled.check()
        assert reference.state_hash() == compiled.state_hash(), f"seed {seed}"


@needs_compiled
def test_no_bytes_are_a_snapshot_that_crashes() -> None:
    """A snapshot with bytes changed loads, or is refused; it never breaks the process."""
    rng = random.Random(11)
    engine = CompiledEngine()
    engine.apply(opening(rng) + Stream(rng, wild=0.0).run(400))
    good = engine.snapshot()
    refused = 0
    for _ in range(2_000):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 2, 8))):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        if rng.random() < 0.2:
            del bad[rng.randrange(len(bad)) :]
        try:
            CompiledEngine.load(bytes(bad))
        except ValueError:
            refused += 1
    assert refused > 200
