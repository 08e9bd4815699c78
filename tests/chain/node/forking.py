"""Real node processes without the price of starting Python anew: a warm parent forks them.

`python -m tests.chain.node.forking` reads one command a line and answers in lines on standard output:

    start ["--data", ...]   fork a node with these arguments: `pid N`, then what the node says (`ready URL`),
                            and `exited STATUS` if it ends by itself
    compact DIRECTORY KEEP  fork a compaction: `pid N`, then `exited STATUS`
    wait                    wait until the last child is gone: `gone STATUS`, negative for a signal

Nothing is shared with the children but the imported modules: each opens store and port for itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

SEGMENT_BLOCKS = 16


class Forks:
    """The parent, from the outside."""

    def __init__(self, records: int) -> None:
        """`records`: with how many state records a node begins to prune."""
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.chain.node.forking", str(records)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            cwd=Path(__file__).resolve().parents[3],
        )  # fmt: skip
        self._pid = 0

    def start(self, arguments: list[str]) -> None:
        """Begin a node; it may be killed at any moment from now on."""
        self._begin("start " + json.dumps(arguments))

    def compact(self, directory: Path, keep_states: int) -> None:
        """Begin a compaction."""
        self._begin(f"compact {directory} {keep_states}")

    def ready(self) -> str:
        """The URL of the node, once it serves."""
        line = self._line()
        assert line.startswith("ready "), line
        return line.split()[1]

    def exited(self) -> int:
        """The status of a child that ends by itself."""
        line = self._line()
        assert line.startswith("exited "), line
        self._wait()
        return int(line.split()[1])

    def kill(self) -> None:
        """End the child as `kill -9` does, wherever it is."""
        os.kill(self._pid, signal.SIGKILL)
        self._wait()

    def terminate(self) -> int:
        """End the node cleanly; its exit status."""
        os.kill(self._pid, signal.SIGTERM)
        return self.exited()

    def close(self) -> None:
        """End the parent, and the child if there is one."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(20)
        self._parent.stdout.close()

    def _begin(self, command: str) -> None:
        self._say(command)
        line = self._line()
        assert line.startswith("pid "), line
        self._pid = int(line.split()[1])

    def _wait(self) -> None:
        self._say("wait")
        while not self._line().startswith("gone "):
            pass
        self._pid = 0

    def _say(self, command: str) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(command + "\n")
        self._parent.stdin.flush()

    def _line(self) -> str:
        assert self._parent.stdout is not None
        line = self._parent.stdout.readline()
        assert line, "the parent of the nodes has ended"
        return line


def _fork(work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid:
        _tell(f"pid {pid}")
        return pid
    status = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = work()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        _tell(f"exited {status}")
        os._exit(status)


def _tell(line: str) -> None:
    os.write(1, (line + "\n").encode())


def _serve(records: int) -> None:
    from chain.node import log_index, pruning  # noqa: PLC0415
    from chain.node.__main__ import main  # noqa: PLC0415
    from chain.node.compaction import compact  # noqa: PLC0415

    pruning.MIN_RECORDS = records
    log_index.SEGMENT_BLOCKS = SEGMENT_BLOCKS  # type: ignore[misc]
    pid = 0
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        if command == "wait":
            _, status = os.waitpid(pid, 0)
            _tell(f"gone {os.waitstatus_to_exitcode(status)}")
            continue
        if command == "start":
            arguments = json.loads(rest)
            pid = _fork(lambda given=arguments: main(given))  # type: ignore[misc]
        else:
            directory, _, keep = rest.rpartition(" ")
            pid = _fork(lambda d=directory, k=keep: 0 if compact(Path(d), int(k)) else 1)  # type: ignore[misc]


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
