"""The whole of CARAT on one machine: node, contracts, exchange and API over one data directory.

    with Stack.start(Path(".state"), with_api=True) as stack:
        stack.transactor().send(...)

Each process has its port for the whole life of a stack, so that one that crashed is found again at the same
address. Contracts are deployed at the first start; later starts go on where the last one stopped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from api.stack import ports, programs
from api.stack.deploying import deploy_for
from api.stack.handle import StackHandle
from api.stack.lock import DirectoryLock
from api.stack.outside import OutsideChain
from api.stack.paths import DataDirectory, read_json, write_json
from api.stack.process import Process, Program
from api.stack.secrets import open_or_create_keyring
from api.stack.supervisor import ProcessEvent, Supervisor
from chain.deployment import Deployment
from chain.patience import with_patience
from chain.roles import HELD_BY_KEYS

_START_S_MAX: Final = 120.0
_CHAIN_S_MAX: Final = 30.0


def _say_nothing(_said: object) -> None:
    pass


class Stack(StackHandle):
    """A running stack; made by `start`, ended by `stop` or at the end of `with`."""

    def __init__(self, data_dir: Path, on_step: Callable[[str], None]) -> None:
        super().__init__(DataDirectory(data_dir.resolve()))
        self._on_step = on_step
        self._processes: list[Process] = []
        self._supervisor: Supervisor | None = None
        self._told = threading.Lock()
        self._lock: DirectoryLock | None = None

    @classmethod
    def start(
        cls,
        data_dir: Path,
        *,
        only_chain: bool = False,
        with_api: bool = True,
        api_port: int = 0,
        binary_port: int | None = None,
        test_methods: bool = False,
        genesis_time_utc: int | None = None,
        epoch_seconds: int = 60,
        supervise: bool = True,
        outside: OutsideChain | None = None,
        on_step: Callable[[str], None] = _say_nothing,
        on_event: Callable[[ProcessEvent], None] = _say_nothing,
    ) -> Self:
        """Start everything and wait until it serves.

        Parameters
        ----------
        only_chain :
            Whether to start the node alone: enough to read the chain, whatever state the journal is in.
        outside :
            The chain to work on, if others run it: then no node is started, and contracts are deployed there
            at the first start. A directory that was set up for one goes on with it.
        api_port :
            Where the API listens; 0 for the port it had before, or any free one.
        binary_port :
            Where the exchange's binary gateway listens, in the same way; None for no such gateway.
        test_methods :
            Whether the node's clock may be moved (`evm_...`): for scenarios and replays.
        genesis_time_utc :
            The time of a new chain's first block, unix seconds; None for now.
        epoch_seconds :
            How often the exchange closes an epoch by itself; 0 for only when asked.
        supervise :
            Whether a process that ends unasked is started again.
        on_step :
            Hears what is being done, for progress.
        on_event :
            Hears, from another thread, when a process ended and serves again.

        Raises
        ------
        DataDirectoryInUse, PortInUse, KeyringLocked, ChainMismatch, DeploymentFailed, ProcessFailed :
            Nothing runs then.
        """
        stack = cls(data_dir, on_step)
        try:
            ports.require_free(api_port)
            ports.require_free(binary_port or 0)
            stack._lock = DirectoryLock(stack.data.lock)
            stack.keyring, passphrase = open_or_create_keyring(stack.data, on_step)
            stack.outside = outside or OutsideChain.kept(stack.data)
            node = None
            if stack.outside is None:
                node = stack._launch_node(test_methods, genesis_time_utc, passphrase)
            else:
                stack.node_url = stack.outside.urls
            # These wait for the contracts, but read their programs meanwhile.
            services = [] if only_chain else [stack._prepare_exchange(epoch_seconds, binary_port, passphrase)]
            if with_api and not only_chain:
                services.append(stack._prepare_api(api_port, passphrase))
            if node is not None:
                node.wait_ready(_START_S_MAX)
            stack._find_or_deploy_contracts()
            if stack.outside is not None and not only_chain:
                stack.outside.keep(stack.data)
            stack._run(services)
            if supervise:
                stack._supervise(on_event)
        except BaseException:
            stack.stop()
            raise
        return stack

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop everything, the last started first. A second call does nothing."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        while self._processes:
            process = self._processes[-1]
            self._on_step(f"stopping {process.program.name}")
            process.stop()
            self._processes.pop()
        if self._lock is not None:
            self._tell()
            self._lock.release()
            self._lock = None

    def pid_of(self, name: str) -> int | None:
        """Return the process id of "node", "exchange" or "api", None where it was not started."""
        found = (each.pid for each in self._processes if each.program.name == name)
        return next(found, None)

    def _launch_node(self, test_methods: bool, genesis_time_utc: int | None, passphrase: str) -> Process:
        self._on_step("starting the node")
        port = self._port_of("node")
        self.node_url = ports.url(port)
        labels = ["admin", *(label for _, label in HELD_BY_KEYS)]
        operators = [self.keyring.signer(label).address for label in labels]
        node = self._prepare(
            programs.node(self.data, port, test_methods, genesis_time_utc, passphrase, operators)
        )
        node.go()
        return node

    def _prepare_exchange(self, epoch_seconds: int, binary_port: int | None, passphrase: str) -> Process:
        port = self._port_of("exchange")
        self.exchange_url = ports.url(port)
        if binary_port is not None:
            self.binary_port = binary_port or self._port_of("binary")
        return self._prepare(
            programs.exchange(
                self.data,
                port,
                self.node_url,
                self.outside,
                epoch_seconds,
                self.binary_port,
                passphrase,
            )
        )

    def _prepare_api(self, api_port: int, passphrase: str) -> Process:
        port = api_port or self._port_of("api")
        self.api_url = ports.url(port)
        return self._prepare(
            programs.api(self.data, port, self.node_url, self.outside, self.exchange_url, passphrase)
        )

    def _find_or_deploy_contracts(self) -> None:
        if self.data.deployment.exists():
            self.deployment = Deployment.load(self.data.deployment)
            with_patience(lambda: self.deployment.require_chain(self.rpc()), _CHAIN_S_MAX)
        else:
            self.deployment = deploy_for(self.data, self.keyring, self.node_url, self.outside, self._on_step)

    def _run(self, services: list[Process]) -> None:
        if services:
            self._on_step(f"starting {' and '.join(each.program.name for each in services)}")
        for process in services:
            process.go()
        for process in services:
            process.wait_ready(_START_S_MAX)
        self._tell()

    def _supervise(self, on_event: Callable[[ProcessEvent], None]) -> None:
        def heard(event: ProcessEvent) -> None:
            if event.what == "started":
                self._tell()
            on_event(event)

        self._supervisor = Supervisor(heard)
        self._supervisor.start(self._processes)

    def _prepare(self, program: Program) -> Process:
        assert self._lock is not None
        process = Process(program, self.data.logs / f"{program.name}.log", inherit=[self._lock.handle])
        self._processes.append(process)
        process.prepare()
        return process

    def _port_of(self, name: str) -> int:
        """Return the port that this process had before, or a free one that no other has."""
        before = self._ports_before()
        return ports.choose(before.get(name, 0), avoid=set(before.values()))

    def _ports_before(self) -> dict[str, int]:
        known = read_json(self.data.stack).get("ports", {})
        return {name: port for name, port in known.items() if isinstance(port, int) and 0 < port < 65_536}

    def _tell(self) -> None:
        """Write down what runs where, for the other commands."""
        urls = {"node": self.node_url, "exchange": self.exchange_url, "api": self.api_url}
        running = {each.program.name: each.pid for each in self._processes}
        before = self._ports_before()
        ours = {name: url for name, url in urls.items() if url and not (name == "node" and self.outside)}
        used = {name: ports.port_of(url) for name, url in ours.items()}
        if self.binary_port is not None:
            used["binary"] = self.binary_port
        with self._told:
            pid = os.getpid() if running else None
            write_json(self.data.stack, {"pid": pid, "urls": urls, "pids": running, "ports": before | used})
