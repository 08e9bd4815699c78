"""The gateway: the exchange over loopback HTTP, for the API alone.

Every request but `/health` carries `Authorization: Bearer <secret>`. Bodies and answers are JSON in the
shapes of `exchange.messages`. What is refused is answered as `{"refusal": {"code", "title", "facts"}}` with a
4xx status, or 503 when the journal is not available; no input makes a 5xx.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from chain.ids import request_id
from chain.refusals import Refusal
from exchange import rendering
from exchange.book import OrderStatus
from exchange.clearing import ClearingDesk
from exchange.commands import CloseEpoch, Command, RequestWithdrawal
from exchange.messages import OrderMessage
from exchange.netting import net
from exchange.refusals import (
    BodyTooLarge,
    EpochHasNoTrades,
    EpochUnknown,
    JournalUnavailable,
    NoSuchRoute,
    NotSignedIn,
    OrderUnknown,
    RequestMalformed,
    UnknownInstrument,
    WithdrawalUnknown,
)
from exchange.sequencer import Outcome, Sequencer
from exchange.streaming import Stream
from exchange.wire import (
    account_bytes,
    parse_command,
    refusal_json,
    report_json,
    to_bytes,
    unit_value,
    uuid_bytes,
)

BODY_BYTES_MAX: Final = 4 * 2**20
COMMANDS_MAX: Final = 1_000
PAGE_MAX: Final = 1_000
WAIT_S_MAX: Final = 60.0
_KICK_S: Final = 0.05
_BIG_FACT: Final = 10**12

_STATUS: Final[dict[type[Refusal], int]] = {
    NotSignedIn: 401,
    NoSuchRoute: 404,
    OrderUnknown: 404,
    UnknownInstrument: 404,
    WithdrawalUnknown: 404,
    EpochUnknown: 404,
    BodyTooLarge: 413,
    JournalUnavailable: 503,
}


def create_app(sequencer: Sequencer, desk: ClearingDesk, stream: Stream, secret: str) -> Starlette:
    """Wire the routes. Whoever runs the app also runs `sequencer.run` and `desk.run` on its loop."""
    gateway = Gateway(sequencer, desk, stream, secret)
    routes = [
        Route("/health", gateway.open(gateway.health)),
        Route("/commands", gateway.guarded(gateway.post_commands), methods=["POST"]),
        Route("/instruments", gateway.guarded(gateway.get_instruments)),
        Route("/book/{unit}", gateway.guarded(gateway.get_book)),
        Route("/accounts", gateway.guarded(gateway.get_accounts)),
        Route("/accounts/{account}", gateway.guarded(gateway.get_account)),
        Route("/accounts/{account}/orders", gateway.guarded(gateway.get_orders)),
        Route("/orders/{order_id}", gateway.guarded(gateway.get_order)),
        Route("/trades", gateway.guarded(gateway.get_trades)),
        Route("/epochs", gateway.guarded(gateway.get_epochs)),
        Route("/epochs/close", gateway.guarded(gateway.post_close), methods=["POST"]),
        Route("/epochs/{epoch}", gateway.guarded(gateway.get_epoch)),
        Route("/withdrawals/{withdrawal_id}", gateway.guarded(gateway.get_withdrawal)),
        Route("/deposits/await", gateway.guarded(gateway.post_await_deposits), methods=["POST"]),
        WebSocketRoute("/stream", gateway.stream_changes),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _no_such_route})


Answer = Callable[[Request], Awaitable[object]]


class Gateway:
    """The routes' functions: each reads a request and returns what is to be written as JSON."""

    def __init__(self, sequencer: Sequencer, desk: ClearingDesk, stream: Stream, secret: str) -> None:
        self._sequencer = sequencer
        self._desk = desk
        self._stream = stream
        self._authorization = f"Bearer {secret}".encode()

    def open(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """Make a route of a function: its refusals become typed answers."""

        async def respond(request: Request) -> Response:
            try:
                return _json(await answer(request))
            except Refusal as refusal:
                return _refused(refusal)

        return respond

    def guarded(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """The same, only for who knows the secret."""

        async def signed_in(request: Request) -> object:
            self._require_secret(request)
            return await answer(request)

        return self.open(signed_in)

    def _require_secret(self, connection: HTTPConnection) -> None:
        given = connection.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._authorization):
            raise NotSignedIn()

    # --- acts ---

    async def post_commands(self, request: Request) -> object:
        """A list of commands, done in order; each is answered for itself."""
        body = await _body(request)
        if not isinstance(body, list):
            raise RequestMalformed(reason="a list of commands is expected")
        if len(body) > COMMANDS_MAX:
            raise RequestMalformed(reason="too many commands", commands=len(body), commands_max=COMMANDS_MAX)
        answers: list[Outcome | None] = []
        commands: list[Command] = []
        now_us = self._sequencer.now_us()
        for item in body:
            try:
                commands.append(parse_command(item, now_us))
                answers.append(None)
            except Refusal as refusal:
                answers.append(refusal)
        outcomes = iter(await self._sequencer.submit(commands))
        if any(isinstance(command, RequestWithdrawal) for command in commands):
            self._desk.kick()
        return [_outcome_json(next(outcomes) if each is None else each) for each in answers]

    async def post_close(self, request: Request) -> object:
        """Close the epoch, and with `wait` wait until it is settled and the withdrawals before it are paid.

        Body: `{"wait": bool, "timeout_s": number, "epoch": n}`, all optional. With `epoch` nothing is closed:
        it is only waited for, so a long wait can be made of short ones.
        """
        body = await _object(request, {"wait", "timeout_s", "epoch"})
        wait, epoch = body.get("wait", False), body.get("epoch")
        if type(wait) is not bool:
            raise RequestMalformed(field="wait", reason="true or false is expected")
        if epoch is None:
            epoch = await self._close()
        elif type(epoch) is not int or not 0 <= epoch < self._sequencer.state.open_epoch:
            raise EpochUnknown(epoch=epoch if _is_small(epoch) else str(epoch)[:40])
        self._desk.kick()
        if wait:
            await self._waiting(lambda: self._is_done(epoch), _timeout_s(body))
        stuck = [each for each in self._unreleased(epoch) if each.withdrawal_id in self._desk.stuck]
        return {
            "epoch": epoch,
            "settled_epoch": self._sequencer.state.settled_epoch,
            "unreleased": len(self._unreleased(epoch)),
            "stuck": [rendering.withdrawal(self._desk, each) for each in stuck],
            "done": self._is_done(epoch),
            "alarms": rendering.alarms(self._sequencer, self._desk),
        }

    async def post_await_deposits(self, request: Request) -> object:
        """Wait until deposits are credited. Body: `{"account", "request_ids": [...], "timeout_s"}`."""
        body = await _object(request, {"account", "request_ids", "timeout_s"})
        account, names = account_bytes(body.get("account")), body.get("request_ids")
        if not isinstance(names, list) or len(names) > COMMANDS_MAX:
            raise RequestMalformed(field="request_ids", reason="a list of ids is expected")
        keys = {_request_id(name): name for name in names}
        deposits = self._sequencer.state.deposits
        await self._waiting(lambda: all(account + key in deposits for key in keys), _timeout_s(body))
        return {
            "credited": [name for key, name in keys.items() if account + key in deposits],
            "missing": [name for key, name in keys.items() if account + key not in deposits],
        }

    async def _close(self) -> int:
        """Close the open epoch and return its number; without trades, the number of the one before."""
        sequencer = self._sequencer
        (outcome,) = await sequencer.submit([CloseEpoch(sequencer.state.open_epoch, sequencer.now_us())])
        if isinstance(outcome, Refusal) and not isinstance(outcome, EpochHasNoTrades):
            raise outcome
        return len(sequencer.state.epochs)

    def _is_done(self, epoch: int) -> bool:
        waiting = [each for each in self._unreleased(epoch) if each.withdrawal_id not in self._desk.stuck]
        return self._sequencer.state.settled_epoch >= epoch and not waiting

    def _unreleased(self, epoch: int) -> list[Any]:
        return [each for each in self._sequencer.views.unreleased.values() if each.after_epoch <= epoch]

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
        return rendering.health(self._sequencer, self._desk)

    async def get_instruments(self, _request: Request) -> object:
        """Everything listed, by unit."""
        listed = sorted(self._sequencer.state.instruments.items())
        return {"instruments": [rendering.instrument(self._sequencer, each) for _, each in listed]}

    async def get_book(self, request: Request) -> object:
        """The best levels of a book; `?depth=` says how many."""
        unit = self._listed(request.path_params["unit"])
        return rendering.book(self._sequencer, unit, _number(request, "depth", 10, 1, PAGE_MAX))

    async def get_accounts(self, request: Request) -> object:
        """All accounts with their balances, in pages: for the audit."""
        names = list(self._sequencer.state.ledger.accounts)
        after, limit = _page(request)
        page = names[after : after + limit]
        return {
            "accounts": [rendering.account(self._sequencer, self._desk, name) for name in page],
            "next": _next(after, page, len(names)),
        }

    async def get_account(self, request: Request) -> object:
        """One account."""
        name = account_bytes(request.path_params["account"])
        return rendering.account(self._sequencer, self._desk, name)

    async def get_orders(self, request: Request) -> object:
        """An account's orders, oldest first, in pages; `?open=true` for those in the book only."""
        name = account_bytes(request.path_params["account"])
        after, limit = _page(request)
        only_open = _flag(request, "open")
        orders = self._sequencer.views.orders_of.get(name, [])
        found: list[OrderMessage] = []
        place = after
        while place < len(orders) and len(found) < limit:
            order, place = orders[place], place + 1
            if not only_open or order.status is OrderStatus.OPEN:
                found.append(rendering.order(order))
        return {"orders": found, "next": place if place < len(orders) else None}

    async def get_order(self, request: Request) -> object:
        """One order."""
        name = request.path_params["order_id"]
        order = self._sequencer.state.orders.get(uuid_bytes(name, "order_id"))
        if order is None:
            raise OrderUnknown(order_id=name)
        return rendering.order(order)

    async def get_trades(self, request: Request) -> object:
        """Trades after a number, oldest first; `?unit=` and `?account=` choose."""
        after, limit = _page(request)
        trades: Sequence[Any] = self._sequencer.state.trades
        views = self._sequencer.views
        unit, account = request.query_params.get("unit"), request.query_params.get("account")
        if unit is not None:
            trades = views.trades_of_unit.get(self._listed(unit), [])
        if account is not None:
            name = account_bytes(account)
            trades = [
                trade
                for trade in views.trades_of_account.get(name, [])
                if unit is None or trade.unit == unit_value(unit)
            ]
        start = _first_after(trades, after)
        page = trades[start : start + limit]
        more = start + limit < len(trades)
        return {
            "trades": [rendering.trade(self._sequencer.state, trade) for trade in page],
            "next": page[-1].number if more else None,
        }

    async def get_epochs(self, request: Request) -> object:
        """Closed epochs after a number, oldest first."""
        after, limit = _page(request)
        epochs = self._sequencer.state.epochs
        page = epochs[after : after + limit]
        return {
            "epochs": [rendering.epoch(each) for each in page],
            "next": _next(after, page, len(epochs)),
        }

    async def get_epoch(self, request: Request) -> object:
        """A closed epoch with its deltas."""
        text, epochs = request.path_params["epoch"], self._sequencer.state.epochs
        if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) is None or not 1 <= int(text) <= len(epochs):
            raise EpochUnknown(epoch=text[:40])
        epoch = epochs[int(text) - 1]
        deltas = net(self._sequencer.state.trades_of(epoch))
        return {**rendering.epoch(epoch), "deltas": [rendering.delta(each) for each in deltas]}

    async def get_withdrawal(self, request: Request) -> object:
        """One withdrawal."""
        name = request.path_params["withdrawal_id"]
        withdrawal = self._sequencer.state.withdrawals.get(uuid_bytes(name, "withdrawal_id"))
        if withdrawal is None:
            raise WithdrawalUnknown(withdrawal_id=name)
        return rendering.withdrawal(self._desk, withdrawal)

    def _listed(self, text: str) -> int:
        unit = unit_value(text)
        if unit not in self._sequencer.state.books:
            raise UnknownInstrument(unit=text)
        return unit

    async def stream_changes(self, websocket: WebSocket) -> None:
        """Every book's snapshot, then its changes; `?unit=` once or more chooses."""
        try:
            self._require_secret(websocket)
            units = {self._listed(text) for text in websocket.query_params.getlist("unit")}
        except Refusal as refusal:
            code = 4401 if isinstance(refusal, NotSignedIn) else 4404
            await websocket.close(code, refusal.code)
            return
        await self._stream.serve(websocket, units or None)


