"""The stream: whoever listens can keep the best of each book, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from exchange.client import amend_order, cancel_order, list_instrument, place_order
from exchange.gateway import streaming
from exchange.words import account_text
from tests.exchange.conftest import Exchange
from tests.exchange.gate import SECRET, Gate, opened
from tests.exchange.world import ANNA, BERT, CARL

UNIT, OTHER = "allowance-2026", "allowance-2027"
A, B, C = (account_text(account) for account in (ANNA, BERT, CARL))


@pytest.fixture
async def gate(exchange: Exchange) -> AsyncIterator[Gate]:
    async with opened(exchange) as gate:
        yield gate


class Listener:
    """One who listens, and what was told; `book` is kept from the messages alone."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.leaves = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self.book: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}
        self._began = False

    async def receive(self) -> dict[str, Any]:
        if not self._began:
            self._began = True
            return {"type": "websocket.connect"}
        await self.leaves.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        if message["type"] == "websocket.send":
            self.told.put_nowait(orjson.loads(message["text"]))
        elif message["type"] == "websocket.close":
            self.closed.set_result(message["code"])

    async def next(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.told.get(), 5)
        if message["type"] == "snapshot":
            self.book = {"bids": {}, "asks": {}}
        for side in ("bids", "asks"):
            for price, quantity in message[side]:
                self.book[side][price] = quantity
                if not quantity:
                    del self.book[side][price]
        return message


@asynccontextmanager
async def listening(gate: Gate, query: str = "", secret: str = SECRET) -> AsyncIterator[Listener]:
    listener = Listener()
    scope = {
        "type": "websocket",
        "path": "/stream",
        "raw_path": b"/stream",
        "root_path": "",
        "scheme": "ws",
        "query_string": query.encode(),
        "headers": [(b"authorization", f"Bearer {secret}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "subprotocols": [],
    }
    serving = asyncio.create_task(gate.app(scope, listener.receive, listener.send))  # type: ignore[arg-type]
    try:
        yield listener
    finally:
        listener.leaves.set()
        listener.reads.set()
        await asyncio.wait_for(serving, 5)


async def test_a_snapshot_comes_first_and_then_what_changed(gate: Gate) -> None:
    sell = uuid4()
    await gate.submit(
        place_order(sell, A, UNIT, "sell", 10, 100), place_order(uuid4(), B, UNIT, "buy", 3, 90)
    )
    async with listening(gate) as listener:
        assert await listener.next() == {
            "type": "snapshot",
            "unit": UNIT,
            "sequence": 0,
            "bids": [[90, 3]],
            "asks": [[100, 10]],
            "trades": [],
        }
        buy = uuid4()
        await gate.submit(place_order(buy, C, UNIT, "buy", 12, 100))
        change = await listener.next()
        (trade,) = (await gate.get("/trades"))["trades"]
        assert trade["maker_order"] == str(sell)
        assert change == {
            "type": "change",
            "unit": UNIT,
            "sequence": 1,
            "bids": [[100, 2]],
            "asks": [[100, 0]],
            "trades": [trade],
        }
        assert (await gate.get(f"/book/{UNIT}"))["sequence"] == 1


async def test_a_listener_hears_of_the_units_it_chose(gate: Gate) -> None:
    await gate.submit(list_instrument(OTHER))
    async with listening(gate, f"unit={OTHER}") as chosen, listening(gate) as all_of_them:
        assert (await chosen.next())["unit"] == OTHER
        assert {(await all_of_them.next())["unit"] for _ in range(2)} == {UNIT, OTHER}
        await gate.submit(place_order(uuid4(), A, UNIT, "sell", 1, 100))
        await gate.submit(place_order(uuid4(), B, OTHER, "buy", 1, 100))
        assert (await chosen.next())["unit"] == OTHER
        assert {(await all_of_them.next())["unit"] for _ in range(2)} == {UNIT, OTHER}


async def test_messages_are_numbered_without_a_gap_and_keep_the_book(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "LEVELS", 5)
    draw = Random(7)
    async with listening(gate) as early:
        last = (await early.next())["sequence"]
        for at in range(60):
            if at == 30:
                async with listening(gate) as late:
                    joined = await late.next()
                    shown = await gate.get(f"/book/{UNIT}", depth=5)
                    assert late.book == _levels(shown)
                    assert joined["sequence"] >= last
            name = UUID(int=draw.randrange(1, 40))
            account, side = draw.choice([A, B, C]), draw.choice(["buy", "sell"])
            price_fen, quantity_t = draw.randrange(90, 110), draw.randrange(1, 9)
            await gate.submit(
                place_order(name, account, UNIT, side, quantity_t, price_fen),  # type: ignore[arg-type]
                cancel_order(UUID(int=draw.randrange(1, 40)), account),
                amend_order(UUID(int=draw.randrange(1, 40)), account, quantity_t, price_fen),
            )
        await asyncio.sleep(0.05)
        trades = []
        while not early.told.empty():
            change = await early.next()
            assert change["sequence"] == last + 1
            last = change["sequence"]
            trades += [trade["number"] for trade in change["trades"]]
        assert early.book == _levels(await gate.get(f"/book/{UNIT}", depth=5))
        assert trades == list(range(1, gate.running.venue.history.trades + 1))
        assert trades


def _levels(shown: dict[str, Any]) -> dict[str, dict[int, int]]:
    return {
        side: {level["price_fen"]: level["quantity_t"] for level in shown[side]} for side in ("bids", "asks")
    }


async def test_who_does_not_keep_up_is_sent_away(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "WAITING_MAX", 4)
    monkeypatch.setattr(streaming, "PAUSE_S", 0)
    async with listening(gate) as listener:
        await listener.next()
        listener.reads.clear()
        for at in range(8):
            await gate.submit(place_order(uuid4(), A, UNIT, "sell", 1, 100 + at))
            await asyncio.sleep(0.005)
        listener.reads.set()
        assert await asyncio.wait_for(listener.closed, 5) == 1013


async def test_nothing_is_collected_while_nobody_listens(gate: Gate) -> None:
    history = gate.running.venue.history
    assert not history.watching
    async with listening(gate) as listener:
        await listener.next()
        assert history.watching
    assert not history.watching


@pytest.mark.parametrize(
    ("query", "secret", "code"),
    [("", "wrong", 4401), ("unit=gold", SECRET, 4404), ("unit=allowance-2099", SECRET, 4404)],
)
async def test_a_stranger_and_an_unknown_unit_are_turned_away(
    gate: Gate, query: str, secret: str, code: int
) -> None:
    async with listening(gate, query, secret) as listener:
        assert await asyncio.wait_for(listener.closed, 5) == code
