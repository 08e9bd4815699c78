"""The exchange's client: for the API, the command line, a scenario, a replay.

    with ExchangeClient(url, secret) as exchange:
        exchange.submit([place_order(...), ...])

Everything may be sent again: commands carry their ids, and a repetition is answered as the first time.

    Refusal
    ├── ExchangeUnreachable   no answer came for as long as patience lasted; it may or may not have been done
    ├── WaitedTooLong         what was waited for has not happened in the time given
    └── (any of exchange.refusals)
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import quote
from uuid import UUID

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from chain.refusals import Refusal
from exchange.messages import (
    AccountMessage,
    BookMessage,
    ChangeMessage,
    CloseMessage,
    DepositsMessage,
    EpochDetail,
    EpochMessage,
    HealthMessage,
    InstrumentMessage,
    KindText,
    OrderMessage,
    OrderPage,
    PhaseText,
    ReportMessage,
    RestingText,
    SelfTradeText,
    SideText,
    TradeMessage,
    TradePage,
    WithdrawalMessage,
)
from exchange.refusals import ExchangeUnreachable, WaitedTooLong, from_json

BATCH: Final = 1_000
_PAUSE_S: Final = 0.1
_PAUSE_S_MAX: Final = 1.0
_POLL_S: Final = 10.0

Command = dict[str, Any]
Outcome = list[ReportMessage] | Refusal


def place_order(
    order_id: UUID | str,
    account: str,
    unit: str,
    side: SideText,
    quantity_t: int,
    price_fen: int | None = None,
    kind: KindText = "limit",
    *,
    time_in_force: RestingText | None = None,
    post_only: bool = False,
    display_t: int | None = None,
    stop_fen: int | None = None,
    expires_us: int | None = None,
    self_trade: SelfTradeText | None = None,
) -> Command:
    """Return the command that buys or sells.

    Parameters
    ----------
    price_fen :
        The limit; a market or stop order may have one as its protection, or none.
    time_in_force :
        How long what is left rests: "gtc" until it is cancelled (so without any), "day", or "gtd" until
        `expires_us` (microseconds since 1970 UTC).
    post_only :
        A limit order that is refused rather than take from the book.
    display_t :
        How much of it the book shows at a time.
    stop_fen :
        The trade price at which a stop or stop-limit order comes in.
    self_trade :
        What happens when it meets an order of its own account; without any its own rest is cancelled.
    """
    command: Command = {
        "command": "PlaceOrder",
        "order_id": str(order_id),
        "account": account,
        "unit": unit,
        "side": side,
        "kind": kind,
        "quantity_t": quantity_t,
        "price_fen": price_fen,
    }
    more = {
        "time_in_force": time_in_force,
        "post_only": post_only or None,
        "display_t": display_t,
        "stop_fen": stop_fen,
        "expires_us": expires_us,
        "self_trade": self_trade,
    }
    command.update({name: value for name, value in more.items() if value is not None})
    return command


def cancel_order(order_id: UUID | str, account: str) -> Command:
    """Return the command that takes an order's remainder out of the book."""
    return {"command": "CancelOrder", "order_id": str(order_id), "account": account}


def amend_order(order_id: UUID | str, account: str, quantity_t: int, price_fen: int | None = None) -> Command:
    """Return the command that gives an order a new whole, what is filled included, and maybe a new price."""
    return {
        "command": "AmendOrder",
        "order_id": str(order_id),
        "account": account,
        "quantity_t": quantity_t,
        "price_fen": price_fen,
    }


def mass_cancel(account: str, unit: str | None = None) -> Command:
    """Return the command that takes all orders of an account out, or those of one unit."""
    return {"command": "MassCancel", "account": account, "unit": unit}


def request_withdrawal(withdrawal_id: UUID | str, account: str, asset: str, amount: int) -> Command:
    """Return the command that pays out; `asset` is a unit's code or "cash"."""
    return {
        "command": "RequestWithdrawal",
        "withdrawal_id": str(withdrawal_id),
        "account": account,
        "asset": asset,
        "amount": amount,
    }


def list_instrument(
    unit: str, tick_fen: int = 1, lot_t: int = 1, quantity_max_t: int = 1_000_000_000
) -> Command:
    """Return the command that opens a unit for trading."""
    return {
        "command": "ListInstrument",
        "unit": unit,
        "tick_fen": tick_fen,
        "lot_t": lot_t,
        "quantity_max_t": quantity_max_t,
    }


