"""A process that is a start and a sequencer over a directory: it takes runs over a socket until killed.

to it     number u32, bytes u32, run
from it   once: records u64, state hash 32. Then for each run: number u32, bytes u32, reports
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import struct
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from exchange.journal import Identity
from exchange.opening import start
from exchange.sequencer import Sequencer

IDENTITY: Final = Identity(1337, b"\x11" * 20)
HELLO: Final = struct.Struct("<Q32s")
HEAD: Final = struct.Struct("<II")

# Forked from a process that has everything imported: a start takes milliseconds.
_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.sequencer_process"])


@dataclass
class SequencerProcess:
    """One life of the process."""

    process: BaseProcess
    socket: socket.socket

    @classmethod
    def start(cls, directory: Path, snapshot_records: int) -> SequencerProcess:
        ours, theirs = socket.socketpair()
        process = _FORKS.Process(target=_serve, args=(directory, theirs, snapshot_records), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def send(self, number: int, run: bytes) -> None:
        self.socket.sendall(HEAD.pack(number, len(run)) + run)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def _serve(directory: Path, connection: socket.socket, snapshot_records: int) -> None:
    asyncio.run(_work(directory, connection, snapshot_records))


async def _work(directory: Path, connection: socket.socket, snapshot_records: int) -> None:
    opened = start(directory, IDENTITY)
    opened.keeper.every = snapshot_records
    sequencer = Sequencer(opened.venue, opened.journal, opened.keeper)
    reader, writer = await asyncio.open_connection(sock=connection)
    writer.write(HELLO.pack(sequencer.commands, opened.venue.state_hash()))

    async def answer(number: int, run: bytes) -> None:
        reports = await sequencer.submit(run)
        writer.write(HEAD.pack(number, len(reports)) + reports)

    running = [asyncio.create_task(sequencer.run())]
    while True:
        number, size = HEAD.unpack(await reader.readexactly(HEAD.size))
        running.append(asyncio.create_task(answer(number, await reader.readexactly(size))))
