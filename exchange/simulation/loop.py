"""An event loop whose time is a number: when nothing is ready, it is at once the time of what comes next.

No threads, no sockets, no clock: what runs on it runs the same every time. It has what the exchange uses of a
loop, and little of what else asyncio offers; context variables are not kept apart.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

STEPS_MAX: Final = 1_000_000
"""More steps than this are no seed but a loop without end."""


class Stalled(Exception):
    """Somebody waits, and nothing will ever happen."""


class _Handle:
    """Something to be called; never, once it is cancelled."""

    __slots__ = ("arguments", "call")

    def __init__(self, call: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> None:
        self.call = call
        self.arguments = arguments

    def cancel(self) -> None:
        self.call = None


class VirtualLoop:
    """Runs callbacks in the order of their times. `inside` holds the tasks that a crash ends."""

    def __init__(self) -> None:
        self.inside: list[asyncio.Task[Any]] = []
        self._self = cast(asyncio.AbstractEventLoop, self)
        self._now_s = 0.0
        self._ready: deque[_Handle] = deque()
        self._times: list[tuple[float, int, _Handle]] = []
        self._timers = 0

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self._now_s

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run to the end of a coroutine; raises Stalled when it can never come."""
        ready, times = self._ready, self._times
        events._set_running_loop(self._self)
        try:
            task = self.create_task_outside(main)
            for _ in range(STEPS_MAX):
                if ready:
                    handle = ready.popleft()
                elif task.done():
                    return task.result()
                elif times:
                    self._now_s, _, handle = heappop(times)
                else:
                    raise Stalled
                if handle.call is not None:
                    handle.call(*handle.arguments)
            raise Stalled
        finally:
            events._set_running_loop(None)

    def end(self) -> None:
        """Forget everything that still waits, quietly."""
        for task in asyncio.all_tasks(self._self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._ready.clear()
        self._times.clear()
        self.inside.clear()

    # --- what asyncio asks of it ---

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:  # noqa: ARG002
        """Call it after all that is ready."""
        handle = _Handle(callback, args)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:  # noqa: ARG002
        """Call it after so many seconds."""
        handle = _Handle(callback, args)
        self._timers += 1
        heappush(self._times, (self._now_s + delay, self._timers, handle))
        return handle

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:  # noqa: ARG002
        """Call it at a time."""
        return self.call_later(max(0.0, when - self._now_s), callback, *args)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a new future."""
        return asyncio.Future(loop=self._self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:  # noqa: ARG002
        """Start a task of the process that is simulated."""
        task = asyncio.Task(coro, loop=self._self)
        self.inside.append(task)
        return task

    def create_task_outside(self, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task of the world around it, which no crash ends."""
        return asyncio.Task(coro, loop=self._self)

    def get_debug(self) -> bool:
        """It is not debugged."""
        return False

    def is_running(self) -> bool:
        """It runs whenever it is asked."""
        return True

    def is_closed(self) -> bool:
        """It is never closed."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Whoever awaits a task sees its exception; nobody else."""