def set_rules(
    unit: str,
    *,
    maker_ppm: int = 0,
    taker_ppm: int = 0,
    fee_account: str | None = None,
    band_ppm: int = 0,
    position_limit_t: int = 0,
    no_same_day_resale: bool = False,
) -> Command:
    """Return the command that sets an instrument's rules, all of them anew; 0 is none.

    Who collects the fees is said once; later it may be left out.
    """
    return {
        "command": "SetRules",
        "unit": unit,
        "maker_ppm": maker_ppm,
        "taker_ppm": taker_ppm,
        "fee_account": fee_account,
        "band_ppm": band_ppm,
        "position_limit_t": position_limit_t,
        "no_same_day_resale": no_same_day_resale,
    }


def set_reference(unit: str, price_fen: int) -> Command:
    """Return the command that sets the price which the band lies around; 0 takes it away."""
    return {"command": "SetReference", "unit": unit, "price_fen": price_fen}


def set_phase(unit: str, phase: PhaseText) -> Command:
    """Return the command that opens, halts or closes an instrument, or gathers orders for an auction."""
    return {"command": "SetPhase", "unit": unit, "phase": phase}


def uncross(unit: str) -> Command:
    """Return the command that trades an auction's orders at one price."""
    return {"command": "Uncross", "unit": unit}


def set_kill_switch(account: str, *, on: bool) -> Command:
    """Return the command that cancels an account's orders and takes no more, or takes them again."""
    return {"command": "SetKillSwitch", "account": account, "on": on}


