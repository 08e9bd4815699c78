"""One stack a data directory.

The lock belongs to the open file, and every process of the stack inherits it: as long as any of them lives,
the directory is taken, even when the one that started them was killed.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from chain.refusals import Refusal

_PAUSE_S: Final = 0.1


class DataDirectoryInUse(Refusal):
    """Another stack runs on this data directory; stop it first, or name another directory."""


class DirectoryLock:
    """Holds a data directory until it is released or the last process that inherited it is gone."""

    def __init__(self, path: Path, patience_s: float = 8.0) -> None:
        """Take the lock.

        Parameters
        ----------
        patience_s :
            How long to wait for the processes of a stack that was killed: they notice and end by themselves.

        Raises
        ------
        DataDirectoryInUse
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                owner = self._owner()
                if _is_alive(owner) or time.monotonic() >= until:
                    os.close(self.handle)
                    raise DataDirectoryInUse(path=str(path.parent), pid=owner) from None
                time.sleep(_PAUSE_S)
        os.ftruncate(self.handle, 0)
        os.pwrite(self.handle, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let others have the directory."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def _owner(self) -> int:
        text = os.pread(self.handle, 20, 0)
        return int(text) if text.isdigit() else 0


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
