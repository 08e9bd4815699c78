"""The public stream: one unit's book and trades as they change, without names, over a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from api.schemas.market import StreamMessage
from api.services import Services
from api.streams import StreamsBusy
from chain.refusals import Refusal
from chain.units import UnitId
from exchange.refusals import ExchangeUnreachable

router = APIRouter()

_TRY_LATER: Final = 1013
_UNKNOWN_UNIT: Final = 4404


@router.websocket("/ws/market/{unit}")
async def stream_market(websocket: WebSocket, unit: str) -> None:
    """Send the book's snapshot, then its changes and trades, until one side leaves.

    Closes with 4404 for a unit that is not traded, with 1013 when the exchange is away or there are too
    many listeners, of all or at this client's address.
    """
    services = websocket.app.state.services
    assert isinstance(services, Services)
    await websocket.accept()
    host = "" if websocket.client is None else websocket.client.host
    try:
        with services.streams.place(host):
            UnitId.parse(unit)
            await asyncio.to_thread(services.exchange.book, unit, 1)
            await _pass_on(websocket, services, unit)
    except (ExchangeUnreachable, StreamsBusy) as refusal:
        await websocket.close(_TRY_LATER, refusal.code)
    except Refusal as refusal:
        await websocket.close(_UNKNOWN_UNIT, refusal.code)


async def _pass_on(websocket: WebSocket, services: Services, unit: str) -> None:
    sending = asyncio.create_task(_send(websocket, services, unit))
    leaving = asyncio.create_task(_until_gone(websocket))
    done, waiting = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    if sending in done and isinstance(sending.exception(), Refusal):
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close(_TRY_LATER, "ExchangeUnreachable")


async def _send(websocket: WebSocket, services: Services, unit: str) -> None:
    async with contextlib.aclosing(services.exchange.stream([unit])) as messages:
        async for message in messages:
            public = StreamMessage.model_validate(message)
            await websocket.send_text(public.model_dump_json())


async def _until_gone(websocket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await websocket.receive_text()
