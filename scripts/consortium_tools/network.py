"""A network of several authorities on this machine: its nodes as processes, started, killed, brought back.

Everything listens on 127.0.0.1. Each node has a folder with its settings, key, blocks and log.
"""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from consortium_tools.errors import NetworkFailed

START_S_MAX: Final = 120.0
_POLL_S: Final = 0.1
# Below Linux's ephemeral ports, so that no outgoing connection takes one while its node is away.
_PORTS: Final = range(20_000, 32_000)


class AuthorityNode(ABC):
    """One authority's node; the engine's own part is in its subclasses."""

    def __init__(self, name: str, folder: Path, rpc_port: int) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / "node.log"
        self.url = f"http://127.0.0.1:{rpc_port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(timeout=10, trust_env=False)

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the command that runs the node."""

    def after_start(self) -> None:  # noqa: B027 - most engines need nothing
        """Set what can only be set while the node runs."""

    def begin(self) -> None:  # noqa: B027 - an engine that waits for its peers by itself needs nothing
        """Make blocks from now on: the others are known."""

    def start(self) -> None:
        """Start it; says nothing yet about whether it serves."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C in the terminal is for the starter alone
            )

    def wait_serving(self, seconds: float = START_S_MAX) -> None:
        """Wait until it answers; raises NetworkFailed with the end of its log."""
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(httpx.HTTPError, ValueError):
                self.rpc("eth_chainId")
                break
            if self._process is None or self._process.poll() is not None or time.monotonic() > until:
                raise NetworkFailed(
                    f"{self.name} does not serve; the end of {self.log}:\n{self.last_words()}"
                )
            time.sleep(_POLL_S)
        self.after_start()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and end it if it does not within 20 s."""
        self._end(signal.SIGTERM)
        self._http.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def rpc(self, method: str, *params: Any) -> Any:
        """Return the result of a call; raises ValueError (the node's error) or HTTPError (no answer)."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = self._http.post(self.url, json=body).json()
        if "error" in answer:
            raise ValueError(f"{method}: {answer['error']}")
        return answer["result"]

    def height(self) -> int:
        """Return the number of its newest block."""
        return int(self.rpc("eth_blockNumber"), 16)

    def peers(self) -> int:
        """Return how many other nodes it is connected to."""
        return int(self.rpc("net_peerCount"), 16)

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Network:
    """Several authorities' nodes; made by an engine's module, run as a `with` block."""

    def __init__(
        self, engine: str, nodes: Sequence[AuthorityNode], period_s: int, confirmations: int
    ) -> None:
        """Prepare, start nothing.

        Parameters
        ----------
        confirmations :
            How many blocks must stand on a block before it counts as final with this engine.
        """
        self.engine = engine
        self.nodes = list(nodes)
        self.period_s = period_s
        self.confirmations = confirmations

    @property
    def urls(self) -> list[str]:
        """Where each node answers JSON-RPC."""
        return [node.url for node in self.nodes]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every node, and wait until they know each other and make blocks; raises NetworkFailed."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_serving()
        self.wait_for(lambda node: node.peers() == len(self.nodes) - 1, "know each other")
        for node in self.nodes:
            node.begin()
        self.wait_for(lambda node: node.height() >= 2, "make blocks")

    def stop(self) -> None:
        """End every node."""
        for node in self.nodes:
            node.stop()

    def kill(self, place: int) -> None:
        """End one authority's node as a power cut would."""
        self.nodes[place].kill()

    def restart(self, place: int) -> None:
        """Start a killed node again, and wait until it serves."""
        node = self.nodes[place]
        node.start()
        node.wait_serving()
        node.begin()

    def wait_level(self, seconds: float = START_S_MAX) -> int:
        """Wait until all nodes have the same final block at or below the head of now; return its height."""
        target = max(node.height() for node in self.nodes)
        self.wait_for(lambda node: node.height() >= target, f"reach block {target}", seconds)
        until = time.monotonic() + seconds
        while True:
            settled = max(0, target - self.confirmations)
            hashes = {node.rpc("eth_getBlockByNumber", hex(settled), False)["hash"] for node in self.nodes}
            if len(hashes) == 1:
                return settled
            if time.monotonic() > until:
                raise NetworkFailed(f"the nodes differ at block {settled}: {sorted(hashes)}")
            time.sleep(_POLL_S)

    def wait_for(self, holds: Any, what: str, seconds: float = START_S_MAX) -> None:
        """Wait until something holds for every node; raises NetworkFailed."""
        until = time.monotonic() + seconds
        waiting = list(self.nodes)
        while waiting:
            node = waiting[0]
            with contextlib.suppress(httpx.HTTPError, ValueError):
                if holds(node):
                    waiting.pop(0)
                    continue
            if time.monotonic() > until:
                raise NetworkFailed(
                    f"{node.name} does not {what} within {seconds:.0f} s:\n{node.last_words()}"
                )
            time.sleep(_POLL_S)


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 on which nobody listens, for TCP and UDP."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
