"""The first thing in every process of the stack: run a module, and end when the stack ends.

    python -m api.stack.child MODULE ARGS...

The module is imported at once and its `main()` called when a line comes in on standard input: so that a
program is read while those before it are still starting.

Standard input is a pipe that only the starting process holds. When that process is gone, however it went
(also by `kill -9`), the pipe ends, and this process ends too: first as if asked by SIGTERM, then by force.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from typing import Final

_GRACE_S: Final = 5.0
_OWNER_ALONE: Final = 0o077  # whatever a program writes, no other local user reads it


def _end_with(pipe: int, go: threading.Event) -> None:
    while os.read(pipe, 1):
        go.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the module that the arguments name as the main program."""
    os.umask(_OWNER_ALONE)
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    go = threading.Event()
    threading.Thread(target=_end_with, args=(pipe, go), name="end-with-the-stack", daemon=True).start()
    sys.argv = sys.argv[1:]
    module = importlib.import_module(sys.argv[0])
    go.wait()
    sys.exit(module.main())


if __name__ == "__main__":
    main()
