"""Child processes of tests: started, waited for, and always ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Child:
    """A running process that serves at `url`."""

    url: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()


def start(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Child:
    """Start `python -m ...` and return it once it has printed `ready <url>`."""
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (lives as long as the child)
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdout is not None
    watchdog = threading.Timer(READY_TIMEOUT_S, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    if not line.startswith("ready "):
        process.kill()
        process.wait()
        errors.seek(0)
        raise AssertionError(f"{' '.join(arguments)} is not ready: {line!r} {errors.read()[-2_000:]}")
    # Nobody reads further lines; a thread drains them so that the pipe cannot fill.
    threading.Thread(target=process.stdout.read, daemon=True).start()
    errors.close()
    return Child(line.split()[1], process)


def stop(child: Child) -> None:
    """Ask the process to end, and end it if it does not."""
    child.process.send_signal(signal.SIGTERM)
    try:
        child.process.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
    if child.process.stdout is not None:
        child.process.stdout.close()


@contextmanager
def running(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Run a process for the length of a `with` block."""
    child = start(arguments, environment)
    try:
        yield child
    finally:
        stop(child)


@contextmanager
def running_node(directory: Path, genesis_utc: int | None = None) -> Iterator[Child]:
    """Run an embedded node with its test methods, on a port of its own."""
    arguments = ["chain.node", "--data", str(directory), "--port", "0", "--test-methods"]
    if genesis_utc is not None:
        arguments += ["--genesis-time", str(genesis_utc)]
    with running(arguments) as child:
        yield child
