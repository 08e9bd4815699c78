"""One process of the stack: started, watched, stopped.

A program says `ready <url>` on a line of its own when it serves. All that it says goes to its log file, so
that a program is never blocked by, nor dies with, whoever started it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chain.refusals import Refusal

_POLL_S: Final = 0.01
_LOG_BYTES_MAX: Final = 16 * 1024 * 1024
_READY: Final = re.compile(rb"^ready (\S+)\r?$", re.MULTILINE)


class ProcessFailed(Refusal):
    """A process of the stack does not start; its log says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: the `main()` of a Python module, its arguments, and what to add to its environment."""

    name: str
    module: str
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold a passphrase


class Process:
    """A program running, or not. Not for several threads at once."""

    def __init__(self, program: Program, log: Path, inherit: Sequence[int] = ()) -> None:
        """Prepare, start nothing.

        Parameters
        ----------
        log :
            Where its output goes; a log grown over 16 MiB is put aside at a start.
        inherit :
            Open files that the process keeps open, such as the data directory's lock.
        """
        self.program = program
        self.log = log
        self._inherit = tuple(inherit)
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id of the last start."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start it; says nothing yet about whether it serves."""
        self.prepare()
        self.go()

    def go(self) -> None:
        """Let a prepared one run."""
        assert self._child is not None
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: whoever waits for it will see
            self._child.stdin.write(b"\n")
            self._child.stdin.flush()

    def prepare(self) -> None:
        """Start it as far as reading its program; it waits for `go` then."""
        self.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".old.log"))
        with open(self.log, "ab", opener=_for_its_owner) as out:
            self._log_start = out.tell()
            self._child = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-u", "-m", "api.stack.child", self.program.module, *self.program.args],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.program.environment},
                start_new_session=True,  # Ctrl-C in the terminal is for the starter alone
                pass_fds=self._inherit,
            )

    def exit_code(self) -> int | None:
        """Return how it ended, None while it runs; minus the signal's number if a signal ended it."""
        if self._child is None:
            return 0
        return self._child.poll()

    def ready_url(self) -> str | None:
        """Return the address at which it says to serve, None before it says so."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as said:
            said.seek(self._log_start)
            match = _READY.search(said.read(1024 * 1024))
            if match is not None:
                return match.group(1).decode()
        return None

    def wait_ready(self, timeout_s: float) -> str:
        """Return the address at which it serves; raises ProcessFailed."""
        until = time.monotonic() + timeout_s
        while True:
            url = self.ready_url()
            if url is not None:
                return url
            code = self.exit_code()
            if code is not None:
                raise self._failure(exit_code=code)
            if time.monotonic() >= until:
                raise self._failure(waited_s=int(timeout_s))
            time.sleep(_POLL_S)

    def stop(self, grace_s: float = 10.0) -> None:
        """End it: SIGTERM, and after `grace_s` SIGKILL."""
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(grace_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._close_pipe()

    def restart(self) -> None:
        """Start it again after it ended."""
        self._close_pipe()
        self.start()

    def _close_pipe(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()

    def _failure(self, **facts: int) -> ProcessFailed:
        lines = self.log.read_bytes()[self._log_start :].decode(errors="replace").strip().splitlines()
        said = lines[-1].strip()[:300] if lines else ""
        return ProcessFailed(process=self.program.name, **facts, log=str(self.log), said=said)


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