class ExchangeClient:
    """One exchange; safe to share between threads."""

    def __init__(self, url: str, secret: str, timeout_s: float = 30.0, patience_s: float = 2.0) -> None:
        """Wait `timeout_s` for an answer; go on asking an exchange that is away for `patience_s`."""
        self.url = url
        self._patience_s = patience_s
        self._headers = {"authorization": f"Bearer {secret}"}
        self._http = httpx.Client(base_url=url, headers=self._headers, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    # --- acts ---

    def submit(self, commands: Iterable[Command]) -> list[Outcome]:
        """Do commands in order, 1,000 a request; each gives its reports or its refusal."""
        outcomes: list[Outcome] = []
        waiting = list(commands)
        for start in range(0, len(waiting), BATCH):
            answers = self._ask("POST", "/commands", waiting[start : start + BATCH])
            outcomes += [_outcome(answer) for answer in answers]
        return outcomes

    def do(self, command: Command) -> list[ReportMessage]:
        """Do one command; raises its refusal."""
        (outcome,) = self.submit([command])
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def close_epoch(self, wait: bool = True, timeout_s: float = 120.0) -> CloseMessage:
        """Close the open epoch; with `wait`, until it is settled and the withdrawals before it are paid out.

        Raises
        ------
        WaitedTooLong :
            With the epoch, what is settled, what is not paid out, and the first alarm's code.
        """
        answer = cast(CloseMessage, self._ask("POST", "/epochs/close", {}))
        deadline = time.monotonic() + timeout_s
        while wait and not answer["done"]:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise WaitedTooLong(
                    epoch=answer["epoch"],
                    settled_epoch=answer["settled_epoch"],
                    unreleased=answer["unreleased"],
                    alarm=answer["alarms"][0]["code"] if answer["alarms"] else None,
                )
            body = {"wait": True, "epoch": answer["epoch"], "timeout_s": min(_POLL_S, left_s)}
            answer = cast(CloseMessage, self._ask("POST", "/epochs/close", body))
        return answer

    def await_deposits(
        self, account: str, request_ids: Iterable[UUID | str], timeout_s: float = 60.0
    ) -> None:
        """Wait until these deposits of an account are credited; raises WaitedTooLong."""
        missing = [str(name) for name in request_ids]
        deadline = time.monotonic() + timeout_s
        while missing:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise WaitedTooLong(account=account, missing=len(missing), first=missing[0])
            still: list[str] = []
            for start in range(0, len(missing), BATCH):
                body = {
                    "account": account,
                    "request_ids": missing[start : start + BATCH],
                    "timeout_s": min(_POLL_S, left_s),
                }
                answer = cast(DepositsMessage, self._ask("POST", "/deposits/await", body))
                still += answer["missing"]
            missing = still

    # --- readings ---

    def health(self) -> HealthMessage:
        """How the exchange is."""
        return cast(HealthMessage, self._ask("GET", "/health"))

    def instruments(self) -> list[InstrumentMessage]:
        """Everything listed."""
        return cast("list[InstrumentMessage]", self._ask("GET", "/instruments")["instruments"])

    def book(self, unit: str, depth: int = 10) -> BookMessage:
        """The best levels of a book; raises UnknownInstrument."""
        return cast(BookMessage, self._ask("GET", f"/book/{_path(unit)}", query={"depth": depth}))

    def account(self, account: str) -> AccountMessage:
        """What an account has."""
        return cast(AccountMessage, self._ask("GET", f"/accounts/{_path(account)}"))

    def accounts(self) -> list[AccountMessage]:
        """All accounts, page by page."""
        found: list[AccountMessage] = []
        after: int | None = 0
        while after is not None:
            page = self._ask("GET", "/accounts", query={"after": after, "limit": 1_000})
            found += page["accounts"]
            after = page["next"]
        return found

    def orders(self, account: str, after: int = 0, limit: int = 100, only_open: bool = False) -> OrderPage:
        """A page of an account's orders, oldest first."""
        query = {"after": after, "limit": limit, "open": "true" if only_open else "false"}
        return cast(OrderPage, self._ask("GET", f"/accounts/{_path(account)}/orders", query=query))

    def order(self, order_id: UUID | str) -> OrderMessage:
        """One order; raises OrderUnknown."""
        return cast(OrderMessage, self._ask("GET", f"/orders/{_path(str(order_id))}"))

    def trades(
        self, unit: str | None = None, account: str | None = None, after: int = 0, limit: int = 100
    ) -> TradePage:
        """A page of trades with numbers above `after`, oldest first."""
        query: dict[str, str | int] = {"after": after, "limit": limit}
        if unit is not None:
            query["unit"] = unit
        if account is not None:
            query["account"] = account
        return cast(TradePage, self._ask("GET", "/trades", query=query))

    def all_trades(self, unit: str | None = None, account: str | None = None) -> list[TradeMessage]:
        """All trades, page by page."""
        found: list[TradeMessage] = []
        after: int | None = 0
        while after is not None:
            page = self.trades(unit, account, after, 1_000)
            found += page["trades"]
            after = page["next"]
        return found

    def epochs(self, after: int = 0, limit: int = 100) -> list[EpochMessage]:
        """Closed epochs with numbers above `after`."""
        query = {"after": after, "limit": limit}
        return cast("list[EpochMessage]", self._ask("GET", "/epochs", query=query)["epochs"])

    def epoch(self, epoch: int) -> EpochDetail:
        """A closed epoch with its deltas; raises EpochUnknown."""
        return cast(EpochDetail, self._ask("GET", f"/epochs/{epoch}"))

    def withdrawal(self, withdrawal_id: UUID | str) -> WithdrawalMessage:
        """One withdrawal; raises WithdrawalUnknown."""
        return cast(WithdrawalMessage, self._ask("GET", f"/withdrawals/{_path(str(withdrawal_id))}"))

    async def stream(self, units: Sequence[str] = ()) -> AsyncGenerator[ChangeMessage, None]:
        """Yield snapshots and then changes, of these units or of all.

        Raises
        ------
        ExchangeUnreachable :
            The connection ended; a new one begins with new snapshots.
        """
        query = "&".join(f"unit={_path(unit)}" for unit in units)
        url = f"{self.url.replace('http', 'ws', 1)}/stream?{query}"
        try:
            async with connect(url, additional_headers=self._headers, proxy=None, max_size=None) as socket:
                async for message in socket:
                    yield orjson.loads(message)
        except (OSError, WebSocketException) as error:
            raise ExchangeUnreachable(url=self.url, reason=type(error).__name__) from error
        raise ExchangeUnreachable(url=self.url, reason="the stream ended")

    def _ask(self, method: str, path: str, body: object = None, query: dict[str, Any] | None = None) -> Any:
        """Ask, a few times if need be: everything here may be repeated."""
        content = None if body is None else orjson.dumps(body)
        deadline = time.monotonic() + self._patience_s
        pause_s = _PAUSE_S
        while True:
            try:
                response = self._http.request(method, path, content=content, params=query)
            except httpx.TransportError as error:
                reason = type(error).__name__
            else:
                if response.status_code < 400:
                    return orjson.loads(response.content)
                refusal = _refusal(response)
                if refusal is not None:
                    raise refusal
                reason = f"status {response.status_code}"
            if time.monotonic() + pause_s > deadline:
                raise ExchangeUnreachable(url=self.url, reason=reason)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)


def _outcome(answer: dict[str, Any]) -> Outcome:
    refused = answer.get("refusal")
    if refused is not None:
        return from_json(refused["code"], refused["facts"])
    return cast("list[ReportMessage]", answer["reports"])


def _refusal(response: httpx.Response) -> Refusal | None:
    try:
        refused = orjson.loads(response.content)["refusal"]
        return from_json(refused["code"], refused["facts"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _path(text: str) -> str:
    """One segment of a path, whatever the text holds."""
    return quote(text, safe="")
