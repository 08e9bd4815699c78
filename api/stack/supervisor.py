"""Keeps processes running: one that ends unasked is started again, after growing pauses if it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api.stack.process import Process

_LOOK_S: Final = 0.05
_PAUSE_S_MIN: Final = 0.1
_PAUSE_S_MAX: Final = 10.0
_STABLE_S: Final = 30.0  # who served so long is not failing again and again


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """Something that happened to a process: "ended" (with `exit_code`), "started", "serving" (with `url`)."""

    process: str
    what: str
    exit_code: int | None = None
    pid: int | None = None
    url: str | None = None

    def __str__(self) -> str:
        if self.what == "ended":
            return f"{self.process} ended unasked ({_how(self.exit_code)}); starting it again"
        if self.what == "serving":
            return f"{self.process} serves again at {self.url}"
        return f"{self.process} started (pid {self.pid})"


@dataclass
class _Watched:
    process: Process
    serving: bool = True
    since_s: float = field(default_factory=time.monotonic)
    failures: int = 0
    restart_at_s: float | None = None

    def pause_s(self) -> float:
        """Before the next start: none at first, then twice as long each time."""
        if self.failures <= 1:
            return 0.0
        return min(_PAUSE_S_MIN * 2.0 ** (self.failures - 2), _PAUSE_S_MAX)


class Supervisor:
    """Watches processes in a thread of its own."""

    def __init__(self, on_event: Callable[[ProcessEvent], None]) -> None:
        self._on_event = on_event
        self._watched: list[_Watched] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self, processes: list[Process]) -> None:
        """Watch these, which serve."""
        self._watched = [_Watched(process) for process in processes]
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; what runs goes on running."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            for watched in self._watched:
                self._look(watched, time.monotonic())

    def _look(self, watched: _Watched, now_s: float) -> None:
        process, name = watched.process, watched.process.program.name
        if watched.restart_at_s is not None:
            if now_s >= watched.restart_at_s:
                self._restart(watched, now_s)
            return
        code = process.exit_code()
        if code is not None:
            stable = watched.serving and now_s - watched.since_s >= _STABLE_S
            watched.failures = 0 if stable else watched.failures + 1
            pause_s = (
                min(_PAUSE_S_MIN * 2 ** (watched.failures - 1), _PAUSE_S_MAX) if watched.failures > 1 else 0
            )
            watched.serving, watched.restart_at_s = False, now_s + pause_s
            self._on_event(ProcessEvent(name, "ended", exit_code=code))
        elif not watched.serving:
            url = process.ready_url()
            if url is not None:
                watched.serving, watched.since_s = True, now_s
                self._on_event(ProcessEvent(name, "serving", pid=process.pid, url=url))

    def _restart(self, watched: _Watched, now_s: float) -> None:
        try:
            watched.process.restart()
        except OSError:  # no memory, no file handle: later there may be
            watched.failures += 1
            watched.restart_at_s = now_s + watched.pause_s()
            return
        watched.restart_at_s, watched.since_s = None, now_s
        self._on_event(ProcessEvent(watched.process.program.name, "started", pid=watched.process.pid))


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit {exit_code}"
