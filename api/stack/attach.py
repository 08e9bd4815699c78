"""Working with the stack of a data directory, whether it runs or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from api.stack.handle import StackHandle
from api.stack.lock import DataDirectoryInUse
from api.stack.outside import OutsideChain
from api.stack.paths import DataDirectory, StackMissing, read_json
from api.stack.secrets import open_keyring
from api.stack.stack import Stack
from chain.deployment import Deployment


@contextmanager
def attached(
    data_dir: Path,
    on_step: Callable[[str], None] = lambda _step: None,
    outside: OutsideChain | None = None,
) -> Iterator[StackHandle]:
    """Give the stack that runs on a data directory; if none runs, start its chain alone meanwhile.

    Parameters
    ----------
    outside :
        The addresses to use of a chain that others run, instead of those noted in the directory.

    Raises
    ------
    StackMissing :
        There never was one here.
    DataDirectoryInUse :
        One is just being started or stopped.
    """
    data = DataDirectory(data_dir.resolve())
    if not data.keyring.exists() or not data.deployment.exists():
        raise StackMissing(data_dir=str(data_dir))
    try:
        stack = Stack.start(data_dir, only_chain=True, on_step=on_step, outside=outside)
    except DataDirectoryInUse:
        running = _running(data)
        if running is None:
            raise
        if outside is not None:
            running.outside, running.node_url = outside, outside.urls
            running.deployment.require_chain(running.rpc())
        yield running
        return
    with stack:
        yield stack


def _running(data: DataDirectory) -> StackHandle | None:
    urls = read_json(data.stack).get("urls", {})
    if not urls.get("node") or not urls.get("exchange"):
        return None
    handle = StackHandle(data)
    handle.keyring = open_keyring(data)
    handle.deployment = Deployment.load(data.deployment)
    handle.outside = OutsideChain.kept(data)
    handle.node_url, handle.exchange_url, handle.api_url = urls["node"], urls["exchange"], urls["api"]
    return handle
