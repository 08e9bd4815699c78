"""The search for known faults finds faults: a contract that has some does not pass."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_known_faults_are_found_and_fail_the_search() -> None:
    command = [sys.executable, ROOT / "scripts" / "slither", "tests/contracts/faulty/Leaky.sol"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "reentrancy-eth at Leaky.leave()" in done.stdout
    assert "arbitrary-send-eth at Leaky.empty(address)" in done.stdout
    assert "unchecked-send at Leaky.empty(address)" in done.stdout
