"""A gateway on a free port of the loopback, over the fake sequencer."""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from exchange.binary import AsyncBinaryClient, Gateway, Limits, member_key, serve
from exchange.core.codes import ReportKind
from exchange.core.records import Report, reports_of
from tests.exchange.binary.fakes import ANNA, BERT, CARL, CHAIN_ID, CLEARING, SECRET, FakeSequencer

LIMITS = Limits(handshake_s=10.0)


@dataclass
class Exchange:
    """The gateway and what is behind it. Anna, Bert and Carl are participants 1 to 3, and funded."""

    sequencer: FakeSequencer
    gateway: Gateway

    @property
    def port(self) -> int:
        return self.gateway.port

    async def connect(self, account: bytes = ANNA, **more: Any) -> AsyncBinaryClient:
        return await AsyncBinaryClient.connect(
            "127.0.0.1", self.port, account, member_key(SECRET, account), **more
        )

    async def raw(self, **more: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, **more)


@asynccontextmanager
async def opened(*, ssl: tls.SSLContext | None = None, **limits: Any) -> AsyncIterator[Exchange]:
    sequencer = FakeSequencer()
    await sequencer.list_unit()
    for account in (ANNA, BERT, CARL):
        number = await sequencer.participant_of(account)
        await sequencer.give(number, 0, 10**12)
        await sequencer.give(number, 1, 10**9)
    gateway = await serve(sequencer, SECRET, CHAIN_ID, CLEARING, limits=replace(LIMITS, **limits), ssl=ssl)
    try:
        yield Exchange(sequencer, gateway)
        sequencer.venue.engine.check()
    finally:
        sequencer.go_on()
        await gateway.wait_closed()
        await sequencer.close()
        assert sequencer.listeners == []


@pytest.fixture
async def exchange(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Exchange]:
    async with opened() as each:
        yield each
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def hear(client: AsyncBinaryClient, until: Callable[[list[Report]], bool]) -> list[Report]:
    """Receive until it holds of what came."""
    heard: list[Report] = []
    async with asyncio.timeout(10):
        while not until(heard):
            heard.extend(reports_of(await client.receive()))
    return heard


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


def kinds(reports: list[Report]) -> list[ReportKind]:
    return [ReportKind(report.kind) for report in reports]


async def hear_nothing(client: AsyncBinaryClient, seconds: float = 0.1) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await client.receive()
