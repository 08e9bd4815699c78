"""The chains under test, each in a process of its own, with what it used of the processor.

Our node keeps its chain on disk and waits for it (fdatasync of every block). The peers keep theirs in memory:
they are development chains and have no other way, so whatever they win they win without a disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chain.bench.market import Firm, key_of, make_firms
from chain.bench.wire import Wire
from chain.node.formats import checksum
from chain.refusals import Refusal

CARAT: Final = "carat"
ETH_TESTER: Final = "eth-tester"
ANVIL: Final = "anvil"
FIRMS: Final = 200
GAS_LIMIT: Final = 500_000_000
_CHAIN_ID: Final = 7_327
_READY_S: Final = 60.0
_ETH_TESTER_GAS_PRICE_WEI: Final = 2 * 10**9
_TICKS: Final = os.sysconf("SC_CLK_TCK")
SCRIPTS: Final = Path(__file__).resolve().parents[2] / "scripts"


class BenchChainFailed(Refusal):
    """A chain that was to be measured did not start."""


@dataclass(frozen=True, slots=True)
class Program:
    """A peer that can be had: how to start it, and which version it is."""

    name: str
    command: tuple[str, ...]
    version: str


@dataclass(slots=True)
class Chain:
    """A running chain."""

    name: str
    url: str
    gas_price_wei: int
    process: subprocess.Popen[str]
    _wires: list[Wire] = field(default_factory=list)

    def cpu_s(self) -> float:
        """Seconds of processor time, user and system, that the process has used so far."""
        try:
            fields = (
                Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            )
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def wire(self) -> Wire:
        """A new connection; it ends with the chain at the latest."""
        self._wires.append(Wire(self.url))
        return self._wires[-1]

    def hang_up(self) -> None:
        """End every connection."""
        for wire in self._wires:
            wire.close()


def find_peers() -> tuple[dict[str, Program], dict[str, str]]:
    """The peers that can be had here, and why the others cannot; a checkout's script installs them."""
    script = SCRIPTS / "bench_chain_peers"
    if not script.exists():
        return {}, dict.fromkeys((ETH_TESTER, ANVIL), "only a checkout has the script that installs it")
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {}, dict.fromkeys((ETH_TESTER, ANVIL), f"its installation failed (exit {done.returncode})")
    programs = {
        name: Program(name, tuple(each["command"]), each["version"])
        for name, each in found.items()
        if "command" in each
    }
    return programs, {name: each["missing"] for name, each in found.items() if "missing" in each}


@contextmanager
def running_carat(data: Path, operators: Sequence[str] = (), port: int = 0) -> Iterator[Chain]:
    """Our node on `data`, as a user runs it: every block on disk before it is answered, quotas in force."""
    known = ",".join([checksum(Firm(key_of("owner")).address), *operators])
    command = [sys.executable, "-m", "chain.node", "--data", str(data), "--chain-id", str(_CHAIN_ID)]
    command += ["--operators", known, "--port", str(port)]
    with _running(CARAT, command, 0) as chain:
        yield chain


@contextmanager
def running_peer(program: Program) -> Iterator[Chain]:
    """A peer with the benchmark's firms able to pay for gas where it asks for money."""
    if program.name == ANVIL:
        options = ["--port", "0", "--base-fee", "0", "--gas-price", "0", "--gas-limit", str(GAS_LIMIT)]
        options += ["--hardfork", "cancun", "--chain-id", str(_CHAIN_ID), "--disable-min-priority-fee"]
        with _running(ANVIL, [*program.command, *options], 0) as chain:
            yield chain
        return
    funded = [Firm(key_of("owner")), *make_firms(FIRMS)]
    options = [part for firm in funded for part in ("--fund", checksum(firm.address))]
    with _running(program.name, [*program.command, *options], _ETH_TESTER_GAS_PRICE_WEI) as chain:
        yield chain


@contextmanager
def _running(name: str, command: Sequence[str], gas_price_wei: int) -> Iterator[Chain]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None
    chain: Chain | None = None
    try:
        chain = Chain(name, _address(name, process), gas_price_wei, process)
        yield chain
    finally:
        if chain is not None:
            chain.hang_up()
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _address(name: str, process: subprocess.Popen[str]) -> str:
    """Read the output until it says where the process listens; a thread reads on, so that it cannot block."""
    watchdog = threading.Timer(_READY_S, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            words = line.split()
            if words[:1] == ["ready"]:
                break
            if words[:2] == ["Listening", "on"]:
                words = ["ready", f"http://{words[2]}"]
                break
        else:
            raise BenchChainFailed(chain=name, status=process.wait())
    finally:
        watchdog.cancel()
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return words[1]