# --- reading requests, writing answers ---


async def _body(request: Request) -> object:
    """Read a JSON body of at most BODY_BYTES_MAX; raises BodyTooLarge, RequestMalformed."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise BodyTooLarge(bytes_max=BODY_BYTES_MAX)
        parts.append(part)
    try:
        return orjson.loads(b"".join(parts))
    except orjson.JSONDecodeError as error:
        raise RequestMalformed(reason=f"no JSON: {error}"[:200]) from None


async def _object(request: Request, known: set[str]) -> dict[str, Any]:
    body = await _body(request)
    if not isinstance(body, dict):
        raise RequestMalformed(reason="an object is expected")
    unknown = sorted(body.keys() - known)
    if unknown:
        raise RequestMalformed(field=unknown[0][:80], reason="this field is unknown")
    return body


def _timeout_s(body: dict[str, Any]) -> float:
    timeout_s = body.get("timeout_s", 20)
    if type(timeout_s) not in (int, float) or not 0 <= timeout_s <= WAIT_S_MAX:
        raise RequestMalformed(field="timeout_s", reason=f"0 to {WAIT_S_MAX:.0f} is expected")
    return float(timeout_s)


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) is None or not least <= int(text) <= most:
        raise RequestMalformed(field=name, reason=f"a number from {least} to {most} is expected")
    return int(text)


def _page(request: Request) -> tuple[int, int]:
    return _number(request, "after", 0, 0, 10**18 - 1), _number(request, "limit", 100, 1, PAGE_MAX)


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text not in {"true", "false"}:
        raise RequestMalformed(field=name, reason="true or false is expected")
    return text == "true"


def _next(after: int, page: Sequence[object], total: int) -> int | None:
    end = after + len(page)
    return end if page and end < total else None


def _first_after(trades: Sequence[Any], number: int) -> int:
    """Return the index of the first trade with a higher number: they rise."""
    low, high = 0, len(trades)
    while low < high:
        middle = (low + high) // 2
        if trades[middle].number <= number:
            low = middle + 1
        else:
            high = middle
    return low


def _request_id(name: object) -> bytes:
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise RequestMalformed(field="request_ids", reason="a list of ids is expected")
    try:
        return request_id(name)
    except ValueError:
        raise RequestMalformed(field="request_ids", reason="0x and 64 hex digits are expected") from None


def _is_small(number: object) -> bool:
    return type(number) is int and abs(number) < _BIG_FACT


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Refusal):
        return {"refusal": refusal_json(outcome)}
    return {"reports": [report_json(report) for report in outcome]}


def _json(document: object, status: int = 200) -> Response:
    return Response(to_bytes(document), status, media_type="application/json")


def _refused(refusal: Refusal) -> Response:
    return _json({"refusal": refusal_json(refusal)}, _STATUS.get(type(refusal), 422))


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    refusal = NoSuchRoute(path=request.url.path[:200], method=request.method)
    return _json({"refusal": refusal_json(refusal)}, status)
