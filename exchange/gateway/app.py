"""The gateway's routes.

Every request but `/health` carries `Authorization: Bearer <secret>`. Bodies and answers are JSON in the
shapes of `exchange.messages`. What is refused is answered as `{"refusal": {"code", "title", "facts"}}` with a
4xx status, or 503 when the journal is not available; no input makes a 5xx.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from chain.refusals import Refusal
from exchange.clearing import ClearingDesk
from exchange.core import records
from exchange.core.codes import Reject, ReportKind, Side
from exchange.core.records import reports_of
from exchange.custody import Custody, Withdrawal
from exchange.gateway import requests
from exchange.gateway.commands import COMMANDS_MAX, CommandDesk
from exchange.gateway.rendering import Rendering, Tape, alarms, delta
from exchange.gateway.requests import PAGE_MAX, Gone
from exchange.gateway.streaming import Stream
from exchange.gateway.wire.rejects import refusal_of
from exchange.refusals import (
    EpochUnknown,
    NoSuchRoute,
    NotSignedIn,
    OrderUnknown,
    RequestMalformed,
    WithdrawalUnknown,
)
from exchange.sequencer import Sequencer
from exchange.venue import Venue
from exchange.words import account_bytes, uuid_bytes

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = Callable[[Request], Awaitable[object]]
App = Callable[[Scope, requests.Receive, Send], Awaitable[None]]

_KICK_S: Final = 0.05
_BIG_FACT: Final = 10**12


def create_app(sequencer: Sequencer, desk: ClearingDesk, stream: Stream, secret: str) -> App:
    """Wire the routes. Whoever runs the app also runs the sequencer and the desk on its loop."""
    gateway = Gateway(sequencer, desk, stream, secret)
    guarded = gateway.guarded
    routes = [
        Route("/health", gateway.open(gateway.health)),
        Route("/commands", guarded(gateway.health), methods=["POST"]),  # for other methods; POST see `app`
        Route("/instruments", guarded(gateway.get_instruments)),
        Route("/book/{unit}", guarded(gateway.get_book)),
        Route("/accounts", guarded(gateway.get_accounts)),
        Route("/accounts/{account}", guarded(gateway.get_account)),
        Route("/accounts/{account}/orders", guarded(gateway.get_orders)),
        Route("/orders/{order_id}", guarded(gateway.get_order)),
        Route("/trades", guarded(gateway.get_trades)),
        Route("/epochs", guarded(gateway.get_epochs)),
        Route("/epochs/close", guarded(gateway.post_close), methods=["POST"]),
        Route("/epochs/{epoch}", guarded(gateway.get_epoch)),
        Route("/withdrawals/{withdrawal_id}", guarded(gateway.get_withdrawal)),
        Route("/deposits/await", guarded(gateway.post_await_deposits), methods=["POST"]),
        WebSocketRoute("/stream", gateway.stream_changes),
    ]
    others = Starlette(routes=routes, exception_handlers={HTTPException: _no_such_route})

    async def app(scope: Scope, receive: requests.Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/commands" and scope["method"] == "POST":
            await gateway.post_commands(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


class Gateway:
    """The routes' functions: each reads a request and returns what is to be written as JSON."""

    def __init__(self, sequencer: Sequencer, desk: ClearingDesk, stream: Stream, secret: str) -> None:
        self._sequencer = sequencer
        self._desk = desk
        self._stream = stream
        self._commands = CommandDesk(sequencer, desk)
        self._names = self._commands.names
        self._rendering = Rendering(sequencer.venue, self._names, desk)
        self._tape = Tape(sequencer.venue, self._commands.answers)
        self._authorization = f"Bearer {secret}".encode()

    def open(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """Make a route of a function: its refusals become typed answers."""

        async def respond(request: Request) -> Response:
            try:
                return requests.json_response(await answer(request))
            except Refusal as refusal:
                return requests.refused(refusal)
            except Gone:
                return Response(status_code=499)

        return respond

    def guarded(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """The same, only for who knows the secret."""

        async def signed_in(request: Request) -> object:
            self._require_secret(request)
            return await answer(request)

        return self.open(signed_in)

    def _require_secret(self, connection: HTTPConnection) -> None:
        given = connection.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, self._authorization):
            raise NotSignedIn()

    # --- acts ---

    async def post_commands(self, scope: Scope, receive: requests.Receive, send: Send) -> None:
        """A list of commands, done in order, each answered for itself; in front of all routing, being hot."""
        status = 200
        try:
            given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
            if not hmac.compare_digest(given, self._authorization):
                raise NotSignedIn()
            answer = await self._commands.do(await requests.json_body(receive))
        except Refusal as refusal:
            status, answer = requests.status_of(refusal), requests.refused_bytes(refusal)
        except Gone:
            return
        headers = [
            (b"content-length", str(len(answer)).encode()),
            (b"content-type", b"application/json"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def post_close(self, request: Request) -> object:
        """Close the epoch, and with `wait` wait until it is settled and the withdrawals before it are paid.

        Body: `{"wait": bool, "timeout_s": number, "epoch": n}`, all optional. With `epoch` nothing is closed:
        it is only waited for, so a long wait can be made of short ones.
        """
        body = await requests.json_object(request, {"wait", "timeout_s", "epoch"})
        wait, epoch, timeout_s = body.get("wait", False), body.get("epoch"), requests.timeout_s(body)
        if type(wait) is not bool:
            raise RequestMalformed(field="wait", reason="true or false is expected")
        if epoch is None:
            epoch = await self._close()
        elif type(epoch) is not int or not 0 <= epoch < self._custody.open_epoch:
            raise EpochUnknown(epoch=epoch if _is_small(epoch) else str(epoch)[:40])
        self._desk.kick()
        if wait:
            await self._waiting(lambda: self._is_done(epoch), timeout_s)
        return await self._sequencer.read(lambda _: self._closed(epoch))

    def _closed(self, epoch: int) -> object:
        unreleased = self._unreleased(epoch)
        stuck = [each for each in unreleased if each.withdrawal_id in self._desk.stuck]
        return {
            "epoch": epoch,
            "settled_epoch": self._custody.settled_epoch,
            "unreleased": len(unreleased),
            "stuck": [self._rendering.withdrawal(each) for each in stuck],
            "done": self._is_done(epoch),
            "alarms": alarms(self._sequencer.venue, self._sequencer, self._desk),
        }

    async def post_await_deposits(self, request: Request) -> object:
        """Wait until deposits are credited. Body: `{"account", "request_ids": [...], "timeout_s"}`."""
        body = await requests.json_object(request, {"account", "request_ids", "timeout_s"})
        account, names = account_bytes(body.get("account")), body.get("request_ids")
        if not isinstance(names, list) or len(names) > COMMANDS_MAX:
            raise RequestMalformed(field="request_ids", reason="a list of ids is expected")
        keys = {account + requests.deposit_id(name): name for name in names}
        custody = self._custody
        await self._waiting(lambda: all(key in custody.deposits for key in keys), requests.timeout_s(body))
        credited = await self._sequencer.read(lambda _: {key for key in keys if key in custody.deposits})
        return {
            "credited": [name for key, name in keys.items() if key in credited],
            "missing": [name for key, name in keys.items() if key not in credited],
        }

    async def _close(self) -> int:
        """Close the open epoch and return its number; without trades, the number of the one before."""
        sequencer = self._sequencer
        run = records.close_epoch(self._custody.open_epoch, sequencer.now_us())
        for report in reports_of(await sequencer.submit(run)):
            if report.kind == ReportKind.REJECTED and report.code != Reject.EPOCH_EMPTY:
                raise refusal_of(report, run, self._names, sequencer.venue)
        return len(self._custody.epochs)

    @property
    def _custody(self) -> Custody:
        return self._sequencer.venue.custody

    def _is_done(self, epoch: int) -> bool:
        waiting = [each for each in self._unreleased(epoch) if each.withdrawal_id not in self._desk.stuck]
        return self._custody.settled_epoch >= epoch and not waiting

    def _unreleased(self, epoch: int) -> list[Withdrawal]:
        return [each for each in self._custody.unreleased.values() if each.after_epoch <= epoch]

    async def _waiting(self, happened: Callable[[], bool], timeout_s: float) -> None:
        """Wait, and have the desk look at the chain again and again meanwhile."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not happened() and (left_s := deadline - loop.time()) > 0 and self._sequencer.failed is None:
            self._desk.kick()
            await self._sequencer.until(happened, min(left_s, _KICK_S))

    # --- readings ---

    async def health(self, _request: Request) -> object:
        """How the exchange is."""
        return self._rendering.health(self._sequencer)

    async def get_instruments(self, _request: Request) -> object:
        """Everything listed, by unit."""

        def look(venue: Venue) -> object:
            units = sorted((listed.unit, at) for at, listed in enumerate(venue.custody.listed, 1))
            return {"instruments": [self._rendering.instrument(at) for _, at in units]}

        return await self._sequencer.read(look)

    async def get_book(self, request: Request) -> object:
        """The best levels of a book; `?depth=` says how many."""
        unit = request.path_params["unit"]
        number = self._names.instrument(unit)
        depth = requests.number(request, "depth", 10, 1, PAGE_MAX)

        def look(_venue: Venue) -> object:
            return {
                "unit": unit,
                "sequence": self._stream.sequence.get(number, 0),
                "bids": self._rendering.levels(number, Side.BUY, depth),
                "asks": self._rendering.levels(number, Side.SELL, depth),
                "last_price_fen": self._rendering.last_price_fen(number),
            }

        return await self._sequencer.read(look)

    async def get_accounts(self, request: Request) -> object:
        """All accounts with their balances, in pages: for the audit."""
        after, limit = requests.page(request)

        def look(venue: Venue) -> object:
            page = venue.custody.accounts[after : after + limit]
            return {
                "accounts": [self._rendering.account(name) for name in page],
                "next": _next(after, page, len(venue.custody.accounts)),
            }

        return await self._sequencer.read(look)

    async def get_account(self, request: Request) -> object:
        """One account."""
        name = account_bytes(request.path_params["account"])
        return await self._sequencer.read(lambda _: self._rendering.account(name))

    async def get_orders(self, request: Request) -> object:
        """An account's orders, oldest first, in pages; `?open=true` for those that stand or wait only."""
        name = account_bytes(request.path_params["account"])
        after, limit = requests.page(request)
        only_open = requests.flag(request, "open")

        def look(venue: Venue) -> object:
            participant = venue.participant(name)
            if not participant:
                return {"orders": [], "next": None}
            found, following = venue.history.orders_of(participant, after, limit, only_open=only_open)
            return {"orders": [self._rendering.order(each) for each in found], "next": following}

        return await self._sequencer.read(look)

    async def get_order(self, request: Request) -> object:
        """One order."""
        name = request.path_params["order_id"]
        order_id = uuid_bytes(name, "order_id")

        def look(venue: Venue) -> object:
            order = venue.history.order(order_id)
            if order is None:
                raise OrderUnknown(order_id=name)
            return self._rendering.order(order)

        return await self._sequencer.read(look)

    async def get_trades(self, request: Request) -> object:
        """Trades after a number, oldest first; `?unit=` and `?account=` choose."""
        after, limit = requests.page(request)
        unit, account = request.query_params.get("unit"), request.query_params.get("account")
        instrument = 0 if unit is None else self._names.instrument(unit)
        name = None if account is None else account_bytes(account)

        def look(venue: Venue) -> object:
            participant = 0 if name is None else venue.participant(name)
            if name is not None and not participant:
                return {"trades": [], "next": None}
            found = venue.history.trades_after(after, limit + 1, instrument, participant)
            page = found[:limit]
            return {
                "trades": [self._tape.trade(each) for each in page],
                "next": page[-1].number if len(found) > limit else None,
            }

        return await self._sequencer.read(look)

    async def get_epochs(self, request: Request) -> object:
        """Closed epochs after a number, oldest first."""
        after, limit = requests.page(request)

        def look(venue: Venue) -> object:
            epochs = venue.custody.epochs
            page = epochs[after : after + limit]
            return {
                "epochs": [self._rendering.epoch(each) for each in page],
                "next": _next(after, page, len(epochs)),
            }

        return await self._sequencer.read(look)

    async def get_epoch(self, request: Request) -> object:
        """A closed epoch with its deltas."""
        text = request.path_params["epoch"]

        def look(venue: Venue) -> object:
            epochs = venue.custody.epochs
            if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) is None or not 1 <= int(text) <= len(epochs):
                raise EpochUnknown(epoch=text[:40])
            epoch = epochs[int(text) - 1]
            deltas = venue.history.net(epoch.first_trade, epoch.trades)
            return {**self._rendering.epoch(epoch), "deltas": [delta(each) for each in deltas]}

        return await self._sequencer.read(look)

    async def get_withdrawal(self, request: Request) -> object:
        """One withdrawal."""
        name = request.path_params["withdrawal_id"]
        withdrawal_id = uuid_bytes(name, "withdrawal_id")

        def look(venue: Venue) -> object:
            withdrawal = venue.custody.withdrawals.get(withdrawal_id)
            if withdrawal is None:
                raise WithdrawalUnknown(withdrawal_id=name)
            return self._rendering.withdrawal(withdrawal)

        return await self._sequencer.read(look)

    async def stream_changes(self, websocket: WebSocket) -> None:
        """Every book's snapshot, then its changes; `?unit=` once or more chooses."""
        try:
            self._require_secret(websocket)
            chosen = self._instruments(websocket.query_params.getlist("unit"))
        except Refusal as refusal:
            code = 4401 if isinstance(refusal, NotSignedIn) else 4404
            await websocket.close(code, refusal.code)
            return
        await self._stream.serve(websocket, chosen or None)

    def _instruments(self, units: Iterable[str]) -> set[int]:
        return {self._names.instrument(unit) for unit in units}


def _next(after: int, page: Sequence[object], total: int) -> int | None:
    end = after + len(page)
    return end if page and end < total else None


def _is_small(number: object) -> bool:
    return type(number) is int and abs(number) < _BIG_FACT


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return requests.refused(NoSuchRoute(path=request.url.path[:200], method=request.method), status)
