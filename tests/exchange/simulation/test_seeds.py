"""The exchange through crashes, power cuts, bad disks, a bad network and a bad chain: everything holds."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from exchange.simulation import run_seed

SECONDS = 30
FEWEST = 100
"""However slow the machine is."""


def test_every_seed_of_half_a_minute_holds(capsys: pytest.CaptureFixture[str]) -> None:
    begin = time.monotonic()
    seed = trades = lives = 0
    while seed < FEWEST or time.monotonic() - begin < SECONDS:
        outcome = run_seed(seed)
        assert not outcome.violation, f"{outcome.violation}\nagain: scripts/simulate --seed {seed}"
        seed, trades, lives = seed + 1, trades + outcome.trades, lives + outcome.lives
    with capsys.disabled():
        seconds = time.monotonic() - begin
        sys.stdout.write(f"\n{seed} seeds, {lives} starts, {trades} trades in {seconds:.0f} s\n")
    assert lives > 2 * seed
    assert trades > seed


def test_a_seed_does_the_same_again() -> None:
    for seed in (0, 7, 16, 23):
        first, second = run_seed(seed, traced=True), run_seed(seed)
        assert first.trace_hash == second.trace_hash
        assert len(first.trace) > 20
    assert run_seed(8).trace_hash != run_seed(9).trace_hash


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_seed_does_the_same_in_another_process(hash_seed: str) -> None:
    code = "from exchange.simulation import run_seed; print([run_seed(n).trace_hash for n in range(16, 24)])"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str([run_seed(number).trace_hash for number in range(16, 24)])


def test_the_script_repeats_a_seed_and_says_what_it_counted() -> None:
    one = subprocess.run(["scripts/simulate", "--seed", "7"], capture_output=True, text=True, check=True)
    assert f"trace {run_seed(7).trace_hash}" in one.stdout
    command = ["scripts/simulate", "--seeds", "5", "--first", "3", "--json"]
    some = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"seeds": 5' in some.stdout
    assert '"failed_seed": null' in some.stdout
