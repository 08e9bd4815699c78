"""A node in a process of its own, for tests and tools."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STOP_SECONDS = 15


@dataclass
class NodeProcess:
    """A running node and its address."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """End it cleanly; its exit status."""
        self.process.terminate()
        try:
            status = self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._close()
        return status

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


def launch(
    data: Path,
    *,
    port: int = 0,
    chain_id: int | None = None,
    test_methods: bool = False,
    genesis_utc: int | None = None,
    unlocked: int | None = None,
    fsync: bool = False,
    more: Sequence[str] = (),
) -> NodeProcess:
    """Start a node and wait until it serves; `more` are further arguments of its command.

    Raises
    ------
    RuntimeError :
        If it ends instead; its own message is on stderr.
    """
    command = [sys.executable, "-m", "chain.node", "--data", str(data), "--port", str(port)]
    if chain_id is not None:
        command += ["--chain-id", str(chain_id)]
    if test_methods:
        command.append("--test-methods")
    if genesis_utc is not None:
        command += ["--genesis-time", str(genesis_utc)]
    if unlocked is not None:
        command += ["--unlocked", str(unlocked)]
    if not fsync:
        command.append("--no-fsync")
    command += more
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready "):
        process.stdout.close()
        raise RuntimeError(f"the node ended with status {process.wait()} before it was ready")
    return NodeProcess(line.split()[1], process)


@contextmanager
def start_node(
    data: Path,
    *,
    port: int = 0,
    chain_id: int | None = None,
    test_methods: bool = True,
    genesis_utc: int | None = None,
    unlocked: int | None = None,
    fsync: bool = False,
    more: Sequence[str] = (),
) -> Iterator[NodeProcess]:
    """A node for the length of a `with`; test methods are on and the disk is not waited for, unless told."""
    node = launch(
        data,
        port=port,
        chain_id=chain_id,
        test_methods=test_methods,
        genesis_utc=genesis_utc,
        unlocked=unlocked,
        fsync=fsync,
        more=more,
    )
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.stop()
        else:
            node.kill()
