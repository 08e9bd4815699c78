"""The gateway as its client sees it, over an exchange inside the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson

from exchange.core.codes import Side
from exchange.gateway import Stream, create_app
from exchange.gateway.app import App
from tests.exchange.conftest import Exchange, Running

SECRET = "s" * 64


class Gate:
    """A client, and what stands behind the gateway."""

    def __init__(self, http: httpx.AsyncClient, running: Running, app: App) -> None:
        self.http = http
        self.running = running
        self.app = app

    async def post(self, path: str, body: object) -> httpx.Response:
        return await self.http.post(path, content=orjson.dumps(body))

    async def get(self, path: str, **query: object) -> Any:
        response = await self.http.get(path, params=query)  # type: ignore[arg-type]
        assert response.status_code == 200, response.text
        return response.json()

    async def submit(self, *commands: dict[str, Any]) -> list[Any]:
        response = await self.post("/commands", list(commands))
        assert response.status_code == 200, response.text
        answers: list[Any] = response.json()
        return answers

    async def do(self, command: dict[str, Any]) -> list[Any]:
        """One command, which is not refused: its reports."""
        (answer,) = await self.submit(command)
        assert "reports" in answer, answer
        reports: list[Any] = answer["reports"]
        return reports

    def standing(self) -> tuple[object, ...]:
        """Everything but how many commands there were and what time it is."""
        venue = self.running.venue
        books = [venue.engine.depth(1, side, 100) for side in Side]
        counts = venue.history.orders, venue.history.trades, len(venue.custody.withdrawals)
        return list(venue.balances()), books, counts, venue.engine.rules(1), venue.custody.listed[:]

    async def refused(self, command: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """One command, which is refused and changes nothing: the refusal's code and facts."""
        before = self.standing()
        (answer,) = await self.submit(command)
        assert "refusal" in answer, answer
        assert self.standing() == before
        return answer["refusal"]["code"], answer["refusal"]["facts"]


@asynccontextmanager
async def opened(exchange: Exchange) -> AsyncIterator[Gate]:
    """The gateway of an exchange where everyone has 1,000,000 fen and 1,000 t."""
    async with exchange.funded() as running:
        app = create_app(running.sequencer, running.desk, Stream(running.sequencer), SECRET)
        transport = httpx.ASGITransport(app)
        headers = {"authorization": f"Bearer {SECRET}"}
        desk = asyncio.create_task(running.desk.run())
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as http:
            yield Gate(http, running, app)
        desk.cancel()
