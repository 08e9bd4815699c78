"""JSON-RPC over a Unix socket, as geth's IPC: a stream of JSON values each way, one a line in ours.

Only the node's own user may open the socket. A socket that a dead node has left behind is taken over; one
that somebody answers is not.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path

import orjson

from chain.node.connection import Connection
from chain.node.errors import InvalidRequest, LimitExceeded, ParseError, RpcError
from chain.node.framing import Framer, FramingLost
from chain.node.node import Node
from chain.node.rpc.dispatch import Dispatcher

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
MAX_CONNECTIONS = 256
_PIECE_BYTES = 256 * 1024
_PATH_BYTES_MAX = 107  # of sockaddr_un on Linux, less the final zero
_OWNER_ONLY = 0o600
_PROBE_S = 1.0


class SocketInUse(OSError):
    """Somebody answers at this path, or what is there is no socket."""


class UnixSocket:
    """The socket of one node, from its making to its removal."""

    def __init__(self, path: Path, node: Node, dispatcher: Dispatcher) -> None:
        self._path = path
        self._node = node
        self._dispatcher = dispatcher
        self._listener = _listen(path)
        self._inode = path.stat().st_ino
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take connections from now on."""
        self._server = await asyncio.start_unix_server(self._serve, sock=self._listener, limit=_PIECE_BYTES)

    async def stop(self) -> None:
        """Take no more, end those that are open, and remove the file if it is still ours."""
        if self._server is not None:
            self._server.close()
        self._listener.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) > MAX_CONNECTIONS:
                await _send(writer, _failed(LimitExceeded(f"too many connections, limit {MAX_CONNECTIONS}")))
            else:
                await self._talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = Framer(MAX_MESSAGE_BYTES)
        ready: deque[bytes] = deque()
        lost = False

        async def read() -> bytes | None:
            nonlocal lost
            while not ready and not lost:
                piece = await reader.read(_PIECE_BYTES)
                if not piece:
                    return None
                try:
                    ready.extend(framer.feed(piece))
                except FramingLost as error:
                    lost = True
                    refusal = InvalidRequest if framer.is_large else ParseError
                    connection.tell(_failed(refusal(f"{error}: the connection ends")))
            return ready.popleft() if ready else None

        async def write(message: bytes) -> None:
            await _send(writer, message)

        connection = Connection(self._dispatcher, read, write)
        await connection.run(self._node)


async def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(message + b"\n")
    await writer.drain()


def _failed(error: RpcError) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error.as_json()})


def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _PATH_BYTES_MAX:
        raise OSError(
            errno.ENAMETOOLONG, f"the path of a socket has at most {_PATH_BYTES_MAX} bytes", str(path)
        )
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mask at the binding, and not a chmod after it: the socket is never open to others.
    mask = os.umask(0o777 & ~_OWNER_ONLY)
    try:
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


def _clear(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketInUse(errno.EEXIST, "there is a file that is no socket", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise SocketInUse(errno.EADDRINUSE, "another process serves this socket", str(path))
